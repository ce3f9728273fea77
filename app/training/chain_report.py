"""`report.md` and pictures of a chain: accuracy, signals and buckets by round and domain, so that forgetting is visible."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.core.verdict import BUCKET_LABELS
from app.evaluation.cells import number, percent, signed, table
from app.training.begun import read_json
from app.training.chain import WARMUP


def measured_rounds(out: Path, state: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(name, metrics) of the base, of the warm-up if there was one, and of every finished round."""
    warm = [("warm-up", WARMUP)] if state["warmup"] else []
    folders = [("base", "base"), *warm, *((name, name) for name in (f"R{entry['round']:02d}" for entry in state["rounds"]))]
    return [(name, read_json(out / folder / "metrics.json")) for name, folder in folders]


def render_chain(out: Path, state: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    config, rounds = state["config"], measured_rounds(out, state)
    domains = list(rounds[0][1]["domains"])
    warm = [state["warmup"]] if state["warmup"] else []
    entries: Sequence[Mapping[str, Any] | None] = [None, *warm, *state["rounds"]]
    first = rounds[0][1]
    parts = [
        f"# Chain from {config['base']}",
        (
            f"R0 and {len(state['rounds']) - 1} of {config['rounds']} rounds; labels: {config['labels']['source']}, {config['labels']['method']}, "
            f"N = {config['labels']['samples']} at T = {config['labels']['temperature']:g}. LoRA r = {config['lora']['r']}, "
            f"alpha = {config['lora']['alpha']}, learning rate {config['sft']['learning_rate']:g}, {config['sft']['epochs']} epochs, "
            f"batches of {config['sft']['batch_size']}, seed {config['seed']}. Measured on {state['dev_rows']} dev rows that were never "
            f"trained on; cloud: {', '.join(first['cloud'])}; tau = {first['tau']:g} on the verbalized confidence. Percent; 95 % intervals."
        ),
        *([warmup_sentence(state)] if warm else []),
        "## Rows",
        sources_table(state["sources"]),
        "Left out of the training files: " + (", ".join(f"{n} ({why})" for why, n in state["left_out"].items() if n) or "none") + ".",
        "## By round",
        table(
            (
                "",
                "domain",
                "new + replay",
                "edge right",
                "AUROC verbalized",
                "AUROC expected",
                "ECE expected",
                "cloud routed",
                "lift",
                "entropy",
            ),
            [_round(name, metrics, entry) for (name, metrics), entry in zip(rounds, entries, strict=True)],
        ),
        "## Edge accuracy by domain",
        table(("", *domains), [[name, *(percent(metrics["domains"][d]["edge_only"]) for d in domains)] for name, metrics in rounds]),
        "## Confidence said on the dev rows",
        table(("", *BUCKET_LABELS), [[name, *(str(metrics["buckets"][label]) for label in BUCKET_LABELS)] for name, metrics in rounds]),
        "## Confidence targets of the new rows",
        table(
            ("", *BUCKET_LABELS), [[f"R{e['round']:02d}", *(str(e["buckets"][label]) for label in BUCKET_LABELS)] for e in state["rounds"]]
        ),
        "## Gate",
        (
            "Against the last promoted checkpoint, row by row; a loss counts where it is larger than allowed and chance does not explain it "
            f"(level {config['gate']['level']:g} over all checks of a round)."
        ),
        "\n".join(f"- R{e['round']:02d}: " + gate_verdict(e) + _compared(e) for e in state["rounds"]),
        f"Training took {sum(sum(e['seconds'].values()) for e in state['rounds']):.0f} s in all.",
    ]
    return "\n\n".join(parts) + "\n"


def sources_table(sources: Sequence[Mapping[str, Any]]) -> str:
    """Where the trained rows come from, as far as they say."""
    rows = [[row["domain"], row["source"] or "–", row["license"] or "–", str(row["rows"])] for row in sources]
    return table(("domain", "source", "license", "rows"), rows)


def warmup_sentence(state: Mapping[str, Any]) -> str:
    """What the warm-up was and did."""
    entry, config = state["warmup"], state["config"]["warmup"]
    held_out = entry["held_out"]
    return (
        f"Before R0, a warm-up on {entry['new_rows']} generated questions whose right option repeats words of the question ({entry['steps']} steps, "
        f"LoRA r = {config['lora']['r']}, learning rate {config['sft']['learning_rate']:g}): of {held_out['rows']} held-out ones, of words that it "
        f"never saw, {100 * held_out['right_before']:.1f} % were right before and {100 * held_out['right_after']:.1f} % after."
    )


def draw_chain(out: Path, state: Mapping[str, Any]) -> list[Path]:
    """`chain.png` and `.svg`: accuracy, AUROC and lift by round; edge accuracy by domain; buckets. Needs matplotlib."""
    from app.training.chain_pictures import draw

    return draw(measured_rounds(out, state), out)


def _round(name: str, metrics: Mapping[str, Any], entry: Mapping[str, Any] | None) -> list[str]:
    signals = metrics["signals"]
    return [
        name,
        (entry and entry["domain"]) or ("buffer" if entry else "–"),
        f"{entry['new_rows']} + {entry['replay_rows']}" if entry else "–",
        percent(metrics["mean"]["edge_only"]),
        *(number(signals[signal]["auroc"], signals[signal]["auroc_ci"]) for signal in ("verbalized", "expected")),
        f"{signals['expected']['ece_fixed']:.3f}",
        percent(metrics["mean"]["cloud_rate"]),
        signed(metrics["mean"]["lift"], metrics["mean"]["lift_ci"]),
        f"{metrics['entropy']:.2f}",
    ]


def gate_verdict(entry: Mapping[str, Any]) -> str:
    """Whether a round of `chain.json` was promoted, or why not."""
    return "promoted" if entry["promoted"] else "not promoted: " + "; ".join(entry["reasons"])


def _compared(entry: Mapping[str, Any]) -> str:
    """What the gate saw: the mean's loss, and the domain that speaks most clearly against the round."""
    if "gate" not in entry:
        return ""
    *domains, mean, _ = entry["gate"]["checks"]
    worst = min(domains, key=lambda check: (check["p"], -check["loss"]))
    return f" (against {entry['gate']['against']}: {_loss(mean)}; most clearly {_loss(worst)})"


def _loss(check: Mapping[str, Any]) -> str:
    name = "the mean" if check["name"] == "mean" else check["name"]
    return f"{name} {'lost' if check['loss'] >= 0 else 'gained'} {100 * abs(check['loss']):.1f} points, p = {check['p']:.2g}"
