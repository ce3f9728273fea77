"""What one pass costs by the length of the prompt: attention in parts, with whole masks, and a bare prefill, in turns.

    python -m tests.runs.one_pass [--tokens 110 200 400 800 1500] [--turns 3]

Prints a line of JSON for each length (CPU seconds of this process, one thread, the fastest turn), then how well a straight line through
the computed columns fits, and what the host's part of a question costs.
"""

import argparse
import json
import statistics
import time

import numpy as np
import torch

from app.core.question import Question
from app.edge.builtin import default_cache_dir
from app.edge.engine import VerdictEngine
from app.edge.loader import load_model
from app.edge.threads import set_threads
from tests.support.plain_reading import plain_reading

SENTENCE = "The river rises in the hills, crosses the plain and reaches the sea near the old harbour. "
OPTIONS = ("Iron", "Oxygen", "Salt", "Glass")


def prompt_of(engine, tokens):
    text = ""
    while len((prompt := engine.prepare(Question(f"{text}Which?", OPTIONS))).ids) < tokens:
        text += SENTENCE if tokens - len(prompt.ids) > 25 else "old "
    return prompt


def cpu_s(work):
    began = time.process_time()
    work()
    return time.process_time() - began


def host_ms(engine, prompt, times=200):
    """Milliseconds of rendering, tokenising (one by one and 16 in one call) and of making a verdict of the logits."""
    question = Question(SENTENCE * 4 + "Which?", OPTIONS)
    renderer = engine.renderer
    text = renderer.render(question)
    tokenizer = renderer._tokenizer
    layout = engine._layout
    ((_, logits),) = engine._passes.read(layout, [prompt])
    read = [values[: len(place.tokens)].tolist() for values, place in zip(logits[0], layout.trie.places, strict=True)]
    many = np.repeat(logits, 16, axis=0)

    def each(work, share=1):
        return round(1000 * cpu_s(lambda: [work() for _ in range(times)]) / times / share, 3)

    return {
        "render": each(lambda: renderer.render(question)),
        "tokenise": each(lambda: renderer.encode(text)),
        "tokenise_16_together": each(lambda: tokenizer([text] * 16, add_special_tokens=False), 16),
        "verdict": each(lambda: layout.reading.verdicts(logits, [prompt.options])),
        "verdict_16_together": each(lambda: layout.reading.verdicts(many, [prompt.options] * 16), 16),
        "verdict_of_floats": each(lambda: plain_reading(layout.trie, read, prompt.options, 1.0)),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, nargs="*", default=[110, 200, 400, 800, 1500])
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    set_threads(1)
    loaded = load_model("builtin", cache_dir=default_cache_dir(), dtype="float32")
    parts = loaded.engine()
    whole = VerdictEngine(loaded.model, parts.renderer, name="whole masks", split=False)
    assert parts.splits_attention
    points = []
    for tokens in given.tokens:
        prompt = prompt_of(parts, tokens)
        ids = torch.tensor([prompt.ids])
        ways = {
            "parts": lambda prompt=prompt: parts.verdicts([prompt]),
            "whole": lambda prompt=prompt: whole.verdicts([prompt]),
            "prefill": lambda ids=ids: loaded.model(ids, logits_to_keep=1),
        }
        took = {way: [] for way in ways}
        with torch.inference_mode():
            for turn in range(given.turns):
                for way in [*ways][:: 1 if turn % 2 == 0 else -1]:
                    took[way].append(cpu_s(ways[way]))
        best = {way: min(values) for way, values in took.items()}
        points.append((prompt.columns, best["parts"]))
        ratios = {f"parts_to_{way}": round(best["parts"] / best[way], 3) for way in ("whole", "prefill")}
        seconds = {way: round(value, 3) for way, value in best.items()}
        print(json.dumps({"prompt_tokens": len(prompt.ids), "columns": prompt.columns, **seconds, **ratios}), flush=True)
    if len(points) > 2:
        columns, seconds = zip(*points, strict=True)
        print(json.dumps({"r_squared": round(statistics.correlation(columns, seconds) ** 2, 4)}), flush=True)
    print(json.dumps({"host_ms": host_ms(parts, prompt_of(parts, 200))}), flush=True)


if __name__ == "__main__":
    main()
