"""What the probes say of an edge that is broken, through the whole gateway: no test here touches the gateway's own state."""

import asyncio
import json

import pytest

from app.api.app import create_app
from app.config.settings import Settings
from app.core.buckets import BUCKETS
from app.core.verdict import JointVerdict
from app.edge.build import with_engine
from tests.integration.test_api import ASK, gateway
from tests.support.fakes import AlteredEngine, FakeEngine
from tests.support.loopback import loopback_client
from tests.support.servers import serving

NAN = JointVerdict(((float("nan"),) * 3,) * len(BUCKETS), 0)


def raises(_):
    raise RuntimeError("CUDA error: device-side assert triggered")


def not_finite(verdicts):
    return [NAN] * len(verdicts)


def ends_the_thread(_):
    raise SystemExit(1)


async def until(http, path, status):
    while (reply := await http.get(path)).status_code != status:
        await asyncio.sleep(0.005)
    return reply.json()


@pytest.mark.parametrize("broken", [raises, not_finite, lambda _: None, lambda verdicts: verdicts[1:]])
async def test_an_engine_that_fails_for_ever_is_not_ready_then_not_live_and_comes_back(broken):
    server = {"ready_failed_batches": 2, "live_failed_batches": 6, "failing_probe_s": 0.05}
    async with gateway(AlteredEngine(), cloud=False, server=server) as (http, engine):
        engine.alter = broken
        reply = await http.post("/v1/answer", json=ASK)
        assert (reply.status_code, reply.json()["error"]["type"]) == (503, "edge_error")
        assert (await http.get("/health/ready")).status_code == 200, "one failed batch is none"
        await http.post("/v1/answer", json=ASK)
        assert await until(http, "/health/ready", 503) in ({"status": "failing"}, {"status": "dead"})
        # No question comes any more: a balancer sends none to a replica that is not ready.
        assert await until(http, "/health/live", 503) == {"status": "dead"}
        assert (await http.get("/health/ready")).json() == {"status": "dead"}
        engine.alter = None
        assert await until(http, "/health/live", 200) == {"status": "alive"}
        assert await until(http, "/health/ready", 200) == {"status": "ready"}
        assert (await http.post("/v1/answer", json=ASK)).status_code == 200


async def test_while_it_fails_the_word_for_it_is_failing_and_the_process_lives():
    server = {"ready_failed_batches": 2, "live_failed_batches": 1000, "failing_probe_s": 0.01}
    async with gateway(AlteredEngine(), server=server) as (http, engine):
        engine.alter = raises
        for _ in range(2):
            # The cloud is there: the callers notice nothing but the bill.
            assert (await http.post("/v1/answer", json=ASK)).json()["reason"] == "edge_failed"
        assert await until(http, "/health/ready", 503) == {"status": "failing"}
        assert (await http.get("/health/live")).status_code == 200
        text = (await http.get("/metrics")).text
        assert float(next(line.split()[1] for line in text.splitlines() if line.startswith("foggate_edge_batches_failed_total "))) >= 3


async def test_one_poisonous_question_sent_again_and_again_takes_nobody_out():
    async with gateway(cloud=False, server={"ready_failed_batches": 2, "live_failed_batches": 3}) as (http, _):
        for _ in range(20):
            assert (await http.post("/v1/answer", json={**ASK, "question": "poison"})).status_code == 503
            assert (await http.get("/health/ready")).status_code == 200
            assert (await http.get("/health/live")).status_code == 200
        assert (await http.post("/v1/answer", json=ASK)).status_code == 200


async def test_a_dead_worker_is_neither_live_nor_ready():
    async with gateway(AlteredEngine(), cloud=False) as (http, engine):
        assert (await http.get("/health/live")).status_code == 200
        engine.alter = ends_the_thread
        for _ in range(2):
            reply = await http.post("/v1/answer", json=ASK)
            assert (reply.status_code, reply.json()["error"]["type"]) == (503, "edge_error")
            live, ready = await http.get("/health/live"), await http.get("/health/ready")
            assert (live.status_code, live.json()) == (503, {"status": "dead"})
            assert (ready.status_code, ready.json()) == (503, {"status": "dead"})


async def test_a_verdict_that_is_not_finite_goes_to_the_cloud_or_is_an_error_and_never_onto_the_wire():
    def the_unsure_ones(verdicts):
        return [verdict if verdict.confidence == 1.0 else NAN for verdict in verdicts]

    asked = {"questions": [{**ASK, "id": "good"}, {**ASK, "question": "who knows", "id": "bad"}]}
    for cloud in (True, False):
        async with gateway(AlteredEngine(), cloud=cloud) as (http, engine):
            engine.alter = the_unsure_ones
            one = await http.post("/v1/answer", json=asked["questions"][1])
            assert one.status_code == (200 if cloud else 503)
            whole = await http.post("/v1/answers", json=asked)
            lines = await http.post("/v1/answers", json=asked, headers={"accept": "application/x-ndjson"})
            assert "NaN" not in one.text + whole.text + lines.text
            for good, bad in (
                whole.json()["results"],
                sorted(map(json.loads, lines.text.splitlines()), key=lambda line: line["index"]),
            ):
                assert (good["id"], good["reason"]) == ("good", "confident")
                assert (bad["reason"] == "edge_failed") if cloud else (bad["error"]["type"] == "edge_error")
            assert (await http.get("/health/ready")).status_code == 200


@pytest.mark.parametrize("broken", [raises, not_finite])
async def test_a_model_that_fails_on_its_warm_up_question_is_said_and_is_not_live(broken):
    engine, said = AlteredEngine(), asyncio.Queue()
    engine.alter = broken
    app = create_app(Settings(), edge=with_engine(lambda _: engine), on_fatal=said.put_nowait)
    async with serving(app) as url, loopback_client(base_url=url) as http:
        assert "warm-up question" in await asyncio.wait_for(said.get(), 30)
        assert (await http.get("/health/live")).status_code == 503
        assert (await http.get("/health/ready")).status_code == 503


async def test_a_slow_warm_up_refuses_nobody_afterwards():
    """At the pace of this warm-up the queue would outlast everybody's deadline by far."""

    class SlowStart(FakeEngine):
        def verdicts(self, prompts):
            if not self.batches:
                asleep.wait(1.0)
            return super().verdicts(prompts)

    import threading

    asleep = threading.Event()
    async with gateway(SlowStart(), cloud=False, edge={"max_batch_size": 1}) as (http, engine):
        engine.started.clear()
        engine.gate.clear()
        first = asyncio.ensure_future(http.post("/v1/answer", json=ASK))
        await asyncio.to_thread(engine.started.wait)
        burst = [asyncio.ensure_future(http.post("/v1/answer", json=ASK)) for _ in range(60)]
        while http.state.metrics.registry.get_sample_value("foggate_edge_queue_depth") < 60 and not any(task.done() for task in burst):
            await asyncio.sleep(0.005)
        engine.gate.set()
        assert {reply.status_code for reply in await asyncio.gather(first, *burst)} == {200}
