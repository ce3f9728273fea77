"""Counting per minute and per day: in this process, or in Redis for all replicas together. `limits` does the work.

While Redis is unavailable, each process counts alone: limits become those of one replica, which neither stops the service
nor removes the limits.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from limits import RateLimitItem
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from app.core.ask import Bound
from app.core.errors import ConfigError

logger = logging.getLogger("foggate.quotas")

Answer = TypeVar("Answer")
MEMORY = "memory://"
# A shared store that just failed is not asked again for this long: not every request must wait for its time-out.
_LEAVE_ALONE_S = 5.0
_PATIENCE_S = 0.5
_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a window: counts, and seconds until it ends."""

    remaining: int
    reset_s: float


class Quotas:
    """Counts in fixed windows, separately for each key.

    Args:
        uri: `memory://`, or `redis://host:port/db`.
        leave_alone_s: seconds for which a shared store that failed is not asked.
        patience_s: seconds that the shared store gets for an answer, and a question for one of its connections.

    Raises:
        ConfigError: Redis is wanted and its client is not installed, or the URL cannot be understood.
    """

    def __init__(self, uri: str = MEMORY, *, leave_alone_s: float = _LEAVE_ALONE_S, patience_s: float = _PATIENCE_S) -> None:
        self._own = _limiter(MEMORY)
        try:
            self._pool = None if uri == MEMORY else _pool(uri, patience_s)
            self._shared = self._pool and _limiter(uri, implementation="redispy", connection_pool=self._pool)
        except (ValueError, TypeError, ConfigurationError):
            # The error's own text may hold a piece of the URL, and that may be the password.
            raise ConfigError("limits.store is not a URL of a Redis server: redis://[user:password@]host:port/db is the form") from None
        self._shared_from = 0.0
        self._leave_alone_s = leave_alone_s
        self._patience_s = patience_s

    async def close(self) -> None:
        """Close the connections to the shared store."""
        if self._pool is not None:
            await self._pool.disconnect()

    async def hit(self, item: RateLimitItem, *key: str, cost: int = 1) -> bool:
        """Count what has happened; False when that is more than the window allows."""
        return await self._ask(lambda limiter: limiter.hit(item, *key, cost=cost))

    async def take(self, bounds: Sequence[Bound], *, cost: int = 1) -> bool:
        """Count what is about to happen, in every window; or, if one of them has no room for all of it, in none, and return False."""
        return await self._ask(lambda limiter: _take(limiter, bounds, cost)) if bounds else True

    async def give_back(self, item: RateLimitItem, *key: str, cost: int = 1) -> None:
        """Undo the count of work that was then refused."""
        await self._ask(lambda limiter: _add(limiter, item, key, -cost))

    async def free(self, bounds: Sequence[Bound]) -> bool:
        """Whether there is room for one more in every window; counts nothing."""
        for item, owner in bounds:
            if (await self.left(item, owner)).remaining == 0:
                return False
        return True

    async def left(self, item: RateLimitItem, *key: str) -> Left:
        """What is left of a window; counts nothing."""
        stats = await self._ask(lambda limiter: limiter.get_window_stats(item, *key))
        return Left(max(0, stats.remaining), max(0.0, stats.reset_time - time.time()))

    async def _ask(self, question: Callable[[FixedWindowRateLimiter], Awaitable[Answer]]) -> Answer:
        """The shared store's answer, or this process's own while the shared store is unavailable."""
        if self._shared is not None and time.monotonic() >= self._shared_from:
            try:
                async with asyncio.timeout(self._patience_s):
                    return await question(self._shared)
            except Exception as error:  # noqa: BLE001  # any exception of the store's client means: count in this process
                self._shared_from = time.monotonic() + self._leave_alone_s
                logger.warning("the shared store of limits is unavailable (%s): this process counts for itself", type(error).__name__)
        return await question(self._own)


async def _take(limiter: FixedWindowRateLimiter, bounds: Sequence[Bound], cost: int) -> bool:
    # `limits` counts first and compares afterwards, so that a refusal would use up the window. Testing first makes it rare that
    # a count has to be undone. In this process nothing happens between the two.
    for item, owner in bounds:
        if not await limiter.test(item, owner, cost=cost):
            return False
    for number, (item, owner) in enumerate(bounds, start=1):
        if not await limiter.hit(item, owner, cost=cost):
            # Another replica was faster.
            for counted, whose in bounds[:number]:
                await _add(limiter, counted, (whose,), -cost)
            return False
    return True


async def _add(limiter: FixedWindowRateLimiter, item: RateLimitItem, key: tuple[str, ...], cost: int) -> int:
    return await limiter.storage.incr(item.key_for(*key), item.get_expiry(), amount=cost)


def _pool(uri: str, patience_s: float) -> Any:
    try:
        from redis.asyncio import BlockingConnectionPool  # an extra
    except ModuleNotFoundError:
        raise ConfigError("limits.store in Redis needs its client: pip install 'foggate[redis]'") from None
    return BlockingConnectionPool.from_url(uri, max_connections=_CONNECTIONS, timeout=patience_s)


def _limiter(uri: str, **options: Any) -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(storage_from_string("async+" + uri, **options))
