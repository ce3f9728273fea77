"""The report of `foggate bench gateway` → Markdown."""

from collections.abc import Mapping
from typing import Any

from app.bench.gateway.summary import FEWEST_FOR_P99, LIMIT_SHARE
from app.bench.machine import described

PICTURE = "gateway.png"
# From this share on a row says that the machine was busy.
STARVED_SHARE = 0.1
_COLUMNS = (
    "connections",
    "way",
    "requests a second",
    "p50 ms",
    "p99 ms",
    "added p50 ms",
    "added p99 ms",
    "CPU ms a request",
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
        "\n".join(f"- **{goal['verdict']}**: {goal['target']}{_measured(goal)}" for goal in report["goals"]),
        _table(report),
        "\n".join(f"- {note}" for note in _notes(report)),
        *([f"![Latency added, and requests a second, against connections]({PICTURE})"] if picture else []),
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


def _measured(goal: Mapping[str, Any]) -> str:
    if goal["value"] is None:
        return ""
    return f" (measured: {goal['value']:.0f})" if goal["limit"] >= 100 else f" (measured: {goal['value']:.2f})"  # noqa: PLR2004  # digits


def _table(report: Mapping[str, Any]) -> str:
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---:|---|" + "---:|" * (len(_COLUMNS) - 2)]
    for row in report["rows"]:
        marks = ("†" if row["limited"] else "") + ("‡" if (row["starved_share"] or 0) > STARVED_SHARE else "")
        cells = [
            str(row["connections"]),
            report["ways"][row["way"]]["label"] + marks,
            f"{row['rate']:,.0f}",
            *(_number(row[name], 1) for name in ("p50_ms", "p99_ms", "added_p50_ms", "added_p99_ms")),
            _number(row["cpu_ms"], 2),
            _number(row["rss_mb"], 0),
            str(row["failures"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [f"| | {name} | not measured: {reason} |" + " |" * (len(_COLUMNS) - 3) for name, reason in _absent(report)]
    return "\n".join(lines)


def _absent(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The peers that are not there, each with the reason in a form that a cell of a table can hold."""
    return [(name, " ".join(str(reason).replace("|", "\\|").split())) for name, reason in report["absent"].items()]


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _notes(report: Mapping[str, Any]) -> list[str]:
    rows = report["rows"]
    notes = [
        f"added: a percentile minus that of the mock cloud directly with as many connections; p99 needs {FEWEST_FOR_P99} replies",
        "CPU: of the server's process, divided by its successful replies; 1,000 divided by it is what one core can serve in a second",
        "RSS: of the whole process without a model; the ways of the gateway are one process",
        f"the client alone reaches {report['client_ceiling']:,} requests a second against the least server that can be written",
    ]
    if any(row["limited"] for row in rows):
        notes.append(f"†: the client and the mock cloud used more than {LIMIT_SHARE:.0%} of a core and may be what limits the row")
    if any(row["base"] not in {None, row["connections"]} for row in rows):
        notes.append(
            "where they limit the mock cloud directly, a direct measurement with fewer connections is subtracted (`base` in the JSON)"
        )
    if any((row["starved_share"] or 0) > STARVED_SHARE for row in rows):
        notes.append(f"‡: the server was ready to run and had no core for more than {STARVED_SHARE:.0%} of the time: the machine was busy")
    failed = {row["way"]: row["first_failure"] for row in rows if row["first_failure"]}
    notes += [f"first failure of {report['ways'][way]['label']}: `{' '.join(str(said).split())[:200]}`" for way, said in failed.items()]
    return notes
