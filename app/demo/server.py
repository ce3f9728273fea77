"""The mock cloud: a real HTTP server that speaks `/v1/chat/completions` from a question bank, with faults on demand.

A program of its own (`foggate demo-cloud`), so that the gateway can be tried and tested against something that is slow,
overloaded, cut off or babbling. It says in every reply what it is: its model is named `demo-cloud`. A question outside
its bank gets a sentence without a letter, which the gateway reads as `cloud_unparsable`.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from app.core.errors import ConfigError
from app.core.strict_json import loads
from app.demo.bank import Bank, read_prompt

MODEL = "demo-cloud"
# A chat completion request has a few dozen.
_MAX_VALUES = 10_000
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
    retry_after_s: int = 1,
    seed: int = 0,
) -> FastAPI:
    """Build the mock cloud.

    Args:
        bank: what it knows.
        faults: rates by name; the n-th call's fault depends on the seed and n only.
        latency_ms: median wait before a reply.
        latency_sigma: spread of the log-normal wait; 0 makes it constant.
        retry_after_s: what a 429 says.
        seed: of latencies and faults.
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
            body = loads(await request.body(), max_values=_MAX_VALUES)
            prompt = next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
            # A lone surrogate is no text; the letter is drawn from the text's bytes.
            prompt.encode()
            asked = read_prompt(prompt)
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
            return _error(400, "the body is not a chat completion request with a user message")
        if body.get("stream"):
            return _error(400, "the mock cloud does not stream")
        if fault:
            given[fault] += 1
        if await _left(request, math.inf if fault == "hang" else wait_s):
            stats["cancels"] += 1
            return Response(status_code=499)
        if fault in {"429", "500", "cut", "bad-json"}:
            return _faulty(fault, retry_after_s)
        letter = bank.letter(asked) if asked else None
        said = _PROSE if fault == "prose" else _UNKNOWN if letter is None else f"Final answer: {letter}"
        stats["answered"] += 1
        stats["unknown"] += said == _UNKNOWN
        return JSONResponse(_completion(prompt, said, call))

    return app


def _faulty(fault: str, retry_after_s: int) -> Response:
    if fault == "429":
        return _error(429, "rate limit (on demand)", {"retry-after": str(retry_after_s)})
    if fault == "500":
        return _error(500, "internal error (on demand)")
    if fault == "cut":
        return _Cut()
    return Response(b'{"choices": [{"message": {"content": "A', media_type="application/json")


def _draw_fault(u: float, rates: Mapping[str, float]) -> str | None:
    for name, rate in rates.items():
        if u < rate:
            return name
        u -= rate
    return None


async def _left(request: Request, wait_s: float) -> bool:
    """Wait like a busy model would; True if the caller hung up meanwhile."""
    if wait_s <= 0:
        return False
    # The body has been read, so the next message can only be the disconnect.
    gone = asyncio.ensure_future(request.receive())
    done, _ = await asyncio.wait({gone}, timeout=None if math.isinf(wait_s) else wait_s)
    gone.cancel()
    return bool(done)


def _completion(prompt: str, text: str, call: int) -> dict[str, Any]:
    # Four characters a token: an estimate, good enough to exercise whoever counts.
    used, written = len(prompt) // 4, max(1, len(text) // 4)
    return {
        "id": f"chatcmpl-demo-{call}",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": used, "completion_tokens": written, "total_tokens": used + written},
    }


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "demo_cloud", "code": status}}, status_code=status, headers=headers)


class _Cut(Response):
    """A response that promises more than it sends, after which the server drops the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": "chatcmpl-', "more_body": True})
