"""The arithmetic of `foggate bench gateway`: samples of all rounds → one row for each way and number of connections, and the targets.

Pure: it knows no process and no clock.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# The way that all others are compared with: no proxy at all.
DIRECT = "direct"
# A way that does not end at the mock cloud: nothing is added to it.
EDGE = "edge"
# Fewer replies have no 99th percentile: the slowest one would stand for it.
FEWEST_FOR_P99 = 100
# Beyond this share of a core, the client or the mock cloud may be what limits a row.
LIMIT_SHARE = 0.9


@dataclass(frozen=True)
class Sample:
    """One measurement: a way, a number of connections, a round.

    Attributes:
        way: name of the way.
        connections: number of connections.
        seconds: duration in seconds.
        latencies: seconds of each successful reply.
        failures: requests without a successful reply.
        first_failure: what the first of them said; None if there was none.
        cpu_s: CPU seconds of the server that was measured; None where the system does not tell.
        rss_mb: resident memory of that server at the end, in MB (10^6 bytes); None where the system does not tell.
        load_share: share of one core that client and mock cloud used; the larger of the two where each has a core, otherwise their sum.
        starved_share: share of the time in which the server was ready to run and had no core; None where the system does not tell.
    """

    way: str
    connections: int
    seconds: float
    latencies: tuple[float, ...]
    failures: int
    first_failure: str | None
    cpu_s: float | None
    rss_mb: float | None
    load_share: float
    starved_share: float | None = None


@dataclass(frozen=True)
class Row:
    """All rounds of one way with one number of connections. Times are in milliseconds; what cannot be known is None.

    Attributes:
        way, connections: as in `Sample`.
        rounds: number of measurements.
        replies: successful replies of all rounds.
        failures: requests without a successful reply.
        first_failure: what the first of them said.
        rate: successful replies a second, the median of the rounds.
        rates: the same for each round.
        p50_ms, p99_ms: percentiles of the latency over the replies of all rounds.
        added_p50_ms, added_p99_ms: those percentiles minus those of the mock cloud directly; None for the edge route, which does not ask it.
        base: number of connections of the direct measurement that was subtracted: the same, or, where client and mock cloud were at their
            limit with so many, the largest smaller number at which they were not.
        cpu_ms: CPU milliseconds of the server for each successful reply.
        rss_mb: largest resident memory of the server at the end of a round.
        load_share: largest share of a core that client and mock cloud used.
        limited: whether client and mock cloud may have limited the row.
        starved_share: largest share of the time in which the server was ready to run and had no core.
    """

    way: str
    connections: int
    rounds: int
    replies: int
    failures: int
    first_failure: str | None
    rate: float
    rates: tuple[float, ...]
    p50_ms: float | None
    p99_ms: float | None
    added_p50_ms: float | None
    added_p99_ms: float | None
    base: int | None
    cpu_ms: float | None
    rss_mb: float | None
    load_share: float
    limited: bool
    starved_share: float | None

    def as_json(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that at least `share` of the values do not exceed.

    Args:
        values: at least one value, in any order.
        share: from 0 (excluded) to 1.
    """
    return sorted(values)[math.ceil(share * len(values)) - 1]


def rows_of(samples: Iterable[Sample]) -> list[Row]:
    """One row for each way and number of connections, in the order of their numbers of connections and then of their first samples."""
    grouped: dict[tuple[str, int], list[Sample]] = {}
    for sample in samples:
        grouped.setdefault((sample.way, sample.connections), []).append(sample)
    bare = {connections: group for (way, connections), group in grouped.items() if way == DIRECT}
    free = [connections for connections, group in bare.items() if _load_share(group) <= LIMIT_SHARE]

    def base(connections: int) -> int | None:
        return max((one for one in free if one <= connections), default=None)

    rows = [
        _row(way, connections, group, None if way == EDGE else base(connections), bare) for (way, connections), group in grouped.items()
    ]
    return sorted(rows, key=lambda row: row.connections)


def _load_share(group: Sequence[Sample]) -> float:
    return max(sample.load_share for sample in group)


