"""The recommendation: whether to route on a signal, from the lift over random, its interval, and the number of questions."""

import math
from collections.abc import Sequence

from app.evaluation.cells import questions

# Two-sided 95 % and a power of 80 %, as quantiles of the normal distribution.
_Z_LEVEL, _Z_POWER = 1.959964, 0.841621
# The smallest lift that makes routing worthwhile, two points: fewer questions than it takes to see this one are too few.
_SMALLEST_LIFT = 0.02
# The largest likely spread of one question's part in the lift, used where it cannot be measured.
_LARGEST_SPREAD = 0.5
# Percentile bootstrap intervals of fewer rows are too narrow (Hesterberg 2015, What Teachers Should Know About the Bootstrap).
_FEWEST = 30

WITHOUT_CLOUD = "The records hold no cloud answers, so the gain from routing is unknown."
WITHOUT_COVERED = "No question that the thresholds are for has a cloud answer, so the gain from routing is unknown."


def recommend(*, n: int, cloud_rate: float, lift: float, lift_ci: Sequence[float] | None) -> str:
    """One or two sentences: route on this signal or do not; where n is too small to say, how many questions are needed.

    Args:
        n: number of questions behind the lift.
        cloud_rate: share of them that is routed.
        lift: accuracy of the system minus that of random routing at the same cloud rate, a fraction.
        lift_ci: its 95 % interval; None where there is none.
    """
    if cloud_rate <= 0:
        return (
            f"Nothing is routed: of {questions(n)} none has a signal below tau, so the system is the edge alone and there is no lift to "
            "judge. A higher tau sends questions to the cloud."
        )
    if cloud_rate >= 1:
        return (
            f"Everything is routed: of {questions(n)} none has a signal that reaches tau, so the system is the cloud alone and there is no "
            "lift to judge. A lower tau keeps questions on the edge."
        )
    measured = lift_ci is not None and n >= _FEWEST
    spread = (lift_ci[1] - lift_ci[0]) / (2 * _Z_LEVEL) * math.sqrt(n) if lift_ci and measured else _LARGEST_SPREAD
    effect = max(abs(lift), _SMALLEST_LIFT)
    needed = max(questions_needed(effect, spread), _FEWEST)
    too_few = (
        f"n = {n} is too small to say whether routing on this signal beats sending the same share to the cloud at random: to tell a lift of "
        f"{100 * effect:.1f} points from none, about {needed:,} questions are needed (n = ((1.96 + 0.84) · s / lift)², with s = {spread:.2f} "
        f"for the spread of one question's part in the lift{'' if measured else ' (the largest that is likely)'}, 95 % level and 80 % power, "
        f"Cohen 1988; {_FEWEST} at least)."
    )
    if lift_ci is None or n < _FEWEST:
        return f"{too_few} Until then do not route on this signal here."
    low, high = lift_ci
    if low > 0:
        return f"Routing on this signal at this tau beats sending the same share to the cloud at random (n = {n})."
    if high < 0:
        return (
            f"Routing on this signal at this tau is worse than sending the same share to the cloud at random (n = {n}): "
            "do not route on this signal here."
        )
    includes = "The interval of the lift over random includes zero: do not route on this signal here"
    return f"{includes} (n = {n})." if n >= needed else f"{includes}. {too_few}"


def questions_needed(effect: float, spread: float) -> int:
    """Questions for a 95 % interval that excludes zero in four of five samples, if the mean is `effect` and one question spreads by `spread`.

    n = ((z(0.975) + z(0.8)) · spread / effect)², the usual sample size of a one-sample mean (Cohen 1988, Statistical Power Analysis).
    """
    return math.ceil(((_Z_LEVEL + _Z_POWER) * spread / effect) ** 2)
