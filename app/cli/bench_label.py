"""`foggate bench label`: measures labelling a batch in one forward pass against N sampled generations of each question."""

import statistics
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.bars import bars, loading, working
from app.cli.options import AsJson, ConfigFile
from app.cli.output import print_json, stdout_console
from app.core.question import Question

if TYPE_CHECKING:
    from app.config.settings import Settings


def bench_label(
    config: ConfigFile = None,
    pairs: Annotated[int, typer.Option(min=1, metavar="N", help="Number of interleaved repetitions; medians are reported.")] = 3,
    questions: Annotated[int, typer.Option(min=1, metavar="N", help="Number of questions of the shipped bank, which are one batch.")] = 8,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Number of generations per question.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Measure the speed of labelling by one pass. It is compared with real generations of the same questions."""
    from app.bench.ratios import said
    from app.config.loading import load_settings

    report = measure(load_settings(config), pairs=pairs, questions=questions, samples=samples)
    if as_json:
        print_json(report)
        return
    console = stdout_console()
    console.print(
        f"{report['questions']} questions, {samples} generations of {report['generated_tokens']} tokens each: "
        f"{report['median_ms']['generations']:.0f} ms; one forward pass: {report['median_ms']['verdicts']:.0f} ms"
    )
    console.print(
        f"labelling by one forward pass is {said(report, 'ratio_vs_generations', 1)} times as fast (n = {report['pairs']} pairs, "
        f"{report['hardware']}, {report['elapsed_s']:g} s)",
        markup=False,
    )


def measure(settings: "Settings", *, pairs: int, questions: int, samples: int, temperature: float = 0.7) -> dict[str, Any]:
    """Measure the two ways interleaved, with the same model, dtype and threads.

    The generations are as short as the format allows (the bucket's tokens and the letter), sampled by transformers with
    `num_return_sequences`; free generations of 64 tokens would take longer.

    Raises:
        ConfigError: the model cannot be loaded.
    """
    from app.bench.ratios import ratio
    from app.cli.hardware import describe_hardware
    from app.demo.bank import SHIPPED_BANK, load_rows
    from app.edge.build import build_engine, load_edge_model

    began = time.monotonic()
    with working(loading(settings), at_once=True):
        loaded = load_edge_model(settings)
    import torch  # loading has set the wait policy, which torch reads when it is imported

    engine = build_engine(settings, loaded)
    rows = load_rows([SHIPPED_BANK])[:questions]
    prompts = [engine.prepare(Question(row["question"], tuple(row["options"]))) for row in rows]
    count = max(len(engine.renderer.trie.path(bucket)) for bucket in range(5)) + 1
    model, width = loaded.model, max(len(prompt.ids) for prompt in prompts)
    ids = torch.tensor([[0] * (width - len(prompt.ids)) + list(prompt.ids) for prompt in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(prompt.ids)) + [1] * len(prompt.ids) for prompt in prompts], device=model.device)

    def generations() -> None:
        model.generate(
            ids,
            attention_mask=mask,
            do_sample=True,
            temperature=temperature,
            top_k=0,
            top_p=1.0,
            num_return_sequences=samples,
            max_new_tokens=count,
            min_new_tokens=count,
            pad_token_id=0,
        ).tolist()

    ways = {"verdicts": lambda: engine.verdicts(prompts, temperature=temperature), "generations": generations}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode(), bars() as progress:
        for repetition in range(-1, pairs):
            progress("measuring", max(0, repetition), pairs)
            for name in sorted(ways, reverse=bool(repetition % 2)):
                started = time.perf_counter()
                ways[name]()
                # The first repetition warms up and is not counted. Both ways return values on the host, so a GPU has finished.
                if repetition >= 0:
                    seconds[name].append(time.perf_counter() - started)
    return {
        "elapsed_s": round(time.monotonic() - began, 1),
        "hardware": describe_hardware(str(model.device)),
        "model": loaded.name,
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": str(model.device),
        "questions": len(prompts),
        "samples": samples,
        "pairs": pairs,
        "generated_tokens": count,
        "median_ms": {name: round(statistics.median(values) * 1000, 1) for name, values in seconds.items()},
        **ratio("ratio_vs_generations", seconds["generations"], seconds["verdicts"]),
    }
