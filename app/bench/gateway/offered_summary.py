"""The arithmetic of `foggate bench gateway` at fixed rates: samples of all rounds → one row for each way and rate. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.bench.gateway.summary import LIMIT_SHARE, Used, cpu_ms_of, rss_mb_of, starved_share_of
from app.bench.offered import OfferedLoad, Total

# The clients against the least server that can be written: what they add themselves.
CLIENT = "client"
# Where the client sends later than this although a connection was free, its own lateness is a part of the latencies.
LATE_MS = 1.0


@dataclass(frozen=True)
class OfferedSample:
    """One measurement: a way, a rate, a round.

    Attributes:
        way: name of the way.
        found: what the client has seen.
        used: what was used meanwhile.
    """

    way: str
    found: OfferedLoad
    used: Used


@dataclass(frozen=True)
class OfferedRow:
    """All rounds of one way at one rate.

    Attributes:
        way: name of the way.
        total: what the client has seen.
        used: what was used in each round.
    """

    way: str
    total: Total
    used: Sequence[Used]

    def as_json(self) -> dict[str, Any]:
        """The row as a JSON object: the fields of `app.bench.offered.Total` with times in milliseconds, and those of `summary.Row`."""
        total, answered = self.total, self.total.planned - self.total.failures
        share = max(one.load_share for one in self.used)
        values: dict[str, Any] = {
            "way": self.way,
            "rate": total.rate,
            "rounds": total.runs,
            "planned": total.planned,
            "answered_share": total.answered_share,
            "failures": total.failures,
            "first_failure": total.first_failure,
            "p50_ms": _ms(total.p50_s),
            "p99_ms": _ms(total.p99_s),
            "waited_share": total.waited_share,
            "late_p99_ms": _ms(total.late_p99_s),
            "cpu_ms": cpu_ms_of(self.used, answered),
            "rss_mb": rss_mb_of(self.used),
            "load_share": share,
            "limited": share > LIMIT_SHARE,
            "starved_share": starved_share_of(self.used),
        }
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}


def offered_rows_of(samples: Iterable[OfferedSample]) -> list[OfferedRow]:
    """One row for each way and rate, in the order of the rates and then of their first samples."""
    grouped: dict[tuple[str, float], list[OfferedSample]] = {}
    for sample in samples:
        grouped.setdefault((sample.way, sample.found.rate), []).append(sample)
    rows = [OfferedRow(way, Total.of([one.found for one in group]), [one.used for one in group]) for (way, _), group in grouped.items()]
    return sorted(rows, key=lambda row: row.total.rate)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds
