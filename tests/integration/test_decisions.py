"""The endpoints of decision clients over real HTTP: System One's conformance suite, OpenAI's own client, SGLang's form."""

import asyncio
import math

import httpx2
import pytest
from jevcompat.runner import run as run_jevcompat
from openai import AsyncOpenAI, BadRequestError

from app.access.keys import Permission
from app.api.decision import openai_form, sglang_form, systemone
from app.core.question import LONG_LABELS
from tests.integration.test_api import gateway
from tests.integration.test_security import key_file
from tests.support.clouds import answering, completion

STATE = "I am sure of this: I was charged twice."
TEAMS = {"Billing": "Payments", "Technical": None, "Sales": {"owns": ["pricing"]}}


def system_one(questions, state=STATE, **more):
    return {"model": "jev-latest", "state": state, "questions": questions, **more}


TEAM = {"type": "choice", "instructions": "Which team?", "criteria": TEAMS}
NOUL = {"type": "noul", "instructions": "A refund?"}
SCORE = {"type": "score", "instructions": "How angry?", "criteria": ["calm", "cross", "furious"]}


async def test_the_conformance_suite_passes_with_every_must_and_should():
    async with gateway() as (http, _):
        report = await asyncio.to_thread(run_jevcompat, str(http.base_url).rstrip("/"), timeout=60)
    failed = {one.id: [finding.message for finding in one.findings] for one in report.results if one.status == "fail"}
    # The list of models has OpenAI's form at that path.
    failed.pop("http.models", None)
    assert failed == {}
    assert report.verdict == "conformant", (report.aborted, report.untested_musts, report.inconclusive)
    assert report.count("MUST", "pass") >= 31


async def test_the_answer_is_the_most_probable_option_of_the_distribution_that_it_was_chosen_from():
    async with gateway() as (http, _):
        reply = await http.post("/v1/systemone", json=system_one({"team": TEAM, "refund": NOUL, "anger": SCORE}))
    assert reply.status_code == 200, reply.text
    body = reply.json()
    team, refund, anger = (body["answers"][name] for name in ("team", "refund", "anger"))
    # The fake engine puts 0.7 on the second option.
    assert (team["choice"], list(team["probabilities"])) == ("Technical", list(TEAMS))
    assert team["probabilities"]["Technical"] == pytest.approx(0.7)
    assert team["confidence"] == pytest.approx((0.7 - 1 / 3) / (2 / 3))
    assert refund["noul"] == pytest.approx(0.3)
    assert anger["score"] == pytest.approx(1.0)
    assert anger["legend"] == {"0": "calm", "1": "cross", "2": "furious"}
    assert team["x_foggate"]["route"] == "edge"
    assert (team["x_foggate"]["reason"], team["x_foggate"]["probabilities"], team["x_foggate"]["signal_value"]) == (
        "confident",
        "edge",
        1.0,
    )
    assert body["model"] == "fake-edge"
    assert body["usage"]["input_tokens"] > 0
    assert team["x_foggate"]["decision_id"] == reply.headers["x-foggate-decision-id"] == reply.headers["x-request-id"]


async def test_a_cloud_answer_without_log_probabilities_has_a_marked_prior_and_is_never_certain():
    async with gateway() as (http, _):
        body = (await http.post("/v1/systemone", json=system_one({"team": TEAM}, state="Who knows"))).json()
    team = body["answers"]["team"]
    facts = team["x_foggate"]
    assert (facts["route"], facts["reason"], facts["probabilities"], facts["model"]) == ("cloud", "low_confidence", "prior", body["model"])
    assert team["confidence"] == pytest.approx(0.8)
    assert max(team["probabilities"].values()) == pytest.approx(0.8 + 0.2 / 3) == team["probabilities"][team["choice"]]
    assert min(team["probabilities"].values()) > 0.05


def with_logprobs(text, *alternatives):
    """A completion of one token with these alternatives and their probabilities."""
    listed = [{"token": token, "logprob": math.log(p), "bytes": None} for token, p in alternatives]
    body = completion(text)
    body["choices"][0]["logprobs"] = {"content": [{"token": text, "logprob": listed[0]["logprob"], "top_logprobs": listed}]}
    return body


@pytest.mark.parametrize(
    ("alternatives", "source", "expected"),
    [
        ([("B", 0.6), ("A", 0.2), ("C", 0.2)], "logprobs", 0.6),
        ([("B", 0.99), ("x", 0.01)], "prior", 0.8 + 0.2 / 3),
    ],
)
async def test_the_log_probabilities_of_the_cloud_are_used_where_they_are_a_distribution(alternatives, source, expected):
    async with answering(lambda _: with_logprobs("B", *alternatives)) as cloud:
        settings = {"base_url": cloud.url + "/v1", "top_logprobs": 3, "answer_format": "text"}
        async with gateway(cloud=settings) as (http, _):
            answer = (await http.post("/v1/systemone", json=system_one({"team": TEAM}, state="Who knows"))).json()["answers"]["team"]
    assert (answer["choice"], answer["x_foggate"]["probabilities"]) == ("Technical", source)
    assert answer["probabilities"]["Technical"] == pytest.approx(expected)
    assert answer["x_foggate"]["model"] == "large"


