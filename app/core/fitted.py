"""P(the edge answer is correct), read from what one pass shows: features of a verdict, and a logistic model over them in plain Python.

No feature depends on which letter an option has, and each is comparable between 2 and 26 options.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.distribution import margin, top_probability
from app.core.verdict import BUCKET_LABELS, JointVerdict, Signal, Verdict, mean_confidence

# Of every distribution over the options.
SHOWN_FEATURES = ("top_probability", "margin", "above_chance", "relative_entropy", "log_options")
# Of a joint distribution, besides.
STATED_FEATURES = (*(f"confidence_{label}" for label in BUCKET_LABELS), "expected_confidence", "letters_agree")


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic model: the logit of a probability is the intercept plus a weighted sum of features.

    Attributes:
        features: names of the features.
        weights: one weight per feature.
        intercept: the logit where every feature is 0.
    """

    features: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float

    def probability(self, values: Mapping[str, float]) -> float:
        """The probability for these features, in [0, 1]. Raises KeyError where one is missing."""
        logit = self.intercept + math.fsum(weight * values[name] for name, weight in zip(self.features, self.weights, strict=True))
        return 1 / (1 + math.exp(-logit)) if logit >= 0 else 1 - 1 / (1 + math.exp(logit))


def features_of(verdict: Verdict) -> dict[str, float] | None:
    """The features of a verdict by name, all finite; None where it has no distribution over the options."""
    answers = verdict.answer_probabilities
    if answers is None:
        return None
    found = shown_features(list(answers.values()))
    if isinstance(verdict, JointVerdict):
        agree = verdict.answer(Signal.VERBALIZED) == verdict.answer(Signal.EXPECTED)
        found |= stated_features(list(verdict.confidence_probabilities.values()), letters_agree=agree)
    return found


def shown_features(probabilities: Sequence[float]) -> dict[str, float]:
    """The features of a distribution over the options, two at least.

    `above_chance` is (p - 1/k) / (1 - 1/k) of the largest probability p of k options; `relative_entropy` is the entropy divided by log k.
    """
    options = len(probabilities)
    top, chance = top_probability(probabilities), 1 / options
    entropy = -math.fsum(p * math.log(p) for p in probabilities if p > 0)
    return {
        "top_probability": top,
        "margin": margin(probabilities),
        "above_chance": (top - chance) / (1 - chance),
        "relative_entropy": entropy / math.log(options),
        "log_options": math.log(options),
    }


def stated_features(confidences: Sequence[float], *, letters_agree: bool) -> dict[str, float]:
    """The features of a distribution over the five buckets.

    Args:
        confidences: P(bucket) in the order of `BUCKETS`, at temperature 1.
        letters_agree: whether the letter that decoding writes after the greedy bucket is the most probable option.
    """
    named = zip(STATED_FEATURES, confidences, strict=False)
    return {**dict(named), "expected_confidence": mean_confidence(confidences), "letters_agree": float(letters_agree)}
