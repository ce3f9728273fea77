"""Whether and when a client is told to try again: every kind of error, on every face, and whatever an endpoint says."""

import json

import openai
import pytest

from app.api.errors import STATUS
from app.core.errors import (
    BudgetExhausted,
    CircuitOpen,
    CloudMisconfigured,
    CloudNotConfigured,
    CloudRejected,
    CloudUnparsable,
    Draining,
    EdgeError,
    NotReady,
    Overloaded,
    RateLimited,
)
from tests.integration.test_api import ASK, gateway
from tests.integration.test_decisions import NOUL, system_one
from tests.integration.test_openai_chat import SURE, client_of, said
from tests.integration.test_other_edges import made
from tests.integration.test_pass_through import POEM, behind, raw_cloud
from tests.support.fakes import FakeEdge

# What a client may try again, and after how long; what it must not, because it costs as much and ends in the same way; nothing is said
# about all others, and OpenAI's clients try 408, 409, 429 and everything from 500 on again.
LATER = {RateLimited, Overloaded, Draining, NotReady, EdgeError}
NEVER = {BudgetExhausted, CircuitOpen, CloudMisconfigured, CloudNotConfigured, CloudRejected, CloudUnparsable}
FACES = {
    "/v1/answer": ASK,
    "/v1/chat/completions": {"model": "foggate", "messages": said(SURE)},
    "/v1/responses": {"model": "foggate", "input": SURE},
    "/v1/systemone": system_one({"a": NOUL}),
    "/v1/decisions": {"model": "m", "input": "x", "questions": [{"type": "predicate", "instructions": "?"}]},
}
TELLS = ("retry-after", "retry-after-ms", "x-should-retry")


def told(reply):
    return tuple(reply.headers.get(name) for name in TELLS)


async def test_every_kind_of_error_says_the_same_on_every_face():
    edge = FakeEdge(EdgeError("x"))
    async with gateway(build=made(edge), cloud=False) as (http, _):
        for kind in STATUS:
            for wait_s, said_s in ((1.5, ("2", "1500")), (None, ("1", "1000"))):
                edge.reply = kind("said so", retry_after_s=wait_s if kind in LATER else None)
                wanted = (*said_s, None) if kind in LATER else (None, None, "false" if kind in NEVER else None)
                for path, body in FACES.items():
                    for stream in (False, True) if path in {"/v1/chat/completions", "/v1/responses"} else (False,):
                        reply = await http.post(path, json={**body, **({"stream": True} if stream else {})})
                        assert reply.status_code >= 400, (path, kind)
                        assert told(reply) == wanted, (path, kind, stream, reply.text)


REFUSALS = [
    (400, b"", (None, None, "false")),
    (403, b"", (None, None, "false")),
    (404, b"", (None, None, "false")),
    # These two would be tried again by OpenAI's clients.
    (408, b"", (None, None, "false")),
    (409, b"", (None, None, "false")),
    (409, b"retry-after: 5\r\n", (None, None, "false")),
    (429, b"", ("1", "1000", None)),
    (429, b"retry-after: 7\r\n", ("7", "7000", None)),
    (429, b"retry-after: 0.25\r\n", ("1", "250", None)),
    (429, b"retry-after: 1e308\r\n", ("86400", "86400000", None)),
    (429, b"retry-after: soon\r\n", ("1", "1000", None)),
    (500, b"", (None, None, None)),
    (503, b"", ("1", "1000", None)),
    (529, b"retry-after: 3\r\n", ("3", "3000", None)),
    # About our own key, which no attempt of the caller's makes better.
    (401, b"", (None, None, "false")),
]


@pytest.mark.parametrize(("status", "head", "wanted"), REFUSALS)
async def test_what_an_endpoint_refuses_says_so_too(status, head, wanted):
    content = json.dumps({"error": {"message": "no", "type": "t", "param": None, "code": None}}).encode()
    async with raw_cloud(content, status, head) as cloud, behind(cloud, max_attempts=1) as (http, _):
        for path in ("/v1/chat/completions", "/v1/responses"):
            body = {"stream": True, **(POEM if "chat" in path else {"model": "foggate", "input": "Write a poem."})}
            for asked in (body, {**body, "stream": False}):
                reply = await http.post(path, json=asked)
                assert reply.status_code == (502 if status == 401 else status), path
                assert told(reply) == wanted, path


async def test_the_official_client_does_as_it_is_told():
    content = b'{"error": {"message": "no"}}'
    for status, calls in ((409, 1), (500, 3)):
        async with raw_cloud(content, status) as cloud, behind(cloud, max_attempts=1, retry_budget=0) as (http, _):
            async with client_of(http, max_retries=2) as client:
                with pytest.raises(openai.APIStatusError) as refused:
                    await client.chat.completions.create(**POEM)
            assert (refused.value.status_code, len(cloud.bodies)) == (status, calls)