@pytest.mark.parametrize(
    ("reply", "route"), [("Final answer: BM", "cloud"), ("BM", "cloud"), ("B", "edge"), ("I think BM or AC", "edge"), ("AAA", "edge")]
)
async def test_a_question_with_more_options_than_letters_is_routed_as_any_other(reply, route):
    options = {f"queue {number}": None for number in range(60)}
    async with answering(lambda _: completion(reply)) as cloud:  # noqa: SIM117  # the second one needs the first one's address
        async with gateway(cloud={"base_url": cloud.url + "/v1", "answer_format": "text"}) as (http, _):
            answer = (
                await http.post("/v1/systemone", json=system_one({"queue": {"type": "choice", "criteria": options}}, state="Who knows"))
            ).json()["answers"]["queue"]
    assert answer["x_foggate"]["route"] == route
    assert answer["choice"] == (f"queue {LONG_LABELS.index('BM')}" if route == "cloud" else "queue 1")
    assert answer["x_foggate"]["degraded"] == (route == "edge")
    asked = cloud.asked[0].body["messages"]
    assert "\nAA. queue 0\n" in asked[-1]["content"]
    assert "label" in asked[0]["content"]


async def test_the_client_of_openai_reads_all_answers():
    async with gateway() as (http, _):
        client = AsyncOpenAI(base_url=str(http.base_url) + "/v1", api_key="none")
        decision = await client.decisions.create(**{**openai_form.EXAMPLE, "input": STATE})
        with pytest.raises(BadRequestError) as refused:
            await client.decisions.create(model="foggate", input=STATE, questions=[{"type": "choice", "instructions": "?", "choices": []}])
        content = [{"type": "input_image", "image_url": "data:image/png;base64,x"}]
        with pytest.raises(BadRequestError) as image:
            await client.decisions.create(
                model="foggate", input=[{"role": "user", "content": content}], questions=[{"type": "predicate", "instructions": "?"}]
            )
        await client.close()
    refund, team, anger = decision.answers
    assert (refund.type, refund.name, refund.probability) == ("predicate", "refund", pytest.approx(0.3))
    assert (team.choice, [one.value for one in team.probabilities]) == ("technical", ["billing", "technical"])
    assert [one.label for one in anger.probabilities] == ["calm", "frustrated", "very angry"]
    assert anger.score == pytest.approx(1.0)
    assert decision.usage.total_tokens == decision.usage.input_tokens > 0
    assert team.x_foggate["route"] == "edge"
    assert (refused.value.code, refused.value.param) == ("invalid_question", "questions.0.choice")
    assert "2 to 255 choices" in refused.value.message
    assert "reads input_text and input_json only" in image.value.message


async def test_messages_tool_calls_and_json_become_one_text():
    given = [
        {"role": "developer", "content": "Be strict."},
        {"role": "user", "content": [{"type": "input_text", "text": "I am sure"}, {"type": "input_json", "data": {"a": 1}}]},
        {"type": "function_call", "name": "look_up", "arguments": "{}", "call_id": "1"},
        {"type": "function_call_output", "call_id": "1", "output": "nothing"},
    ]
    text = openai_form.text_of_input(given)
    assert text == 'developer: Be strict.\n\nuser: I am sure\n{"a":1}\n\nfunction_call: look_up {}\n\nfunction_call_output: nothing'


async def test_the_form_of_sglang():
    async with gateway() as (http, _):
        reply = await http.post("/v1/decisions", json={**sglang_form.EXAMPLE, "input": STATE})
        hot = await http.post("/v1/decisions", json={**sglang_form.EXAMPLE, "temperature": 0.5})
        twice = await http.post("/v1/decisions", json={"input": "x", "questions": [sglang_form.EXAMPLE["questions"][1]] * 2})
    answers = reply.json()["answers"]
    assert answers["team"]["choice"] == "technical"
    assert answers["refund"]["probabilities"] == {"yes": pytest.approx(0.3), "no": pytest.approx(0.7)}
    assert "label_mass" not in answers["team"]
    assert reply.json()["usage"]["prompt_tokens"] > 0
    assert (hot.status_code, hot.json()["object"], hot.json()["code"]) == (400, "error", 400)
    assert hot.json()["message"] == hot.json()["error"]["message"] == "temperature: not supported by this gateway"
    assert "two questions have the same id" in twice.json()["message"]


