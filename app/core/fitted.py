"""The signal `fitted`: P(the most probable option is correct), computed of features of a verdict by a logistic model, in plain Python.

No feature depends on which letter an option has, and each is comparable between 2 and 26 options. Where a model comes from is not known
here: `foggate calibrate` fits it, a calibration holds it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.buckets import BUCKET_LABELS, mean_confidence
from app.core.distribution import margin, top_probability
from app.core.verdict import SHOWN, STATED, Signal, Verdict

# Features of every distribution over the options.
SHOWN_FEATURES = ("top_probability", "margin", "above_chance", "relative_entropy", "log_options")
_BUCKET_FEATURES = tuple(f"confidence_{label}" for label in BUCKET_LABELS)
# Further features of a joint distribution.
STATED_FEATURES = (*_BUCKET_FEATURES, "expected_confidence", "letters_agree")
FEATURES = SHOWN_FEATURES + STATED_FEATURES


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic model: the logit of a probability is the intercept plus a weighted sum of features.

    Attributes:
        features: names of the features, of `FEATURES`.
        weights: one weight per feature.
        intercept: the logit where every feature is 0.
        lowest: the lowest value of each feature among the questions that the model was fitted on.
        highest: the highest value of each.
    """

    features: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float
    lowest: tuple[float, ...]
    highest: tuple[float, ...]

    def probability(self, values: Mapping[str, float]) -> float:
        """The probability for these features, in [0, 1]. Raises KeyError where one is missing.

        A feature outside the range that was fitted counts as the nearest end of that range. Nothing is known about what lies beyond, and a
        straight line that is continued far enough is certain of everything.
        """
        ranges = zip(self.features, self.weights, self.lowest, self.highest, strict=True)
        logit = self.intercept + math.fsum(weight * min(max(values[name], low), high) for name, weight, low, high in ranges)
        if logit >= 0:
            return 1 / (1 + math.exp(-logit))
        odds = math.exp(logit)
        return odds / (1 + odds)

    @property
    def signals(self) -> frozenset[Signal]:
        """The signals that a verdict has whose features are enough for this model."""
        return STATED | SHOWN if any(name in STATED_FEATURES for name in self.features) else SHOWN


def fitted_probability(model: Logistic, verdict: Verdict) -> float | None:
    """P(the most probable option is correct) by a model; None where the verdict lacks one of the model's features."""
    found = features_of(verdict)
    return model.probability(found) if found.keys() >= set(model.features) else None


def features_of(verdict: Verdict) -> dict[str, float]:
    """The features of a verdict by name, all finite; empty where it has no distribution over the options."""
    answers = verdict.answer_probabilities
    if answers is None:
        return {}
    found = shown_features(list(answers.values()))
    if (confidences := verdict.confidence_probabilities) is not None:
        agree = letters_agree(answers, verdict.answer(Signal.VERBALIZED))
        found |= stated_features(list(confidences.values()), letters_agree=agree)
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
        letters_agree: whether the letter that decoding writes after the greedy bucket is a most probable option (`letters_agree`).
    """
    named = zip(_BUCKET_FEATURES, confidences, strict=True)
    return {**dict(named), "expected_confidence": mean_confidence(confidences), "letters_agree": float(letters_agree)}


def letters_agree(answers: Mapping[str, float], written: str) -> bool:
    """Whether no option is more probable than the one that decoding writes after the greedy bucket.

    Args:
        answers: P(letter) by letter, whatever the confidence.
        written: the letter after the greedy bucket. Where several options are equally probable, each of them agrees.
    """
    return answers[written] >= max(answers.values())
