"""What each way to make a pass on a GPU gives: recorded or not, layers compiled or not, and by how attention is computed.

    python -m tests.runs.gpu_ways --shape qwen3-0.6b --tokenizer FOLDER [--out ways.json] [--profile]

A model of that shape with random weights reads prompts of one length. Each row of the table has the median time of a call of
`VerdictEngine.verdicts`, questions a second, the share of the rate of a large matrix product that was measured in the same process, and the
largest difference of a probability from passes of any shape with masks, nothing recorded or compiled. What fails is a
row with its reason. The file is written anew after each row. With `--shape tiny --device cpu` it shows that it runs; a CPU records nothing.
"""

import argparse
import json
import statistics
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from app.bench.edge.questions import questions_of_length
from app.bench.edge.roofline import matmul_rate, operations
from app.bench.edge.shapes import SHAPES, random_model
from app.edge.buckets import Buckets
from app.edge.engine import VerdictEngine
from app.edge.rendering import Renderer
from app.edge.split_attention import FAST, MASKED, attention_way

# Longest time of one measurement, and fewest and most calls in it.
SECONDS, FEWEST, MOST = 0.4, 3, 40


@contextmanager
def without_cudnn():
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


ATTENTION = {
    "causal kernel": lambda: [attention_way(FAST)],
    "causal kernel, no cudnn": lambda: [attention_way(FAST), without_cudnn()],
    "masks": lambda: [attention_way(MASKED)],
}


class Table:
    """Rows that are printed and written as they come."""

    def __init__(self, out, facts):
        self.out, self.facts, self.rows = out, facts, []

    def add(self, **row):
        self.rows.append(row)
        print(json.dumps(row), flush=True)
        if self.out:
            self.out.write_text(json.dumps({**self.facts, "rows": self.rows}, indent=1) + "\n")

    def attempt(self, work, **names):
        """Add what some work returns, or why it failed."""
        try:
            self.add(**names, **work())
        except Exception as error:  # the other rows are wanted all the same
            self.add(**names, failed=f"{type(error).__name__}: {str(error)[:300]}")


def finish():
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds_of(engine, prompts):
    engine.verdicts(prompts)
    engine.verdicts(prompts)
    took = []
    finish()
    began = time.perf_counter()
    while len(took) < FEWEST or (len(took) < MOST and time.perf_counter() - began < SECONDS):
        start = time.perf_counter()
        engine.verdicts(prompts)
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def furthest(found, expected):
    return max(
        abs(a - b)
        for x, y in zip(found, expected, strict=True)
        for p, q in zip(x.joint, y.joint, strict=True)
        for a, b in zip(p, q, strict=True)
    )


