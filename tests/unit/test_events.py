"""What is read in a stream of events while it passes: whether it has begun, its error, its usage. However its bytes are cut."""

import pytest

from app.cloud.events import MAX_LINE_BYTES, Events
from tests.support.clouds import DONE, event

USAGE = {"prompt_tokens": 7, "completion_tokens": 2}


def read(*pieces):
    events = Events()
    for piece in pieces:
        events.feed(piece)
    return events


def one_by_one(text):
    return [text[at : at + 1] for at in range(len(text))]


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_however_the_bytes_are_cut_the_same_is_read(ends):
    text = b"".join((b": wait\n\n", event("A"), event(None, usage=USAGE), DONE)).replace(b"\n", ends)
    for pieces in ([text], one_by_one(text), [text[:40], text[40:41], text[41:]]):
        events = read(*pieces)
        assert (events.begun, events.empty, events.error) == (True, False, None)
        assert events.usage["usage"] == USAGE
        assert events.usage["model"] == "large"


def test_a_stream_has_begun_with_its_first_whole_line_of_data():
    events = Events()
    for piece, begun in ((b": ping\n\n", False), (b"event: x\n", False), (b"data: {}", False), (b"\n", True)):
        events.feed(piece)
        assert events.begun is begun


def test_a_stream_that_begins_with_its_end_is_empty():
    assert read(b": ping\n", DONE).empty
    assert not read(event("A"), DONE).empty


def test_the_last_usage_counts_and_null_is_none():
    assert read(event("A"), event("B")).usage is None
    cumulative = [event("A", usage={"prompt_tokens": 7, "completion_tokens": count}) for count in (1, 2, 3)]
    assert read(*cumulative).usage["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("error", [{"message": "overloaded"}, "overloaded"])
def test_an_error_in_place_of_an_answer_is_noticed(error):
    assert read(event("A"), event(None, error=error)).error["error"] == error


def test_what_a_model_writes_is_neither_an_error_nor_usage():
    said = '{"error": {"a": 1}, "usage": {"prompt_tokens": 9}} data: "error": "x"'
    events = read(event(said), event('\n\ndata: {"usage": {}}\n'))
    assert (events.error, events.usage) == (None, None)


@pytest.mark.parametrize(
    "line", [b'data: {"usage": {', b'data: ["usage", {"usage": {}}]', b'data: {"usage": {}, "x": [[[', b'data: \xff"error": {']
)
def test_what_cannot_be_read_is_passed_over(line):
    events = read(line + b"\n", event(None, usage=USAGE))
    assert (events.begun, events.error) == (True, None)
    assert events.usage["usage"] == USAGE


def test_a_long_line_is_kept_nowhere_and_the_next_one_is_read():
    events = read(b"data: ", *[b"x" * 1_000] * 1_000)
    assert len(events._line) <= MAX_LINE_BYTES
    assert not events.begun
    events.feed(b'"usage": {}\n' + event(None, usage=USAGE))
    assert events.begun
    assert events.usage["usage"] == USAGE
    assert not read(b"x" * 1_000_000 + b"\n").begun
