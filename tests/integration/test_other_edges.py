"""Edges that give less than a joint distribution, through the whole gateway over HTTP: what they do not give is absent everywhere."""

import asyncio
import json

import pytest
import structlog

from app.api.app import create_app
from app.api.schemas import AnswerResponse
from app.config.settings import Settings
from app.core.edge import EdgeHealth
from app.core.errors import ConfigError, EdgeError
from app.core.prompt import PROMPT_VERSION
from app.core.question import Question
from app.core.verdict import Signal
from app.data.calibration import read_calibration, write_calibration
from app.data.dataset import Item
from app.data.records import load_records, read_records
from app.edge.builtin import find_builtin
from app.evaluation.collect import EdgeIdentity, collect
from app.evaluation.markdown import render
from app.evaluation.report import build_report
from tests.integration.test_api import ASK, gateway
from tests.support.fakes import FakeEdge, OptionsEdge, TextEdge, make_verdict
from tests.support.loopback import loopback_client
from tests.support.servers import serving

KINDS = pytest.mark.parametrize("kind", [OptionsEdge, TextEdge])


def made(edge):
    """A builder of this edge."""

    async def build(settings, metrics):
        return edge

    return build


async def asked(http, **more):
    reply = await http.post("/v1/answer", json={**ASK, **more})
    body = reply.json()
    AnswerResponse.model_validate(body)
    return reply, body


def assert_nothing_is_invented(reply, body, kind):
    assert body["confidence"] is body["expected_confidence"] is body["edge"]["confidence_probabilities"] is None
    if kind is TextEdge:
        assert body["edge"]["answer_probabilities"] is None
    else:
        assert body["edge"]["answer_probabilities"] == pytest.approx({"A": 0.15, "B": 0.7, "C": 0.15})
    assert (body["edge"]["model"], body["edge"]["answer"]) == (kind.identity.model, "B")
    assert body["timings_ms"]["queue"] is None
    assert body["signal"] == ("verbalized" if kind is TextEdge else "top_probability")
    assert reply.headers["x-foggate-signal"] == ("none" if kind is TextEdge else "0.7")


async def test_without_a_signal_every_question_goes_to_the_cloud_whatever_tau_is():
    async with gateway(build=made(TextEdge())) as (http, _):
        for tau in (None, 0.0, 1.0):
            reply, body = await asked(http, **({} if tau is None else {"tau": tau}))
            assert (body["route"], body["reason"], body["degraded"]) == ("cloud", "no_signal", False)
            assert body["answer"] == body["cloud"]["answer"]
            assert reply.headers["x-foggate-route"] == "cloud"
            assert_nothing_is_invented(reply, body, TextEdge)


@pytest.mark.parametrize(("signal", "value"), [(None, 0.7), ("top_probability", 0.7), ("margin", 0.55)])
async def test_a_distribution_over_the_options_is_routed_by_what_it_shows(signal, value):
    async with gateway(build=made(OptionsEdge()), policy={"signal": signal}) as (http, _):
        for tau, route, reason in ((value - 0.01, "edge", "confident"), (value + 0.01, "cloud", "low_confidence")):
            reply, body = await asked(http, tau=tau)
            assert (body["route"], body["reason"], body["signal"]) == (route, reason, signal or "top_probability")
            assert float(reply.headers["x-foggate-signal"]) == pytest.approx(value)
            assert body["confidence"] is body["expected_confidence"] is None, "a probability of an option is not a confidence"
        metrics = (await http.get("/metrics")).text
        assert "foggate_signal_count 2.0" in metrics
        assert float(metrics.partition("foggate_signal_sum ")[2].split()[0]) == pytest.approx(2 * value)


