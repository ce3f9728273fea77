"""One question with everything that its caller asks for: a value that travels unchanged from a face to the cascade."""

from dataclasses import dataclass
from typing import Any

from app.core.errors import InvalidQuestion
from app.core.outcome import RouteRequest
from app.core.question import Question

# A window in which a caller's own cloud calls are counted, and the id of the key that they are counted for. `app/access/quotas.py`
# defines what a window is; everything else only hands it on.
Bound = tuple[Any, str]


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, and what its caller wants and may have.

    Raises:
        InvalidQuestion: a threshold that is no number from 0 to 1, or a deadline that is not above 0.

    Attributes:
        question: the question itself.
        tau: the caller's own threshold; None leaves the choice to the policy.
        route: the side that the caller wants.
        deadline_s: seconds that the caller grants; they may shorten the gateway's deadline, never lengthen it. None grants the whole of it.
        allowance: bounds on the caller's own cloud calls; where one is reached, the caller gets no cloud call.
        yields: whether the question is one of a batch, which give way to single ones at the edge.
    """

    question: Question
    tau: float | None = None
    route: RouteRequest = RouteRequest.AUTO
    deadline_s: float | None = None
    allowance: tuple[Bound, ...] = ()
    yields: bool = False

    def __post_init__(self) -> None:
        # A comparison with NaN is always false, so that neither bound would hold.
        if self.tau is not None and not 0 <= self.tau <= 1:
            raise InvalidQuestion("tau must be a number from 0 to 1", param="tau")
        if self.deadline_s is not None and not self.deadline_s > 0:
            raise InvalidQuestion("a deadline must be above 0", param="deadline_ms")
