"""`foggate bench edge`: measures the one-pass verdict against `generate` and against a bare prefill, as ratios within one run."""

import json
import platform
import random
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.cli.bars import bars, loading, working
from app.cli.options import AsJson, ConfigFile
from app.cli.output import print_json, stdout_console
from app.core.errors import ConfigError
from app.core.question import Question

if TYPE_CHECKING:
    from app.config.settings import Settings

_TOLERANCE = 20
# Different prompts, and few enough to be prepared quickly.
_PROMPTS = 5


def bench_edge(
    config: ConfigFile = None,
    pairs: Annotated[int, typer.Option(min=1, metavar="N", help="Number of interleaved repetitions; medians are reported.")] = 20,
    tokens: Annotated[int, typer.Option(min=100, metavar="N", help="Length of the prompts in tokens, ± 20.")] = 200,
    max_seconds: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Stop after this many seconds, even with fewer pairs.")] = 38,
    as_json: AsJson = False,
) -> None:
    """Measure the speed of the one-pass verdict. It is compared with the same model's `generate` and with a bare prefill."""
    from app.config.loading import load_settings

    report = measure(load_settings(config), pairs=pairs, tokens=tokens, max_seconds=max_seconds)
    if as_json:
        print_json(report)
    else:
        show(report, stdout_console())


def measure(settings: "Settings", *, pairs: int, tokens: int, max_seconds: float) -> dict[str, Any]:
    """Measure four ways to ask the model, interleaved and in rotating order, with batch size 1 and the same dtype and threads.

    - verdict: one pass over prompt and trie with the shared keys and values of the system prompt, as the gateway serves
    - verdict_whole: the same without a shared prefix
    - prefill: the full prompt with an empty cache, and its last logit only
    - generate: greedy `generate` of as many tokens as the answer in the fixed format has (the protocol of FogGen)

    Args:
        settings: settings with the edge model.
        pairs: number of repetitions.
        tokens: length of the prompts in tokens.
        max_seconds: seconds after which no further repetition begins.

    Returns:
        A JSON object; `pairs` is the number of repetitions, ratios are medians of paired ratios with a 95 % bootstrap interval.

    Raises:
        ConfigError: the model cannot be loaded, or no prompt of that length can be made.
    """
    from app.cli.ratios import ratio
    from app.edge.build import load_edge_model

    started = time.monotonic()
    with working(loading(settings), at_once=True):
        loaded = load_edge_model(settings)
    # Loading sets the wait policy, which torch reads when it is imported.
    import torch
    import transformers

    shared, whole = loaded.engine(), loaded.engine(share_prefix=False)
    renderer = shared.renderer
    prompts = [shared.prepare(question) for question in _questions(renderer, tokens)]
    greedy = [verdict.greedy_bucket for verdict in (shared.verdicts([prompt])[0] for prompt in prompts)]
    # The tokens of the confidence level, and the letter.
    answer_tokens = [len(renderer.trie.path(bucket)) + 1 for bucket in greedy]
    model = loaded.model

    def prefill(ids: torch.Tensor) -> None:
        model(ids, logits_to_keep=1)

    def generate(ids: torch.Tensor, count: int) -> None:
        model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=count, min_new_tokens=count)

    seconds: dict[str, list[float]] = {"verdict": [], "verdict_whole": [], "prefill": [], "generate": []}
    with torch.inference_mode(), bars() as progress:
        for repetition in range(-1, pairs):
            progress("measuring", max(0, repetition), pairs)
            if repetition > 0 and time.monotonic() - started > max_seconds:
                break
            prompt, count = prompts[repetition % len(prompts)], answer_tokens[repetition % len(prompts)]
            ids = torch.tensor([prompt.ids], device=model.device)
            ways: dict[str, Callable[[], object]] = {
                "verdict": lambda prompt=prompt: shared.verdicts([prompt]),  # type: ignore[misc]
                "verdict_whole": lambda prompt=prompt: whole.verdicts([prompt]),  # type: ignore[misc]
                "prefill": lambda ids=ids: prefill(ids),  # type: ignore[misc]
                "generate": lambda ids=ids, count=count: generate(ids, count),  # type: ignore[misc]
            }
            names = list(ways)
            turn = repetition % len(names)
            for name in names[turn:] + names[:turn]:
                # The gateway never serves without the shared prefix: measured every second time only, to save time on a slow machine.
                if name == "verdict_whole" and repetition % 2:
                    continue
                took = _timed(ways[name], model.device.type)
                # The first repetition warms up and is not counted.
                if repetition >= 0:
                    seconds[name].append(took)
    every_second = {name: values[::2] for name, values in seconds.items()}
    lengths = [len(prompt.ids) for prompt in prompts]
    return {
        "model": loaded.name,
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": str(model.device),
        "threads": torch.get_num_threads(),
        "pairs": len(seconds["verdict"]),
        "prompt_tokens": [min(lengths), max(lengths)],
        "shared_prefix_tokens": shared.prefix_tokens,
        "trie_nodes": len(renderer.trie),
        "generated_tokens": [min(answer_tokens), max(answer_tokens)],
        "median_ms": {name: round(statistics.median(values) * 1000, 1) for name, values in seconds.items()},
        **ratio("ratio_vs_generate", seconds["generate"], seconds["verdict"]),
        **ratio("ratio_vs_prefill", seconds["verdict"], seconds["prefill"]),
        "pairs_without_sharing": len(seconds["verdict_whole"]),
        **ratio("ratio_vs_generate_without_sharing", every_second["generate"], seconds["verdict_whole"]),
        **ratio("ratio_vs_prefill_without_sharing", seconds["verdict_whole"], every_second["prefill"]),
        "hardware": {
            "processor": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
            "machine": platform.machine(),
            "gpu": torch.cuda.get_device_name() if model.device.type == "cuda" else None,
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__},
        "elapsed_s": round(time.monotonic() - started, 1),
    }


