"""Are packed rows faster than padded ones? `python -m tests.runs.packed QUESTIONS.jsonl … [--waiting 4] [--sets 6] [--turns 3]`

In turn, on the same questions: passes of questions of similar length with a row for each, and one pass with all of them in one row. A set is
what waits: so many questions, of random lengths (`mixed`) or of neighbouring ones (`alike`). Prints a line of JSON for each kind of set: CPU
seconds of a question (one thread, medians over all sets), the ratio packed / padded of each set, and the largest difference of a probability.
"""

import argparse
import json
import random
import statistics
import time

from app.data.dataset import load_items, sample_items
from app.edge.builtin import default_cache_dir
from app.edge.engine import VerdictEngine
from app.edge.loader import load_model
from app.edge.threads import set_threads
from tests.runs.padding import of_similar_length


def cpu_s(work):
    began = time.process_time()
    work()
    return time.process_time() - began


def apart(one, other):
    rows = ((p, q) for x, y in zip(one, other, strict=True) for p, q in zip(x.joint, y.joint, strict=True))
    return max(abs(a - b) for p, q in rows for a, b in zip(p, q, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--waiting", type=int, default=4)
    parser.add_argument("--sets", type=int, default=6)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--most", type=int, default=700, help="Longest question, in characters.")
    given = parser.parse_args()
    set_threads(1)
    packed = load_model("builtin", cache_dir=default_cache_dir(), dtype="float32").engine()
    assert packed.packs_rows
    padded = VerdictEngine(packed._model, packed.renderer, name="padded", pack=False)
    items = [item for item in load_items(given.sources) if item.question.length <= given.most]
    draw = random.Random(0)
    for kind in ("mixed", "alike"):
        each, ratios, furthest, passes = {"padded": [], "packed": []}, [], 0.0, []
        for number in range(given.sets):
            some = sample_items(items, 40, seed=number)
            prompts = sorted((packed.prepare(item.question) for item in some), key=lambda prompt: prompt.columns)
            at = draw.randrange(len(prompts) - given.waiting)
            chosen = draw.sample(prompts, given.waiting) if kind == "mixed" else prompts[at : at + given.waiting]
            batches = of_similar_length(chosen, given.waiting, 0.1)
            passes.append(len(batches))
            ways = {
                "padded": lambda batches=batches: [verdict for batch in batches for verdict in padded.verdicts(batch)],
                "packed": lambda batches=batches: packed.verdicts([prompt for batch in batches for prompt in batch]),
            }
            furthest = max(furthest, apart(*(way() for way in ways.values())))
            took = {name: [] for name in ways}
            for turn in range(given.turns):
                for name in [*ways][:: 1 if turn % 2 == 0 else -1]:
                    took[name].append(cpu_s(ways[name]) / given.waiting)
            for name, values in took.items():
                each[name].append(statistics.median(values))
            ratios.append(each["packed"][-1] / each["padded"][-1])
        said = {
            "kind": kind,
            "waiting": given.waiting,
            "padded_passes": statistics.mean(passes),
            "seconds_a_question": {name: round(statistics.mean(values), 4) for name, values in each.items()},
            "packed_to_padded": {"median": round(statistics.median(ratios), 3), "of_each_set": sorted(round(one, 3) for one in ratios)},
            "largest_difference": float(f"{furthest:.2g}"),
        }
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
