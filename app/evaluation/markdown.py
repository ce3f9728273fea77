"""`report.json` → `report.md`: the tables for people, the published numbers of the reference beside them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.calibration import Achieved
    from app.evaluation.calibrate import Fit

# Gemma-3-1B, R14, tau = 0.5, as published (percent): cloud only, edge only, random, system, cloud rate. No intervals are published.
PUBLISHED_GEMMA = {
    "finance": (69.5, 45.4, 53.3, 60.0, 32.8),
    "science": (72.7, 36.0, 59.1, 66.9, 62.9),
    "coding": (74.2, 49.6, 55.4, 60.6, 23.6),
    "law": (70.7, 45.4, 52.9, 60.0, 29.8),
    "math": (60.1, 29.3, 48.9, 51.6, 63.6),
    "kazakh": (95.8, 76.3, 79.4, 84.0, 16.0),
    "medical": (74.0, 39.3, 56.0, 63.1, 48.2),
    "mean": (73.9, 45.9, 57.9, 63.7, 39.5),
}
PUBLISHED_QWEN = "Published means of Qwen3-0.6B, R14 (no numbers per domain): edge 59.6, system 67.8, routed 21.9, lift +4.6."
_COLUMNS = ("cloud_only", "edge_only", "random", "system", "cloud_rate")


def render(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    title = f"# {report['edge_model']} with {', '.join(report['cloud_model'])}"
    about = (
        f"tau = {report['tau']:g} on the {report['signal']} confidence, n = {report['n']}"
        + (f" ({report['left_out']} records without both answers left out)" if report["left_out"] else "")
        + (f"; {report['cloud_unparsable']} cloud replies named no option and count as wrong" if report["cloud_unparsable"] else "")
        + f". Percent; intervals: 95 %, paired bootstrap within domains, {report['resamples']} resamples, seed {report['seed']}."
    )
    rows = [*report["domains"].items(), ("mean (macro)", report["mean"]), ("mean (micro)", report["micro_mean"])]
    parts = [
        title,
        about,
        f"**{report['verdict']}**",
        "## What routing buys",
        table(
            ("domain", "n", "cloud only", "edge only", "random", "system", "cloud routed", "lift over random", "gap recovered", "chance"),
            [_row(name, row) for name, row in rows],
        ),
        "## How good the signals are",
        table(
            ("signal", "edge right", "mean", "AUROC", "ECE (10 bins)", "ECE (equal mass)", "Brier", "AURC", "APGR", "APGR of the oracle"),
            [_signal(name, row) for name, row in report["signals"].items()],
        ),
        report["expected_vs_verbalized"]["sentence"],
        table(
            ("confidence said", "n", "edge right"),
            [[label, str(row["n"]), percent(row["edge_accuracy"])] for label, row in report["buckets"].items()],
        ),
        table(
            ("options offered", "n", "chance", "edge right"),
            [
                [count, str(row["n"]), percent(row["chance"]), percent(row["edge_accuracy"])]
                for count, row in report["option_counts"].items()
            ],
        ),
        *_protocols(report["protocols"]),
        *_order_check(report.get("order_check")),
        *_costs(report["costs"]),
        "## The reference, for comparison",
        "Published table of Gemma-3-1B, R14, at tau = 0.5 on its own 16,200 test questions; other questions than these.",
        table(
            ("domain", "cloud only", "edge only", "random", "system", "cloud routed", "lift"),
            [[name, *(f"{value:.1f}" for value in row), f"{row[3] - row[2]:+.1f}"] for name, row in PUBLISHED_GEMMA.items()],
        ),
        PUBLISHED_QWEN,
    ]
    return "\n\n".join(parts) + "\n"


def render_calibration(fit: "Fit") -> str:
    """What a calibration found, for the terminal."""
    found, target = fit.calibration, fit.calibration.target
    wanted = {
        "cloud_rate": "a cloud rate of",
        "accuracy": "an accuracy of at least",
        "edge_error": "an error among kept answers of at most",
    }
    promise = f"{wanted[target.kind]} {percent(target.value)} %" + (f" with probability {1 - target.delta:g}" if target.delta else "")
    rows: list[tuple[str, int, float | None, Achieved | None]] = [("all", found.n_fit, found.tau, found.achieved)]
    if found.domains:
        shared = "pooled together" if found.pooled else "no domain named"
        rows = [
            ("all, each by its own", found.n_fit, None, found.achieved),
            *((name, cut.n, cut.tau, cut.achieved) for name, cut in found.domains.items()),
            (shared, found.n_shared or 0, found.tau, found.achieved_shared),
        ]
    cells = [
        [name, str(n_fit), "–" if tau is None else f"{tau:.4g}", *(_achieved(achieved) if achieved else ["0", *["–"] * 5])]
        for name, n_fit, tau, achieved in rows
    ]
    head = ("", "n fit", "tau", "n test", "cloud routed", "right", "wrong among kept", "lift over random", "target")
    about = (
        f"Target: {promise}, on the {found.signal} confidence. Chosen on {found.n_fit} questions, checked on {found.n_test} others "
        f"(seed {found.seed}); percent, 95 % intervals."
    )
    parts = [
        f"# Calibration of {found.edge_model}{f' + {found.edge_adapter}' if found.edge_adapter else ''}",
        about,
        table(head, cells),
        f"**{found.verdict}**",
        found.scope,
    ]
    if fit.temperature_report:
        errors = fit.temperature_report
        parts += [
            f"Temperature {found.temperature:g}, on the test half:",
            table(
                ("", "log loss", "Brier", "ECE"),
                [[when, *(_number(errors[when][key]) for key in ("log_loss", "brier", "ece"))] for when in errors],
            ),
        ]
    parts += [f"- {note}" for note in fit.notes]
    return "\n\n".join(parts) + "\n"


def _achieved(row: "Achieved") -> list[str]:
    def share(value: float | None, ci: Sequence[float] | None) -> str:
        return "–" if value is None or ci is None else f"{percent(value)} [{percent(ci[0])}, {percent(ci[1])}]"

    return [
        str(row.n),
        share(row.cloud_rate, row.cloud_rate_ci),
        share(row.accuracy, row.accuracy_ci),
        share(row.edge_error, row.edge_error_ci),
        signed(row.lift, row.lift_ci),
        row.held,
    ]


def _protocols(protocols: Mapping[str, Any] | None) -> list[str]:
    if protocols is None:
        return []
    agree = protocols["agree_on_format"]
    said = "" if agree is None else f"; on those the one pass names the same confidence and letter on {percent(agree)} %"
    about = (
        f"n = {protocols['n']}. Free greedy generation (64 tokens) begins with exactly the two lines on {percent(protocols['on_format'])} %"
        f"{said}. Searching its text finds a confidence and an offered letter on {percent(protocols['parsed'])} %; the rest has no answer of "
        "its own and goes to the cloud."
    )
    return [
        "## One pass against free generation",
        about,
        table(
            ("protocol", "n", "cloud only", "edge only", "random", "system", "cloud routed", "lift over random", "gap recovered", "chance"),
            [_row("one pass", protocols["one_pass"]), _row("generate", protocols["generate"])],
        ),
    ]


def _order_check(checked: Mapping[str, Any] | None) -> list[str]:
    if checked is None:
        return []
    rows = [
        [name, str(checked["n"]), str(checked[name]["flips"]), percent(checked[name]["rate"]), _interval(checked[name]["rate_ci"])]
        for name in ("verbalized", "expected")
    ]
    about = "Questions that were asked again with their options reversed, and how many of them got another option for an answer (percent, exact 95 % interval)."
    return ["## Order of the options", about, table(("answer", "n", "changed", "order-flip rate", "interval"), rows)]


def _costs(costs: Mapping[str, Any]) -> list[str]:
    sides = ("edge_only", "cloud_only", "system")
    rows = [["cost of 1,000 questions", *(_plain(costs["per_thousand"][side], 4) for side in sides)]]
    tokens = costs["cloud_tokens_per_thousand"]
    rows.append(["cloud tokens of 1,000 questions", "0", *(_plain(tokens[side], 0) for side in sides[1:])])
    latency = costs["latency_ms"]
    rows += [[f"latency, {key} (ms)", *(_plain((latency[side] or {}).get(key), 0) for side in sides)] for key in ("mean", "p50", "p95")]
    about = (
        "Prices are those of the configuration (`prices`; – where none is set), in its currency. Latencies are those of the collecting run: "
        "an edge pass is shared by a whole batch, and the cloud was asked many times at once."
    )
    return [
        "## Cost and latency",
        about,
        table(("", "edge only", "cloud only", "system"), rows),
    ]


def _row(name: str, row: Mapping[str, Any]) -> list[str]:
    return [
        name,
        str(row["n"]),
        *(percent(row[column]) for column in _COLUMNS),
        signed(row["lift"], row["lift_ci"]),
        percent(row["gap_recovered"]),
        percent(row.get("chance")),
    ]


def _signal(name: str, row: Mapping[str, Any]) -> list[str]:
    plain = [_number(row[key]) for key in ("ece_fixed", "ece_adaptive", "brier", "aurc", "apgr", "apgr_oracle")]
    return [name, percent(row["edge_accuracy"]), _number(row["mean"]), number(row["auroc"], row["auroc_ci"]), *plain]


def percent(value: float | None) -> str:
    """A fraction as percent without the sign."""
    return "–" if value is None else f"{100 * value:.1f}"


def signed(value: float, ci: Sequence[float]) -> str:
    """A difference in points with its interval."""
    return f"{100 * value:+.1f} [{100 * ci[0]:+.1f}, {100 * ci[1]:+.1f}]"


def number(value: float | None, ci: Sequence[float]) -> str:
    """A number with its interval, such as an AUROC."""
    return "–" if value is None else f"{value:.3f} [{ci[0]:.3f}, {ci[1]:.3f}]"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, numbers to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(ci: Sequence[float]) -> str:
    return f"[{percent(ci[0])}, {percent(ci[1])}]"


def _plain(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
