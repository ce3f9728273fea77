"""`foggate ask`: where something else than a gateway answers at its `--url`, and in this process."""

import asyncio

import pytest

from app.api.schemas import AnswerRequest, AnswerResponse
from app.cli.ask import answer_to
from app.config.settings import Settings
from app.core.errors import CloudUnavailable, FogGateError, InvalidQuestion
from app.edge.build import with_engine
from tests.support.fakes import FakeEngine
from tests.support.hostile import HostileCloud, http

ASKED = AnswerRequest(question="q", options=["a", "b"])


@pytest.mark.parametrize(
    ("wire", "error", "says"),
    [
        (http(b"[" * 200_000), CloudUnavailable, "no gateway answers"),
        (http(b"[1]"), CloudUnavailable, "is not a FogGate gateway"),
        (http(b'{"answer": "A"}'), CloudUnavailable, "is not a FogGate gateway"),
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


def test_a_question_at_the_terminal_goes_through_a_gateway_of_its_own():
    settings = Settings(limits={"max_text_chars": 20})

    def asked(question, **more):
        request = AnswerRequest(question=question, options=["a", "b"], **more)
        return answer_to(request, settings=settings, url=None, edge=with_engine(lambda _: FakeEngine()))

    reply = asked("I am sure", id="7")
    AnswerResponse.model_validate(reply)
    assert (reply["id"], reply["answer"], reply["reason"], reply["edge"]["model"]) == ("7", "B", "confident", "fake-edge")
    assert asked("Who knows")["reason"] == "cloud_not_configured"
    assert asked("Who knows", tau=0.0, route="edge")["reason"] == "forced"
    with pytest.raises(InvalidQuestion, match="the limit is 20"):
        asked("I am sure of this and more")
