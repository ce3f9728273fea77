"""The REST interface over real HTTP, with a fake engine behind it."""

import asyncio
import contextlib
import json
import math
from datetime import date

import pytest
import structlog

from app.api.app import create_app
from app.api.schemas import AnswerResponse
from app.config.settings import Settings
from app.core.errors import ConfigError
from app.core.prompt import PROMPT_VERSION
from app.core.verdict import Signal
from app.data.calibration import DomainThreshold, write_calibration
from app.data.option_counts import OptionCounts
from app.data.target import Target
from app.demo.bank import Bank
from app.demo.server import create_demo
from app.edge.build import with_engine
from app.evaluation.calibrate import calibrate
from tests.support.fakes import FakeEngine, Unexpected
from tests.support.loopback import loopback_client
from tests.support.records import simulated
from tests.support.servers import serving

ASK = {"question": "I am sure of this", "options": ["a", "b", "c"]}
UNSURE = {"question": "Who knows", "options": ["a", "b", "c"]}


@contextlib.asynccontextmanager
async def gateway(engine=None, *, build=None, ready=True, faults=None, cloud=True, latency_ms=0.0, **settings):
    """A gateway with a mock cloud (`cloud`: its settings, or False for none); yields an HTTP client and the engine.

    `build` makes the edge; without it the edge is the in-process one with the engine.
    """
    engine = engine or FakeEngine()
    async with contextlib.AsyncExitStack() as stack:
        url = (
            await stack.enter_async_context(serving(create_demo(Bank([], guess=True), faults=faults or {}, latency_ms=latency_ms)))
            if cloud
            else None
        )
        configured = Settings(
            **{
                **settings,
                "cloud": {"base_url": url + "/v1" if url else None, "max_attempts": 2, **(cloud if isinstance(cloud, dict) else {})},
            }
        )
        app = create_app(configured, edge=build or with_engine(lambda _: engine))
        http = await stack.enter_async_context(loopback_client(base_url=await stack.enter_async_context(serving(app)), timeout=30))
        stack.callback(engine.gate.set)
        http.cloud_url, http.state = url, app.state.gateway
        while ready and (await http.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        yield http, engine


async def test_an_edge_answer():
    async with gateway() as (http, _):
        response = await http.post("/v1/answer", json={**ASK, "id": "7", "domain": "law"})
    body = response.json()
    AnswerResponse.model_validate(body)
    assert (body["id"], body["answer"], body["answer_text"], body["route"], body["reason"]) == ("7", "B", "b", "edge", "confident")
    assert (body["degraded"], body["tau"], body["signal"], body["confidence"], body["cloud"]) == (False, 0.5, "verbalized", 1.0, None)
    assert math.isclose(sum(body["edge"]["answer_probabilities"].values()), 1, abs_tol=1e-9)
    assert math.isclose(sum(body["edge"]["confidence_probabilities"].values()), 1, abs_tol=1e-9)
    assert response.headers["x-foggate-route"] == "edge"
    assert response.headers["x-foggate-signal"] == "1"
    assert response.headers["x-request-id"]


async def test_a_cloud_answer():
    async with gateway() as (http, _):
        response = await http.post("/v1/answer", json=UNSURE)
    body = response.json()
    assert (body["route"], body["reason"], body["cloud"]["model"], body["cloud"]["attempts"]) == (
        "cloud",
        "low_confidence",
        "demo-cloud",
        1,
    )
    assert body["answer"] == body["cloud"]["answer"]
    assert response.headers["x-foggate-route"] == "cloud"


async def test_tau_and_route_of_the_request_and_tau_of_the_domain():
    async with gateway(policy={"tau": 0.5, "domains": {"law": {"tau": 0.0}}}) as (http, _):

        async def reason(**more):
            body = (await http.post("/v1/answer", json={**UNSURE, **more})).json()
            return body["route"], body["reason"], body["tau"]

        assert await reason() == ("cloud", "low_confidence", 0.5)
        assert await reason(tau=0) == ("edge", "confident", 0.0)
        assert await reason(domain="law") == ("edge", "confident", 0.0)
        assert await reason(domain="law", tau=0.25) == ("cloud", "low_confidence", 0.25)
        assert await reason(route="edge") == ("edge", "forced", 0.5)
        assert (await http.post("/v1/answer", json={**ASK, "route": "cloud"})).json()["reason"] == "forced"


def calibration_file(path, **changes):
    """A calibration of the fake edge for every number of options: tau 0.2 on the expected confidence, 0.95 for law, a temperature of 2."""
    rows = [{**row, "edge_model": "fake-edge", "edge_fingerprint": "fake", "prompt_version": PROMPT_VERSION} for row in simulated(60, 0)]
    target = Target(kind="cloud_rate", value=0.5)
    found = calibrate(rows, target=target, signal=Signal.EXPECTED, today=date(2026, 1, 2), resamples=50).calibration
    cuts = {
        "options": OptionCounts(numbers=range(2, 27), n={2: 30, 26: 30}),
        "tau": 0.2,
        "temperature": 2.0,
        "domains": {"law": DomainThreshold(tau=0.95, n=30), "math": DomainThreshold(tau=1.0, n=30)},
    }
    write_calibration(path, found.model_copy(update=cuts | changes))
    return path


async def test_a_calibration_sets_signal_temperature_and_cuts_and_is_shown(tmp_path):
    """Unsure: the fake's expected confidence is 0.125, at a temperature of 2 it is 0.3125."""
    policy = {"tau": 0.9, "calibration": calibration_file(tmp_path / "c.json"), "domains": {"math": {"tau": 0.1}}}
    async with gateway(policy=policy) as (http, _):
        plain = (await http.post("/v1/answer", json=UNSURE)).json()
        assert (plain["signal"], plain["tau"], plain["reason"]) == ("expected", 0.2, "confident")
        assert plain["expected_confidence"] == pytest.approx(0.3125)
        assert plain["edge"]["confidence_probabilities"]["0.0"] == pytest.approx(0.8), "the distribution itself is not tempered"
        law = (await http.post("/v1/answer", json={**ASK, "domain": "law"})).json()
        assert (law["tau"], law["reason"]) == (0.95, "low_confidence")
        assert (await http.post("/v1/answer", json={**UNSURE, "domain": "math"})).json()["tau"] == 0.1, "policy.domains wins"
        assert (await http.post("/v1/answer", json={**UNSURE, "tau": 0.6})).json()["tau"] == 0.6, "the request wins"
        edge, cloud, *_ = (await http.get("/v1/models")).json()["data"]
        assert (edge["calibration"]["tau"], edge["calibration"]["target"]["kind"]) == (0.2, "cloud_rate")
        assert edge["calibration"]["in_force"] is False, "math has a threshold of its own"
        assert "calibration" not in cloud
        metrics = (await http.get("/metrics")).text
    for line in ('foggate_tau{domain="default"} 0.2', 'foggate_tau{domain="law"} 0.95', 'foggate_tau{domain="math"} 0.1'):
        assert line in metrics


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"edge_model": "other"}, "another edge model: it was made with other, the gateway serves fake-edge"),
        ({"edge_adapter": "tuned"}, "another adapter: it was made with tuned, the gateway serves none"),
        ({"prompt_version": "old"}, "another prompt version: it was made with old"),
        ({"edge_fingerprint": "abc"}, "another weights fingerprint: it was made with abc"),
    ],
)
async def test_a_calibration_of_another_edge_keeps_the_gateway_from_starting(tmp_path, changes, says):
    said = asyncio.Queue()
    app = create_app(
        Settings(policy={"calibration": calibration_file(tmp_path / "c.json", **changes)}),
        edge=with_engine(lambda _: FakeEngine()),
        on_fatal=said.put_nowait,
    )
    async with serving(app) as url, loopback_client(base_url=url) as http:
        assert says in await asyncio.wait_for(said.get(), 30)
        assert (await http.get("/health/ready")).status_code == 503