def show(report: dict[str, Any], console: Console) -> None:
    """Print the report as text."""
    from app.cli.ratios import FEWEST_PAIRS, said

    console.print(
        f"{report['model']}, {report['dtype']}, {report['threads']} threads, n = {report['pairs']} pairs, "
        f"{report['pairs_without_sharing']} without sharing",
        markup=False,
    )
    table = Table()
    table.add_column("way")
    table.add_column("median ms", justify="right")
    for name, value in report["median_ms"].items():
        table.add_row(name, f"{value:.1f}")
    console.print(table)
    for key, text in (
        ("ratio_vs_generate", "times faster than generate"),
        ("ratio_vs_prefill", "of a bare prefill"),
        ("ratio_vs_generate_without_sharing", "times faster than generate, without prefix sharing"),
        ("ratio_vs_prefill_without_sharing", "of a bare prefill, without prefix sharing"),
    ):
        console.print(f"{said(report, key, 2)}  {text}", markup=False)
    if report["pairs_without_sharing"] < FEWEST_PAIRS:
        console.print(f"fewer than {FEWEST_PAIRS} pairs have no interval: the median of so few pairs has none")
    about = {"device": report["device"]} | report["hardware"] | report["versions"] | {"elapsed_s": report["elapsed_s"]}
    console.print(json.dumps(about), style="dim", markup=False)


def _questions(renderer: Any, tokens: int) -> list[Question]:
    """Return questions of the bank, each lengthened by other questions until its prompt is nearest to the wanted length in tokens."""
    from app.demo.bank import SHIPPED_BANK, load_rows

    rows = load_rows([SHIPPED_BANK])
    draw = random.Random(0)  # noqa: S311  # the same prompts each time
    found: list[Question] = []
    for row in rows[: _PROMPTS * 2]:
        preamble = ""
        nearest: tuple[int, Question | None] = (_TOLERANCE + 1, None)
        while True:
            question = Question(preamble + row["question"], tuple(row["options"]))
            length = len(renderer.prompt(question).ids)
            if abs(length - tokens) < nearest[0]:
                nearest = (abs(length - tokens), question)
            if length >= tokens:
                break
            preamble += draw.choice(rows)["question"] + "\n"
        if nearest[1] is not None and len(found) < _PROMPTS:
            found.append(nearest[1])
    if len(found) < _PROMPTS:
        raise ConfigError(f"no prompts of {tokens} ± {_TOLERANCE} tokens can be made for this model; choose another --tokens")
    return found


def _timed(way: Callable[[], object], device: str) -> float:
    import torch

    started = time.perf_counter()
    way()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
