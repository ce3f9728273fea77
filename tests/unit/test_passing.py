"""What is changed in a chat that is passed on, and in its stream: the name of the model, the usage, and not a byte more."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cloud.passing import MAX_HELD_BYTES, RawChat, WholeEvents, fault_of_chat
from tests.support.clouds import DONE, endpoint, event

USAGE = event(None, usage={"prompt_tokens": 1, "completion_tokens": 2})


def sent(content):
    return RawChat.of(content, json.loads(content)).request_for(endpoint("http://x", model="the ünknown/large")).content


@pytest.mark.parametrize(
    "content",
    [
        b'{"model":"foggate","messages":[]}',
        b' { "a" : {"model":"m"} , "model" :\t"foggate"\n, "b":[1.50,1e400,{"c":"\\"model\\""}] } ',
        '{"model":"foggate","x":"Қазақ \\ud800","y":123456789012345678901234567890}'.encode(),
        b'{"model":"first","x":1,"model":"foggate"}',
    ],
)
def test_only_the_name_of_the_model_is_changed(content):
    name = json.dumps("the ünknown/large").encode()
    assert sent(content) == content.replace(b'"foggate"', name).replace(b'"first"', name)


@pytest.mark.parametrize(
    "options", [b"", b',"stream_options":null', b',"stream_options":{}', b',"stream_options":{"include_usage":false,"x":1}']
)
def test_a_stream_is_asked_for_its_usage(options):
    content = b'{"model":"foggate","stream":true' + options + b',"z":[ 1 ]}'
    asked = json.loads(sent(content))
    assert asked == {**json.loads(content), "model": "the ünknown/large", "stream_options": asked["stream_options"]}
    assert asked["stream_options"]["include_usage"] is True
    assert b'"z":[ 1 ]' in sent(content)
    assert RawChat.of(content, json.loads(content)).hides_usage


def test_a_caller_who_asks_for_the_usage_gets_it_and_a_whole_reply_needs_no_asking():
    for content in (
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
        b'{"model":"m"}',
        b'{"model":"m","stream":false}',
    ):
        chat = RawChat.of(content, json.loads(content))
        assert not chat.hides_usage
        assert b"".join(chat.pieces) == content.replace(b'"m"', b"")


EVENTS = [
    event("a"),
    b": comment\n\n",
    event("b", usage={"prompt_tokens": 1}),
    USAGE,
    USAGE.replace(b"\n", b"\r\n"),
    b'data: {"choices":[],"prompt_filter_results":[],"usage":null}\n\n',
    b'event: x\ndata: {"usage": \n\n',
    event('"usage"'),
    DONE,
]


@given(order=st.lists(st.sampled_from(EVENTS), max_size=12), cuts=st.lists(st.integers(0, 2_000), max_size=30), hides=st.booleans())
def test_however_a_stream_is_cut_its_events_are_whole_and_only_the_usage_is_left_out(order, cuts, hides):
    stream, events = b"".join(order), WholeEvents(hides_usage=hides)
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    came = [events.feed(stream[begin:end]) for begin, end in itertools.pairwise(ends)]
    assert all(not piece or piece.endswith((b"\n\n", b"\n\r\n")) for piece in came)
    is_usage = {USAGE, USAGE.replace(b"\n", b"\r\n")} if hides else set()
    assert b"".join(came) + events.rest() == b"".join(one for one in order if one not in is_usage)
    assert not events.in_the_middle


def test_an_event_that_is_too_long_to_be_held_is_handed_on_in_parts():
    events, long = WholeEvents(hides_usage=True), event("x" * MAX_HELD_BYTES)
    first = events.feed(long[:-5])
    assert (len(first), events.in_the_middle) == (len(long) - 5, True)
    assert events.feed(long[-5:] + USAGE + DONE) == long[-5:] + DONE
    assert not events.in_the_middle
    assert WholeEvents(hides_usage=True).feed(long[:1_000]) == b""


def test_a_reply_is_judged_by_its_caller_and_only_an_error_by_us():
    assert fault_of_chat({"choices": []}) is None
    assert fault_of_chat({"choices": [{"message": {"content": None}}]}) is None
    assert "error" in fault_of_chat({"choices": [], "error": {"message": "x"}})
    for payload in (7, [], {}, {"choices": None}):
        assert fault_of_chat(payload)
