"""What the cloud may cost: calls, tokens and money per minute and per day.

At its end low-confidence questions get degraded answers, or the cut is lowered until there is budget again, so that fewer
questions want the cloud. A window may be overrun by what is in flight when it ends, never by calls.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from limits import RateLimitItem

from app.cloud.shared import Upstream
from app.counts import Counts
from app.deadline import Deadline
from app.domain import CloudReply, Question
from app.errors import BudgetExhausted

Kind = Literal["calls", "tokens", "cost"]
# Money is counted in whole millionths, as `limits` counts integers: prices are per million tokens, so a token's is exact.
MICRO = 1_000_000
_KEY = "cloud-budget"


@dataclass(frozen=True, slots=True)
class Price:
    """Of a million prompt tokens and of a million completion tokens."""

    input: float
    output: float

    def of(self, usage: Mapping[str, int]) -> int:
        """Millionths of the currency, rounded up."""
        return math.ceil(usage.get("prompt_tokens", 0) * self.input + usage.get("completion_tokens", 0) * self.output)


class Budget:
    """Bounds on what is spent.

    Args:
        bounds: what is counted, and how much of it per which time.
        counts: where it is counted.
        prices: by the model that answers; one that has none costs as much as the dearest.
        lowered_tau: the cut at most while the budget is spent; None leaves the cut alone.
        on_change: told whether the budget is spent, when that changes.
    """

    def __init__(
        self,
        bounds: Sequence[tuple[Kind, RateLimitItem]],
        counts: Counts,
        *,
        prices: Mapping[str, Price] | None = None,
        lowered_tau: float | None = None,
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._bounds = list(bounds)
        self._counts = counts
        self._prices = dict(prices or {})
        self._lowered_tau = lowered_tau
        self._on_change = on_change
        self._was_spent = False

    async def spent(self) -> bool:
        """Whether any bound is reached."""
        spent = False
        for _, item in self._bounds:
            spent = spent or (await self._counts.left(item, _KEY)).remaining == 0
        if spent != self._was_spent:
            self._was_spent = spent
            self._on_change(spent)
        return spent

    async def ceiling(self) -> float | None:
        """The cut at most at this moment; None for no bound."""
        return self._lowered_tau if self._lowered_tau is not None and await self.spent() else None

    async def charge(self, kind: Kind, amount: int) -> bool:
        """Count; False when that is more than is left."""
        within = True
        for counted, item in self._bounds:
            if counted == kind and amount > 0:
                within = await self._counts.hit(item, _KEY, cost=amount) and within
        return within

    def price_of(self, reply: CloudReply) -> int:
        """Millionths of the currency."""
        known = [self._prices[reply.model]] if reply.model in self._prices else list(self._prices.values())
        return max((price.of(reply.usage) for price in known), default=0)


class BudgetedCloud:
    """A cloud that is asked while there is budget."""

    def __init__(self, upstream: Upstream, budget: Budget) -> None:
        self._upstream = upstream
        self._budget = budget

    async def close(self) -> None:
        """Close the upstream."""
        await self._upstream.close()

    async def answer(self, question: Question, deadline: Deadline) -> CloudReply:
        """As the upstream.

        Raises:
            BudgetExhausted: nothing is left; the upstream is not asked.
            CloudError: the upstream's.
        """
        if await self._budget.spent() or not await self._budget.charge("calls", 1):
            raise BudgetExhausted("the cloud budget is spent")
        reply = await self._upstream.answer(question, deadline)
        await self._budget.charge("calls", reply.attempts - 1)
        await self._budget.charge("tokens", reply.usage.get("prompt_tokens", 0) + reply.usage.get("completion_tokens", 0))
        await self._budget.charge("cost", self._budget.price_of(reply))
        return reply
