"""`report.md` and pictures of a chain: accuracy, signals and buckets by round and domain, so that forgetting is visible."""

from collections.abc import Sequence
from pathlib import Path

from app.core.buckets import BUCKET_LABELS
from app.evaluation.cells import NONE, number, percent, signed, table
from app.training.chain import BASE, BINDING
from app.training.config import BindingConfig
from app.training.gate import MEAN
from app.training.metrics import Metrics, read_metrics
from app.training.state import BindingEntry, ChainState, CheckEntry, RoundEntry, Source

BINDING_ROW = "symbol binding"


def measured_rounds(out: Path, state: ChainState) -> list[tuple[str, Metrics]]:
    """Name and metrics of the base, of symbol binding if there was any, and of every finished round. Raises ConfigError."""
    bound = [(BINDING_ROW, BINDING)] if state.binding else []
    folders = [(BASE, BASE), *bound, *((entry.name, entry.name) for entry in state.rounds)]
    return [(name, read_metrics(out / folder)) for name, folder in folders]


def render_chain(out: Path, state: ChainState) -> str:
    """The report as Markdown.

    Args:
        out: folder of the run.
        state: what its `chain.json` holds.

    Raises:
        ConfigError: the metrics of a round are missing or damaged.
    """
    config, measured = state.config, measured_rounds(out, state)
    first = measured[0][1]
    domains = list(first.domains)
    entries: list[RoundEntry | BindingEntry | None] = [None, *([state.binding] if state.binding else []), *state.rounds]
    parts = [
        f"# Chain from {config.base}",
        (
            f"R0 and {len(state.rounds) - 1} of {config.rounds} rounds; labels: {config.labels.source}, {config.labels.method}, "
            f"N = {config.labels.samples} at T = {config.labels.temperature:g}. LoRA r = {config.lora.r}, "
            f"alpha = {config.lora.alpha}, learning rate {config.sft.learning_rate:g}, {config.sft.epochs} epochs, "
            f"batches of {config.sft.batch_size}, seed {config.seed}. Measured on {state.dev_rows} dev rows that were never "
            f"trained on; cloud: {', '.join(first.cloud)}; tau = {first.tau:g} on the verbalized confidence. Percent; 95 % intervals."
        ),
        *binding_sentences(state),
        *joint_sentences(state),
        "## Rows",
        sources_table(state.sources),
        "Left out of the training files: " + (", ".join(f"{n} ({why})" for why, n in state.left_out.items() if n) or "none") + ".",
        "## By round",
        table(
            (
                "",
                "domain",
                "new + replay",
                "edge accuracy",
                "AUROC verbalized",
                "AUROC expected",
                "AUROC top probability",
                "ECE expected",
                "cloud routed",
                "lift",
                "entropy",
            ),
            [_row(name, metrics, entry) for (name, metrics), entry in zip(measured, entries, strict=True)],
        ),
        "## Edge accuracy by domain",
        table(("", *domains), [[name, *(percent(metrics.domains[d].edge_only) for d in domains)] for name, metrics in measured]),
        "## Verbalized confidence on the dev rows",
        table(("", *BUCKET_LABELS), [[name, *(str(metrics.buckets[label]) for label in BUCKET_LABELS)] for name, metrics in measured]),
        "## Confidence targets of the new rows",
        table(("", *BUCKET_LABELS), [[e.name, *(str(e.buckets[label]) for label in BUCKET_LABELS)] for e in state.rounds]),
        "## Gate",
        (
            "Each round is compared with the last promoted checkpoint, row by row; a loss counts where it is larger than allowed and "
            f"chance does not explain it (level {config.gate.level:g} over all checks of a round)."
        ),
        "\n".join(f"- {e.name}: {e.decision}{_compared(e)}" for e in state.rounds),
        f"Training took {sum(sum(e.seconds.values()) for e in state.rounds):.0f} s in all.",
    ]
    return "\n\n".join(parts) + "\n"


def sources_table(sources: Sequence[Source]) -> str:
    """A table of where the trained rows come from, as far as they say."""
    rows = [[row.domain, row.source or "–", row.license or "–", str(row.rows)] for row in sources]
    return table(("domain", "source", "license", "rows"), rows)


def binding_sentences(state: ChainState) -> list[str]:
    """One sentence about symbol binding; none where the run has no such step."""
    return [] if state.binding is None or state.config.binding is None else [_binding_sentence(state.binding, state.config.binding)]


def joint_sentences(state: ChainState) -> list[str]:
    """One sentence about a loss through the one pass; none where the answers' tokens were trained."""
    if state.config.loss == "tokens":
        return []
    joint, labels = state.config.joint, state.config.labels
    return [
        (
            f"The loss was computed through the one pass: {labels.target} targets, {joint.confidence_loss.replace('_', '-')} of the confidence "
            f"(weight {joint.confidence_weight:g}), letters: {joint.letters} (weight {joint.letters_weight:g}). The adapter with the best AUROC on dev "
            "rows was kept in each round, so the AUROC of the expected confidence on dev rows is the best of several."
        )
    ]


def _binding_sentence(entry: BindingEntry, config: BindingConfig) -> str:
    held_out = entry.held_out
    return (
        f"Before R0, symbol binding was trained on {entry.new_rows} generated questions whose correct option repeats words of the question "
        f"({entry.steps} steps, LoRA r = {config.lora.r}, learning rate {config.sft.learning_rate:g}): of {held_out.rows} held-out questions, "
        f"whose words training never shows, {100 * held_out.correct_before:.1f} % were answered correctly before and "
        f"{100 * held_out.correct_after:.1f} % after."
    )


def draw_chain(out: Path, state: ChainState) -> list[Path]:
    """Draw `chain.png` and `.svg`: accuracy, AUROC and lift by round; edge accuracy by domain; buckets.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    # matplotlib comes with an extra.
    from app.training.publish.pictures import draw

    return draw(measured_rounds(out, state), out)


def _row(name: str, metrics: Metrics, entry: RoundEntry | BindingEntry | None) -> list[str]:
    signals = metrics.signals
    return [
        name,
        "–" if entry is None else entry.domain or "buffer",
        "–" if entry is None else f"{entry.new_rows} + {entry.replay_rows}",
        percent(metrics.mean.edge_only),
        *(
            NONE if signal is None else number(signal.auroc, signal.auroc_ci)
            for signal in (signals.verbalized, signals.expected, signals.top_probability)
        ),
        f"{signals.expected.ece_fixed:.3f}",
        percent(metrics.mean.cloud_rate),
        signed(metrics.mean.lift, metrics.mean.lift_ci),
        f"{metrics.entropy:.2f}",
    ]


def _compared(entry: RoundEntry) -> str:
    """What the gate compared: the loss of the mean, and that of the domain that speaks most clearly against the round."""
    if entry.gate is None:
        return ""
    *domains, mean, _ = entry.gate.checks
    worst = min(domains, key=lambda check: (1.0 if check.p is None else check.p, -check.loss))
    return f" (against {entry.gate.against}: {_loss(mean)}; most clearly {_loss(worst)})"


def _loss(check: CheckEntry) -> str:
    name = "the mean" if check.name == MEAN else check.name
    return f"{name} {'lost' if check.loss >= 0 else 'gained'} {100 * abs(check.loss):.1f} points, p = {check.p:.2g}"
