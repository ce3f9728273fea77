"""Which of the waiting questions share the next forward pass: a pure function of what waits. Knows no queue and no clock."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.edge.rendering import Prompt

# Shorter questions that come later pass a question for so many times its own time at most. With more, the mean wait hardly falls any
# more, and long questions wait longer (docs/experiments.md, "Making the one pass faster").
AGEING = 4.0
# A question that yields may be so many times as long as the leader of a pass that does not yield: it would wait for the longer one.
_LONGER = 1.1


class Candidate(Protocol):
    """A question that waits.

    Attributes:
        since: when it joined the queue, in seconds.
        due: when its caller stops waiting, on the same clock; infinite where they do not.
        yields: whether it stands behind every question that does not yield.
    """

    @property
    def prompt(self) -> Prompt: ...

    @property
    def since(self) -> float: ...

    @property
    def due(self) -> float: ...

    @property
    def yields(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of one forward pass.

    Attributes:
        max_size: number of prompts.
        max_tokens: tokens of the longest prompt times the number of prompts; a single longer prompt is still taken, alone.
        max_padding_share: share of padding among the columns that are computed (in [0, 1]). Every prompt is padded to the longest of its
            batch; tokens of a cached prefix are neither computed nor padded.
    """

    max_size: int
    max_tokens: int
    max_padding_share: float


def choose(waiting: Sequence[Candidate], bounds: Bounds, *, now: float = 0.0, seconds_per_column: float = 0.0) -> set[int]:
    """Indices of the questions of the next batch; takes O(n log n).

    One question leads the batch: the one whose arrival plus `AGEING` times its own time comes first. So a short question may pass a
    longer one, and no question waits for ever: what came later than `AGEING` times its time can never pass it. A question is passed only
    where it and all others that are older than the leader are still answered within half of their deadlines, because the other half is
    the cloud's; otherwise the oldest leads. The rest of the batch are the questions nearest to the leader in length, of equally near ones the
    older, those that yield last, and of these none that is much longer than a leader that does not yield.

    Args:
        waiting: what waits: those that do not yield, then those that do, the oldest first in each line; at least one.
        bounds: bounds of the batch.
        now: the present time, in seconds.
        seconds_per_column: pace of the engine. 0, as long as it is not known, leaves the order of arrival.
    """
    line = [candidate for candidate in waiting if candidate.yields == waiting[0].yields]
    leader, spare_s = _leader(line, now, seconds_per_column)
    chosen = _filled(waiting, leader, bounds)
    takes_s = len(chosen) * max(waiting[index].prompt.columns for index in chosen) * seconds_per_column
    return chosen if takes_s <= spare_s else _filled(waiting, 0, bounds)


def _leader(line: Sequence[Candidate], now: float, seconds_per_column: float) -> tuple[int, float]:
    """Index of the question that leads, and the seconds by which all older ones may be delayed."""
    leader, first, allowed_s = 0, math.inf, math.inf
    ends, spare_s = now, math.inf
    for index, candidate in enumerate(line):
        takes_s = candidate.prompt.columns * seconds_per_column
        turn = candidate.since + AGEING * takes_s
        if turn < first and takes_s <= spare_s:
            leader, first, allowed_s = index, turn, spare_s
        # In the order of arrival it would be answered then.
        ends += takes_s
        spare_s = min(spare_s, (candidate.since + candidate.due) / 2 - ends)
    return leader, allowed_s


def _filled(waiting: Sequence[Candidate], leader: int, bounds: Bounds) -> set[int]:
    """The leader and those that share its batch."""
    first = waiting[leader].prompt
    chosen, width, computed = {leader}, first.columns, first.columns
    # A prompt with another prefix would make the engine compute the prefix of all of them again, one with another trie needs another pass.
    alike = [
        index
        for index, candidate in enumerate(waiting)
        if index != leader and (candidate.prompt.cached, candidate.prompt.nodes) == (first.cached, first.nodes)
    ]
    # The sort is stable: equally near ones stay in the order of their age.
    for index in sorted(alike, key=lambda index: (waiting[index].yields, abs(waiting[index].prompt.columns - first.columns))):
        if len(chosen) == bounds.max_size:
            break
        candidate = waiting[index].prompt.columns
        if waiting[index].yields and not waiting[leader].yields and candidate > _LONGER * first.columns:
            continue
        size, wider = len(chosen) + 1, max(width, candidate)
        padding = wider * size - computed - candidate
        longest = wider - first.nodes + first.cached
        if longest * size > bounds.max_tokens or padding > bounds.max_padding_share * wider * size:
            continue
        chosen.add(index)
        width, computed = wider, computed + candidate
    return chosen
