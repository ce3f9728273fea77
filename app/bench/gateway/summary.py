"""The arithmetic of `foggate bench gateway` with closed loops: samples of all rounds → one row for each way and number of connections.

Pure: it knows no process and no clock.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.bench.numbers import p50_and_p99

# The way that all others are compared with: no proxy at all.
DIRECT = "direct"
# A way that does not end at the mock cloud: nothing is added to it.
EDGE = "edge"
# The least server on uvicorn, which is the floor of the edge route, and does not ask the mock cloud either.
BARE = "bare"
NOT_TO_THE_CLOUD = frozenset({EDGE, BARE})
# Beyond this share of a core, the client or the mock cloud may be what limits a row.
LIMIT_SHARE = 0.9


@dataclass(frozen=True)
class Used:
    """What was used during one measurement.

    Attributes:
        cpu_s: CPU seconds of the server that was measured; None where the system does not tell.
        rss_mb: resident memory of that server at the end, in MB (10^6 bytes); None where the system does not tell.
        load_share: share of one core that client and mock cloud used; the larger of the two where each has a core, otherwise their sum.
        starved_share: share of the time in which the server was ready to run and had no core; None where the system does not tell.
    """

    cpu_s: float | None
    rss_mb: float | None
    load_share: float
    starved_share: float | None


def cpu_ms_of(used: Sequence[Used], replies: int) -> float | None:
    """CPU milliseconds for each good reply of some measurements; None where one of them is not known."""
    seconds = [one.cpu_s for one in used if one.cpu_s is not None]
    return 1000 * sum(seconds) / replies if replies and len(seconds) == len(used) else None


def rss_mb_of(used: Sequence[Used]) -> float | None:
    """Largest resident memory at the end of some measurements."""
    return max((one.rss_mb for one in used if one.rss_mb is not None), default=None)


def starved_share_of(used: Sequence[Used]) -> float | None:
    """Largest share of the time in which the server had no core although it was ready to run."""
    return max((one.starved_share for one in used if one.starved_share is not None), default=None)


@dataclass(frozen=True)
class Sample:
    """One measurement: a way, a number of connections, a round.

    Attributes:
        way: name of the way.
        connections: number of connections.
        seconds: duration in seconds.
        latencies: seconds of each successful reply: a status of 2xx with the answer that was asked for.
        failures: requests without a successful reply.
        first_failure: what the first of them said; None if there was none.
        used: what was used meanwhile.
        cloud_calls: chats that the mock cloud was asked meanwhile.
    """

    way: str
    connections: int
    seconds: float
    latencies: tuple[float, ...]
    failures: int
    first_failure: str | None
    used: Used
    cloud_calls: int


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
        added_p50_ms, added_p99_ms: those percentiles minus those of the mock cloud directly; None for ways that do not ask it.
        base: number of connections of the direct measurement that was subtracted: the same, or, where client and mock cloud were at their
            limit with so many, the largest smaller number at which they were not.
        cpu_ms: CPU milliseconds of the server for each successful reply.
        per_cpu_s: successful replies for each CPU second of the server: what one core that does nothing else can serve in a second.
        cloud_calls: chats that the mock cloud was asked for each successful reply.
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
    per_cpu_s: float | None
    cloud_calls: float | None
    rss_mb: float | None
    load_share: float
    limited: bool
    starved_share: float | None

    def as_json(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


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
        _row(way, connections, group, None if way in NOT_TO_THE_CLOUD else base(connections), bare)
        for (way, connections), group in grouped.items()
    ]
    return sorted(rows, key=lambda row: row.connections)


def _load_share(group: Sequence[Sample]) -> float:
    return max(sample.used.load_share for sample in group)


def _percentiles(group: Sequence[Sample]) -> tuple[float | None, float | None]:
    """The 50th and the 99th percentile in milliseconds."""
    return p50_and_p99([1000 * seconds for sample in group for seconds in sample.latencies])


def _row(way: str, connections: int, group: Sequence[Sample], base: int | None, bare: Mapping[int, Sequence[Sample]]) -> Row:
    p50, p99 = _percentiles(group)
    bare_p50, bare_p99 = (None, None) if base is None else _percentiles(bare[base])
    replies = sum(len(sample.latencies) for sample in group)
    rates = tuple(len(sample.latencies) / sample.seconds for sample in group)
    share = _load_share(group)
    used = [sample.used for sample in group]
    cpu_ms = cpu_ms_of(used, replies)
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
        cpu_ms=cpu_ms,
        per_cpu_s=1000 / cpu_ms if cpu_ms else None,
        cloud_calls=sum(sample.cloud_calls for sample in group) / replies if replies else None,
        rss_mb=rss_mb_of(used),
        load_share=share,
        limited=share > LIMIT_SHARE,
        starved_share=starved_share_of(used),
    )


def _added(value: float | None, bare: float | None) -> float | None:
    return None if value is None or bare is None else value - bare