async def test_a_threshold_that_nobody_calibrated_is_said_at_start_and_in_the_models():
    for settings, warned in (({}, True), ({"tau": 0.6}, True), ({"tau": 0.6, "signal": "margin"}, False)):
        with structlog.testing.capture_logs() as logged:
            async with gateway(build=made(OptionsEdge()), policy=settings) as (http, _):
                edge, *_ = (await http.get("/v1/models")).json()["data"]
        said = [line["event"] for line in logged if line["log_level"] == "warning" and "not calibrated" in line["event"]]
        assert [edge["warning"]] == said if warned else (said == [] and "warning" not in edge)
        if warned:
            tau = settings.get("tau", 0.5)
            assert said[0].startswith(f"the threshold is not calibrated: tau {tau:g} is compared with the top probability of options-edge")
            assert "foggate calibrate --records records.jsonl --signal top_probability " in said[0]


@KINDS
async def test_a_caller_may_force_either_side(kind):
    async with gateway(build=made(kind())) as (http, _):
        reply, body = await asked(http, route="edge")
        assert (body["answer"], body["answer_text"], body["route"], body["reason"], body["cloud"]) == ("B", "b", "edge", "forced", None)
        assert_nothing_is_invented(reply, body, kind)
        reply, body = await asked(http, route="cloud")
        assert (body["route"], body["reason"]) == ("cloud", "forced")
        assert_nothing_is_invented(reply, body, kind)


@KINDS
async def test_a_cloud_that_fails_leaves_a_degraded_answer_of_the_edge(kind):
    async with gateway(build=made(kind()), faults={"500": 1.0}) as (http, _):
        reply, body = await asked(http, tau=0.9)
        assert (body["answer"], body["route"], body["reason"], body["degraded"]) == ("B", "edge", "cloud_unavailable", True)
        assert_nothing_is_invented(reply, body, kind)
    async with gateway(build=made(kind()), cloud=False) as (http, _):
        _, body = await asked(http, tau=0.9)
        assert (body["answer"], body["reason"], body["degraded"]) == ("B", "cloud_not_configured", True)


@KINDS
async def test_a_question_on_which_the_edge_fails_goes_to_the_cloud_and_is_an_error_without_one(kind):
    async with gateway(build=made(kind())) as (http, _):
        _, body = await asked(http, question="a broken one")
        assert (body["route"], body["reason"], body["edge"]) == ("cloud", "edge_failed", None)
    async with gateway(build=made(kind()), cloud=False) as (http, _):
        reply = await http.post("/v1/answer", json={**ASK, "question": "a broken one"})
        assert (reply.status_code, reply.json()["error"]["type"]) == (503, "edge_error")


async def test_a_letter_that_was_not_offered_is_a_failure_of_the_edge_and_never_an_answer():
    async with gateway(build=made(TextEdge()), cloud=False) as (http, _):
        for route in ("auto", "edge"):
            reply = await http.post("/v1/answer", json={**ASK, "question": "go astray", "route": route})
            assert (reply.status_code, reply.json()["error"]["type"]) == (503, "edge_error")
    async with gateway(build=made(TextEdge())) as (http, _):
        _, body = await asked(http, question="go astray")
        assert (body["route"], body["reason"], body["edge"]) == ("cloud", "edge_failed", None)


@KINDS
async def test_batches_come_back_whole_and_as_lines(kind):
    questions = [{**ASK, "id": "one"}, {**ASK, "id": "two", "route": "edge"}, {**ASK, "question": "a broken one", "id": "three"}]
    async with gateway(build=made(kind())) as (http, _):
        whole = (await http.post("/v1/answers", json={"questions": questions})).json()["results"]
        lines = await http.post("/v1/answers", json={"questions": questions}, headers={"accept": "application/x-ndjson"})
        for results in (whole, sorted(map(json.loads, lines.text.splitlines()), key=lambda line: line["index"])):
            assert [(result["id"], result["reason"], result["confidence"]) for result in results] == [
                ("one", "no_signal" if kind is TextEdge else "confident", None),
                ("two", "forced", None),
                ("three", "edge_failed", None),
            ]


