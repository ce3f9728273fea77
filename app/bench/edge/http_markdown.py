"""The part of the report of `foggate bench edge` on HTTP → Markdown. What the numbers mean is explained in docs/bench.md."""

from collections.abc import Mapping
from typing import Any

from app.bench.numbers import FEWEST_FOR_P99
from app.evaluation.cells import NONE, percent, plain, short, table

# Characters of a failure that a cell shows.
_SAID = 120


def http_parts(http: Mapping[str, Any]) -> list[str]:
    """The sections on HTTP: closed loops, many questions in one request, and fixed rates where there were any."""
    return ["## Over HTTP", *_closed(http), *_alone(http), *_batches(http), *_offered(http)]


def _closed(http: Mapping[str, Any]) -> list[str]:
    rows, about_each = [], {}
    for one in http["servers"]:
        if one["reason"] is not None:
            about_each[one["server"]] = f"- **{one['server']}** ({one['about']}) was not measured: {one['reason']}"
            continue
        about_each[one["server"]] = f"- {one['server']}: {one['about']}"
        rate, times = one["questions_per_s"], one["foggate_times"]
        rows.append(
            [
                one["server"],
                one["way"] + (" (joint distribution)" if one["joint"] else ""),
                f"{short(rate['median'])} [{short(rate['low'])}, {short(rate['high'])}]",
                NONE if times is None else f"{times['median']:.2f} [{times['low']:.2f}, {times['high']:.2f}]",
                " / ".join(_ms(one.get(name), 0) for name in ("p50_s", "p95_s", "p99_s")),
                plain(one["written_tokens"], 1),
                percent(one["with_a_letter"]),
                _ms(one["cpu_s_per_question"], 1),
                percent(one.get("others_cpu_share")),
                NONE if one["rss_bytes"] is None else f"{one['rss_bytes'] / 1e6:,.0f}",
                plain(one["ready_s"], 1),
                _failures(one),
            ]
        )
    head = (
        "server",
        "way",
        "questions/s",
        "FogGate is so many times as fast",
        "p50 / p95 / p99 (ms)",
        "written tokens",
        "names a letter %",
        "CPU ms a question",
        "others' CPU %",
        "memory (MB)",
        "ready (s)",
        "failures",
    )
    about = (
        f"{http['clients']} clients, each with one request under way; {_tokens(http)}{http['rounds']} interleaved rounds with the same questions for all; "
        f"median [smallest, largest]. A 99th percentile needs {FEWEST_FOR_P99} replies. Others' CPU: the largest share of a core that the "
        f"other servers, which wait meanwhile, used together. The client alone reaches {http['client_requests_per_s']:,.0f} requests/s."
    )
    return [about, table(head, rows, left=2), "\n".join(about_each.values())]


def _tokens(http: Mapping[str, Any]) -> str:
    """The length of the prompts; reports of earlier versions do not have it."""
    return f"prompts of about {http['prompt_tokens']:,.0f} tokens; " if "prompt_tokens" in http else ""


def _alone(http: Mapping[str, Any]) -> list[str]:
    """A single connection; reports of earlier versions have none."""
    lines = []
    for server in http["servers"]:
        found = server.get("one_connection")
        if found:
            failures = "" if not found["failures"] else f"; **{_failures(found)} failures**"
            lines.append(
                f"{server['server']}, {server['way']}, one connection with one question after the other: p50 {_ms(found['p50_s'], 2)} ms, "
                f"p99 {_ms(found['p99_s'], 2)} ms of {found['questions']} questions{failures}."
            )
    return lines


def _batches(http: Mapping[str, Any]) -> list[str]:
    """Many questions in one request; reports of earlier versions have none."""
    lines = []
    for server in http["servers"]:
        found = server.get("batch_request")
        if found:
            rate, missing = found["questions_per_s"], found["not_answered"]
            answered = (
                "all were answered"
                if not missing
                else f"**{missing} were not answered** ({found['first_failure'] or 'errors among the results'})"
            )
            lines.append(
                f"{server['server']}, {found['questions']} questions in one request: {rate['median']:,.2f} questions/s "
                f"[{rate['low']:,.2f}, {rate['high']:,.2f}] in {found['rounds']} rounds; {answered}."
            )
    return lines


def _offered(http: Mapping[str, Any]) -> list[str]:
    """At fixed rates; reports of earlier versions have none."""
    rows = [["the client alone (least server)", "", *_offered_cells(one)] for one in http.get("client_offered", [])]
    for server in http["servers"]:
        rows += [[server["server"], server["way"], *_offered_cells(one)] for one in server.get("offered", [])]
    if not rows:
        return []
    rows.sort(key=lambda row: float(row[2].replace(",", "")))
    head = (
        "server",
        "way",
        "questions/s offered",
        "answered %",
        "p50 / p99 (ms)",
        "waited %",
        "sent late, p99 (ms)",
        "client's CPU %",
        "failures",
    )
    about = (
        f"Questions are sent at a fixed rate at random times (a Poisson process), whether or not the server keeps up, for {http['rate_seconds']:g} s in "
        f"each of {http['rounds']} rounds. Latencies count from the planned times and are those of the questions that were answered within "
        f"{http['rate_timeout_s']:g} s. Waited: the time of the question came while no connection was free. Sent late: by the client, although one was. "
        "Client's CPU: the largest share of a core that the client used; near 100 it is what limits."
    )
    return ["### At a fixed rate", about, table(head, rows, left=2)]


def _offered_cells(one: Mapping[str, Any]) -> list[str]:
    return [
        f"{one['rate']:,.0f}",
        percent(one["answered_share"]),
        " / ".join(short(None if one[name] is None else 1000 * one[name]) for name in ("p50_s", "p99_s")),
        percent(one["waited_share"]),
        _ms(one["late_p99_s"], 2),
        percent(one.get("client_cpu_share")),
        _failures(one),
    ]


def _failures(one: Mapping[str, Any]) -> str:
    return str(one["failures"]) + (f" ({one['first_failure'][:_SAID]})" if one["first_failure"] else "")


def _ms(seconds: float | None, digits: int) -> str:
    return plain(None if seconds is None else 1000 * seconds, digits)
