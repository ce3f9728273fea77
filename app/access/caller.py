"""The caller of one request: the key, what it permits, and what is counted for it. Knows no HTTP.

Without keys every caller has every permission and nothing is counted: the gateway then listens on loopback only, or was started
with `--insecure`.
"""

from dataclasses import dataclass

from limits import RateLimitItemPerDay, RateLimitItemPerMinute

from app.access.keys import Key, Permission
from app.access.quotas import Quotas
from app.core.ask import Bound
from app.core.errors import Forbidden, InvalidQuestion, RateLimited


@dataclass(frozen=True, slots=True)
class Rate:
    """What is left of a key's rate: questions, of how many a minute, and the seconds until the minute is over."""

    limit: int
    remaining: int
    reset_s: float


@dataclass(slots=True)
class Caller:
    """The caller of one request.

    Attributes:
        quotas: where the key's questions and cloud calls are counted.
        key: None where no keys are configured: everything is allowed, nothing is counted.
        paid: questions that were charged to the key's rate and have not been asked yet.
        settled: whether the request was charged to the key's rate, or refused because of it.
    """

    quotas: Quotas
    key: Key | None = None
    paid: int = 0
    settled: bool = False

    def may(self, permission: Permission) -> bool:
        """Whether the caller has a permission."""
        return self.key is None or permission in self.key.permissions

    def require(self, permission: Permission, *, param: str | None = None) -> None:
        """Do nothing for a caller who has a permission.

        Args:
            permission: the permission that is needed.
            param: the field of the request that needs it.

        Raises:
            Forbidden: the caller lacks it.
        """
        if not self.may(permission):
            raise Forbidden(f"this key lacks the permission '{permission}'", param=param)

    async def admit(self) -> None:
        """Refuse a key whose rate is used up, before anything is read for it. Counts nothing.

        Raises:
            RateLimited: not one more question fits into this minute.
        """
        rate = await self.rate()
        if rate is not None and not rate.remaining:
            raise RateLimited(f"over {rate.limit} questions a minute", retry_after_s=max(1.0, rate.reset_s))

    async def pay(self, questions: int) -> None:
        """Charge questions to the key's rate: all of them or, when they are refused, none.

        Raises:
            InvalidQuestion: so many questions never fit into a minute of this key.
            RateLimited: they do not fit into what is left of this minute.
        """
        self.settled = True
        if self.key is not None and (per_minute := self._per_minute) is not None:
            if questions > per_minute.amount:
                raise InvalidQuestion(
                    f"{questions} questions in one request, but this key may ask {per_minute.amount} a minute: send smaller batches",
                    param="questions",
                )
            if not await self.quotas.take([(per_minute, self.key.id)], cost=questions):
                left = await self.quotas.left(per_minute, self.key.id)
                raise RateLimited(
                    f"{questions} questions, but {left.remaining} are left of {per_minute.amount} a minute"
                    if left.remaining
                    else f"over {per_minute.amount} questions a minute",
                    retry_after_s=max(1.0, left.reset_s),
                )
        self.paid += questions

    async def refund(self, questions: int = 1) -> None:
        """Take paid questions off the key's rate again: they were refused before anybody was asked (queue full, draining)."""
        self.paid -= questions
        if self.key is not None and (per_minute := self._per_minute) is not None:
            await self.quotas.give_back(per_minute, self.key.id, cost=questions)

    async def settle(self) -> None:
        """Charge a refused request, such as one with a broken body, as one question, unless its questions were charged."""
        if not self.settled and self.key is not None and (per_minute := self._per_minute) is not None:
            self.settled = True
            await self.quotas.hit(per_minute, self.key.id)

    async def rate(self) -> Rate | None:
        """What is left of the key's rate; None without a rate. Counts nothing."""
        if self.key is None or (per_minute := self._per_minute) is None:
            return None
        left = await self.quotas.left(per_minute, self.key.id)
        return Rate(per_minute.amount, left.remaining, left.reset_s)

    @property
    def allowance(self) -> tuple[Bound, ...]:
        """What bounds the cloud calls that are made for this caller; each is counted when it goes out."""
        if self.key is None or self.key.cloud_calls_per_day is None:
            return ()
        return ((RateLimitItemPerDay(self.key.cloud_calls_per_day, namespace="foggate-cloud"), self.key.id),)

    @property
    def _per_minute(self) -> RateLimitItemPerMinute | None:
        per_minute = self.key.questions_per_minute if self.key else None
        return None if per_minute is None else RateLimitItemPerMinute(per_minute, namespace="foggate-rate")
