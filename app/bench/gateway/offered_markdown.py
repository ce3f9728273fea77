"""The parts of the report of `foggate bench gateway` on fixed rates and on the profile → Markdown."""

from collections.abc import Mapping
from typing import Any

from app.bench.gateway.marks import mark_notes, marks_of
from app.bench.gateway.offered_summary import CLIENT, LATE_MS
from app.bench.numbers import FEWEST_FOR_P99
from app.evaluation.cells import percent, plain, table

_FUNCTIONS = 15
_SMALL = 0.005


def offered_parts(report: Mapping[str, Any]) -> list[str]:
    """The section on fixed rates; nothing where none was measured."""
    offered = report.get("offered")
    if not offered or not offered["rows"]:
        return []
    rows = [_offered_row(row, report) for row in offered["rows"]]
    head = ("requests a second", "way", "answered %", "p50 ms", "p99 ms", "waited %", "CPU ms a request", "sent late, p99 ms", "failed")
    about = (
        f"Requests come at random times (a Poisson process, the same times for all ways) and at a fixed rate, whether or not the server keeps "
        f"up, for {offered['seconds']:g} s in each of {report['rounds']} interleaved rounds. Latencies count from the planned time of each request. "
        f"At most {offered['connections']} requests are under way; one that has no answer after {offered['timeout_s']:g} s has failed."
    )
    return ["## At a fixed rate", about, table(head, rows, left=2), "\n".join(f"- {note}" for note in _notes(offered["rows"]))]


def _offered_row(row: Mapping[str, Any], report: Mapping[str, Any]) -> list[str]:
    label = "the client alone (least server)" if row["way"] == CLIENT else report["ways"][row["way"]]["label"]
    return [
        f"{row['rate']:,.0f}",
        label + marks_of(row),
        percent(row["answered_share"]),
        plain(row["p50_ms"], 1),
        plain(row["p99_ms"], 1),
        percent(row["waited_share"]),
        plain(row["cpu_ms"], 2),
        plain(row["late_p99_ms"], 2),
        str(row["failures"]) + (f" ({row['first_failure'][:80]})" if row["first_failure"] else ""),
    ]


def _notes(rows: list[Mapping[str, Any]]) -> list[str]:
    notes = [
        f"p99 needs {FEWEST_FOR_P99} replies; percentiles are over the requests that were answered, so read them with the share answered",
        "waited: requests whose time came while no connection was free, because the server was behind; that wait is in their latency",
        "sent late: how much later than planned the client itself sent although a connection was free; it is in the latencies of all ways",
    ]
    if any((row["late_p99_ms"] or 0) > LATE_MS for row in rows):
        notes.append(f"where the client sent more than {LATE_MS:g} ms late, the 99th percentiles are partly its own")
    return notes + mark_notes(rows)


def profile_parts(report: Mapping[str, Any]) -> list[str]:
    """The section on the profile; nothing where none was made."""
    profile = report.get("profile")
    if not profile:
        return []
    parts = [[name, percent(share), percent(profile["within"].get(name))] for name, share in profile["parts"].items() if share >= _SMALL]
    functions = [[name, percent(share)] for name, share in list(profile["functions"].items())[:_FUNCTIONS]]
    about = (
        f"A gateway of its own, {profile['connections']} connections, {profile['replies']:,} replies, {profile['looks']:,} looks at its stack: "
        f"{1000 * profile['seconds'] / profile['replies']:.2f} ms of CPU a request. Own: in the functions of a package, those in C among them that "
        "they call. With all below: in everything that they call, too."
    )
    return [
        "## Where the processor time of the edge route goes",
        about,
        table(("package", "own %", "with all below %"), parts),
        table(("function", "own %"), functions),
    ]
