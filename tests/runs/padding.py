"""What padding costs: mixed questions through the builtin model one at a time, in order, and in batches of similar length.

    python -m tests.runs.padding --per-domain 9 QUESTIONS.jsonl …

Prints a line of JSON for each way: questions a second of this process' CPU time (one thread, so that other work on the
machine matters little) and of the clock, and the share of padding among the columns that are computed for prompts.
"""

import argparse
import json
import random
import time

from app.data.dataset import load_items, sample_items
from app.edge.batching import choose
from app.edge.builtin import default_cache_dir
from app.edge.loader import load_model
from app.edge.threads import set_threads

SIZE = 16


def in_order(prompts, size):
    return [prompts[start : start + size] for start in range(0, len(prompts), size)]


def of_similar_length(prompts, share):
    waiting, batches = list(prompts), []
    while waiting:
        chosen = choose(waiting, max_size=SIZE, max_tokens=8192, max_padding_share=share)
        batches.append([waiting[index] for index in sorted(chosen)])
        waiting = [prompt for index, prompt in enumerate(waiting) if index not in chosen]
    return batches


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--per-domain", type=int, default=9)
    parser.add_argument("--shares", type=float, nargs="*", default=[0.1, 0.25, 0.5, 1.0])
    given = parser.parse_args()
    items = sample_items(load_items(given.sources), given.per_domain, seed=0)
    random.Random(0).shuffle(items)
    set_threads(1)
    engine = load_model("builtin", cache_dir=default_cache_dir(), dtype="float32").engine()
    prompts = [engine.prepare(item.question) for item in items]
    engine.verdicts(prompts[:2])
    ways = {"one at a time": in_order(prompts, 1), f"in order, {SIZE} a batch": in_order(prompts, SIZE)}
    ways |= {f"similar length, padding at most {share}": of_similar_length(prompts, share) for share in given.shares}
    for way, batches in ways.items():
        began, cpu = time.monotonic(), time.process_time()
        for batch in batches:
            engine.verdicts(batch)
        cpu, took = time.process_time() - cpu, time.monotonic() - began
        columns = sum(max(prompt.computed for prompt in batch) * len(batch) for batch in batches)
        said = {
            "way": way,
            "questions": len(prompts),
            "batches": len(batches),
            "padding": round(1 - sum(prompt.computed for prompt in prompts) / columns, 3),
            "per_cpu_second": round(len(prompts) / cpu, 2),
            "per_second": round(len(prompts) / took, 2),
        }
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
