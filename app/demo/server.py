"""The mock cloud: a real HTTP server that answers `/v1/chat/completions` from a question bank, with faults on demand.

It is a separate program (`foggate demo-cloud`), so that the gateway can be tried and tested against an endpoint that is slow,
overloaded, breaks off or answers without a letter. Every reply names what it is: its model is `demo-cloud`. A question outside the
bank gets a sentence without a letter, which the gateway reads as `cloud_unparsable`. With `stream: true` a reply comes in
server-sent events, a word at a time. A function is called where the user says so: `app/demo/chats.py`.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from app.core.errors import ConfigError
from app.demo.bank import Bank
from app.demo.chats import Call, Chat, chat_of
from app.demo.replies import MODEL, Cut, Streamed, completion, error, events_of, left, with_broken_json

FAULTS = ("429", "500", "hang", "cut", "bad-json", "prose")
_UNKNOWN = "This mock cloud knows the questions of its bank only, and this one is not among them."
_PROSE = "That is an interesting question, and reasonable people could see it in more than one way."


def parse_faults(given: Sequence[str]) -> dict[str, float]:
    """`["429:0.1", "hang:0.05"]` → rates by name.

    Raises:
        ConfigError: an unknown name, a rate outside [0, 1], or rates that sum to more than 1.
    """
    rates: dict[str, float] = {}
    for item in given:
        name, _, rate = item.partition(":")
        try:
            rates[name] = float(rate)
        except ValueError:
            rates[name] = math.nan
        if name not in FAULTS or not 0 <= rates[name] <= 1:
            raise ConfigError(f"fault '{item}' must be NAME:RATE with a rate from 0 to 1 and a name of {', '.join(FAULTS)}")
    if sum(rates.values()) > 1:
        raise ConfigError("the rates of all faults must not sum to more than 1")
    return rates


def create_demo(
    bank: Bank,
    *,
    faults: Mapping[str, float] | None = None,
    latency_ms: float = 0.0,
    latency_sigma: float = 0.0,
    gap_ms: float = 0.0,
    retry_after_s: int = 1,
    seed: int = 0,
) -> FastAPI:
    """Build the mock cloud.

    Args:
        bank: questions that it knows.
        faults: rates of the faults by name; the fault of the n-th call depends on the seed and n only. In a stream, `cut` closes the
            connection after half of the events, and `bad-json` breaks one event.
        latency_ms: median wait before a reply in milliseconds.
        latency_sigma: spread of the log-normal wait; 0 makes it constant.
        gap_ms: wait between two events of a streamed reply in milliseconds.
        retry_after_s: seconds in the `Retry-After` of a 429.
        seed: seed of latencies and faults.
    """
    rates = faults or {}
    stats: Counter[str] = Counter(calls=0, cancels=0, answered=0, unknown=0)
    given: Counter[str] = Counter(dict.fromkeys(rates, 0))
    app = FastAPI(title="FogGate mock cloud", docs_url=None, redoc_url=None)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "foggate (a mock cloud, not a language model)"}]}

    @app.get("/stats")
    async def statistics() -> dict[str, Any]:
        return {**stats, "faults": dict(given), "bank": len(bank)}

    @app.post("/v1/chat/completions", response_model=None)
    async def complete(request: Request) -> Response:
        stats["calls"] += 1
        call = stats["calls"]
        draw = random.Random(f"{seed}|{call}")  # noqa: S311  # a simulation, not a secret
        fault = _draw_fault(draw.random(), rates)
        wait_s = latency_ms / 1000 * math.exp(draw.gauss(0, latency_sigma))
        try:
            chat = chat_of(await request.body())
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
            return error(400, "the body is not a chat completion request with a user message")
        if fault:
            given[fault] += 1

        def on_left() -> None:
            stats["cancels"] += 1

        if await left(request.receive, math.inf if fault == "hang" else wait_s):
            on_left()
            return Response(status_code=499)
        if fault in {"429", "500"} or (fault in {"cut", "bad-json"} and not chat.streamed):
            return _faulty(fault, retry_after_s)
        said = _PROSE if fault == "prose" else _said(chat, bank)
        stats["answered"] += 1
        stats["unknown"] += said == _UNKNOWN
        if not chat.streamed:
            return JSONResponse(completion(chat.prompt, said, call))
        events = events_of(chat.prompt, said, call, with_usage=chat.with_usage)
        events = with_broken_json(events) if fault == "bad-json" else events
        return Streamed(events, gap_s=gap_ms / 1000, cut=fault == "cut", on_left=on_left)

    return app


def _said(chat: Chat, bank: Bank) -> str | Call:
    """The text of a reply, or the call of a function."""
    if chat.result is not None:
        return f"The function returned: {chat.result}"
    if chat.call is not None:
        return chat.call
    letter = bank.letter(chat.asked) if chat.asked else None
    return _UNKNOWN if letter is None else f"Final answer: {letter}"


def _faulty(fault: str, retry_after_s: int) -> Response:
    if fault == "429":
        return error(429, "rate limit (on demand)", {"retry-after": str(retry_after_s)})
    if fault == "500":
        return error(500, "internal error (on demand)")
    if fault == "cut":
        return Cut()
    return Response(b'{"choices": [{"message": {"content": "A', media_type="application/json")


def _draw_fault(u: float, rates: Mapping[str, float]) -> str | None:
    for name, rate in rates.items():
        if u < rate:
            return name
        u -= rate
    return None
