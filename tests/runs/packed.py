"""Would packed rows be faster than padded ones? `python -m tests.runs.packed QUESTIONS.jsonl … [--waiting 4] [--sets 6] [--turns 3]`

A prototype: all questions of a pass stand in one row, and each attends to the shared prefix and to itself only. No column is padding, so
questions of any lengths may share a pass. In turn with what the gateway does: passes of questions of similar length, padded. A set is what
waits: so many questions, of random lengths (`mixed`) or of neighbouring ones (`alike`). Prints a line of JSON for each kind of set: CPU
seconds of a question (one thread, medians over all sets), the ratio packed / padded of each set, and the largest difference of a probability.
"""

import argparse
import contextlib
import json
import random
import statistics
import time

import torch
from transformers import AttentionInterface, DynamicCache

from app.data.dataset import load_items, sample_items
from app.edge.builtin import default_cache_dir
from app.edge.loader import load_model
from app.edge.masks import additive
from app.edge.split_attention import attend
from app.edge.threads import set_threads
from tests.runs.padding import of_similar_length

NAME = "foggate_packed"


class Packed:
    """Reads several prompts that share the prefix in one row."""

    def __init__(self, engine):
        self.engine, self.layout = engine, engine._layout
        self.nodes = len(self.layout.trie)
        self.parts = []
        AttentionInterface.register(NAME, self.attend)

    def attend(self, module, query, key, value, attention_mask, dropout=0.0, scaling=None, **kwargs):
        """Each part as if it were alone."""
        skip, found, start = key.shape[2] - query.shape[2], [], 0
        for mask in self.parts:
            end = start + mask.shape[3] - skip
            own = [torch.cat([one[:, :, :skip], one[:, :, skip + start : skip + end]], dim=2) for one in (key, value)]
            found.append(attend(module, query[:, :, start:end], *own, mask, dropout, scaling, **kwargs)[0])
            start = end
        return torch.cat(found, dim=1), None

    @torch.inference_mode()
    def verdicts(self, prompts):
        skip, layout, model = self.engine.prefix_tokens, self.layout, self.layout.model.inner
        lengths = [len(prompt.ids) - skip for prompt in prompts]
        self.parts = [self.mask(skip + length) for length in lengths]
        ids = torch.cat([part for prompt in prompts for part in (torch.tensor(prompt.ids[skip:]), layout.nodes)])[None]
        ahead = [part for length in lengths for part in (torch.arange(skip, skip + length), skip - 1 + length + layout.depths)]
        read, start = [], 0
        for length in lengths:
            read += [start + length + node for node in layout.read_at]
            start += length + self.nodes
        config = model.config
        before, config._attn_implementation = config._attn_implementation, NAME
        with contextlib.ExitStack() as stack:
            stack.callback(setattr, config, "_attn_implementation", before)
            logits = model(
                input_ids=ids,
                attention_mask=torch.zeros(1, 1, 1, skip + ids.shape[1]),
                position_ids=torch.cat(ahead)[None],
                past_key_values=DynamicCache([*self.engine._prefix]),
                use_cache=True,
                logits_to_keep=torch.tensor(read),
            ).logits
        rows = layout.lists(logits.view(len(prompts), len(layout.read_at), -1))
        return [layout.verdict(row, prompt.options, 1.0) for row, prompt in zip(rows, prompts, strict=True)]

    def mask(self, before):
        seen = torch.cat([torch.ones(self.nodes, before, dtype=torch.bool), self.layout.ancestors], dim=1)
        return additive(seen[None], torch.float32)[:, None]


def cpu_s(work):
    began = time.process_time()
    work()
    return time.process_time() - began


def apart(one, other):
    return max(
        abs(a - b)
        for x, y in zip(one, other, strict=True)
        for p, q in zip(x.joint, y.joint, strict=True)
        for a, b in zip(p, q, strict=True)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--waiting", type=int, default=4)
    parser.add_argument("--sets", type=int, default=6)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--most", type=int, default=700, help="Longest question, in characters.")
    given = parser.parse_args()
    set_threads(1)
    engine = load_model("builtin", cache_dir=default_cache_dir(), dtype="float32").engine()
    packed = Packed(engine)
    items = [item for item in load_items(given.sources) if item.question.length <= given.most]
    draw = random.Random(0)
    for kind in ("mixed", "alike"):
        each, ratios, furthest = {"padded": [], "packed": []}, [], 0.0
        passes = []
        for number in range(given.sets):
            some = sample_items(items, 40, seed=number)
            prompts = sorted((engine.prepare(item.question) for item in some), key=lambda prompt: prompt.columns)
            at = draw.randrange(len(prompts) - given.waiting)
            chosen = draw.sample(prompts, given.waiting) if kind == "mixed" else prompts[at : at + given.waiting]
            batches = of_similar_length(chosen, given.waiting, 0.1)
            passes.append(len(batches))
            ways = {
                "padded": lambda batches=batches: [verdict for batch in batches for verdict in engine.verdicts(batch)],
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
