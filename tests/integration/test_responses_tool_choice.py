"""Tools in `/v1/responses`: the choice of one, and the tools that are refused by name."""

import json

from tests.integration.test_api import gateway
from tests.integration.test_openai_chat import SURE
from tests.integration.test_pass_through import REPLY, behind
from tests.integration.test_responses_tools import CLOCK, SEARCH, WEATHER
from tests.support.clouds import answering

CHOICES = [
    ("required", ["weather", "clock"], "required"),
    ({"type": "function", "name": "weather"}, ["weather", "clock"], {"type": "function", "function": {"name": "weather"}}),
    ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "clock"}]}, ["clock"], "required"),
    ("none", ["weather", "clock"], "none"),
    (None, ["weather", "clock"], None),
]


async def test_the_choice_of_a_tool():
    async with answering(lambda _: REPLY) as cloud, behind(cloud) as (http, _):
        for choice, names, wanted in CHOICES:
            body = {"model": "foggate", "input": "x", "tools": [WEATHER, CLOCK], "tool_choice": choice}
            reply = (await http.post("/v1/responses", json=body)).json()
            sent = cloud.asked[-1].body
            assert ([one["function"]["name"] for one in sent["tools"]], sent.get("tool_choice")) == (names, wanted)
            assert reply["tool_choice"] == (choice or "auto")
        # Nothing may be called, so a question is answered here.
        quiet = {
            "model": "foggate",
            "input": SURE,
            "tools": [WEATHER, {"type": "file_search", "vector_store_ids": []}],
            "tool_choice": "none",
        }
        reply = await http.post("/v1/responses", json=quiet)
        assert (reply.status_code, reply.headers["x-foggate-route"], cloud.calls) == (200, "edge", len(CHOICES))


LONG = {"type": "function", "name": "f" * 60}
REFUSED = [
    ({"tools": [{"type": "web_search"}]}, "tools.0"),
    ({"tools": [SEARCH]}, "tools.0"),
    ({"tools": [WEATHER, {"type": "web_search", "external_web_access": True}]}, "tools.1"),
    ({"tools": [WEATHER, {"type": "local_shell"}]}, "tools.1"),
    ({"tools": [WEATHER, {"type": "custom", "name": "apply_patch"}]}, "tools.1"),
    ({"tools": [{"type": "mcp", "server_label": "x"}]}, "tools.0"),
    ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "custom", "name": "x"}]}]}, "tools.0.tools.0"),
    ({"tools": [{"type": "namespace", "tools": []}]}, "tools.0"),
    ({"tools": {"type": "function"}}, "tools"),
    ({"tools": ["weather"]}, "tools.0"),
    ({"tools": [{"type": "function"}]}, "tools.0.name"),
    ({"tools": [WEATHER, WEATHER]}, "tools.1.name"),
    ({"tools": [{**WEATHER, "description": "\ud800"}]}, "tools"),
    ({"tools": [WEATHER], "tool_choice": "sometimes"}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "clock"}}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": {"type": "web_search"}}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [CLOCK]}}, "tool_choice.tools"),
    ({"tools": [WEATHER], "parallel_tool_calls": "yes"}, "parallel_tool_calls"),
    ({"tool_choice": "required"}, "tool_choice"),
]


async def test_other_tools_and_choices_are_refused_by_name():
    async with answering(lambda _: REPLY) as cloud, behind(cloud) as (http, _):
        for more, param in REFUSED:
            content = json.dumps({"model": "foggate", "input": "x", **more})
            refused = await http.post("/v1/responses", content=content, headers={"content-type": "application/json"})
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), (more, refused.text)
        assert cloud.calls == 0
        spaces = [{"type": "namespace", "name": name, "tools": [LONG]} for name in ("mcp__one", "mcp__two")]
        await http.post("/v1/responses", json={"model": "foggate", "input": "x", "tools": spaces})
        names = {one["function"]["name"] for one in cloud.asked[0].body["tools"]}
        assert [len(name) for name in names] == [64, 64]
    async with gateway(cloud=False) as (http, _):
        refused = await http.post("/v1/responses", json={"model": "foggate", "input": SURE, "tools": [WEATHER]})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools")
