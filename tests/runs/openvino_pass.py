"""The one pass by OpenVINO against torch: `python -m tests.runs.openvino_pass [QUESTIONS.jsonl …] [--ways float32 int8-weights int8]`

OpenVINO computes what the engine computes: the rest of the prompt and the trie behind the shared prefix, with position ids and the
additive mask of the tree, and of the output only the rows that are read. Only its attention is computed with a whole mask. It is not
installed with FogGate: make an environment that has it besides.

float32       the weights as they are
int8-weights  weights in int8, activations in float32 (nncf.compress_weights)
int8          weights and activations in int8, calibrated on questions of the shipped bank (nncf.quantize)

Prints what converting takes, once; what a start takes, with torch and without; for each number of threads and each length the seconds of a
whole verdict, in turn (medians), and the ratio of each turn to torch in float32 (median, smallest, largest); and, for `--agree N` questions,
how far the verdicts agree, and the ratio where each question is computed once, so that most lengths are new.
"""

import argparse
import importlib.util
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from tests.runs.openvino_start import settings

WAYS = ("float32", "int8-weights", "int8")


def of_three(values):
    return [round(float(value), 3) for value in (statistics.median(values), min(values), max(values))]


def spent(work):
    """(what it gives, seconds, CPU seconds of this process)."""
    began, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - began, time.process_time() - cpu


class Prefix:
    """The shared prefix as a cache that is traced: constants in front of the keys and values of each layer."""

    is_compileable = False

    def __init__(self, layers):
        self._layers = layers

    def update(self, keys, values, layer, *_, **__):
        import torch

        before = self._layers[layer]
        return torch.cat([before[0], keys], dim=2), torch.cat([before[1], values], dim=2)

    def get_seq_length(self, *_):
        return self._layers[0][0].shape[2]


class Computed:
    """Takes the place of an engine's `ReadOutModel`, for one prompt at a time that begins with the shared prefix."""

    def __init__(self, request):
        self._request = request

    def __call__(self, at, *, split, packed, past_key_values, use_cache, **inputs):
        import torch

        # The prefix is part of its model; nothing is added to the cache that is given here.
        assert past_key_values is not None
        assert use_cache
        assert not split
        assert packed is None
        given = {name: tensor.numpy() for name, tensor in inputs.items()}
        found = self._request.infer({**given, "places": np.array(at)})
        return torch.from_numpy(next(iter(found.values())).copy())


def inputs_of(engine, prompt):
    import torch

    from app.edge.columns import Columns

    columns = Columns(engine._layout, [prompt], engine.prefix_tokens, torch.device("cpu"))
    masks = columns.masks(engine._masks, split=False)
    return {
        "input_ids": columns.input_ids,
        "position_ids": columns.positions,
        "attention_mask": masks,
        "places": torch.tensor(columns.read_at()),
    }


