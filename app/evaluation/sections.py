"""The sections of `report.md`, each a list of Markdown blocks; empty where a report has nothing of the kind."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.verdict import Signal
from app.evaluation.cells import NONE, interval, number, percent, plain, questions, share, signed, spelt, table
from app.evaluation.published import PUBLISHED_GEMMA, PUBLISHED_QWEN
from app.evaluation.tau_steps import about_steps

_COLUMNS = ("cloud_only", "edge_only", "random", "system", "cloud_rate")
_ROUTING_HEAD = (
    "n",
    "cloud only (%)",
    "edge only (%)",
    "random (%)",
    "system (%)",
    "cloud routed (%)",
    "lift over random (points)",
    "gap recovered (%)",
    "chance (%)",
)
# Coverages in percent at which the error rate is written down; the picture shows all.
_COVERAGES = (10, 25, 50, 75, 90, 100)


def edge_alone(report: Mapping[str, Any]) -> list[str]:
    """The edge alone, on every question with an edge answer."""
    rows = [*report["edge"]["domains"].items(), ("all questions", {"tau": None, **report["edge"]["all"]})]
    single = not report.get("thresholds")
    cells = [
        [
            name,
            str(row["n"]),
            *([] if single else [NONE if row["tau"] is None else f"{row['tau']:.6g}"]),
            share(row["accuracy"], row["accuracy_ci"]),
            percent(row["chance"]),
            f"{percent(row['kept_share'])} (n = {row['kept']})",
            share(row["edge_error"], row["edge_error_ci"]),
        ]
        for name, row in rows
    ]
    head = ("domain", "n", *(() if single else ("tau",)), "edge accuracy (%)", "chance (%)", "kept at tau (%)", "error among kept (%)")
    return [table(head, cells)]


def routing(report: Mapping[str, Any]) -> list[str]:
    """Edge and cloud together, on the questions with both answers."""
    rows = [(name, row) for name, row in report["domains"].items() if "system" in row]
    means = [("mean (macro)", report["mean"]), ("mean (micro)", report["micro_mean"])]
    return [table(("domain", *_ROUTING_HEAD), [_row(name, row) for name, row in [*rows, *means]])]


def tau_steps(report: Mapping[str, Any]) -> list[str]:
    """What each of a few thresholds buys, one line each."""
    steps = report["tau_steps"]
    lines = "\n".join(f"- {step['sentence']}" for step in steps)
    return [about_steps(steps[0]["n"], steps[0].get("n_cloud", 0), Signal(report["signal"])), lines]


def signals(report: Mapping[str, Any]) -> list[str]:
    """Quality of each signal."""
    cloud = bool(report["n_cloud"])
    keys = ["ece_fixed", "ece_adaptive", "brier", "aurc", *(("apgr", "apgr_oracle") if cloud else ())]
    of = f" (n = {report['n_cloud']})" if report["n_cloud"] < report["n_edge"] else ""
    head = ["ECE (10 bins)", "ECE (equal mass)", "Brier", "AURC", *((f"APGR{of}", f"APGR of the oracle{of}") if cloud else ())]
    cells = [
        [
            spelt(name),
            str(row["n"]),
            percent(row["edge_accuracy"]),
            number(row["mean"]),
            number(row["auroc"], row["auroc_ci"]),
            *(number(row.get(key)) for key in keys),
        ]
        for name, row in report["signals"].items()
    ]
    return [table(("signal", "n", "edge accuracy (%)", "mean", "AUROC", *head), cells)]


def risks(report: Mapping[str, Any]) -> list[str]:
    """The risk–coverage curve of each signal at a few coverages."""
    cells = [
        [
            spelt(name) + (f" (n = {row['n']})" if row["n"] < report["n_edge"] else ""),
            *(percent(row["risk_coverage"][at - 1]) for at in _COVERAGES),
        ]
        for name, row in report["signals"].items()
    ]
    about = f"Error rate among the edge answers with the highest signals (%), by the share of {questions(report['n_edge'])} that is kept:"
    return [about, table(("signal", *(f"{at} %" for at in _COVERAGES)), cells)]


def buckets_and_options(report: Mapping[str, Any]) -> list[str]:
    """Accuracy by verbalized confidence, if the edge gives one, and by the number of options."""
    labels = [[label, str(row["n"]), percent(row["edge_accuracy"])] for label, row in report["buckets"].items()]
    by_confidence = [table(("verbalized confidence", "n", "edge accuracy (%)"), labels)] if labels else []
    return [
        f"Edge accuracy {'by verbalized confidence, and ' if labels else ''}by the number of offered options:",
        *by_confidence,
        table(
            ("options", "n", "chance (%)", "edge accuracy (%)"),
            [
                [count, str(row["n"]), percent(row["chance"]), percent(row["edge_accuracy"])]
                for count, row in report["option_counts"].items()
            ],
        ),
    ]


def protocols(found: Mapping[str, Any] | None) -> list[str]:
    """One pass beside free generation."""
    if found is None:
        return []
    agree = found["agree_on_format"]
    same = "" if agree is None else f"; on {percent(agree)} % of these the one pass gives the same confidence and letter"
    about = (
        f"n = {found['n']}. Free greedy generation (64 tokens) begins with exactly the two lines on {percent(found['on_format'])} % of the "
        f"questions{same}. Searching its text finds a confidence and an offered letter on {percent(found['parsed'])} %; the other questions "
        "have no edge answer and go to the cloud."
    )
    sides = (("one pass", found["one_pass"]), ("generate", found["generate"]))
    if "system" in found["one_pass"]:
        shown = table(("protocol", *_ROUTING_HEAD), [_row(name, row) for name, row in sides])
    else:
        shown = table(
            ("protocol", "n", "edge only (%)", "below tau (%)"),
            [[name, str(row["n"]), percent(row["edge_only"]), percent(row["cloud_rate"])] for name, row in sides],
        )
    return ["## One pass against free generation", about, shown]


def order_check(checked: Mapping[str, Any] | None) -> list[str]:
    """The order-flip rate."""
    if checked is None:
        return []
    names = {"verbalized": "after the verbalized confidence", "expected": "most probable option"}
    rows = [
        [names[name], str(checked["n"]), str(checked[name]["flips"]), percent(checked[name]["rate"]), interval(checked[name]["rate_ci"])]
        for name in names
        if name in checked
    ]
    about = "These questions were asked a second time with their options in reverse order. The order-flip rate is the share of them whose chosen option changed (exact 95 % interval)."
    return ["## Order of the options", about, table(("answer", "n", "changed", "order-flip rate (%)", "interval"), rows)]


def costs(report: Mapping[str, Any]) -> list[str]:
    """Cost of a thousand questions, and latency of one."""
    found = report["costs"]
    sides = [side for side in ("edge_only", "cloud_only", "system") if side in found["latency_ms"]]
    rows = [["cost of 1,000 questions", *(plain(found["per_thousand"][side], 4) for side in sides)]]
    if tokens := found.get("cloud_tokens_per_thousand"):
        rows.append(["cloud tokens of 1,000 questions", "0", *(plain(tokens[side], 0) for side in sides[1:])])
    latency = found["latency_ms"]
    rows += [[f"latency, {key} (ms)", *(plain((latency[side] or {}).get(key), 0) for side in sides)] for key in ("mean", "p50", "p95")]
    hardware = "; ".join(report["hardware"]) or "not recorded"
    about = (
        f"n = {report['n']}. Prices are those of the configuration (`prices`; {NONE} where none is set), in its currency. Latencies are those of the "
        f"collecting run (edge hardware: {hardware}): an edge pass is shared by a whole batch"
        + (", and the cloud was asked many times at once." if len(sides) > 1 else ".")
    )
    return ["## Cost and latency", about, table(("", *(side.replace("_", " ") for side in sides)), rows)]


def published() -> list[str]:
    """FogGen's published numbers."""
    return [
        "## FogGen's published numbers, for comparison",
        "FogGen's Gemma-3-1B, R14, at tau = 0.5 on its own 16,200 test questions (percent). The model and the questions are not those of this report.",
        table(
            ("domain", "cloud only", "edge only", "random", "system", "cloud routed", "lift (points)"),
            [[name, *(f"{value:.1f}" for value in row), f"{row[3] - row[2]:+.1f}"] for name, row in PUBLISHED_GEMMA.items()],
        ),
        PUBLISHED_QWEN,
    ]


def _row(name: str, row: Mapping[str, Any]) -> Sequence[str]:
    return [
        name,
        str(row["n"]),
        *(percent(row[column]) for column in _COLUMNS),
        signed(row["lift"], row["lift_ci"]),
        percent(row["gap_recovered"]),
        percent(row.get("chance")),
    ]
