"""The Model Context Protocol at /mcp, with the protocol's own client over real HTTP."""

import contextlib
import subprocess
import sys

import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from app.access.keys import Permission
from app.gateway.explanations import Explanations
from tests.integration.test_api import gateway
from tests.integration.test_security import key_file
from tests.support.fakes import make_verdict
from tests.support.loopback import loopback_client

ASK = {"question": "I am sure of this secret", "options": ["a", "b", "c"]}
ENABLED = {"enabled": True}


@contextlib.asynccontextmanager
async def agent(http, headers=None):
    """A client of /mcp that sends these headers."""
    async with (
        loopback_client(headers=headers or {}, timeout=30) as own,
        Client(streamable_http_client(f"{http.base_url}/mcp".replace("//mcp", "/mcp"), http_client=own)) as client,
    ):
        yield client


async def test_an_agent_asks_and_has_the_routing_explained():
    async with gateway(mcp=ENABLED) as (http, _), agent(http) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        answer = (await client.call_tool("answer_question", ASK)).structured_content
        unsure = (await client.call_tool("answer_question", {**ASK, "question": "Who knows"})).structured_content
        explained = (await client.call_tool("explain_route", {"decision_id": answer["decision_id"]})).structured_content
        asked = (await client.call_tool("explain_route", {"decision_id": unsure["decision_id"]})).structured_content
        status = (await client.call_tool("calibration_status", {})).structured_content
    assert set(tools) == {"answer_question", "explain_route", "calibration_status"}
    assert {"question", "options"} == set(tools["answer_question"].input_schema["required"])
    assert (answer["answer"], answer["answer_text"], answer["route"]) == ("B", "b", "edge")
    [decision] = explained["decisions"]
    assert (decision["route"], decision["reason"], decision["signal_value"], decision["options"]) == ("edge", "confident", 1.0, 3)
    assert decision["explanation"] == "The verbalized confidence was 1, at least tau, 0.5, so the edge model's answer was kept."
    assert asked["decisions"][0]["explanation"] == (
        "The verbalized confidence was 0, below tau, 0.5, so the cloud was to answer; the cloud answered."
    )
    assert "secret" not in str(explained), "no question text"
    assert (status["status"], status["tau"], status["signal"], status["calibration"]) == ("ready", 0.5, "verbalized", None)
    assert "warning" in status


async def test_questions_of_every_face_can_be_explained():
    async with gateway(mcp=ENABLED) as (http, _), agent(http) as client:
        single = await http.post("/v1/answer", json=ASK, headers={"x-request-id": "mine"})
        questions = {name: {"type": "noul", "instructions": "I am sure"} for name in ("a", "b")}
        several = await http.post("/v1/systemone", json={"state": "x", "questions": questions})
        found = [
            (await client.call_tool("explain_route", {"decision_id": reply.headers["x-request-id"]})).structured_content["decisions"]
            for reply in (single, several)
        ]
    assert [len(decisions) for decisions in found] == [1, 2]


@pytest.mark.parametrize(
    ("tool", "arguments", "kind", "param"),
    [
        ("answer_question", {"question": "?", "options": ["a"]}, "invalid_question", "options"),
        ("answer_question", {"question": "?", "options": "ab"}, "invalid_question", "options"),
        ("answer_question", {**ASK, "temperature": 1}, "invalid_question", "temperature"),
        ("explain_route", {"decision_id": "never"}, "invalid_question", "decision_id"),
        ("explain_route", {}, "invalid_question", "decision_id"),
        ("nothing", {}, "invalid_question", "name"),
    ],
)
async def test_what_is_wrong_is_an_error_that_the_agent_can_read(tool, arguments, kind, param):
    async with gateway(mcp=ENABLED, cloud=False) as (http, _), agent(http) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    error = result.structured_content["error"]
    assert (error["type"], error["param"]) == (kind, param)
    assert error["message"]


async def test_keys_permissions_and_rates_hold_and_nobody_reads_the_decisions_of_another(tmp_path):
    one, other = key_file(
        tmp_path / "k",
        {"permissions": frozenset({Permission.ANSWER}), "questions_per_minute": 3},
        {"permissions": frozenset({Permission.ANSWER})},
    )
    async with gateway(mcp=ENABLED, security={"keys": tmp_path / "k"}) as (http, _):
        refused = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        async with agent(http, one) as client, agent(http, other) as stranger:
            first = (await client.call_tool("answer_question", ASK)).structured_content
            forced = await client.call_tool("answer_question", {**ASK, "tau": 0.1})
            mine = await client.call_tool("explain_route", {"decision_id": first["decision_id"]})
            theirs = await stranger.call_tool("explain_route", {"decision_id": first["decision_id"]})
            await client.call_tool("answer_question", ASK)
            with pytest.raises(MCPError):
                await client.call_tool("answer_question", ASK)
    assert refused.status_code == 401
    assert (forced.is_error, forced.structured_content["error"]["type"]) == (True, "forbidden")
    assert not mine.is_error
    assert theirs.is_error


async def test_it_is_off_unless_it_is_enabled():
    async with gateway(cloud=False) as (http, _):
        assert (await http.post("/mcp", json={})).status_code == 404


def test_without_the_extra_the_gateway_does_not_start_and_says_what_to_install():
    code = """
import sys
sys.modules["mcp"] = None
from app.api.app import create_app
from app.config.settings import Settings
create_app(Settings())
try:
    create_app(Settings(mcp={"enabled": True}))
except Exception as error:
    print(type(error).__name__, error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "ConfigError mcp.enabled needs the extra: pip install 'foggate[mcp]'"


def test_no_more_decisions_are_remembered_than_configured():
    from structlog.contextvars import bound_contextvars

    from app.core.ask import Ask
    from app.core.outcome import Decision, Outcome, Reason, Route
    from app.core.question import Question
    from app.core.verdict import EdgeReply, Signal

    question = Question("?", ("a", "b", "c", "d"))
    kept = Decision(Route.EDGE, Reason.CONFIDENT, 0.5, Signal.VERBALIZED)
    outcome = Outcome(question, kept, None, EdgeReply(make_verdict(), "m", 0.0, 0.0), None, None, 0.1)
    explanations = Explanations(5)
    explanations.seen(Ask(question), outcome)
    for request in "abcd":
        with bound_contextvars(request_id=request):
            for _ in range(2):
                explanations.seen(Ask(question), outcome)
    assert [len(explanations.of(request, None)) for request in "abcd"] == [0, 0, 2, 2]
    assert explanations.of("d", "a key") == []
