"""The report of `foggate bench edge` as Markdown. What the numbers mean is explained in docs/bench.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.bench.edge.goals import goals_of
from app.bench.edge.http_markdown import http_parts
from app.bench.goal import goal_lines
from app.bench.ratios import FEWEST_PAIRS
from app.evaluation.cells import NONE, percent, plain, short, table

_TITLES = {
    "lengths": "Length of the prompt (batch size 1, 4 options)",
    "options": "Number of options (batch size 1)",
    "batches": "Batch size ({questions})",
}
_VALUES = {"lengths": "tokens asked for", "options": "options", "batches": "batch size"}
_R2 = 0.98
# The median of fewer rounds is not much more than one measurement.
_FEW_ROUNDS = 3


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report."""
    parts = [_head(report), goal_lines(goal.as_json() for goal in goals_of(report))]
    for part, title in _TITLES.items():
        cells = [cell for cell in report["cells"] if cell["part"] == part]
        if cells:
            parts += [f"## {title.format(questions=_questions(report))}", _cells(cells, _VALUES[part])]
            if part == "lengths":
                parts.append(_fits(report["fits"]))
    # Reports of earlier versions do not say it.
    if left_out := report.get("lengths_left_out"):
        parts.append(
            f"Not measured: {', '.join(f'{tokens:,}' for tokens in left_out)} tokens; the longest prompt has {report['max_prompt_tokens']:,} "
            "(`edge.max_prompt_tokens`, and the model's own limit)."
        )
    if report["cells"]:
        parts += ["## Share of the device's arithmetic", _roofline(report["cells"])]
    if report.get("http"):
        parts += http_parts(report["http"])
    return "\n\n".join(parts) + "\n"


def _head(report: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return (
        f"# `foggate bench edge`: {report['model']}\n\n"
        f"{_when(report)}{report['hardware']}; {report['dtype']}, {report['parameters'] / 1e6:,.0f} million parameters; "
        f"{versions}. {report['shared_prefix_tokens']} tokens of each prompt are cached, {report['trie_nodes']} tokens of the trie stand "
        f"behind it. Medians of up to {report['rounds']} interleaved rounds, with the smallest and the largest in brackets; ratios are "
        f"medians of the ratios of one round, with a 95 % bootstrap interval where there are at least {FEWEST_PAIRS} rounds. "
        f"{report['elapsed_s']:,.0f} s.{_few(report)}"
    )


def _questions(report: Mapping[str, Any]) -> str:
    """Which questions the batches have; reports of earlier versions do not say it."""
    tokens = report.get("batch_tokens")
    return f"prompts of {tokens} tokens" if tokens else "questions of the bank as they are"


def _when(report: Mapping[str, Any]) -> str:
    """Date and load of the machine; reports of earlier versions have neither."""
    load = "" if report.get("load") is None else f", load of the machine at the start {report['load']:g}"
    return f"{report['created']}{load}; " if "created" in report else ""


def _few(report: Mapping[str, Any]) -> str:
    least = min((way["seconds_per_question"]["n"] for cell in report["cells"] for way in cell["ways"].values()), default=_FEW_ROUNDS)
    if least >= _FEW_ROUNDS:
        return ""
    return (
        f" **Some cells have fewer than {_FEW_ROUNDS} rounds, and their medians are hardly more than one measurement** (`--cell-seconds`)."
    )


def _cells(cells: Sequence[Mapping[str, Any]], value: str) -> str:
    rows = []
    for cell in cells:
        for name, way in cell["ways"].items():
            seconds = way["seconds_per_question"]
            rows.append(
                [
                    f"{cell['value']}",
                    name,
                    f"{short(seconds['median'] * 1000)} [{short(seconds['low'] * 1000)}, {short(seconds['high'] * 1000)}]",
                    str(seconds["n"]),
                    short(way["questions_per_s"]),
                    plain(way["prompt_tokens_per_s"], 0),
                    percent(way["forward_share"]),
                    percent(way["host_share"]),
                    percent(way["padding_share"]),
                    percent(way.get("replayed_share")),
                    plain(cell["prompt_tokens"]["mean"], 0),
                ]
            )
    head = (
        value,
        "way",
        "ms a question",
        "rounds",
        "questions/s",
        "prompt tokens/s",
        "layers %",
        "host %",
        "padding %",
        "replayed %",
        "tokens a prompt",
    )
    return table(head, rows, left=2) + "\n\n" + _ratios(cells, value)


def _ratios(cells: Sequence[Mapping[str, Any]], value: str) -> str:
    head = (value, "times as fast as `generate`", "time of a bare prefill", "by length: as fast as `generate`", "by length: of a prefill")
    keys = ("ratio_vs_generate", "ratio_vs_prefill", "ratio_by_length_vs_generate", "ratio_by_length_vs_prefill")
    # Only batches have an order.
    some = len(keys) if any(cell.get(keys[-1]) is not None for cell in cells) else 2
    return table(head[: some + 1], [[str(cell["value"]), *(_ratio(cell, key) for key in keys[:some])] for cell in cells])


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
