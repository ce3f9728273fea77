"""The targets of the project on the speed of the gateway, each with what was measured."""

from collections.abc import Iterable, Mapping

from app.bench.gateway.summary import EDGE, Row
from app.bench.goal import Goal

# The number of connections at which ways are compared.
COMPARED_AT = 64
EDGE_RATE = 1500.0


def goals_of(rows: Iterable[Row]) -> list[Goal]:
    """The targets on the speed of the gateway, each with what these rows say of it."""
    by: Mapping[tuple[str, int], Row] = {(row.way, row.connections): row for row in rows}
    best = max((row for (way, _), row in by.items() if way == EDGE and row.replies), key=lambda row: row.rate, default=None)

    def of(name: str, ours: str, theirs: str) -> float | None:
        """A number of one way divided by that of another."""
        pair = [by.get((way, COMPARED_AT)) for way in (ours, theirs)]
        values = [getattr(row, name) if row is not None and row.replies else None for row in pair]
        above, below = values
        # Where the other way adds nothing that can be measured, there is no ratio.
        return None if above is None or below is None or below <= 0 else float(above / below)

    at = f"{COMPARED_AT} connections"
    waits = "edge route with an engine that waits"
    goals = [
        Goal(f"{waits}: at least {EDGE_RATE:.0f} requests a second", EDGE_RATE, True, None if best is None else best.rate),
        Goal(
            f"{waits}, by its CPU time: at least {EDGE_RATE:.0f} requests a CPU second",
            EDGE_RATE,
            True,
            None if best is None else best.per_cpu_s,
        ),
    ]
    for way, words in (("cloud", "cloud route"), ("pass", "pass-through")):
        goals += [
            Goal(f"{words}: the p99 that it adds at {at} is at most 0.2 of LiteLLM's", 0.2, False, of("added_p99_ms", way, "litellm")),
            Goal(f"{words}: at least 8 times LiteLLM's requests a second at {at}", 8.0, True, of("rate", way, "litellm")),
            Goal(f"{words}: at most 1.5 times the least proxy's CPU time a request at {at}", 1.5, False, of("cpu_ms", way, "least")),
        ]
    return goals
