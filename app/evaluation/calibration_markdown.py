"""A calibration as Markdown for the terminal."""

from collections.abc import Mapping

from app.data.calibration import Achieved
from app.data.letter_prior import LetterPriorModel
from app.evaluation.calibrate import Fit
from app.evaluation.cells import NONE, number, percent, share, signed, spelt, table
from app.evaluation.signals import Quality

# Columns of the table of the signals.
_QUALITY = ("signal", "n", "AUROC", "ECE", "Brier")


def render_calibration(fit: Fit) -> str:
    """The thresholds, what they achieve on the test half, and for whom they hold."""
    found, target = fit.calibration, fit.calibration.target
    wanted = {
        "cloud_rate": "a cloud rate of",
        "accuracy": "an accuracy of at least",
        "edge_error": "an error among kept answers of at most",
    }
    promise = f"{wanted[target.kind]} {percent(target.value)} %" + (f" with probability {1 - target.delta:g}" if target.delta else "")
    rows: list[tuple[str, int, float | None, Achieved | None]] = [("all", found.n_fit, found.tau, found.achieved)]
    if found.domains:
        shared = "pooled domains" if found.pooled else "no domain named"
        rows = [
            ("all, each with its own threshold", found.n_fit, None, found.achieved),
            *((name, own.n, own.tau, own.achieved) for name, own in found.domains.items()),
            (shared, found.n_shared or 0, found.tau, found.achieved_shared),
        ]
    cells = [
        [name, str(n_fit), NONE if tau is None else f"{tau:.4g}", *(_achieved(achieved) if achieved else ["0", *[NONE] * 5])]
        for name, n_fit, tau, achieved in rows
    ]
    head = (
        "questions",
        "n fit",
        "tau",
        "n test",
        "cloud routed (%)",
        "system accuracy (%)",
        "error among kept (%)",
        "lift over random (points)",
        "target",
    )
    about = (
        f"Target: {promise}, on the {found.signal.words}. Chosen on {found.n_fit} questions, checked on {found.n_test} others "
        f"(seed {found.seed}); 95 % intervals. The target is held where its interval lies within the target, refuted where it lies outside."
    )
    parts = [
        f"# Calibration of {found.edge_model}{f' + {found.edge_adapter}' if found.edge_adapter else ''}",
        about,
        table(head, cells),
        f"**{found.recommendation}**",
        found.scope,
    ]
    if fit.signals:
        parts += [
            f"Each signal on the test half; the thresholds are on the {found.signal.words}:",
            table(_QUALITY, _signals(fit.signals)),
        ]
    if found.letter_prior is not None:
        parts += [_prior(found.letter_prior), "Each signal on the test half without the letter prior:"]
        parts += [table(_QUALITY, _signals(fit.signals_without))]
    if fit.temperature_report:
        errors = fit.temperature_report
        parts += [
            f"Temperature {found.temperature:g}, on the test half:",
            table(
                ("", "log loss", "Brier", "ECE"),
                [[when, *(number(errors[when][key]) for key in ("log_loss", "brier", "ece"))] for when in errors],
            ),
        ]
    parts += [f"- {note}" for note in fit.notes]
    return "\n\n".join(parts) + "\n"


def _signals(found: Mapping[str, Quality]) -> list[list[str]]:
    return [
        [spelt(name), str(row["n"]), number(row["auroc"], row["auroc_ci"]), number(row["ece"]), number(row["brier"])]
        for name, row in found.items()
    ]


def _prior(found: LetterPriorModel) -> str:
    """The prior of each number of options, and what it changes on the test half."""
    rows = [
        [str(options), str(found.n[options]), " ".join(f"{100 * share:.0f}" for share in prior)]
        for options, prior in found.by_options.items()
    ]
    effect = found.effect
    gain = signed(effect.accuracy[1] - effect.accuracy[0], effect.accuracy_gain_ci)
    said = [f"accuracy {percent(effect.accuracy[0])} % without and {percent(effect.accuracy[1])} % with it ({gain} points)"]
    if effect.auroc is not None:
        difference = number(effect.auroc[1] - effect.auroc[0], effect.auroc_gain_ci)
        said.append(f"AUROC {effect.auroc[0]:.3f} and {effect.auroc[1]:.3f} (difference {difference})")
    said.append(f"mean error among the answers kept {percent(effect.aurc[0])} % and {percent(effect.aurc[1])} %")
    return (
        f"Letter prior (shrinkage {found.shrinkage:g}), which is divided out of every distribution over the options; on the test half (n = {effect.n}): "
        f"{', '.join(said)}.\n\n{table(('options', 'n fit', 'prior of each letter, in order (%)'), rows)}"
    )


def _achieved(row: Achieved) -> list[str]:
    # Accuracy and lift may be those of a part of the questions.
    of = "" if row.n_cloud in {None, 0} else f" (n = {row.n_cloud})"
    return [
        str(row.n),
        share(row.cloud_rate, row.cloud_rate_ci),
        share(row.accuracy, row.accuracy_ci) + of,
        share(row.edge_error, row.edge_error_ci),
        signed(row.lift, row.lift_ci) + of,
        row.held,
    ]