def test_a_calibration_that_cannot_be_read_is_said_at_once(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        create_app(Settings(policy={"calibration": tmp_path / "none.json"}))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("hang", "cloud_timeout"),
        ("500", "cloud_unavailable"),
        ("cut", "cloud_unavailable"),
        ("bad-json", "cloud_unparsable"),
        ("prose", "cloud_unparsable"),
    ],
)
async def test_a_failing_cloud_is_a_degraded_answer_or_an_error_by_setting(fault, reason):
    async with gateway(faults={fault: 1.0}, deadline_ms=1000) as (http, _):
        body = (await http.post("/v1/answer", json=UNSURE)).json()
        assert (body["route"], body["degraded"], body["reason"], body["answer"], body["cloud"]) == ("edge", True, reason, "B", None)
        metrics = (await http.get("/metrics")).text
        assert f'foggate_degraded_total{{reason="{reason}"}} 1.0' in metrics
    async with gateway(faults={fault: 1.0}, deadline_ms=1000, policy={"on_cloud_failure": "error"}) as (http, _):
        response = await http.post("/v1/answer", json=UNSURE)
        assert response.status_code == (504 if fault == "hang" else 502)
        assert response.json()["error"]["type"] == reason


async def test_no_cloud_configured():
    async with gateway(cloud=False) as (http, _):
        body = (await http.post("/v1/answer", json=UNSURE)).json()
        assert (body["degraded"], body["reason"]) == (True, "cloud_not_configured")
        assert (await http.post("/v1/answer", json=ASK)).json()["degraded"] is False
        assert [model["role"] for model in (await http.get("/v1/models")).json()["data"]] == ["edge", "router", "edge"]


