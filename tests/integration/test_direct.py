"""Past the router and through it, a request gets the same reply; with tracing every request takes the router."""

import pytest

from tests.integration.test_api import ASK, gateway

BODIES = {
    "a question": ASK,
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "half": b'{"question": "W',
    "an unknown field": {**ASK, "colour": "red"},
    "a wrong type": {**ASK, "options": "x"},
    "no options": {"question": "Which?"},
    "not finite": b'{"question": "Which?", "options": ["a", "b"], "tau": NaN}',
    "one option": {"question": "Which?", "options": ["a"]},
}


async def _replies(path, **settings):
    found = {}
    async with gateway(**settings) as (http, _):
        for name, body in BODIES.items():
            sent = {"content": body, "headers": {"content-type": "application/json"}} if isinstance(body, bytes) else {"json": body}
            reply = await http.post(path, **sent)
            said = reply.json()
            for changing in ("timings_ms", "id", "created"):
                said.pop(changing, None)
            said.get("error", {}).pop("request_id", None)
            found[name] = (reply.status_code, sorted(set(reply.headers) - {"traceparent"}), said)
        found["get"] = (await http.get(path)).status_code
    return found


@pytest.mark.parametrize("path", ["/v1/answer", "/v1/chat/completions"])
async def test_both_ways_reply_alike(path):
    direct, routed = await _replies(path), await _replies(path, tracing={"enabled": True})
    assert direct == routed
    assert direct["get"] == 405
    assert {reply[0] for name, reply in direct.items() if name != "get"} >= {400}
