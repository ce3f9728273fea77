"""The short bench: the one pass against `generate` and against a bare prefill at one length, as ratios of pairs within one run."""

import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import transformers

from app.bench.edge.questions import questions_of_length
from app.bench.ratios import ratio
from app.core.errors import ConfigError
from app.edge.loader import LoadedModel

TOLERANCE = 20
# Different prompts, and few enough to be prepared quickly.
_PROMPTS = 5


def measure_pairs(
    loaded: LoadedModel, *, pairs: int, tokens: int, max_seconds: float, progress: Callable[[str, int, int], None] = lambda *_: None
) -> dict[str, Any]:
    """Measure four ways to ask the model, interleaved and in rotating order, with batch size 1 and the same dtype and threads.

    - verdict: one pass over prompt and trie with the shared keys and values of the system prompt, as the gateway serves
    - verdict_whole: the same without a shared prefix
    - prefill: the full prompt with an empty cache, and its last logit only
    - generate: greedy `generate` of as many tokens as the answer in the fixed format has (the protocol of FogGen)

    Args:
        loaded: the model.
        pairs: number of repetitions.
        tokens: length of the prompts in tokens.
        max_seconds: seconds after which no further repetition begins.
        progress: told what is being done, how much of it is done, and how much there is.

    Returns:
        A JSON object; `pairs` is the number of repetitions, ratios are medians of paired ratios with a 95 % bootstrap interval.

    Raises:
        ConfigError: no prompts of that length can be made.
    """
    started = time.monotonic()
    shared, whole = loaded.engine(), loaded.engine(share_prefix=False)
    renderer = shared.renderer
    prompts = [shared.prepare(question) for question in questions_of_length(renderer, tokens, _PROMPTS)]
    if any(abs(len(prompt.ids) - tokens) > TOLERANCE for prompt in prompts):
        raise ConfigError(f"no prompts of {tokens} ± {TOLERANCE} tokens can be made for this model; choose another --tokens")
    greedy = [verdict.greedy_bucket for verdict in (shared.verdicts([prompt])[0] for prompt in prompts)]
    # The tokens of the confidence level, and the letter.
    answer_tokens = [len(renderer.trie.path(bucket)) + 1 for bucket in greedy]
    model = loaded.model

    def prefill(ids: torch.Tensor) -> None:
        model(ids, logits_to_keep=1)

    def generate(ids: torch.Tensor, count: int) -> None:
        model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=count, min_new_tokens=count)

    seconds: dict[str, list[float]] = {"verdict": [], "verdict_whole": [], "prefill": [], "generate": []}
    with torch.inference_mode():
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


def _timed(way: Callable[[], object], device: str) -> float:
    started = time.perf_counter()
    way()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