BAD = [
    ({"question": ""}, 422, "question"),
    ({"question": "  \n"}, 422, "question"),
    ({"question": 7}, 422, "question"),
    ({"question": None}, 422, "question"),
    ({"options": ["a"]}, 422, "options"),
    ({"options": [str(n) for n in range(27)]}, 422, "options"),
    ({"options": ["a", "b", "a"]}, 422, "options.2"),
    ({"options": ["a", " "]}, 422, "options.1"),
    ({"options": "ab"}, 422, "options"),
    ({"options": {"A": "a"}}, 422, "options"),
    ({"tau": 1.5}, 422, "tau"),
    ({"tau": -0.1}, 422, "tau"),
    ({"tau": "high"}, 422, "tau"),
    ({"tau": "0.5"}, 422, "tau"),
    ({"tau": True}, 422, "tau"),
    ({"route": "fog"}, 422, "route"),
    ({"deadline_ms": 0}, 422, "deadline_ms"),
    ({"deadline_ms": 1.5}, 422, "deadline_ms"),
    ({"id": 7}, 422, "id"),
    ({"id": "x" * 129}, 422, "id"),
    ({"colour": "blue"}, 422, "colour"),
    ({"question": "too long"}, 422, "question"),
    ({"question": "x" * 60_000}, 422, "question"),
]


async def test_bad_fields_are_refused_by_name_and_nothing_breaks():
    async with gateway() as (http, engine):
        for change, status, param in BAD:
            response = await http.post("/v1/answer", json={**ASK, **change})
            error = response.json()["error"]
            assert (response.status_code, error["type"], error["param"]) == (status, "invalid_question", param), change
            assert error["message"]
            assert error["request_id"] == response.headers["x-request-id"]
        assert sum(engine.batches) == 1, "only the warm-up has reached the model"
        assert (await http.post("/v1/answer", json=ASK)).status_code == 200


