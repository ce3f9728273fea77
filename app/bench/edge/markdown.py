"""The report of `foggate bench edge` as Markdown. What the numbers mean is explained in docs/bench.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.evaluation.cells import NONE, percent, plain, table

_TITLES = {
    "lengths": "Length of the prompt (batch size 1, 4 options)",
    "options": "Number of options (batch size 1)",
    "batches": "Batch size (questions of the bank as they are)",
}
_R2 = 0.98


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report."""
    parts = [_head(report)]
    for part, title in _TITLES.items():
        cells = [cell for cell in report["cells"] if cell["part"] == part]
        if cells:
            parts += [f"## {title}", _cells(cells)]
            if part == "lengths":
                parts.append(_fits(report["fits"]))
    if report["cells"]:
        parts += ["## Share of the device's arithmetic", _roofline(report["cells"])]
    if report.get("http"):
        parts += ["## Over HTTP", _http(report["http"])]
    return "\n\n".join(parts) + "\n"


def _head(report: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return (
        f"# `foggate bench edge`: {report['model']}\n\n"
        f"{report['hardware']}; {report['dtype']}, {report['parameters'] / 1e6:,.0f} million parameters; {report['threads']} threads; "
        f"{versions}. {report['shared_prefix_tokens']} tokens of each prompt are cached, {report['trie_nodes']} tokens of the trie stand "
        f"behind it. Medians of up to {report['rounds']} interleaved rounds, with the smallest and the largest in brackets; ratios are "
        f"medians of the ratios of one round. {report['elapsed_s']:,.0f} s."
    )


def _cells(cells: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for cell in cells:
        for name, way in cell["ways"].items():
            seconds = way["seconds_per_question"]
            rows.append(
                [
                    f"{cell['value']}",
                    name,
                    f"{seconds['median'] * 1000:,.2f} [{seconds['low'] * 1000:,.2f}, {seconds['high'] * 1000:,.2f}]",
                    str(seconds["n"]),
                    plain(way["questions_per_s"], 1),
                    plain(way["prompt_tokens_per_s"], 0),
                    percent(way["forward_share"]),
                    percent(way["host_share"]),
                    percent(way["padding_share"]),
                    plain(cell["prompt_tokens"]["mean"], 0),
                ]
            )
    head = (
        "value",
        "way",
        "ms a question",
        "rounds",
        "questions/s",
        "prompt tokens/s",
        "layers %",
        "host %",
        "padding %",
        "tokens a prompt",
    )
    return table(head, rows) + "\n\n" + _ratios(cells)


def _ratios(cells: Sequence[Mapping[str, Any]]) -> str:
    head = ("value", "times as fast as `generate`", "time of a bare prefill", "by length: as fast as `generate`", "by length: of a prefill")
    keys = ("ratio_vs_generate", "ratio_vs_prefill", "ratio_by_length_vs_generate", "ratio_by_length_vs_prefill")
    return table(head, [[str(cell["value"]), *(_ratio(cell, key) for key in keys)] for cell in cells])


def _ratio(cell: Mapping[str, Any], key: str) -> str:
    if cell.get(key) is None:
        return NONE
    ci = cell[f"{key}_ci"]
    return f"{cell[key]:.2f}" + ("" if ci is None else f" [{ci[0]:.2f}, {ci[1]:.2f}]")


def _fits(fits: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{line['slope'] * 1e6:,.1f}", f"{line['intercept'] * 1e3:,.2f}", f"{line['r2']:.4f}"]
        for name, line in fits.items()
        if line is not None
    ]
    if not rows:
        return "Fewer than three different lengths: no line is fitted."
    ours = next(iter(fits.values()))
    said = "linear" if ours is not None and ours["r2"] >= _R2 else f"not linear (R² below {_R2})"
    head = ("way", "µs a token", "intercept (ms)", "R²")
    return (
        f"Time for a question against the tokens of its prompt, a straight line through the medians; the one pass is {said}.\n\n"
        + table(head, rows)
    )


def _roofline(cells: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for cell in cells:
        line = cell["roofline"]
        rows.append(
            [
                f"{cell['part']} {cell['value']}",
                f"{line['operations_per_question'] / 1e9:,.1f}",
                f"{line['matmul_per_s'] / 1e12:,.2f}",
                percent(line["share"]),
            ]
        )
    return table(("cell", "10⁹ operations a question", "10¹² operations/s of a matrix product", "share reached by the one pass %"), rows)


def _http(http: Mapping[str, Any]) -> str:
    rows, reasons = [], []
    for one in http["servers"]:
        if one["reason"] is not None:
            reasons.append(f"- **{one['server']}** ({one['about']}) was not measured: {one['reason']}")
            continue
        rate, times = one["questions_per_s"], one["foggate_times"]
        rows.append(
            [
                one["server"],
                one["way"] + (" (joint distribution)" if one["joint"] else ""),
                f"{rate['median']:,.2f} [{rate['low']:,.2f}, {rate['high']:,.2f}]",
                NONE if times is None else f"{times['median']:.2f} [{times['low']:.2f}, {times['high']:.2f}]",
                NONE if one["p50_s"] is None else f"{one['p50_s'] * 1000:,.0f} / {one['p99_s'] * 1000:,.0f}",
                plain(one["written_tokens"], 1),
                percent(one["with_a_letter"]),
                NONE if one["cpu_s_per_question"] is None else f"{one['cpu_s_per_question'] * 1000:,.1f}",
                NONE if one["rss_bytes"] is None else f"{one['rss_bytes'] / 1e6:,.0f}",
                plain(one["ready_s"], 1),
                str(one["failures"]) + (f" ({one['first_failure'][:120]})" if one["first_failure"] else ""),
            ]
        )
    head = (
        "server",
        "way",
        "questions/s",
        "FogGate is so many times as fast",
        "p50 / p99 (ms)",
        "written tokens",
        "names a letter %",
        "CPU ms a question",
        "memory (MB)",
        "ready (s)",
        "failures",
    )
    about = (
        f"{http['clients']} clients, each with one request under way; {http['rounds']} interleaved rounds with the same questions for all; "
        f"median [smallest, largest]. The client alone reaches {http['client_requests_per_s']:,.0f} requests/s."
    )
    return "\n\n".join([about, table(head, rows), *(["\n".join(reasons)] if reasons else [])])
