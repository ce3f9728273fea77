"""Texts of the allowed size that are as hard as possible to work on: bodies of requests, and replies of a cloud."""

import asyncio
import contextlib
import functools
import gzip
import json
import re

CHARS = 20_000
BODY = 1_048_576
BLANKS = "a" + " " * (CHARS - 1_000) + "b"


def ask(question="I am sure of this", options=("a", "b"), **more):
    return {"question": question, "options": list(options), **more}


def _filled(begin, part, end, size=BODY):
    """`begin`, as many `part`s as fit, `end`."""
    return begin + part * ((size - len(begin) - len(end)) // len(part)) + end


def _batch(question, size=BODY):
    """As many of one question as fit into a body and a batch."""
    count = min(256, (size - 20) // (len(json.dumps(question, ensure_ascii=False).encode()) + 2))
    return json.dumps({"questions": [question] * count}, ensure_ascii=False).encode()


# Of one question: up to `CHARS` characters.
TEXTS = {
    "a run of blanks": BLANKS,
    "runs of blanks and breaks": "x" + " \n" * 9_000 + "y",
    "line breaks": "x" + "\n" * 19_000 + "y",
    "separators": "x" + "\u2028 " * 9_000 + "y",
    "control tokens": "<|im_start|>" * 1_600,
    "nested control tokens": "<|im_" * 1_700 + "start|>" * 1_500,
    "one long word": "a" * 19_000,
    "signs": "<" * 19_000,
    "astral characters": "".join(chr(0x10000 + 7 * n % 60_000) for n in range(19_000)),
    "combining marks": "a" + "\u0301\u0316" * 9_000,
    "ideographs": "".join(chr(0x4E00 + 7 * n % 20_000) for n in range(19_000)),
    "digits": "7" * 19_000,
}

# (path, body): each at most `BODY` bytes.
BODIES = {
    **{f"option: {name}": ("/v1/answer", json.dumps(ask(options=(text, "b"))).encode()) for name, text in TEXTS.items()},
    "batch of runs of blanks": ("/v1/answers", _batch(ask(options=(BLANKS, "b")))),
    "batch of line breaks": ("/v1/answers", _batch(ask(options=("x" + "\n" * 9_000 + "y", "b")))),
    "batch of astral characters": ("/v1/answers", _batch(ask(TEXTS["astral characters"]))),
    "batch of long questions": ("/v1/answers", _batch(ask("I am sure " + "word " * 700))),
    "batch for the cloud": ("/v1/answers", _batch(ask("Who knows " + "word " * 700))),
    "batch of refused questions": ("/v1/answers", _batch(ask("", [""] * 26))),
    "batch of unknown fields": ("/v1/answers", _batch({f"f{n}": 1 for n in range(36)})),
    "batch of wrong options": ("/v1/answers", _batch(ask(options=[1] * 26))),
    "options that are numbers": ("/v1/answer", _filled(b'{"question":"q","options":[', b"1,", b"1]}")),
    "options of a letter": ("/v1/answer", _filled(b'{"question":"q","options":[', b'"a",', b'"a"]}')),
    "unknown fields": ("/v1/answer", b"{" + b",".join(b'"f%d":1' % n for n in range(90_000)) + b"}"),
    "empty lists": ("/v1/answers", _filled(b'{"questions":[', b"[],", b"[]]}")),
    "empty objects": ("/v1/answers", _filled(b'{"questions":[', b"{},", b"{}]}")),
    "deep lists": ("/v1/answers", _filled(b'{"questions":[', b"[" * 900 + b"]" * 900 + b",", b"1]}")),
    "as many deep lists as are read": ("/v1/answers", _filled(b'{"questions":[', b"[" * 900 + b"]" * 900 + b",", b"1]}", 18_000)),
    "open lists": ("/v1/answer", b"[" * BODY),
    "open objects": ("/v1/answer", b'{"a":' * (BODY // 5)),
    "long numbers": ("/v1/answers", _filled(b'{"questions":[', b"9" * 4_300 + b",", b"1]}")),
    "one long number": ("/v1/answer", b'{"question":"q","options":["a","b"],"tau":0.' + b"1" * 1_000_000 + b"}"),
    "floats": ("/v1/answers", _filled(b'{"questions":[', b"1e1,", b"1]}")),
    "blanks around": ("/v1/answer", json.dumps(ask()).encode() + b" " * 1_000_000),
    "escapes": ("/v1/answer", _filled(b'{"question":"', b"\\u00e9", b'","options":["a","b"]}')),
    "quotes": ("/v1/answer", _filled(b'{"question":"', b'\\",[', b'","options":["a","b"]}')),
    "a long name": ("/v1/answer", _filled(b'{"', b"x", b'":1}')),
}

_ASK = json.dumps(ask()).encode()
_POST = b"POST /v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"


def _post(head=b"", path=b"/v1/answer", body=_ASK):
    return _POST.replace(b"/v1/answer", path) + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _chunks(text):
    return b"".join(b"1\r\n%c\r\n" % byte for byte in text) + b"0\r\n\r\n"


# Whole requests, where the text is around the body.
REQUESTS = {
    "a cookie of backslashes": _post(b'Cookie: a="' + b"\\" * 30_000 + b'"\r\n'),
    "a cookie of quotes": _post(b'Cookie: a="' + b'\\\\"' * 10_000 + b'"\r\n'),
    "many parameters": _post(path=b"/v1/answer?" + b"a&" * 15_000),
    "escapes in the path": _post(path=b"/v1/answer" + b"%ff" * 10_000),
    "parameters of the content type": _POST.replace(b"json", b"json" + b';"' * 15_000) + b"Content-Length: %d\r\n\r\n" % len(_ASK) + _ASK,
    "chunks of a byte": _POST + b"Transfer-Encoding: chunked\r\n\r\n" + _chunks(_ASK + b" " * 100_000),
}

# What a model writes.
REPLIES = {
    "blanks": "a" + " " * 1_000_000 + "b",
    "blanks of the longest answer": "a" + " " * 16_000 + "b",
    "line breaks": "a" + "\n" * 16_000 + "b",
    "brackets": "(" * 16_000 + "1",
    "a letter and blanks": "B" + " " * 16_000 + "x",
    "a letter, a full stop and blanks": "B." + " " * 16_000 + "\0",
    "a claim of blanks": "answer is" + " " * 16_000 + "!",
    "claims": ("answer:" + " " * 50) * 280,
    "claims of brackets": "final answer: " + "(" * 16_000 + "1",
    "thoughts that never end": "<think>" * 140_000,
    "thoughts that end": "<think></think>" * 70_000,
    "letters": "a " * 8_000,
    "look-alikes": "В " * 8_000,
    "markup": "*" * 1_000_000,
    "Kazakh claims": ("\nжауап" + " " * 20) * 600,
    "prose": "word " * 200_000,
    "combining marks": "a" + "\u0301\u0316" * 8_000,
    "tags that never close": "<think " * 140_000,
    "closing tags": "</think>" * 120_000,
    "channels": "<|channel|>analysis<|message|>" * 30_000,
    "fences": "```thinking\n" * 80_000,
    "boxes": "\\boxed{" * 2_300,
    "answer tags": "<answer>" * 2_000,
    "keys": '"answer": "' * 1_400,
    "open objects in a fence": '```json\n{"answer": [' * 800,
    "nested objects": '{"answer":' * 1_600,
    "list of letters": "A. x\n" * 3_200,
    "doubts": "B is correct, but wait, " * 680,
    "quotes": 'the answer is "' * 1_080,
    "answers to": "answer to " * 1_600,
    "dollars": "$a" * 8_000,
    "stars": "*a " * 5_400,
    "underscores": "_a " * 5_400,
    "raised digits": "²" * 16_000,
    "fractions": "\\frac{1}{" * 1_600,
    "prices": "5 $ " * 4_000,
    "alone letters": "B\n" * 8_000,
    "labels on a line": "answer is B. x " + "A. y B. " * 2_000,
    "letters in bold": "<b>B" * 4_000,
    "struck out": "<del>B " * 2_600,
    "bracketed letters": "答案是B（x" * 2_300,
    "boxes that are denied": "not \\boxed{B} " * 1_000,
    "second thoughts": ", but" + " " * 16_000 + "x",
    "breaks of thoughts": "\nThinking... x" * 70_000,
    "ticks": "`" * 1_000_000,
    "angles": "<" * 1_000_000,
    "brackets with nothing in them": "[" * 1_000_000,
    "angles and brackets": "<[" * 500_000,
    "the question's words": "the q is " * 160,
    "equations": "1=" * 700 + "1",
    "called correct": "x, only B is correct. " * 700,
    "options called correct": "so option 1 is the right answer, " * 480,
    "which is": "q, which is option B, " * 700,
    "false statements": "Statement B is false. " * 700,
}


def completion(content, **more):
    """A chat completion, as bytes."""
    return json.dumps({"model": "m", "choices": [{"message": {"role": "assistant", "content": content}}], **more}).encode()


def http(body, head=b"", *, status=b"200 OK", framed=True):
    """A reply on the wire."""
    length = b"Content-Length: %d\r\n" % len(body) if framed else b""
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s%s\r\n" % (status, head, length) + body


_GOOD = completion("B", usage={"prompt_tokens": 5})


@functools.cache
def wires():
    """What an endpoint sends, by name."""
    return {
        **{f"content: {name}": http(completion(text)) for name, text in REPLIES.items()},
        "open lists": http(b"[" * 200_000),
        "open objects": http(b'{"a":' * 200_000),
        "empty lists": http(_filled(b"[", b"[],", b"[]]")),
        "deep lists": http(_filled(b"[", b"[" * 900 + b"]" * 900 + b",", b"1]")),
        "numbers": http(_filled(b"[", b"1,", b"1]")),
        "long numbers": http(_filled(b"[", b"9" * 4_300 + b",", b"1]")),
        "many counts": http(completion("B", usage={f"n{n}": n for n in range(9_000)})),
        "more counts": http(completion("B", usage={f"n{n}": n for n in range(60_000)})),
        "chunks of a byte": http(_chunks(_GOOD + b" " * 30_000), b"Transfer-Encoding: chunked\r\n", framed=False),
        "a bomb": http(gzip.compress(b" " * 50_000_000), b"Content-Encoding: gzip\r\n"),
        "many headers": http(_GOOD, b"a:\r\n" * 3_000),
        "a long Retry-After": http(b"{}", b"Retry-After: " + b"9" * 90_000 + b"\r\n", status=b"429 Too Many Requests"),
        "interim replies": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 500 + http(_GOOD),
    }


class HostileCloud:
    """Answers every request on a connection with `reply`, byte for byte; what `asyncio.start_server` calls."""

    def __init__(self, reply):
        self.reply = reply
        self._serving = set()

    def says(self):
        """The next reply."""
        return self.reply

    async def left(self):
        """Wait until every caller has closed its connection."""
        await asyncio.gather(*self._serving)

    async def __call__(self, reader, writer):
        self._serving.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(re.search(rb"content-length: (\d+)", head.lower())[1]))
                writer.write(self.says())
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def strictly(text):
    """What a strict reader of JSON makes of a text."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)
