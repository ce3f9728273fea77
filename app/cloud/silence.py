"""What an attempt that ended without an answer shows about its endpoint, whether its own time ran out or its caller left.

A caller with a short deadline must not be able to open the breaker for everybody, and an endpoint that hangs must be detected however
short the deadlines are. So an attempt is judged by how long the endpoint usually needs, and by how long callers wait for it.
"""

import time
from collections.abc import Callable
from enum import Enum

from app.cloud.window import Peak

# For so long an endpoint's answers and its callers' patience are remembered. Longer than the breaker's usual window, so that a
# few patient callers are enough to show what the endpoint needs; short, so that one slow answer does not excuse a long silence.
_REMEMBERED_S = 30.0
# An attempt of less than this says nothing, unless the configuration leaves no more than four times as much to anybody.
_HURRY_S = 0.25
_PART, _MOST = 0.25, 0.75
_TIMES_THE_SLOWEST = 2.0


class Silence(Enum):
    """What no answer means. A doubt is a failure for a closed breaker; while it is half-open, one doubt alone is not enough."""

    NOTHING = 0
    DOUBT = 1
    FAILURE = 2


class Judge:
    """Judges the attempts at one endpoint.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers = Peak(_REMEMBERED_S, clock)
        self._patience = Peak(_REMEMBERED_S, clock)

    def begin(self, *, given_s: float, possible_s: float) -> "Trial":
        """An attempt begins now.

        Args:
            given_s: seconds that its callers will wait for it.
            possible_s: longest time in seconds that any attempt can last by the configuration.
        """
        self._patience.add(given_s)
        return Trial(self, possible_s)

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock()

    def answered(self, lasted_s: float) -> None:
        """Remember how long an answer took."""
        self._answers.add(lasted_s)

    def silent(self, lasted_s: float, possible_s: float) -> Silence:
        """What an attempt says that lasted so long and brought no answer.

        It is a failure if it lasted most of the time that any attempt can have, or twice as long as the slowest of the
        remembered answers. It is a doubt if it lasted most of the longest time that any caller gave the endpoint lately, for
        which a quarter is enough while no answer is remembered. Anything shorter says nothing.
        """
        if lasted_s >= _MOST * possible_s:
            return Silence.FAILURE
        if lasted_s < min(_HURRY_S, _PART * possible_s):
            return Silence.NOTHING
        slowest, longest = self._answers.most(), self._patience.most() or 0.0
        if slowest is not None and lasted_s >= _TIMES_THE_SLOWEST * slowest:
            return Silence.FAILURE
        enough = _PART if slowest is None else _MOST
        return Silence.DOUBT if lasted_s >= enough * longest else Silence.NOTHING

    def stopped(self, lasted_s: float, possible_s: float) -> Silence:
        """What it means that a streamed reply had begun and then nothing came for so long.

        How long an endpoint needs to begin says nothing about its pauses, so only the first of the rules above holds.
        """
        return Silence.FAILURE if lasted_s >= _MOST * possible_s else Silence.NOTHING


class Trial:
    """One attempt under way: measures how long it has been without a sign of its endpoint."""

    def __init__(self, judge: Judge, possible_s: float) -> None:
        self._judge = judge
        self._possible_s = possible_s
        self._since: float | None = judge.now()
        self._begun = False

    def answered(self) -> None:
        """The endpoint answered: remember how long that took; nothing more is awaited from it until `waits`."""
        if self._since is not None:
            self._judge.answered(self._judge.now() - self._since)
            self._since, self._begun = None, True

    def heard(self) -> None:
        """A piece of a streamed reply came; nothing is awaited from the endpoint until `waits`."""
        self._since = None

    def waits(self) -> None:
        """The next piece of a streamed reply is awaited from now on."""
        self._since = self._judge.now()

    def silent(self) -> Silence:
        """What it means that the attempt ends now, without an answer or before the end of it."""
        if self._since is None:
            return Silence.NOTHING
        meaning = self._judge.stopped if self._begun else self._judge.silent
        return meaning(self._judge.now() - self._since, self._possible_s)
