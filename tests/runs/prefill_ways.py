"""Other ways to compute the forward pass on a CPU, against float32: `python -m tests.runs.prefill_ways int8 compiled`

int8       dynamic int8 (one scale for each tensor) of the matrix products in the layers, by torch's own kernels
int8-rows  the same with one scale for each row of the weights
compiled   torch.compile of each layer, dynamic shapes; the compiler's time counts as the start

OpenVINO has a run of its own, `tests/runs/openvino_pass.py`.

Prints a line of JSON for each batch size: CPU seconds of one bare prefill (one thread, in turn, medians) and the ratio of each turn to
float32; and, with `--agree N`, how far the verdicts of an int8 way agree with float32 on N questions of the shipped bank. It is
let through where it is clearly faster, at least 99.5 % of the letters are the same, and the AUROC is the same within its interval.
"""

import argparse
import copy
import json
import statistics
import time
import warnings
from functools import partial

import numpy as np
import torch

from app.bench.edge.questions import bank
from app.core.verdict import Signal
from app.demo.bank import SHIPPED_BANK, load_rows
from app.edge.builtin import default_cache_dir
from app.edge.engine import VerdictEngine
from app.edge.loader import load_model
from app.edge.threads import set_threads
from app.evaluation import statistics as st


def cpu_s(work):
    """CPU seconds of this process and of what it starts and waits for."""
    before = time.process_time(), *children()
    work()
    return sum((time.process_time(), *children())) - sum(before)


def children():
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime, used.ru_stime


def in_int8(model, way):
    """A copy of the model whose layers multiply in int8; its output layer stays as it is, because a verdict reads rows of it."""
    torch.backends.quantized.engine = "fbgemm"
    by_row = torch.ao.quantization.per_channel_dynamic_qconfig
    wanted = {torch.nn.Linear: by_row if way == "int8-rows" else torch.ao.quantization.default_dynamic_qconfig}
    twin = copy.deepcopy(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin.model = torch.ao.quantization.quantize_dynamic(twin.model, wanted, inplace=True)
    return twin


def compiled(model):
    """A copy of the model that shares its weights, each layer compiled: the layers are alike, so one is compiled and all use it."""
    twin = copy.deepcopy(model)
    for layer in twin.model.layers:
        layer.compile(dynamic=True)
    return twin


def prefill(model):
    return lambda ids: model(ids, use_cache=False, logits_to_keep=1).logits


WAYS = {
    "int8": lambda model: prefill(in_int8(model, "int8")),
    "int8-rows": lambda model: prefill(in_int8(model, "int8-rows")),
    "compiled": lambda model: prefill(compiled(model)),
}


def timed(given, model, ways):
    generator = torch.Generator().manual_seed(0)
    for batch in given.batches:
        ids = torch.randint(100, 20_000, (batch, given.tokens), generator=generator)
        expected = ways["float32"](ids)
        # A further shape before it is timed: what is compiled then belongs to the start.
        off = {name: round(float((way(ids) - expected).abs().max() / expected.std()), 4) for name, way in ways.items() if name != "float32"}
        took = {name: [] for name in ways}
        for turn in range(given.turns):
            for name in [*ways][:: 1 if turn % 2 == 0 else -1]:
                took[name].append(cpu_s(partial(ways[name], ids)))
        ratios = {name: [one / base for one, base in zip(took[name], took["float32"], strict=True)] for name in ways if name != "float32"}
        said = {
            "batch": batch,
            "tokens": given.tokens,
            "seconds": {name: round(statistics.median(values), 3) for name, values in took.items()},
            "ratio": {name: [round(value, 3) for value in (statistics.median(r), min(r), max(r))] for name, r in ratios.items()},
            "largest_difference_of_a_logit": off,
        }
        print(json.dumps(said), flush=True)


def agreement(given, loaded, model):
    """How far the verdicts of a changed model are those of the model itself."""
    answers = {(row["question"], tuple(row["options"])): row["answer"] for row in load_rows([SHIPPED_BANK])}
    questions = bank()[: given.agree]
    engine = loaded.engine()
    other = VerdictEngine(model, engine.renderer, name="other")
    prompts = sorted(((engine.prepare(question), question) for question in questions), key=lambda pair: pair[0].columns)
    pairs = []
    for start in range(0, len(prompts), 4):
        some = [prompt for prompt, _ in prompts[start : start + 4]]
        pairs += zip(engine.verdicts(some), other.verdicts(some), strict=True)
    apart = [max(abs(a - b) for one, two in zip(x.joint, y.joint, strict=True) for a, b in zip(one, two, strict=True)) for x, y in pairs]
    said = {
        "questions": len(pairs),
        "largest_difference_of_a_probability": round(max(apart), 4),
        "median": round(statistics.median(apart), 4),
    }
    for signal in (Signal.VERBALIZED, Signal.EXPECTED, Signal.MARGIN):
        letters = [(x.answer(signal), y.answer(signal)) for x, y in pairs]
        gold = [answers[question.question, question.options] for _, question in prompts]
        correct = [np.array([pair[i] == right for pair, right in zip(letters, gold, strict=True)]) for i in (0, 1)]
        values = [np.array([pair[i].signal(signal) for pair in pairs]) for i in (0, 1)]
        aurocs = [st.bootstrap_auroc(*pair) for pair in zip(values, correct, strict=True)]
        said[signal.value] = {
            "same_letter": round(float(np.mean([a == b for a, b in letters])), 4),
            "auroc": [round(st.auroc(*pair) or 0.0, 4) for pair in zip(values, correct, strict=True)],
            "difference_ci": [round(float(edge), 4) for edge in np.quantile(aurocs[1] - aurocs[0], [0.025, 0.975])],
        }
    print(json.dumps(said), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="+", choices=[*WAYS])
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--agree", type=int, default=0)
    given = parser.parse_args()
    set_threads(1)
    loaded = load_model("builtin", cache_dir=default_cache_dir(), dtype="float32")
    with torch.inference_mode():
        ways = {"float32": prefill(loaded.model)}
        for name in given.ways:
            began = time.process_time()

            def start(name=name):
                ways[name] = WAYS[name](loaded.model)
                # Two shapes, so that a compiler knows which dimensions change.
                for shape in ((1, 90), (2, 130)):
                    ways[name](torch.ones(shape, dtype=torch.long))

            print(
                json.dumps({"way": name, "start_cpu_s": round(cpu_s(start), 1), "of_this_process": round(time.process_time() - began, 1)}),
                flush=True,
            )
        timed(given, loaded.model, ways)
    for name in given.ways:
        if given.agree and name.startswith("int8"):
            print(json.dumps({"way": name}), flush=True)
            agreement(given, loaded, in_int8(loaded.model, name))


if __name__ == "__main__":
    main()