def _percentiles(group: Sequence[Sample]) -> tuple[float | None, float | None]:
    """The 50th and the 99th percentile in milliseconds."""
    latencies = [seconds for sample in group for seconds in sample.latencies]
    p50 = 1000 * percentile(latencies, 0.5) if latencies else None
    return p50, 1000 * percentile(latencies, 0.99) if len(latencies) >= FEWEST_FOR_P99 else None


def _row(way: str, connections: int, group: Sequence[Sample], base: int | None, bare: Mapping[int, Sequence[Sample]]) -> Row:
    p50, p99 = _percentiles(group)
    bare_p50, bare_p99 = (None, None) if base is None else _percentiles(bare[base])
    replies = sum(len(sample.latencies) for sample in group)
    rates = tuple(len(sample.latencies) / sample.seconds for sample in group)
    share = _load_share(group)
    used = [sample.cpu_s for sample in group if sample.cpu_s is not None]
    return Row(
        way=way,
        connections=connections,
        rounds=len(group),
        replies=replies,
        failures=sum(sample.failures for sample in group),
        first_failure=next((sample.first_failure for sample in group if sample.first_failure), None),
        rate=statistics.median(rates),
        rates=tuple(round(rate, 1) for rate in rates),
        p50_ms=p50,
        p99_ms=p99,
        added_p50_ms=_added(p50, bare_p50),
        added_p99_ms=_added(p99, bare_p99),
        base=base,
        cpu_ms=1000 * sum(used) / replies if replies and used else None,
        rss_mb=max((sample.rss_mb for sample in group if sample.rss_mb is not None), default=None),
        load_share=share,
        limited=share > LIMIT_SHARE,
        starved_share=max((sample.starved_share for sample in group if sample.starved_share is not None), default=None),
    )


def _added(value: float | None, bare: float | None) -> float | None:
    return None if value is None or bare is None else value - bare


@dataclass(frozen=True)
class Goal:
    """A target of the project and what was measured.

    Attributes:
        text: the target as a sentence.
        limit: the number that is compared with.
        at_least: whether the measured number must reach the limit; otherwise it must not exceed it.
        value: the measured number; None where it was not measured.
    """

    text: str
    limit: float
    at_least: bool
    value: float | None

    @property
    def verdict(self) -> str:
        """`met`, `missed` or `not measured`."""
        if self.value is None:
            return "not measured"
        return "met" if (self.value >= self.limit if self.at_least else self.value <= self.limit) else "missed"

    def as_json(self) -> dict[str, Any]:
        """The target as a JSON object."""
        value = None if self.value is None else round(self.value, 4)
        return {"target": self.text, "limit": self.limit, "at_least": self.at_least, "value": value, "verdict": self.verdict}


# The number of connections at which ways are compared.
COMPARED_AT = 64
EDGE_RATE = 1500.0


def goals_of(rows: Iterable[Row]) -> list[Goal]:
    """The targets on the speed of the gateway, each with what these rows say of it."""
    by: Mapping[tuple[str, int], Row] = {(row.way, row.connections): row for row in rows}
    best_edge = max((row.rate for (way, _), row in by.items() if way == EDGE and row.replies), default=None)

    def of(name: str, ours: str, theirs: str) -> float | None:
        """A number of one way divided by that of another."""
        pair = [by.get((way, COMPARED_AT)) for way in (ours, theirs)]
        values = [getattr(row, name) if row is not None and row.replies else None for row in pair]
        above, below = values
        # Where the other way adds nothing that can be measured, there is no ratio.
        return None if above is None or below is None or below <= 0 else float(above / below)

    at = f"{COMPARED_AT} connections"
    goals = [Goal(f"edge route with an engine that waits: at least {EDGE_RATE:.0f} requests a second", EDGE_RATE, True, best_edge)]
    for way, words in (("cloud", "cloud route"), ("pass", "pass-through")):
        goals += [
            Goal(f"{words}: the p99 that it adds at {at} is at most 0.2 of LiteLLM's", 0.2, False, of("added_p99_ms", way, "litellm")),
            Goal(f"{words}: at least 8 times LiteLLM's requests a second at {at}", 8.0, True, of("rate", way, "litellm")),
            Goal(f"{words}: at most 1.5 times the least proxy's CPU time a request at {at}", 1.5, False, of("cpu_ms", way, "least")),
        ]
    return goals