JSON = {"content-type": "application/json"}
BAD_BODIES = [
    (b"{", JSON, 400, "bad_request"),
    (b"", JSON, 400, "bad_request"),
    (b'{"question": "\xff\xfe", "options": ["a", "b"]}', JSON, 400, "bad_request"),
    (b"[" * 200_000, JSON, 400, "bad_request"),
    (b"[1]", JSON, 422, "invalid_question"),
    (b'{"question": "q", "options": ["a", "b"], "tau": NaN}', JSON, 422, "invalid_question"),
    (b'{"question": "q\\ud800", "options": ["a", "b"]}', JSON, 422, "invalid_question"),
    (json.dumps(ASK).encode(), {"content-type": "text/plain"}, 415, "unsupported_media_type"),
    (json.dumps(ASK).encode(), {}, 415, "unsupported_media_type"),
    (b"question=x", {"content-type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
    (b'{"question": "' + b"x" * 10_000_000 + b'"}', JSON, 413, "payload_too_large"),
]


async def test_bad_bodies():
    async with gateway() as (http, _):
        for body, headers, status, kind in BAD_BODIES:
            response = await http.post("/v1/answer", content=body, headers=headers)
            assert (response.status_code, response.json()["error"]["type"]) == (status, kind), body[:40]

        async def chunks():
            for _ in range(100):
                yield b"x" * 100_000

        assert (await http.post("/v1/answer", content=chunks(), headers=JSON)).status_code == 413
        utf8 = {"content-type": "application/json; charset=utf-8"}
        assert (await http.post("/v1/answer", content=json.dumps(ASK), headers=utf8)).status_code == 200


async def test_unknown_paths_and_methods():
    async with gateway() as (http, _):
        for method, path, status, kind in (
            ("GET", "/nope", 404, "not_found"),
            ("POST", "/nope", 404, "not_found"),
            ("GET", "/v1/answer", 405, "method_not_allowed"),
        ):
            response = await http.request(method, path, **({"json": ASK} if method == "POST" else {}))
            assert (response.status_code, response.json()["error"]["type"]) == (status, kind)
            assert response.headers["x-request-id"]


async def test_request_ids_are_kept_if_harmless_and_replaced_otherwise():
    async with gateway() as (http, _):
        assert (await http.get("/v1/models", headers={"x-request-id": "abc-1.2_3"})).headers["x-request-id"] == "abc-1.2_3"
        for bad in ("a b", "x" * 129, "a\tb", '"><script>'):
            assert (await http.get("/v1/models", headers={"x-request-id": bad})).headers["x-request-id"] != bad


async def test_many_questions_come_back_in_order_each_with_its_own_fate():
    questions = [
        {**ASK, "id": "0"},
        {**ASK, "options": ["a"], "id": "1"},
        {"id": "2"},
        7,
        {**UNSURE, "id": "4"},
        {**ASK, "question": "poison"},
    ]
    async with gateway(edge={"max_batch_size": 1}) as (http, _):
        response = await http.post("/v1/answers", json={"questions": questions})
        assert response.status_code == 200
        results = response.json()["results"]
        assert [("error" in result, result.get("id")) for result in results] == [
            (False, "0"),
            (True, "1"),
            (True, "2"),
            (True, None),
            (False, "4"),
            (False, None),
        ]
        assert results[1]["error"]["param"] == "options"
        assert (results[4]["route"], results[5]["reason"], results[5]["edge"]) == ("cloud", "edge_failed", None)


async def test_ndjson_sends_each_line_as_it_finishes():
    async with gateway(edge={"max_batch_size": 1}) as (http, _):
        body = {"questions": [{**ASK, "id": str(n)} for n in range(5)] + [{}]}
        async with http.stream("POST", "/v1/answers", json=body, headers={"accept": "application/x-ndjson"}) as response:
            assert response.headers["content-type"] == "application/x-ndjson"
            lines = [json.loads(line) async for line in response.aiter_lines()]
        assert sorted(line["index"] for line in lines) == list(range(6))
        # The invalid one needs no model: it is there first.
        assert lines[0]["index"] == 5
        assert {line["id"] for line in lines} == {"0", "1", "2", "3", "4", None}


async def test_limits_of_a_batch():
    async with gateway(limits={"max_questions": 3}) as (http, _):
        for questions, status in (([], 422), ([ASK] * 4, 422), ([ASK] * 3, 200)):
            assert (await http.post("/v1/answers", json={"questions": questions})).status_code == status


async def test_a_batch_larger_than_the_queue_is_fed_in_turns():
    async with gateway(limits={"batch_concurrency": 4}, edge={"max_queue_size": 4, "max_batch_size": 2}) as (http, _):
        results = (await http.post("/v1/answers", json={"questions": [ASK] * 60})).json()["results"]
        assert all(result["route"] == "edge" for result in results)


async def test_health_while_loading_and_after():
    import threading

    engine, load = FakeEngine(), threading.Event()

    def loader(_):
        load.wait(30)
        return engine

    async with serving(create_app(Settings(), edge=with_engine(loader))) as url, loopback_client(base_url=url) as http:
        try:
            assert (await http.get("/health/live")).json() == {"status": "alive"}
            ready = await http.get("/health/ready")
            assert (ready.status_code, ready.json()) == (503, {"status": "loading"})
            for path, body in (("/v1/answer", ASK), ("/v1/answers", {"questions": [ASK]})):
                early = await http.post(path, json=body)
                assert (early.status_code, early.json()["error"]["type"]) == (503, "not_ready")
                assert int(early.headers["retry-after"]) >= 1
        finally:
            load.set()
        while (await http.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        assert 'foggate_build_info{model="fake-edge"' in (await http.get("/metrics")).text


async def test_a_model_that_cannot_be_loaded_is_said_in_one_sentence():
    said = []

    def loader(_):
        raise ConfigError("no such model")

    async with (
        serving(create_app(Settings(), edge=with_engine(loader), on_fatal=said.append)) as url,
        loopback_client(base_url=url) as http,
    ):
        while not said:
            assert (await http.get("/health/ready")).status_code == 503
    assert said == ["no such model"]


async def test_overload_is_429_with_retry_after_and_passes():
    async with gateway(edge={"max_queue_size": 2, "max_batch_size": 1}) as (http, engine):
        engine.started.clear()
        engine.gate.clear()
        first = asyncio.ensure_future(http.post("/v1/answer", json=ASK))
        await asyncio.to_thread(engine.started.wait)
        rest = [asyncio.ensure_future(http.post("/v1/answer", json=ASK)) for _ in range(20)]
        refused = [task.result() for task in (await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED))[0]]
        while len(refused) < 18:
            done, _ = await asyncio.wait([task for task in rest if not task.done()], return_when=asyncio.FIRST_COMPLETED)
            refused += [task.result() for task in done]
        assert {(r.status_code, r.json()["error"]["type"]) for r in refused} == {(429, "overloaded")}
        assert all(int(r.headers["retry-after"]) >= 1 for r in refused)
        engine.gate.set()
        assert (await first).status_code == 200
        assert sorted(r.status_code for r in await asyncio.gather(*rest)) == [200] * 2 + [429] * 18


async def test_a_short_deadline_is_kept_and_a_long_one_clamped():
    async with gateway() as (http, engine):
        engine.started.clear()
        engine.gate.clear()
        response = await http.post("/v1/answer", json={**ASK, "deadline_ms": 50})
        assert (response.status_code, response.json()["error"]["type"]) == (504, "deadline_exceeded")
        engine.gate.set()
        assert (await http.post("/v1/answer", json={**ASK, "deadline_ms": 10**9})).status_code == 200


async def test_hanging_up_cancels_queued_edge_work_and_the_cloud_call():
    async with gateway(latency_ms=60_000, deadline_ms=60_000) as (http, engine):
        stats = lambda: http.get(http.cloud_url + "/stats")  # noqa: E731
        leaving = asyncio.ensure_future(http.post("/v1/answer", json=UNSURE))
        while (await stats()).json()["calls"] < 1:
            await asyncio.sleep(0.01)
        leaving.cancel()
        while (await stats()).json()["cancels"] < 1:
            await asyncio.sleep(0.01)

        engine.started.clear()
        engine.gate.clear()
        holding = asyncio.ensure_future(http.post("/v1/answer", json=ASK))
        await asyncio.to_thread(engine.started.wait)
        before = len(engine.batches)
        queued = asyncio.ensure_future(http.post("/v1/answer", json=ASK))

        async def depth():
            text = (await http.get("/metrics")).text
            return float(next(line.split()[1] for line in text.splitlines() if line.startswith("foggate_edge_queue_depth ")))

        while await depth() != 1:
            await asyncio.sleep(0.01)
        queued.cancel()
        while await depth() != 0:
            await asyncio.sleep(0.01)
        engine.gate.set()
        assert (await holding).status_code == 200
        assert len(engine.batches) == before
        assert (await stats()).json()["calls"] == 1


async def test_one_log_line_per_request_with_numbers_and_names_only():
    async with gateway() as (http, _):
        with structlog.testing.capture_logs() as lines:
            await http.post("/v1/answer", json={**ASK, "question": "sure about Zanzibar"})
            async with http.stream(
                "POST", "/v1/answers", json={"questions": [ASK, {}]}, headers={"accept": "application/x-ndjson"}
            ) as response:
                await response.aread()
            await http.get("/health/ready")
            await http.post("/v1/answer", json=ASK)
        requests = [line for line in lines if line["event"] == "request"]
    assert [line["path"] for line in requests] == ["/v1/answer", "/v1/answers", "/v1/answer"]
    assert (requests[0]["route"], requests[0]["reason"], requests[0]["status"]) == ("edge", "confident", 200)
    assert (requests[1]["questions"], requests[1]["errors"]) == (2, 1)
    assert not any("client_left" in line for line in requests)
    assert "Zanzibar" not in str(lines)


async def test_a_caller_who_hangs_up_is_logged_as_such():
    async with gateway(latency_ms=60_000, deadline_ms=60_000) as (http, _):
        with structlog.testing.capture_logs() as lines:
            leaving = asyncio.ensure_future(http.post("/v1/answer", json=UNSURE))
            while (await http.get(http.cloud_url + "/stats")).json()["calls"] < 1:
                await asyncio.sleep(0.01)
            leaving.cancel()
            while not lines:
                await asyncio.sleep(0.01)
    assert (lines[0]["client_left"], lines[0]["status"]) == (True, 0)


async def test_while_draining_ready_is_503_and_replies_close_their_connection():
    async with gateway() as (http, _):
        assert "connection" not in (await http.post("/v1/answer", json=ASK)).headers
        http.state.draining = True
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.json(), ready.headers["connection"]) == (503, {"status": "draining"}, "close")
        late = await http.post("/v1/answer", json=ASK)
        assert (late.status_code, late.headers["connection"]) == (200, "close")
        assert (await http.get("/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("limits", "path", "status"), [({"ready_stall_s": 0.1}, "/health/ready", "stalled"), ({"live_stall_s": 0.1}, "/health/live", "dead")]
)
async def test_a_hung_engine_takes_the_gateway_out_and_a_recovered_one_back_in(limits, path, status):
    async with gateway(server=limits, edge={"max_batch_size": 1}) as (http, engine):
        engine.gate.clear()
        asked = [asyncio.ensure_future(http.post("/v1/answer", json=ASK)) for _ in range(2)]
        while (seen := await http.get(path)).status_code == 200:
            await asyncio.sleep(0.01)
        assert (seen.status_code, seen.json()) == (503, {"status": status})
        if status == "stalled":
            assert (await http.get("/health/live")).status_code == 200
        engine.gate.set()
        assert [reply.status_code for reply in await asyncio.gather(*asked)] == [200, 200]
        assert (await http.get(path)).status_code == 200


async def test_a_spent_cloud_budget_lowers_the_cut_where_everybody_can_see_it():
    async with gateway(cloud={"budget": {"calls_per_day": 1, "on_exhausted": "lower_tau", "tau": 0.0}}) as (http, _):
        replies = [(await http.post("/v1/answer", json={**UNSURE, "question": f"Who knows {n}"})).json() for n in range(2)]
        assert [(reply["route"], reply["reason"], reply["tau"]) for reply in replies] == [
            ("cloud", "low_confidence", 0.5),
            ("edge", "confident", 0.0),
        ]
        assert http.state.metrics.registry.get_sample_value("foggate_tau", {"domain": "default"}) == 0.0


async def test_a_bug_is_a_500_without_details(caplog):
    class Broken(FakeEngine):
        def verdicts(self, prompts):
            found = super().verdicts(prompts)
            return [Unexpected(v.joint, v.greedy_bucket) if p.options == 2 else v for p, v in zip(prompts, found, strict=True)]

    async with gateway(Broken()) as (http, _):
        response = await http.post("/v1/answer", json={**ASK, "options": ["a", "b"]})
        assert (response.status_code, response.json()["error"]["type"]) == (500, "internal_error")
        assert "secret detail" not in response.text
        assert response.json()["error"]["request_id"] == response.headers["x-request-id"]
        assert (await http.post("/v1/answer", json=ASK)).status_code == 200


async def test_the_metrics_count_what_happened():
    async with gateway() as (http, _):
        for body in (ASK, ASK, UNSURE, {**ASK, "question": "long"}):
            await http.post("/v1/answer", json=body)
        text = (await http.get("/metrics")).text
    for line in (
        'foggate_requests_total{reason="confident",route="edge"} 2.0',
        'foggate_requests_total{reason="low_confidence",route="cloud"} 1.0',
        'foggate_rejected_total{reason="invalid_question"} 1.0',
        'foggate_cloud_attempts_total{endpoint="default",outcome="200"} 1.0',
        'foggate_tau{domain="default"} 0.5',
        "foggate_signal_count 3.0",
    ):
        assert line in text
