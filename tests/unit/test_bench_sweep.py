"""Cells of `foggate bench edge` as they are measured on a GPU, and the defaults by device, on a tiny model on the CPU."""

import threading
import time

import pytest
import torch

from app.bench.edge.over_http import Traffic
from app.bench.edge.plan import plan_of, questions_for
from app.bench.edge.presets import ON_CPU, ON_GPU, preset_of
from app.bench.edge.probe import watched
from app.bench.edge.roofline import matmul_rate
from app.bench.edge.shapes import random_model
from app.bench.edge.sweep import SORTED, Cell, Limits, measure_cell
from app.bench.edge.ways import GENERATE, PREFILL, VERDICT, Ways
from app.config.settings import Settings
from app.edge.build import build_batcher
from app.edge.devices import useful_batch_size
from app.edge.pass_threads import PassThreads
from app.edge.weights import without_row
from app.telemetry.metrics import Metrics
from tests.support.fakes import FakeEngine
from tests.support.tiny import tiny_tokenizer


class Counting(Ways):
    """Counts the batches that each way answers, and can replay: then the model's layers are not called."""

    replays = False

    def __init__(self, loaded, engine):
        super().__init__(loaded, engine)
        self.sizes = {VERDICT: [], PREFILL: [], GENERATE: []}

    def verdict(self, batch):
        self.sizes[VERDICT].append(len(batch))
        # The first batch is computed, as one of a size for which there is no graph; the others are replayed.
        if not self.replays or len(self.sizes[VERDICT]) % 3 == 1:
            super().verdict(batch)
        if self.replays:
            self.engine.told("eager" if len(self.sizes[VERDICT]) % 3 == 1 else "replayed")

    def prefill(self, batch):
        self.sizes[PREFILL].append(len(batch))
        super().prefill(batch)

    def generate(self, batch):
        self.sizes[GENERATE].append(len(batch))
        super().generate(batch)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny_tokenizer().save_pretrained(folder)
    return random_model("tiny", str(folder), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def engine(loaded):
    return loaded.engine()


LIMITS = Limits(rounds=2, cell_s=60, matmul_size=64, reference_batches=1, apart=True)


def test_on_a_gpu_everything_is_run_before_it_is_timed_and_the_reference_answers_less(loaded, engine):
    ways = Counting(loaded, engine)
    prepared = ways.prepare(questions_for(engine.renderer, 5, 0))
    found = measure_cell(ways, Cell("batches", 2, 2, prepared), LIMITS)
    # A first run, one that is watched, and two rounds; the one pass in both orders.
    assert ways.sizes == {VERDICT: [2, 2, 1] * 8, PREFILL: [2, 2, 1] * 4, GENERATE: [2] * 4}
    assert {name: way["questions"] for name, way in found["ways"].items()} == {VERDICT: 5, SORTED: 5, PREFILL: 5, GENERATE: 2}
    for way in found["ways"].values():
        assert way["seconds_per_question"]["n"] == 2
        assert 0 < way["forward_share"] < 1
    by_length = sorted(len(each.prompt.ids) for each in prepared)
    reference = found["ways"][GENERATE]
    # Its batch stands in the middle of all, ordered by length, and what it read is counted by its own tokens.
    read = reference["prompt_tokens_per_s"] * reference["seconds_per_question"]["median"]
    assert read == pytest.approx(sum(by_length[2:4]) / 2, rel=0.01)


def test_passes_at_the_same_time_count_once(loaded):
    model, threads, both = loaded.model, PassThreads(2), threading.Barrier(2, timeout=60)

    def meet(*_):
        both.wait()
        time.sleep(0.05)

    meeting = model.base_model.layers[0].register_forward_pre_hook(meet)
    ids = torch.ones(1, 8, dtype=torch.long)
    try:
        with watched(model) as seen:
            began = time.perf_counter()
            threads.run(lambda _: model(input_ids=ids), [0, 1])
            took = time.perf_counter() - began
    finally:
        meeting.remove()
    assert (seen.calls, seen.columns) == (2, 16)
    assert 0.05 <= seen.seconds <= took


class Telling:
    """An engine that tells how it makes each pass."""

    def __init__(self, engine):
        self._engine = engine

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def tell_passes(self, told):
        self.told = told


def test_layers_of_replayed_passes_are_not_known(loaded, engine):
    ways = Counting(loaded, Telling(engine))
    ways.replays = True
    prepared = ways.prepare(questions_for(engine.renderer, 3, 0))
    found = measure_cell(ways, Cell("batches", 1, 1, prepared), LIMITS)["ways"]
    assert (found[VERDICT]["forward_share"], found[VERDICT]["host_share"], found[VERDICT]["padding_share"]) == (None, None, None)
    assert found[VERDICT]["replayed_share"] == pytest.approx(2 / 3, abs=1e-4)
    assert found[PREFILL]["replayed_share"] is None
    assert found[PREFILL]["forward_share"] > 0


def test_small_batches_have_fewer_questions_and_prompts_have_the_length_of_the_plan(loaded, engine):
    renderer = engine.renderer
    lengths = [len(renderer.prompt(question).ids) for question in questions_for(renderer, 150, 600)]
    # More of them than the bank has.
    assert len(lengths) == 150
    assert max(abs(length - 600) for length in lengths) <= 10
    plan = plan_of(ON_GPU)
    assert (plan.batch_tokens, plan.most_batches, plan.limits.reference_batches, plan.limits.apart) == (200, 32, 1, True)


def test_a_device_has_defaults_of_its_own():
    assert preset_of("cuda") is ON_GPU
    assert preset_of("cpu") is preset_of("mps") is ON_CPU
    traffic = Traffic.of(ON_GPU, batch_questions=256)
    # What the targets of a GPU need.
    assert {64, 128} <= set(ON_GPU.batches)
    assert 200 in ON_GPU.lengths
    assert ON_GPU.rounds >= 3
    assert 1000 in traffic.rates
    assert traffic.one_connection * traffic.warm_up_s > 0
    # A 99th percentile at the lowest rate.
    assert min(traffic.rates) * traffic.rate_seconds * traffic.rounds >= 100
    assert Traffic.of(ON_CPU, batch_questions=256) == Traffic(batch_questions=256)


def test_a_matrix_product_has_a_rate(loaded):
    assert matmul_rate(loaded.model, size=64) > 0


def test_a_tokenizer_must_fit_into_a_shape_but_for_control_tokens():
    tokenizer = tiny_tokenizer()
    room = len(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    # Gemma's tokenizer has such a token behind the last row of the published shape.
    assert without_row(tokenizer, room) == []
    tokenizer.add_tokens(["oneword"])
    assert without_row(tokenizer, room) == ["oneword"]


async def test_a_gpu_takes_more_in_a_pass_and_in_its_queue_unless_the_settings_bound_it():
    async def bounds(useful, **edge):
        engine = FakeEngine()
        if useful:
            engine.useful_batch_size = useful
        batcher = build_batcher(Settings(edge=edge), engine, Metrics())
        try:
            return batcher._queue._bounds.max_size, batcher._queue._bounds.max_tokens, batcher._queue._max_size
        finally:
            await batcher.close()

    assert await bounds(None) == (16, 8192, 128)
    assert await bounds(useful_batch_size(torch.device("cpu"))) == (4, 8192, 128)
    assert await bounds(useful_batch_size(torch.device("cuda"))) == (64, 16_384, 2048)
    assert await bounds(64, max_batch_size=5, max_batch_tokens=500, max_queue_size=7) == (5, 500, 7)
