"""Probability distributions as edges give them: normalised, checked, and by letter. Knows no verdict."""

import math
from collections.abc import Iterable, Mapping, Sequence

from app.core.errors import EdgeError
from app.core.question import labels_of

# Sums of doubles that were normalised are exact to about 1e-15; this only has to tell a distribution from something else.
_SUM_TOLERANCE = 1e-6


def normalised(weights: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """The same rows of non-negative weights with a sum of 1 over all of them.

    Raises:
        EdgeError: the weights are no distribution (NaN, infinite, negative, nothing but zeros, or none at all).
    """
    # Every weight is compared, not only their sum: a NaN is neither below nor above anything.
    sound = all(0 <= value < math.inf for row in weights for value in row)
    try:
        total = math.fsum(math.fsum(row) for row in weights) if sound else 0.0
    except OverflowError:
        total = 0.0
    if total == 0.0:
        raise EdgeError("the edge model's output on this question is not a probability distribution")
    return tuple(tuple(value / total for value in row) for row in weights)


def is_distribution(values: Sequence[float]) -> bool:
    """Whether all values are probabilities and their sum is 1."""
    return all(0 <= value <= 1 + _SUM_TOLERANCE for value in values) and abs(math.fsum(values) - 1) <= _SUM_TOLERANCE


def by_letter(probabilities: Sequence[float]) -> Mapping[str, float]:
    """The probabilities by the labels of their options."""
    return dict(zip(labels_of(len(probabilities)), probabilities, strict=True))


def top_probability(probabilities: Iterable[float]) -> float:
    """The largest probability of a distribution, in [0, 1]; it does not depend on the order of the options."""
    return min(1.0, max(probabilities))


def margin(probabilities: Iterable[float]) -> float:
    """The difference of the two largest probabilities of a distribution over two options or more, in [0, 1]; never more than the largest."""
    second, first = sorted(probabilities)[-2:]
    return min(1.0, first) - min(1.0, second)


def most_probable(probabilities: Mapping[str, float]) -> str:
    """The letter of the largest probability, the first one of several."""
    return max(probabilities, key=probabilities.__getitem__)
