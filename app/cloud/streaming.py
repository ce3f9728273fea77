"""One attempt whose reply is handed on while it comes.

Nothing is handed on before the first event is whole, so that an endpoint which answers with an error, or with something else than
events, is an attempt that failed like any other. From then on the bytes go to the caller as they are.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2

from app.cloud.attempt import not_json, recorded, refusal, tell_begun, unusable
from app.cloud.call import Attempt, AttemptFailed, Beginning, Call, Desk
from app.cloud.events import Events
from app.cloud.failures import Failure
from app.cloud.post import MAX_REPLY_BYTES, PIECES_AT_ONCE, sent, whole
from app.cloud.stream import Pipe
from app.core.deadline import Deadline
from app.core.errors import CloudUnparsable

# Some 50,000 tokens at 300 bytes an event.
MAX_STREAM_BYTES = 16_777_216
# A decompressed piece may be a megabyte of empty lines.
_READ_AT_ONCE = 8_192


async def streamed_reply(desk: Desk, call: Call, pipe: Pipe, deadline: Deadline, *, silence_s: float) -> None:
    """One attempt; returns at the end of the reply.

    Args:
        desk: what all attempts share.
        call: the attempt.
        pipe: where the pieces of the reply go.
        deadline: when the reply must be at its end.
        silence_s: seconds without a byte after which the endpoint is given up.

    Raises:
        AttemptFailed: another attempt may succeed; or, where it is `handed_out`, a reply that had begun did not come to its end.
        BudgetExhausted: nothing was left to pay for it when it was about to be sent; nothing was sent.
    """

    async def exchange(seen: Attempt, trace: Mapping[str, str]) -> None:
        handing = _Handing(call, seen, pipe, deadline, silence_s)
        events, refused = handing.events, b""
        try:
            async with asyncio.timeout(call.limit_s) as clock, sent(desk.http, call, trace, seen) as response:
                if seen.status == httpx2.codes.OK:
                    await handing.on(response, clock)
                else:
                    refused = await whole(response, seen)
        finally:
            # A reply that breaks off is paid for as far as it has reported usage.
            if events.usage is not None:
                seen.payload = events.usage
                await desk.observer.replied(call.endpoint, events.usage, call.purse)
        if seen.status != httpx2.codes.OK:
            raise await refusal(call, refused, seen)
        if events.error is not None:
            # The caller has read it, so nothing is raised. It is a failure of the endpoint all the same.
            await unusable(call, events.error, seen, "the cloud's reply ended with an error")
        else:
            seen.outcome, seen.healthy = "200", True

    await recorded(desk, call, exchange)


@dataclass(slots=True)
class _Handing:
    """Hands on one reply.

    Attributes:
        events: what has been read in the reply.
    """

    call: Call
    seen: Attempt
    pipe: Pipe
    deadline: Deadline
    silence_s: float
    events: Events = field(default_factory=Events)
    _held: bytearray = field(default_factory=bytearray)

    async def on(self, response: httpx2.Response, clock: asyncio.Timeout) -> None:
        """Give the caller the whole body. Raises AttemptFailed, TimeoutError or the HTTP library's exceptions."""
        now = asyncio.get_running_loop().time
        total = pieces = 0
        async for piece in response.aiter_bytes():
            total, pieces = total + len(piece), pieces + 1
            if total > MAX_STREAM_BYTES:
                error = CloudUnparsable(f"the cloud's reply is over {MAX_STREAM_BYTES} bytes")
                raise self.seen.failed(Failure(error, "too_long", False))
            for at in range(0, len(piece), _READ_AT_ONCE):
                self.events.feed(piece[at : at + _READ_AT_ONCE])
                if len(piece) > at + _READ_AT_ONCE:
                    await asyncio.sleep(0)
            if pieces % PIECES_AT_ONCE == 0:
                # Pieces that have arrived already, and that the caller takes at once, would hold the event loop otherwise.
                await asyncio.sleep(0)
            if self.seen.handed_out:
                self.call.trial.heard()
                ready = piece
            elif await self._begins(piece):
                ready = bytes(self._held)
            else:
                continue
            # While the caller does not read, only the deadline counts.
            clock.reschedule(now() + self.deadline.remaining())
            await self.pipe.put(ready)
            clock.reschedule(now() + min(self.silence_s, self.deadline.remaining()))
            self.call.trial.waits()
        if not self.seen.handed_out:
            raise await self._no_events()

    async def _begins(self, piece: bytes) -> bool:
        """Whether the first event is whole with this piece, and no error; the bytes up to it are held. Raises AttemptFailed."""
        self._held += piece
        if not self.events.begun:
            if len(self._held) > MAX_REPLY_BYTES:
                raise await self._no_events()
            return False
        if self.events.error is not None:
            raise await unusable(
                self.call, self.events.error, self.seen, "the cloud's reply holds no answer: it is an error in place of an answer"
            )
        if self.events.empty:
            raise await unusable(self.call, None, self.seen, "the cloud's reply holds no answer: its stream is empty")
        self.call.trial.answered()
        self.seen.handed_out = True
        tell_begun(self.call, self.seen)
        self.pipe.beginning = Beginning(self.call.endpoint, self.call.number, self.seen.headers)
        return True

    async def _no_events(self) -> AttemptFailed:
        return await not_json(self.call, bytes(self._held), self.seen, "the cloud's reply is not an event stream")
