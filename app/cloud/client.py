"""The cloud: any OpenAI-compatible `/v1/chat/completions`, through httpx2, which only this module knows.

One question is a few attempts under one deadline: connect errors, cut connections, 429 and 5xx are tried again with full
jitter, `Retry-After` is honoured, and nothing is tried that could not end in time. Cancelling the caller cancels the
call. Messages of errors never hold the key, the question or the endpoint's own text.
"""

import asyncio
import email.utils
import math
import random
import time
from collections.abc import Mapping
from typing import Any

import httpx2

from app.cloud.parse import cloud_messages, parse_letter
from app.deadline import Deadline
from app.domain import CloudReply, Question
from app.errors import CloudRejected, CloudTimeout, CloudUnavailable, CloudUnparsable
from app.metrics import Metrics

# An answer is one letter in a short sentence; this bounds a model that thinks aloud.
_MAX_TOKENS = 64
_BACKOFF_BASE_S, _BACKOFF_CAP_S = 0.1, 2.0


class _Retryable(Exception):
    """This attempt failed in a way that another may not."""

    def __init__(self, outcome: str, retry_after_s: float | None = None) -> None:
        self.outcome = outcome
        self.retry_after_s = retry_after_s


class CloudClient:
    """Asks one endpoint.

    Args:
        base_url: as in `http://127.0.0.1:9000/v1`.
        model: what the endpoint calls its model.
        metrics: where attempts and tokens are counted.
        api_key: sent as a bearer token; None sends none.
        timeout_s: one attempt at most (the deadline may be nearer).
        max_attempts: calls per question at most.
        extra_headers: sent with every call.
        extra_body: laid over the request body, as in `{"chat_template_kwargs": {…}}`.
        seed: of the jitter, for tests.
        transport: what carries the calls instead of a network, for tests.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        metrics: Metrics,
        api_key: str | None = None,
        timeout_s: float = 8.0,
        max_attempts: int = 3,
        max_connections: int = 64,
        extra_headers: Mapping[str, str] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        seed: int | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.model = model
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._max_attempts = max_attempts
        self._extra_body = dict(extra_body or {})
        self._random = random.Random(seed)  # noqa: S311  # jitter, not a secret
        headers = {**(extra_headers or {}), **({"authorization": f"Bearer {api_key}"} if api_key else {})}
        limits = httpx2.Limits(max_connections=max_connections)
        self._http = httpx2.AsyncClient(headers=headers, limits=limits, follow_redirects=False, transport=transport)

    async def close(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()

    async def answer(self, question: Question, deadline: Deadline) -> CloudReply:
        """Ask until there is a reply, the attempts are spent, or the deadline leaves no room for another.

        Raises:
            CloudTimeout: no reply in time.
            CloudUnavailable: every attempt failed to connect, was cut, or got a 429 or 5xx.
            CloudRejected: another 4xx, or a redirect.
            CloudUnparsable: a 200 without a usable letter.
        """
        started = time.monotonic()
        body = {"model": self.model, "messages": cloud_messages(question), "temperature": 0, "max_tokens": _MAX_TOKENS, **self._extra_body}
        try:
            for attempt in range(1, self._max_attempts + 1):
                try:
                    payload = await self._call(body, deadline)
                except _Retryable as failed:
                    wait = self._wait(attempt, failed.retry_after_s)
                    if attempt == self._max_attempts or wait >= deadline.remaining():
                        raise CloudUnavailable(f"the cloud did not answer ({failed.outcome}, attempt {attempt})") from None
                    await asyncio.sleep(wait)
                else:
                    return self._reply(payload, question, attempt)
            raise AssertionError("unreachable: the last attempt returns or raises")
        finally:
            self._metrics.cloud_request_duration.observe(time.monotonic() - started)

    async def _call(self, body: dict[str, Any], deadline: Deadline) -> Any:
        """One attempt: the decoded JSON of a 200."""
        budget = min(self._timeout_s, deadline.remaining())
        outcome = "cancelled"
        try:
            # One clock over connect, send and the whole body; httpx2's own timeouts start anew with every chunk.
            async with asyncio.timeout(budget):
                response = await self._http.post(self._url, json=body, timeout=None)  # asyncio.timeout above
            code = response.status_code
            outcome = str(code) if code in (httpx2.codes.OK, httpx2.codes.TOO_MANY_REQUESTS) else f"{code // 100}xx"
            if code == httpx2.codes.TOO_MANY_REQUESTS or code >= httpx2.codes.INTERNAL_SERVER_ERROR:
                raise _Retryable(outcome, _retry_after(response.headers.get("retry-after")))
            if code != httpx2.codes.OK:
                raise CloudRejected(f"the cloud refused the request with status {code}")
            try:
                return response.json()
            except ValueError:
                outcome = "not_json"
                raise CloudUnparsable("the cloud's reply is not JSON") from None
        except TimeoutError:
            outcome = "timeout"
            raise CloudTimeout("the cloud did not answer in time") from None
        except httpx2.TransportError:
            # Refused, reset, cut in the middle, a stale pooled connection: asking again is safe, an answer has no effects.
            outcome = "connection"
            raise _Retryable(outcome) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError):
            outcome = "protocol"
            raise CloudUnparsable("the cloud's reply is not valid HTTP") from None
        finally:
            self._metrics.cloud_attempts.labels(outcome).inc()

    def _reply(self, payload: Any, question: Question, attempts: int) -> CloudReply:
        try:
            text = payload["choices"][0]["message"]["content"]
            usage = {key: value for key, value in (payload.get("usage") or {}).items() if type(value) is int}
            model = str(payload.get("model") or self.model)
        except (KeyError, IndexError, TypeError, AttributeError):
            raise CloudUnparsable("the cloud's reply is not a chat completion") from None
        if not isinstance(text, str):
            raise CloudUnparsable("the cloud's reply has no text")
        for kind in ("prompt_tokens", "completion_tokens"):
            self._metrics.cloud_tokens.labels(kind.removesuffix("_tokens")).inc(max(0, usage.get(kind, 0)))
        return CloudReply(parse_letter(text, question), model, attempts, usage)

    def _wait(self, attempt: int, retry_after_s: float | None) -> float:
        jitter = self._random.uniform(0, min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2**attempt))
        return jitter if retry_after_s is None else retry_after_s + jitter


def _retry_after(value: str | None) -> float | None:
    """Seconds from a `Retry-After` header: a number, or an HTTP date (RFC 9110, 10.2.3); None if it is neither."""
    if value is None:
        return None
    try:
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