class Run:
    """One model, the engine that is measured, and the one whose numbers are expected."""

    def __init__(self, given):
        self.given = given
        loaded = random_model(given.shape, given.tokenizer, device=given.device, dtype=given.dtype)
        self.model = loaded.model
        renderer = Renderer(loaded.tokenizer, loaded.family)
        self.plain, self.engine = (
            VerdictEngine(self.model, renderer, name="x", pack=False, buckets=buckets, pass_columns=given.columns[0])
            for buckets in (False, True)
        )
        assert self.engine.uses_buckets
        questions = questions_of_length(renderer, given.tokens, max(given.batches), options=given.options)
        self.prompts = [self.engine.prepare(question) for question in questions]
        self.rate = matmul_rate(self.model)
        self.operations = statistics.fmean(operations(self.model, prompt, len(renderer.trie)) for prompt in self.prompts)
        with attention_way(MASKED):
            self.expected = self.plain.verdicts(self.prompts)
        lengths = [len(prompt.ids) for prompt in self.prompts]
        self.facts = {
            "shape": given.shape,
            "device": torch.cuda.get_device_name() if self.model.device.type == "cuda" else "cpu",
            "dtype": str(self.model.dtype),
            "torch": torch.__version__,
            "tokens": [min(lengths), statistics.fmean(lengths), max(lengths)],
            "prefix_tokens": self.engine.prefix_tokens,
            "nodes": len(renderer.trie),
            "matmul_teraflops": self.rate / 1e12,
            "gigaflops_a_question": self.operations / 1e9,
        }
        self.table = Table(given.out, self.facts)
        print(json.dumps(self.facts), flush=True)

    def measured(self, engine, batch):
        prompts = self.prompts[:batch]
        passes = []
        engine.tell_passes(passes.append)
        found = engine.verdicts(prompts)
        engine.tell_passes(lambda _: None)
        took = seconds_of(engine, prompts)
        return {
            "passes": {way: passes.count(way) for way in sorted({*passes})},
            "ms": round(1000 * took, 3),
            "questions_a_second": round(batch / took, 1),
            "share": round(batch / took * self.operations / self.rate, 4),
            "difference": round(furthest(found, self.expected[:batch]), 5),
        }

    def shapes(self):
        """The shapes of the passes that are measured, the largest first, so that few are recorded."""
        engine = self.engine
        buckets = Buckets(len(engine.renderer.trie), engine.prefix_tokens, engine._buckets._columns)
        found = {
            bucket
            for batch in self.given.batches
            for bucket, _ in buckets.passes([len(prompt.ids) - engine.prefix_tokens for prompt in self.prompts[:batch]])
        }
        return sorted(found, key=lambda bucket: bucket.rows * bucket.width, reverse=True)

    def all_batches(self, engine, **names):
        for batch in self.given.batches:
            self.table.attempt(lambda batch=batch: self.measured(engine, batch), **names, batch=batch)

    def record(self, **names):
        def work():
            recorded = self.engine.record(shapes=self.shapes())
            if recorded is None:
                raise RuntimeError("nothing is recorded on this device")
            if recorded.shapes < recorded.possible:
                raise RuntimeError(str(recorded))
            return {"recorded": str(recorded)}

        self.engine._buckets.forget()
        self.table.attempt(work, **names, what="record")
        return bool(self.engine._buckets._replays)

    def ways(self, compiled):
        for attention, contexts in ATTENTION.items():
            # Compiled layers take attention as one operation, so that it is compared once.
            if compiled and attention == "masks":
                continue
            with ExitStack() as stack:
                for context in contexts():
                    stack.enter_context(context)
                names = {"compiled": compiled, "attention": attention}
                self.engine._buckets.forget()
                self.all_batches(self.engine, **names, way="eager")
                if self.record(**names):
                    self.all_batches(self.engine, **names, way="recorded")
                self.engine._buckets.forget()

    def compile(self):
        def work():
            seconds = self.engine.compile()
            if seconds is None:
                raise RuntimeError("the layers are not compiled; the log has the reason")
            return {"seconds": round(seconds, 1)}

        self.table.attempt(work, what="compile")
        return self.engine._buckets._layers is not None

    def sizes(self, compiled):
        """The largest pass, by how many columns it may have."""
        for columns in self.given.columns:
            self.engine._buckets._columns = columns
            if self.record(compiled=compiled, attention="causal kernel", columns=columns):
                self.all_batches(self.engine, compiled=compiled, attention="causal kernel", way="recorded", columns=columns)
        self.engine._buckets._columns = self.given.columns[0]
        self.engine._buckets.forget()

    def profile(self, compiled):
        """Which kernels a pass of the largest batch spends its time in."""

        def work():
            prompts = self.prompts[: max(self.given.batches)]
            self.engine.verdicts(prompts)
            kinds = [torch.profiler.ProfilerActivity.CPU, *([torch.profiler.ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
            with torch.profiler.profile(activities=kinds) as profile:
                self.engine.verdicts(prompts)
                finish()
            rows = [
                (each.key[:90], each.self_device_time_total if torch.cuda.is_available() else each.self_cpu_time_total, each.count)
                for each in profile.key_averages()
            ]
            rows = sorted((row for row in rows if row[1] > 0), key=lambda row: -row[1])[:16]
            return {"kernels_us": [[name, round(us), count] for name, us, count in rows]}

        self.table.attempt(work, what="profile", compiled=compiled)

    def everything(self):
        self.all_batches(self.plain, compiled=False, attention="causal kernel", way="any shape")
        self.ways(compiled=False)
        self.sizes(compiled=False)
        if self.given.profile:
            self.profile(compiled=False)
        if not self.given.no_compile and self.compile():
            self.ways(compiled=True)
            self.sizes(compiled=True)
            if self.given.profile:
                self.profile(compiled=True)
        if not self.given.no_full:
            self.engine._buckets._columns = self.given.columns[0]
            self.table.attempt(lambda: {"recorded": str(self.engine.record(seconds=self.given.full_seconds))}, what="record every shape")

    def show(self):
        print(f"\n{self.facts['shape']} on {self.facts['device']}, {self.facts['dtype']}, matrix product {self.rate / 1e12:.0f} TFLOP/s")
        print(f"{'way':10} {'compiled':8} {'attention':24} {'columns':>7} {'batch':>5} {'ms':>9} {'q/s':>8} {'share':>6} {'differs':>8}")
        for row in self.table.rows:
            if "ms" in row:
                print(
                    f"{row['way']:10} {row['compiled']!s:8} {row['attention']:24} {row.get('columns', self.given.columns[0]):>7} "
                    f"{row['batch']:>5} {row['ms']:>9.2f} {row['questions_a_second']:>8.0f} {row['share']:>6.1%} {row['difference']:>8.4f}"
                )
        for row in self.table.rows:
            if "ms" not in row and "kernels_us" not in row:
                print(json.dumps(row))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=[*SHAPES], default="qwen3-0.6b")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--options", type=int, default=4)
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 64, 128])
    parser.add_argument("--columns", type=int, nargs="*", default=[8192, 4096, 16384])
    parser.add_argument("--full-seconds", type=float, default=20.0)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--no-full", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with torch.inference_mode():
        run = Run(given)
        try:
            run.everything()
        finally:
            run.show()


if __name__ == "__main__":
    main()
