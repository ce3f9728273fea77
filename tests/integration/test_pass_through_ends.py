"""Where chats end up that are passed on to the cloud: streams that die, and questions that only the cloud can read."""

import json

from tests.integration.test_openai_chat import SURE, said
from tests.integration.test_pass_through import POEM, REPLY, behind, passed
from tests.integration.test_security import key_file
from tests.support.clouds import DONE, answering, dripping, event

WHOLE = (event("Ro"), event("ses."), b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n', DONE)


async def test_wherever_the_cloud_dies_in_a_stream_the_last_event_is_an_error_unless_the_reply_had_ended():
    """Each of these closes the connection in order, as servers and proxies do that end a failure."""
    ends = len(b"".join(WHOLE[:3]))
    stream = b"".join(WHOLE)
    cuts = [*range(len(WHOLE[0]), ends, 23), ends - 3, ends - 1, ends, ends + 5, len(stream) - 2, len(stream)]
    for cut in cuts:
        async with dripping(stream[:cut]) as cloud, behind(cloud) as (http, _):
            reply = await http.post("/v1/chat/completions", json={**POEM, "stream": True})
            # The third event may lack the blank line at its end.
            ended = cut >= ends - 2
            assert (passed(http, "streamed"), passed(http, "broken")) == (int(ended), int(not ended)), cut
        *events, last = [part for part in reply.content.split(b"\n\n") if part]
        payloads = [json.loads(one.removeprefix(b"data: ")) for one in (*events, last) if one != b"data: [DONE]"]
        assert ("error" in payloads[-1]) is not ended, cut
        assert not ended or payloads[-1]["choices"][0]["finish_reason"] == "stop"


async def test_a_question_that_is_too_long_for_the_edge_model_goes_there_and_is_charged_once(tmp_path):
    able, plain = key_file(tmp_path / "k", {"permissions": frozenset({"answer", "pass_through"}), "questions_per_minute": 9}, {})
    long = SURE.replace("sure", "long")
    async with answering(lambda _: REPLY) as cloud, behind(cloud, security={"keys": tmp_path / "k"}) as (http, _):
        for path, asked, param in (("chat/completions", {"messages": said(long)}, "messages"), ("responses", {"input": long}, "input")):
            reply = await http.post(f"/v1/{path}", json={"model": "foggate", **asked}, headers=able)
            assert (reply.status_code, reply.headers["x-foggate-reason"]) == (200, "passed_on"), reply.text
            refused = await http.post(f"/v1/{path}", json={"model": "foggate", **asked}, headers=plain)
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
            assert "9999 tokens" in refused.json()["error"]["message"]
        assert (reply.headers["ratelimit-remaining"], cloud.calls) == ("7", 2)
