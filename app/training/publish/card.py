"""The model card that lies beside a shipped adapter: what it is, what it was trained on, and what it can and cannot do."""

from collections.abc import Sequence

from app.edge.builtin import find_builtin
from app.evaluation.cells import number, percent, signed, table
from app.training.metrics import Metrics
from app.training.publish.compress import Compressed
from app.training.publish.report import binding_sentences, sources_table
from app.training.state import ChainState


def render_card(
    name: str,
    state: ChainState,
    measured: Sequence[tuple[str, Metrics]],
    done: Compressed,
    *,
    license_name: str | None,
    calibration: str,
) -> str:
    """A model card in Markdown with the hub's front matter.

    Args:
        name: name of the adapter.
        state: what `chain.json` of its run holds.
        measured: name and metrics, on the dev rows, of the base and of the checkpoints to show, the shipped one last.
        done: what compressing found.
        license_name: licence of the adapter, as the hub spells it; None leaves it out.
        calibration: the sentence about `calibration.json`.
    """
    config = state.config
    builtin = find_builtin(config.base)
    # A builtin model's own adapter would be part of the base, which the hub does not have.
    base = builtin.weights.hub_name if builtin is not None and builtin.adapter is None else config.base
    last = measured[-1][0].split(" ")[0]
    front = ["---", *([f"license: {license_name}"] if license_name else []), f"base_model: {base}", "library_name: peft", "---"]
    parts = [
        "\n".join(front),
        f"# {name}",
        (
            f"A LoRA adapter (rank {done.rank}, bf16, {done.megabytes:.1f} MB) for {base}: the checkpoint {last} of a self-evolving chain. "
            "Asked a multiple-choice question in FogGate's prompt, it gives a confidence (0.0, 0.25, 0.5, 0.75, 1.0) and an answer."
        ),
        (
            f"It is the truncated singular value decomposition of what {'symbol binding and ' if state.binding else ''}R0 to {last} changed: the smallest rank at which "
            f"{100 * done.agreement:.1f} % of the verdicts (verbalized confidence, and answer by either signal) on {done.rows} dev rows are those of "
            f"the checkpoint. Tried: {', '.join(f'{rank}: {100 * share:.1f} %' for rank, share in sorted(done.tried))}."
        ),
        "## How good it is",
        (
            f"On {state.dev_rows} dev rows that no round was trained on; cloud: {', '.join(measured[0][1].cloud)}; tau = {measured[0][1].tau:g} on the "
            "verbalized confidence. Percent; 95 % intervals."
        ),
        table(
            ("", "edge accuracy", "AUROC expected", "ECE expected", "sent to the cloud", "lift over random"),
            [_row(which, metrics) for which, metrics in measured],
        ),
        (
            "A model of this size answers hard questions at random: do not rely on its answers, and look at the intervals above before "
            "relying on its confidence. Questions of another form than the rows below (ten options, long cases) were not trained on."
        ),
        "## Trained on",
        (
            f"{len(state.rounds) - 1} rounds after R0; labels: {config.labels.source}, method {config.labels.method}, "
            f"N = {config.labels.samples} at T = {config.labels.temperature:g}; LoRA r = {config.lora.r}, "
            f"alpha = {config.lora.alpha}, learning rate {config.sft.learning_rate:g}, {config.sft.epochs} epoch(s), batches of "
            f"{config.sft.batch_size}, seed {config.seed}. Rows and what they are licensed under:"
        ),
        sources_table(state.sources),
        *binding_sentences(state),
        "## Calibration",
        calibration,
    ]
    return "\n\n".join(parts) + "\n"


def _row(name: str, metrics: Metrics) -> list[str]:
    signal, mean = metrics.signals.expected, metrics.mean
    return [
        name,
        percent(mean.edge_only),
        number(signal.auroc, signal.auroc_ci),
        f"{signal.ece_fixed:.3f}",
        percent(mean.cloud_rate),
        signed(mean.lift, mean.lift_ci),
    ]
