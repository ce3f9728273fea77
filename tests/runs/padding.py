"""What padding and the size of a batch cost: mixed questions through the builtin model one at a time, in order, and by similar length.

    python -m tests.runs.padding --per-domain 9 QUESTIONS.jsonl …

Prints a line of JSON for each way: questions a second of this process' CPU time (one thread, so that other work on the
machine matters little) and of the clock, and the share of padding among the columns that are computed. The ways take turns, so that
a machine that becomes slower is slower for all of them; of each, the fastest turn counts.
"""

import argparse
import json
import random
import time
from dataclasses import dataclass

from app.data.dataset import load_items, sample_items
from app.edge.batching import Bounds, choose
from app.edge.builtin import default_cache_dir
from app.edge.engine import VerdictEngine
from app.edge.loader import load_model
from app.edge.rendering import Prompt, Renderer
from app.edge.threads import set_threads


@dataclass
class One:
    prompt: Prompt
    since: float = 0.0
    due: float = float("inf")
    yields: bool = False


def in_order(prompts, size):
    return [prompts[start : start + size] for start in range(0, len(prompts), size)]


def of_similar_length(prompts, size, share):
    waiting, batches = [One(prompt) for prompt in prompts], []
    while waiting:
        chosen = choose(waiting, Bounds(size, 8192, share))
        batches.append([waiting[index].prompt for index in sorted(chosen)])
        waiting = [one for index, one in enumerate(waiting) if index not in chosen]
    return batches


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--per-domain", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="*", default=[2, 4, 8, 16])
    parser.add_argument("--shares", type=float, nargs="*", default=[0.1])
    parser.add_argument("--in-order", type=int, nargs="*", default=[16])
    parser.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    items = sample_items(load_items(given.sources), given.per_domain, seed=0)
    random.Random(0).shuffle(items)
    set_threads(1)
    loaded = load_model("builtin", cache_dir=default_cache_dir(), dtype="float32")
    # With a row for each prompt, as on a GPU; `tests.runs.packed` compares that with one row for all.
    engine = VerdictEngine(loaded.model, Renderer(loaded.tokenizer, loaded.family), name="padded", pack=False)
    prompts = [engine.prepare(item.question) for item in items]
    engine.verdicts(prompts[:2])
    ways = {"one at a time": in_order(prompts, 1)}
    ways |= {f"in order, {size} a batch": in_order(prompts, size) for size in given.in_order}
    for size in given.sizes:
        ways |= {f"similar length, {size} a batch, padding at most {s}": of_similar_length(prompts, size, s) for s in given.shares}
    took = {way: [] for way in ways}
    for turn in range(given.turns):
        for way, batches in [*ways.items()][:: 1 if turn % 2 == 0 else -1]:
            began, cpu = time.monotonic(), time.process_time()
            for batch in batches:
                engine.verdicts(batch)
            took[way].append((time.process_time() - cpu, time.monotonic() - began))
    for way, batches in ways.items():
        columns = sum(max(prompt.columns for prompt in batch) * len(batch) for batch in batches)
        said = {
            "way": way,
            "questions": len(prompts),
            "batches": len(batches),
            "padding": round(1 - sum(prompt.columns for prompt in prompts) / columns, 3),
            "per_cpu_second": round(len(prompts) / min(cpu for cpu, _ in took[way]), 2),
            "per_second": round(len(prompts) / min(wall for _, wall in took[way]), 2),
        }
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
