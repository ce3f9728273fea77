"""From the edge's worker thread back to the event loop: replies to those who wait."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeVarTuple

from app.core.errors import EdgeError
from app.core.verdict import EdgeReply
from app.edge.waiting import Waiting

logger = logging.getLogger(__name__)

Args = TypeVarTuple("Args")


def call(loop: asyncio.AbstractEventLoop, work: Callable[[*Args], None], *args: *Args) -> bool:
    """Call something on the event loop, from any thread; False where the loop is closed and nobody waits any more."""
    try:
        loop.call_soon_threadsafe(work, *args)
    except RuntimeError:
        return False
    return True


def hand_over(loop: asyncio.AbstractEventLoop, batch: Sequence[Waiting], replies: Sequence[EdgeReply | None]) -> None:
    """Give each caller who is still there their reply, or an error where it is None."""
    if not call(loop, _resolve, batch, replies):
        logger.debug("results of %d questions came after the event loop had ended", len(batch))


def _resolve(batch: Sequence[Waiting], replies: Sequence[EdgeReply | None]) -> None:
    for waiting, reply in zip(batch, replies, strict=True):
        if waiting.reply.done():
            continue
        if reply is None:
            waiting.reply.set_exception(EdgeError("the edge model failed on this question", retry_after_s=1))
        else:
            waiting.reply.set_result(reply)