def convert(engine, prompts, ways, folder):
    """Write the model of each way into a folder; print what that took."""
    import openvino
    import torch

    class Pass(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = engine._layout.model.inner

        def forward(self, input_ids, position_ids, attention_mask, places):
            cache = Prefix(engine._passes.prefix)
            shared = {"past_key_values": cache, "use_cache": False, "logits_to_keep": places}
            return self.inner(input_ids=input_ids, position_ids=position_ids, attention_mask=attention_mask, **shared).logits

    example = inputs_of(engine, prompts[0])
    np.savez(folder / "inputs.npz", **{name: tensor.numpy() for name, tensor in example.items()})
    for way in ways:

        def make(way=way):
            with torch.no_grad():
                model = openvino.convert_model(Pass().eval(), example_input=example)
            if way != "float32":
                import nncf
            if way == "int8-weights":
                model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
            elif way == "int8":
                rows = nncf.Dataset(prompts, lambda prompt: {name: value.numpy() for name, value in inputs_of(engine, prompt).items()})
                model = nncf.quantize(model, rows, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(prompts))
            openvino.save_model(model, folder / f"{way}.xml", compress_to_fp16=False)

        _, seconds, cpu = spent(make)
        size = (folder / f"{way}.bin").stat().st_size // 1_000_000
        print(json.dumps({"convert": way, "cpu_s": round(cpu, 1), "s": round(seconds, 1), "file_mb": size}), flush=True)


def timed(given, ours, twins, threads):
    from app.bench.edge.questions import questions_of_length

    for columns in given.columns:
        tokens = columns - len(ours._layout.trie) + ours.prefix_tokens
        prompt = ours.prepare(questions_of_length(ours.renderer, tokens, 1)[0])
        engines = {"torch": ours, **twins}
        firsts = {name: spent(partial(engine.verdicts, [prompt]))[1] for name, engine in engines.items()}
        took = {name: [] for name in engines}
        for turn in range(given.turns):
            for name in [*engines][:: 1 if turn % 2 == 0 else -1]:
                took[name].append(spent(partial(engines[name].verdicts, [prompt]))[1:])
        said = {"threads": threads, "columns": prompt.columns, "first_s": {name: round(value, 3) for name, value in firsts.items()}}
        for at, unit in enumerate(("s", "cpu_s")):
            values = {name: [turn[at] for turn in turns] for name, turns in took.items()}
            said[unit] = {name: round(statistics.median(turns), 3) for name, turns in values.items()}
            said[f"fastest_{unit}"] = {name: round(min(turns), 3) for name, turns in values.items()}
            said[f"ratio_{unit}"] = {
                name: of_three([one / base for one, base in zip(values[name], values["torch"], strict=True)]) for name in twins
            }
        print(json.dumps(said), flush=True)


def agreement(prompts, ours, way, twin):
    """Each question once by both, so that most lengths are new to both."""
    from app.core.verdict import Signal

    pairs, ratios = [], []
    for turn, prompt in enumerate(prompts):
        found = {engine: spent(partial(engine.verdicts, [prompt])) for engine in ((ours, twin) if turn % 2 else (twin, ours))}
        pairs.append((found[ours][0][0], found[twin][0][0]))
        ratios.append(found[twin][2] / found[ours][2])
    apart = [max(abs(a - b) for one, two in zip(x.joint, y.joint, strict=True) for a, b in zip(one, two, strict=True)) for x, y in pairs]
    signals = (Signal.VERBALIZED, Signal.EXPECTED, Signal.MARGIN)
    said = {
        "agree": way,
        "questions": len(pairs),
        "lengths": len({prompt.columns for prompt in prompts}),
        "columns": of_three([prompt.columns for prompt in prompts]),
        "same_letter": {
            signal.value: round(float(np.mean([x.answer(signal) == y.answer(signal) for x, y in pairs])), 4) for signal in signals
        },
        "largest_difference_of_a_probability": float(f"{max(apart):.2g}"),
        "median_of_the_largest_of_each_question": float(f"{statistics.median(apart):.2g}"),
        "ratio_cpu_s_each_length_new": of_three(ratios),
        "middle_half_of_the_ratios": [round(float(edge), 3) for edge in np.quantile(ratios, [0.25, 0.75])],
    }
    print(json.dumps(said), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", help="Questions to agree on; the shipped bank without any.")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS[:2])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--columns", type=int, nargs="*", default=[80, 150, 235, 500])
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--agree", type=int, default=120)
    parser.add_argument("--folder", type=Path, help="Folder in which converted models are kept and found again.")
    given = parser.parse_args()
    needed = ["openvino", *(["nncf"] if any(way != "float32" for way in given.ways) else [])]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: {' and '.join(missing)} not installed here (pip install {' '.join(missing)}, in an environment of its own)")
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(given, given.folder or Path(folder))


def measure(given, folder):
    import openvino

    from app.edge.threads import set_threads, set_wait_policy

    # As a gateway does, before torch is imported: threads that wait for long take the core from the other library.
    set_wait_policy("brief")
    from app.bench.edge.questions import bank
    from app.data.dataset import load_items
    from app.edge.builtin import default_cache_dir
    from app.edge.engine import VerdictEngine
    from app.edge.found import find_model
    from app.edge.loader import load_model

    set_threads(1)
    loaded = load_model("builtin", cache_dir=default_cache_dir(), dtype="float32")
    ours = loaded.engine()
    shipped = [ours.prepare(question) for question in bank()[:48]]
    core = openvino.Core()

    def twin(way, threads):
        engine = VerdictEngine(loaded.model, ours.renderer, name="OpenVINO", split=False)
        engine._layout.model = Computed(core.compile_model(folder / f"{way}.xml", "CPU", settings(threads)).create_infer_request())
        return engine

    new = [way for way in given.ways if not (folder / f"{way}.xml").exists()]
    convert(VerdictEngine(loaded.model, ours.renderer, name="whole masks", split=False), shipped, new, folder)
    # Each in a process of its own; what starts without a cache, or fills it, compiles the model.
    for _ in range(2):
        subprocess.run([sys.executable, "-c", "from tests.runs.start import phases; phases()"], check=True)
    tokenizer = Path(find_model("builtin", cache_dir=default_cache_dir()).source) / "tokenizer.json"
    for way in given.ways:
        for cache in (False, True, True, True):
            arguments = [folder / f"{way}.xml", tokenizer, *([folder / "cache" / way] if cache else [])]
            subprocess.run([sys.executable, "-m", "tests.runs.openvino_start", *arguments], check=True)
    for threads in given.threads:
        set_threads(threads)
        timed(given, ours, {way: twin(way, threads) for way in given.ways}, threads)
    if given.agree:
        questions = [item.question for item in load_items(given.sources)] if given.sources else bank()
        random.Random(0).shuffle(questions)
        prompts = [prompt for prompt in map(ours.prepare, questions[: given.agree]) if prompt.cached == ours.prefix_tokens]
        set_threads(1)
        for way in given.ways:
            agreement(prompts, ours, way, twin(way, 1))


if __name__ == "__main__":
    main()
