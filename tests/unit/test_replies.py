"""A corpus of replies in the shapes that models give, each with the letter that it names: none is read wrong, and nearly all are read."""

import json
from pathlib import Path

import pytest

from app.cloud.reply import read_letter
from app.core.errors import CloudUnparsable
from app.core.question import Question

OWN = sorted((Path(__file__).parent.parent / "replies").glob("*.jsonl"))
SHARED = sorted((Path(__file__).parents[3] / "shared" / "replies").glob("*.jsonl"))
READ_AT_LEAST = 0.97


def rows(paths):
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def payload(row):
    """The chat completion around a row's reply or whole message."""
    message = row.get("message", {"role": "assistant", "content": row.get("reply")})
    return {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": row.get("finish_reason", "stop")}]}


def read(row):
    """The letter that is read in a row, or None."""
    try:
        return read_letter(payload(row), Question(row["question"], tuple(row["options"])))
    except CloudUnparsable:
        return None


def shown(row, letter):
    return f"{row['id']}: {str(row.get('reply', row.get('message')))[-120:]!r} names {row['letter']}, read {letter}"


@pytest.fixture(scope="module")
def letters():
    """The rows of a file, each with the letter that is read in it; every row is read once."""
    known = {}

    def of(path):
        if path not in known:
            known[path] = [(row, read(row)) for row in rows([path])]
        return known[path]

    return of


def test_the_corpus_is_large_and_varied():
    corpus = rows(OWN)
    assert len(corpus) >= 260
    assert sum(row["letter"] is None for row in corpus) >= 60
    assert len({row["shape"] for row in corpus}) >= 40
    assert len({row["id"] for row in corpus}) == len(corpus)
    for row in corpus:
        assert row["letter"] is None or row["letter"] in Question(row["question"], tuple(row["options"])).letters


@pytest.mark.parametrize("path", OWN, ids=[path.stem for path in OWN])
def test_no_reply_is_read_wrong(letters, path):
    wrong = [shown(row, letter) for row, letter in letters(path) if letter not in {None, row["letter"]}]
    assert wrong == []


def test_nearly_every_answer_is_read(letters):
    readable = [(row, letter) for path in OWN for row, letter in letters(path) if row["letter"] is not None]
    unread = [shown(row, None) for row, letter in readable if letter is None]
    assert len(unread) <= (1 - READ_AT_LEAST) * len(readable), "\n".join(unread)


def test_what_is_refused_though_it_names_an_option_is_known(letters):
    """One reply more is a step back; one less is to be taken from the list."""
    unread = {row["id"] for path in OWN for row, letter in letters(path) if row["letter"] is not None and letter is None}
    assert unread == set((OWN[0].parent / "unread.txt").read_text(encoding="utf-8").split())


@pytest.mark.skipif(not SHARED, reason="the replies of large models are kept beside the checkout, not in it")
def test_published_replies_of_large_models_are_read():
    corpus = rows(SHARED)
    wrong = [shown(row, letter) for row in corpus if row["kind"] == "final line" and (letter := read(row)) != row["letter"]]
    assert wrong == []