async def test_metrics_count_the_answers_and_observe_no_signal_and_models_name_the_edge():
    kind = TextEdge
    async with gateway(build=made(kind())) as (http, _):
        with structlog.testing.capture_logs() as logged:
            await asked(http)
            await asked(http, route="edge")
        assert [line["signal"] for line in logged if line["event"] == "request"] == [None, None]
        assert not [line for line in logged if line["log_level"] in {"error", "critical"}]
        metrics = (await http.get("/metrics")).text
        assert 'foggate_requests_total{reason="no_signal",route="cloud"} 1.0' in metrics
        assert 'foggate_requests_total{reason="forced",route="edge"} 1.0' in metrics
        assert "foggate_signal_count 0.0" in metrics
        assert f'foggate_build_info{{model="{kind.identity.model}"' in metrics
        edge, cloud, *_ = (await http.get("/v1/models")).json()["data"]
        assert (edge["id"], edge["role"], cloud["role"]) == (kind.identity.model, "edge", "cloud")
        assert "calibration" not in edge
        assert "warning" not in edge, "there is nothing to calibrate"


async def test_the_probes_say_what_the_edge_says_of_itself():
    edge = TextEdge()
    async with gateway(build=made(edge)) as (http, _):
        for state, live, ready in (
            (EdgeHealth.STALLED, 200, 503),
            (EdgeHealth.FAILING, 200, 503),
            (EdgeHealth.DEAD, 503, 503),
            (EdgeHealth.ALIVE, 200, 200),
        ):
            edge.state = state
            answer = await http.get("/health/live")
            assert (answer.status_code, answer.json()["status"]) == (live, "dead" if live == 503 else "alive")
            answer = await http.get("/health/ready")
            assert (answer.status_code, answer.json()["status"]) == (ready, state.value if ready == 503 else "ready")
    assert edge.closed


async def test_an_edge_that_gives_a_confidence_is_routed_by_it_whoever_implements_it():
    edge = FakeEdge(make_verdict(0.75, answer=2, options=3))
    async with gateway(build=made(edge)) as (http, _):
        reply, body = await asked(http, tau=0.75)
        assert (body["answer"], body["route"], body["reason"], body["confidence"]) == ("C", "edge", "confident", 0.75)
        assert reply.headers["x-foggate-signal"] == "0.75"
        _, body = await asked(http, tau=0.76)
        assert (body["route"], body["reason"]) == ("cloud", "low_confidence")


class OddEdge(FakeEdge):
    """An edge that somebody else wrote, with mistakes: `raises` is what a question gets, `says` makes its health."""

    def __init__(self, raises=None):
        super().__init__(make_verdict(1.0, options=3))
        self.raises = raises
        self.says = lambda: EdgeHealth.ALIVE

    def health(self):
        return self.says()

    async def verdict(self, question, deadline):
        if self.raises is not None:
            raise self.raises
        return await super().verdict(question, deadline)


class EngineRestarts(EdgeError):
    """A failure that an edge names more precisely than the contract does."""


@pytest.mark.parametrize("mistake", [ConnectionResetError("secret"), asyncio.CancelledError(), EngineRestarts("x", retry_after_s=3)])
async def test_every_question_gets_a_reply_whatever_the_edge_raises(mistake):
    async with gateway(build=made(OddEdge(mistake))) as (http, _):
        reply, body = await asked(http)
        assert (reply.status_code, body["route"], body["reason"], body["edge"]) == (200, "cloud", "edge_failed", None)
    async with gateway(build=made(OddEdge(mistake)), cloud=False) as (http, _):
        reply = await http.post("/v1/answer", json=ASK)
        assert (reply.status_code, reply.json()["error"]["type"]) == (503, "edge_error")
        assert "secret" not in reply.text


async def test_an_edge_that_cannot_tell_its_health_is_not_ready_and_not_restarted():
    def confused():
        raise KeyError("x")

    edge = OddEdge()
    async with gateway(build=made(edge)) as (http, _):
        for edge.says, ready in ((confused, 503), (lambda: "unheard of", 503), (lambda: "alive", 200)):
            assert (await http.get("/health/live")).status_code == 200
            reply = await http.get("/health/ready")
            assert (reply.status_code, reply.json()["status"]) == (ready, "ready" if ready == 200 else "failing")