async def test_the_name_of_the_model_chooses_side_and_threshold():
    async with gateway() as (http, _):
        routes = {}
        for model in ("edge", "cloud", "foggate-0", "foggate-1", "foggate-2", "gpt-6-luna"):
            body = system_one({"team": TEAM}, state="Who knows", model=model)
            facts = (await http.post("/v1/systemone", json=body)).json()["answers"]["team"]["x_foggate"]
            routes[model] = (facts["route"], facts["reason"], facts["tau"])
    assert routes == {
        "edge": ("edge", "forced", 0.5),
        "cloud": ("cloud", "forced", 0.5),
        "foggate-0": ("edge", "confident", 0.0),
        "foggate-1": ("cloud", "low_confidence", 1.0),
        "foggate-2": ("cloud", "low_confidence", 0.5),
        "gpt-6-luna": ("cloud", "low_confidence", 0.5),
    }


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (
            system_one({"team": {**TEAM, "criteria": {str(number): None for number in range(256)}}}),
            ["questions", "team", "choice", "criteria"],
        ),
        (system_one({"team": {**TEAM, "criterias": {}}}), ["questions", "team", "choice", "criterias"]),
        (system_one({"a": {"type": "score", "criteria": ["same", "same"]}}), ["questions", "a"]),
        (system_one({"a": NOUL}, assets={"x": {}}), ["assets"]),
        (system_one({"": NOUL}), ["questions"]),
        ({"model": "m", "questions": {"a": NOUL}}, ["state"]),
    ],
)
async def test_what_is_wrong_is_named_with_its_place(body, place):
    async with gateway(cloud=False) as (http, _):
        reply = await http.post("/v1/systemone", json=body)
    assert reply.status_code == 422
    [detail] = reply.json()["detail"]
    assert detail["loc"] == ["body", *place]
    assert detail["msg"]


async def test_a_question_that_is_too_long_is_named_whether_it_is_alone_or_one_of_several():
    long = {"type": "noul", "instructions": "A long one?"}
    async with gateway(cloud=False) as (http, _):
        for questions in ({"lengthy": long}, {"a": NOUL, "lengthy": long}):
            [detail] = (await http.post("/v1/systemone", json=system_one(questions))).json()["detail"]
            assert detail["loc"] == ["body", "questions", "lengthy"]
            assert "the limit is 100" in detail["msg"]
        asked = [{"type": "predicate", "instructions": text} for text in ("Sure?", "A long one?")]
        refused = await http.post("/v1/decisions", json={"model": "foggate", "input": STATE, "questions": asked})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "questions.1")


async def test_errors_before_any_route_have_the_form_of_the_protocol_and_others_keep_their_own():
    async with gateway(cloud=False, limits={"max_body_bytes": 2000}) as (http, _):
        large = {"content": b'"' + b"x" * 4000 + b'"', "headers": {"content-type": "application/json"}}
        one = await http.post("/v1/systemone", **large)
        two = await http.post("/v1/decisions", **large)
        three = await http.post("/v1/answer", **large)
        broken = await http.post("/v1/systemone", content=b"{", headers={"content-type": "application/json"})
    assert (one.status_code, one.json()["detail"]["error_type"]) == (413, "payload_too_large")
    assert (two.status_code, two.json()["error"]["code"], two.json()["code"]) == (413, "payload_too_large", 413)
    assert three.json()["error"]["type"] == "payload_too_large"
    assert (broken.status_code, broken.json()["detail"][0]["type"]) == (422, "bad_request")


async def test_keys_permissions_and_rates_hold_as_for_any_question(tmp_path):
    (headers,) = key_file(tmp_path / "k", {"permissions": frozenset({Permission.ANSWER}), "questions_per_minute": 7})
    async with gateway(security={"keys": tmp_path / "k"}) as (http, _):
        without = await http.post("/v1/systemone", json=system_one({"a": NOUL}))
        forced = await http.post("/v1/systemone", json=system_one({"a": NOUL}, model="edge"), headers=headers)
        refused = await http.post("/v1/decisions", json={**openai_form.EXAMPLE, "model": "foggate-0.9"}, headers=headers)
        three = await http.post("/v1/systemone", json=system_one({"a": NOUL, "b": NOUL, "c": NOUL}), headers=headers)
        more = await http.post("/v1/decisions", json={**openai_form.EXAMPLE, "input": STATE}, headers=headers)
    assert (without.status_code, without.json()["detail"]["error_type"]) == (401, "authentication_error")
    assert (forced.status_code, forced.json()["detail"]["error_type"]) == (403, "permission_error")
    assert refused.json()["error"]["param"] == "model"
    assert three.status_code == 200
    assert (more.status_code, more.json()["error"]["type"], "retry-after" in more.headers) == (429, "rate_limit_error", True)


async def test_the_examples_of_the_documents_are_answered():
    async with gateway() as (http, _):
        assert (await http.post("/v1/systemone", json=systemone.EXAMPLE)).status_code == 200
        document = (await http.get("/openapi.json")).json()
    assert isinstance(http, httpx2.AsyncClient)
    for path in ("/v1/systemone", "/v1/decisions"):
        example = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["example"]
        assert example["answers"]
