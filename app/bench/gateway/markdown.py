"""The report of `foggate bench gateway` → Markdown."""

from collections.abc import Mapping
from typing import Any

from app.bench.gateway.marks import calls_notes, mark_notes, marks_of
from app.bench.gateway.offered_markdown import offered_parts, profile_parts
from app.bench.goal import goal_lines
from app.bench.machine import described
from app.bench.numbers import FEWEST_FOR_P99
from app.evaluation.cells import plain

PICTURE = "gateway.png"
_COLUMNS = (
    "connections",
    "way",
    "requests a second",
    "p50 ms",
    "p99 ms",
    "added p50 ms",
    "added p99 ms",
    "CPU ms a request",
    "requests a CPU second",
    "RSS MB",
    "failed",
)


def render(report: Mapping[str, Any], *, picture: bool = False) -> str:
    """The report as Markdown.

    Args:
        report: report of `app.bench.gateway.run.bench`.
        picture: whether the picture lies beside it.
    """
    parts = [
        "# The gateway in front of a cloud",
        _about(report),
        goal_lines(report["goals"]),
        _table(report),
        "\n".join(f"- {note}" for note in _notes(report)),
        *([f"![Latency added, and requests a second, against connections]({PICTURE})"] if picture else []),
        *offered_parts(report),
        *profile_parts(report),
    ]
    return "\n\n".join(parts) + "\n"


def _about(report: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    pinned = "the measured server has one core for itself" if report["pinned"] else "no server has a core for itself"
    whole = "" if report["complete"] else " **The time of the run was over before everything was measured.**"
    return (
        f"{described(report['machine'])}; {pinned}. {versions}. The mock cloud answers after {report['delay_ms']:g} ms, the edge engine waits "
        f"{report['edge_ms']:g} ms for a batch. {_rounds(report['rounds'])} of {report['seconds']:g} s for each row, "
        f"closed loop: each connection sends its next request when it has the reply to the one before.{whole}"
    )


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} interleaved rounds"


def _table(report: Mapping[str, Any]) -> str:
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---:|---|" + "---:|" * (len(_COLUMNS) - 2)]
    for row in report["rows"]:
        cells = [
            str(row["connections"]),
            report["ways"][row["way"]]["label"] + marks_of(row),
            f"{row['rate']:,.0f}",
            *(plain(row[name], 1) for name in ("p50_ms", "p99_ms", "added_p50_ms", "added_p99_ms")),
            plain(row["cpu_ms"], 2),
            # Reports of before it was written say the same by the time of a request.
            plain(1000 / row["cpu_ms"] if row["cpu_ms"] else None, 0),
            plain(row["rss_mb"], 0),
            str(row["failures"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [f"| | {name} | not measured: {reason} |" + " |" * (len(_COLUMNS) - 3) for name, reason in _absent(report)]
    return "\n".join(lines)


def _absent(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The peers that are not there, each with the reason in a form that a cell of a table can hold."""
    return [(name, " ".join(str(reason).replace("|", "\\|").split())) for name, reason in report["absent"].items()]


def _notes(report: Mapping[str, Any]) -> list[str]:
    rows = report["rows"]
    notes = [
        f"added: a percentile minus that of the mock cloud directly with as many connections; p99 needs {FEWEST_FOR_P99} replies",
        "CPU: of the server's process and its children, divided by its successful replies",
        "requests a CPU second: 1,000 divided by the CPU ms of a request, which is what a core could serve that did nothing else",
        "RSS: of the whole process without a model; the ways of the gateway are one process",
        f"the client alone reaches {report['client_ceiling']:,} requests a second against the least server that can be written",
    ]
    notes += mark_notes(rows)
    if any(row["base"] not in {None, row["connections"]} for row in rows):
        notes.append(
            "where they limit the mock cloud directly, a direct measurement with fewer connections is subtracted (`base` in the JSON)"
        )
    notes += calls_notes(rows, {way: about["label"] for way, about in report["ways"].items()})
    failed = {row["way"]: row["first_failure"] for row in rows if row["first_failure"]}
    notes += [f"first failure of {report['ways'][way]['label']}: `{' '.join(str(said).split())[:200]}`" for way, said in failed.items()]
    return notes