async def refusal(edge, **settings):
    """Why a gateway with this edge does not start."""
    said = asyncio.Queue()
    app = create_app(Settings(**settings), edge=made(edge), on_fatal=said.put_nowait)
    async with serving(app) as url, loopback_client(base_url=url) as http:
        sentence = await asyncio.wait_for(said.get(), 30)
        assert (await http.get("/health/live")).status_code == 503
    assert edge.closed
    assert edge.questions == 0
    return sentence


@KINDS
@pytest.mark.parametrize("signal", ["verbalized", "expected"])
async def test_a_signal_that_the_edge_does_not_give_is_refused_at_start(kind, signal):
    gives = "no signal that could be compared with tau" if kind is TextEdge else "only the signal margin or top_probability"
    assert await refusal(kind(), policy={"signal": signal}) == (
        f"policy.signal is '{signal}', and the edge model {kind.identity.model} gives {gives}: "
        "take it out of the configuration, or choose an edge model that gives it"
    )


@KINDS
async def test_a_calibration_for_a_signal_that_the_edge_does_not_give_is_refused_at_start(kind, tmp_path):
    of = {"edge_model": kind.identity.model, "edge_adapter": None, "edge_fingerprint": "fake", "prompt_version": PROMPT_VERSION}
    path = tmp_path / "c.json"
    write_calibration(path, read_calibration(find_builtin("builtin").calibration).model_copy(update=of))
    said = await refusal(kind(), policy={"calibration": path})
    gives = "no signal" if kind is TextEdge else "only the signal margin or top_probability"
    assert said.startswith(f"the signal of policy.calibration is 'expected', and the edge model {kind.identity.model} gives {gives}")


async def test_an_edge_that_fails_its_warm_up_is_not_live_and_is_closed():
    edge = TextEdge()
    edge.first_error = EdgeError("the engine at http://edge cannot be reached")
    assert await refusal(edge) == "the engine at http://edge cannot be reached"


@KINDS
async def test_collecting_records_what_there_is_and_reports_are_about_what_it_shows(kind, tmp_path):
    items = [Item(Question(f"Question {number}?", ("a", "b", "c"), "law", str(number)), "B") for number in range(4)]
    out = tmp_path / "records.jsonl"
    identity = EdgeIdentity(kind.identity.model, kind.identity.fingerprint)
    done = await collect(items, out, edge=kind(), identity=identity, cloud=None, order_check=2)
    assert (done.edge_asked, done.reversed_asked, done.failed) == (4, 2, 0)
    records = read_records(out)
    for record in records.values():
        assert record["edge_answer"] == "B"
        absent = ("confidence", "expected_confidence", "confidence_probabilities", "bucket_paths", "edge_batch")
        assert [record[key] for key in absent] == [None] * len(absent)
        assert (record["answer_probabilities"] is None) is (kind is TextEdge)
    turned = [record for record in records.values() if record.get("reversed_answer") is not None]
    assert len(turned) == 2
    assert {record["reversed_expected_answer"] for record in turned} == {None if kind is TextEdge else "B"}
    again = await collect(items, out, edge=kind(), identity=identity, cloud=None, order_check=2)
    assert (again.edge_asked, again.reversed_asked) == (0, 0), "what was recorded is not asked again"
    if kind is TextEdge:
        with pytest.raises(
            ConfigError, match=r"line 1: the edge model gave an answer without any probability, so there is no signal to report"
        ):
            load_records(out)
        return
    rows = load_records(out)
    report = build_report(rows, tau=0.5, signal=Signal.MARGIN, resamples=20)
    assert list(report["signals"]) == ["top_probability", "margin"]
    assert (report["signals"]["margin"]["mean"], report["buckets"]) == (pytest.approx(0.55), {})
    assert "| margin |" in render(report)
    assert "verbalized confidence" not in render(report).partition("## Terms")[0]
    with pytest.raises(ConfigError, match=r"the records do not hold the verbalized confidence.* choose --signal top_probability or margin"):
        build_report(rows, tau=0.5, signal=Signal.VERBALIZED)
