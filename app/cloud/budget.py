"""What the cloud may cost: calls, tokens and money per minute and per day.

When the budget is spent, low-confidence questions get degraded answers, or the threshold is lowered until there is budget again, so
that fewer questions need the cloud. Each attempt that is sent is a call, counted before its first byte leaves; tokens and money are
counted when a reply reports them, whether or not it can be used. So calls never exceed their bound; tokens and money may exceed theirs
by what is in flight when it is reached.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from limits import RateLimitItem

from app.access.quotas import Quotas
from app.cloud.client import CloudClient
from app.core.ask import Bound
from app.core.deadline import Deadline
from app.core.errors import CloudError
from app.core.outcome import CloudReply
from app.core.question import Question

Kind = Literal["calls", "tokens", "cost"]
# Money is counted in whole millionths, as `limits` counts integers: prices are per million tokens, so a token's is exact.
MICRO = 1_000_000
_MOST_MICRO = 2**53
_KEY = "cloud-budget"


@dataclass(frozen=True, slots=True)
class Price:
    """Price of a million prompt tokens and of a million completion tokens."""

    input: float
    output: float

    def of(self, usage: Mapping[str, int]) -> int:
        """Millionths of the currency, rounded up; at most what a counter in Redis holds."""
        cost = usage.get("prompt_tokens", 0) * self.input + usage.get("completion_tokens", 0) * self.output
        return math.ceil(min(cost, _MOST_MICRO))


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of one bound: calls, tokens, or money in the currency of the prices; per `minute` or `day`."""

    kind: Kind
    per: str
    left: float
    amount: float


class Budget:
    """Bounds on what is spent.

    Args:
        bounds: kinds of what is counted, each with its amount and window.
        counts: counters.
        prices: prices by the name of the model that answers; a model without one costs as much as the most expensive.
        lowered_tau: upper limit of the threshold while the budget is spent; None leaves the threshold alone.
        on_change: called with whether the budget is spent, when that changes.
    """

    def __init__(
        self,
        bounds: Sequence[tuple[Kind, RateLimitItem]],
        counts: Quotas,
        *,
        prices: Mapping[str, Price] | None = None,
        lowered_tau: float | None = None,
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._bounds = list(bounds)
        self._counts = counts
        self._prices = dict(prices or {})
        self._lowered_tau = lowered_tau
        self._on_change = on_change
        self._was_spent = False

    @property
    def has_prices(self) -> bool:
        """Whether anything has a price."""
        return bool(self._prices)

    async def spent(self) -> bool:
        """Whether any bound is reached."""
        spent = False
        for _, item in self._bounds:
            spent = spent or (await self._counts.left(item, _KEY)).remaining == 0
        if spent != self._was_spent:
            self._was_spent = spent
            self._on_change(spent)
        return spent

    async def max_tau(self) -> float | None:
        """The upper limit of the threshold at this moment; None where there is none."""
        return self._lowered_tau if self._lowered_tau is not None and await self.spent() else None

    async def free(self, allowance: Sequence[Bound]) -> bool:
        """Whether there is budget for one more call of a caller with this allowance."""
        return not await self.spent() and await self._counts.free(allowance)

    async def take(self, allowance: Sequence[Bound]) -> bool:
        """Count a call against an allowance and against all bounds on calls; or, if one is reached, against none, and False."""
        return await self._counts.take((*allowance, *((item, _KEY) for kind, item in self._bounds if kind == "calls")))

    async def used(self, model: str, usage: Mapping[str, int]) -> float:
        """Count the tokens that a reply of this model reports, and their price; returns the price in the currency."""
        cost = self.price_of(model, usage)
        amounts = {"tokens": usage["prompt_tokens"] + usage["completion_tokens"], "cost": cost}
        for kind, item in self._bounds:
            # More than the whole window is no more than the whole window: a counter in Redis has 64 bits.
            if (amount := min(amounts.get(kind, 0), item.amount)) > 0:
                await self._counts.hit(item, _KEY, cost=amount)
        return cost / MICRO

    async def remaining(self) -> list[Remaining]:
        """What is left of each bound at this moment; counts nothing."""
        found = []
        for kind, item in self._bounds:
            unit = MICRO if kind == "cost" else 1
            left = (await self._counts.left(item, _KEY)).remaining
            found.append(Remaining(kind, item.GRANULARITY.name, left / unit, item.amount / unit))
        return found

    def price_of(self, model: str, usage: Mapping[str, int]) -> int:
        """Millionths of the currency."""
        known = [self._prices[model]] if model in self._prices else list(self._prices.values())
        return max((price.of(usage) for price in known), default=0)


@dataclass(slots=True)
class CallPurse:
    """What pays for one call: the gateway's budget, and the allowance of the caller who began the call."""

    budget: Budget
    allowance: tuple[Bound, ...]
    _spent: float = 0.0

    @property
    def cost(self) -> float | None:
        """What the call has cost so far, in the currency of the prices; None where there are no prices."""
        return self._spent if self.budget.has_prices else None

    async def left(self) -> bool:
        """Whether there is anything for one more attempt."""
        return await self.budget.free(self.allowance)

    async def take(self) -> bool:
        """Count an attempt that is about to be sent; False, and nothing counted, if there is nothing left for it."""
        return await self.budget.take(self.allowance)

    async def used(self, model: str, usage: Mapping[str, int]) -> float:
        """Count what a reply reports; returns its price in the currency."""
        cost = await self.budget.used(model, usage)
        self._spent += cost
        return cost


class BudgetedCloud:
    """A client whose attempts are paid for by the gateway's budget and the caller's allowance."""

    def __init__(self, upstream: CloudClient, budget: Budget) -> None:
        self._upstream = upstream
        self._budget = budget

    async def close(self) -> None:
        """Close the upstream."""
        await self._upstream.close()

    async def answer(
        self, question: Question, deadline: Deadline, allowance: Sequence[Bound] = (), *, patience: Callable[[], float] | None = None
    ) -> CloudReply:
        """As the upstream.

        Raises:
            BudgetExhausted: nothing is left; nothing was sent.
            CloudError: the upstream's.
        """
        purse = CallPurse(self._budget, tuple(allowance))
        try:
            reply = await self._upstream.answer(question, deadline, purse=purse, patience=patience)
        except CloudError as error:
            error.cost = purse.cost
            raise
        return replace(reply, cost=purse.cost)
