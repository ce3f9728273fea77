"""`foggate ask --url` where something else than a gateway answers."""

import asyncio

import pytest

from app.api.schemas import AnswerRequest
from app.cli.ask import answer_to
from app.config.settings import Settings
from app.core.errors import CloudUnavailable, FogGateError, InvalidQuestion
from tests.support.hostile import HostileCloud, http

ASKED = AnswerRequest(question="q", options=["a", "b"])


@pytest.mark.parametrize(
    ("wire", "error", "says"),
    [
        (http(b"[" * 200_000), CloudUnavailable, "no gateway answers"),
        (http(b"[1]"), CloudUnavailable, "is no gateway"),
        (http(b'{"answer": "A"}'), CloudUnavailable, "is no gateway"),
        (http(b"<html>"), CloudUnavailable, "no gateway answers"),
        (http(b"[]", status=b"404 Not Found"), CloudUnavailable, "no gateway answers"),
        (http(b'{"error": "no"}', status=b"404 Not Found"), CloudUnavailable, "no gateway answers"),
        (http(b'{"error": {"message": "options must be two"}}', status=b"422 No"), InvalidQuestion, "says 422: options must be two"),
    ],
)
async def test_it_ends_with_a_sentence(wire, error, says):
    hostile = HostileCloud(wire)
    async with await asyncio.start_server(hostile, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(FogGateError, match=says) as failed:
            await asyncio.to_thread(answer_to, ASKED, settings=Settings(), url=url)
        await hostile.left()
    assert type(failed.value) is error
