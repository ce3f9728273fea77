"""The output of an edge for one question, in three kinds: the joint distribution over confidences and letters, a distribution over
letters only, or a letter only; and what can be read from each.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from app.core.buckets import BUCKET_LABELS, BUCKETS, FLAT_PATHS, BucketPaths, mean_confidence, tempered
from app.core.distribution import by_letter, is_distribution, margin, most_probable, normalised, top_probability
from app.core.question import labels_of


class Signal(StrEnum):
    """The number that is compared with tau: higher where the edge model is more likely to be correct, and from 0 to 1.

    `verbalized` and `expected` are confidences that the model states; `top_probability` and `margin` are read from its distribution over
    the options, which every model has; `fitted` is computed of everything that a verdict shows, by the model of a calibration. The answer
    that goes with `verbalized` is the letter that decoding would write after that confidence; the answer of every other signal is the
    most probable option, whatever the confidence.
    """

    # The bucket that greedy decoding writes.
    VERBALIZED = "verbalized"
    # The mean of the distribution over the buckets.
    EXPECTED = "expected"
    # The probability of the most probable option.
    TOP_PROBABILITY = "top_probability"
    # That probability minus the one of the second option.
    MARGIN = "margin"
    # P(the most probable option is correct), by the model that a calibration holds (`app/core/fitted.py`).
    FITTED = "fitted"

    @property
    def words(self) -> str:
        """The signal in a sentence, after "the"."""
        noun = "confidence" if self in STATED else "probability" if self is Signal.FITTED else ""
        return f"{self.value.replace('_', ' ')} {noun}".rstrip()


# Signals that are a confidence; the others need no trained confidence.
STATED = frozenset({Signal.VERBALIZED, Signal.EXPECTED})
# Signals of every verdict that holds a distribution over the options.
SHOWN = frozenset({Signal.TOP_PROBABILITY, Signal.MARGIN})


class Verdict(ABC):
    """What an edge gives for one question, and nothing of the routing. A kind of verdict overrides what it has.

    What it does not have is absent, which is None everywhere, and never derived from something else: P(letter) is not a confidence.

    Attributes:
        signals: the signals that this kind of verdict has by itself, without the model of a calibration.
    """

    __slots__ = ()
    signals: ClassVar[frozenset[Signal]] = frozenset()

    @abstractmethod
    def answer(self, signal: Signal) -> str:
        """The chosen letter, where the answer is routed by this signal."""

    @abstractmethod
    def is_sound(self, options: int) -> bool:
        """Whether everything in it is about so many offered letters and every distribution is one: what callers rely on."""

    @property
    def confidence(self) -> float | None:
        """The verbalized confidence: the bucket that greedy decoding writes."""
        return None

    @property
    def expected_confidence(self) -> float | None:
        """Mean of the bucket distribution, in [0, 1]."""
        return None

    @property
    def confidence_probabilities(self) -> Mapping[str, float] | None:
        """P(bucket) by label, at temperature 1."""
        return None

    @property
    def answer_probabilities(self) -> Mapping[str, float] | None:
        """P(letter) by letter, whatever the confidence."""
        return None

    def answer_distribution(self, signal: Signal) -> Mapping[str, float] | None:  # noqa: ARG002  # the same for every signal, but for a joint
        """P(letter) by letter as the answer of this signal was chosen from it: that answer is its most probable letter.

        Raises:
            EdgeError: the bucket that the answer goes with has no probability at all.
        """
        return self.answer_probabilities

    def at_temperature(self, temperature: float) -> "Verdict":  # noqa: ARG002  # nothing here depends on it
        """This verdict with its expected confidence at a temperature; itself where it has none."""
        return self

    @property
    def fitted(self) -> float | None:
        """P(the most probable option is correct) by the model of a calibration, in [0, 1]; None where no such model has read the verdict."""
        return None

    def with_fitted(self, value: float | None) -> "Verdict":  # noqa: ARG002  # what holds no distribution cannot be read by a model
        """This verdict with a fitted probability; itself where it holds no distribution over the options."""
        return self

    def signal(self, signal: Signal) -> float | None:
        """The number that is compared with tau; None where this verdict does not have it."""
        match signal:
            case Signal.VERBALIZED:
                return self.confidence
            case Signal.EXPECTED:
                return self.expected_confidence
            case Signal.FITTED:
                return self.fitted
            case Signal.TOP_PROBABILITY | Signal.MARGIN:
                found = self.answer_probabilities
                shown = top_probability if signal is Signal.TOP_PROBABILITY else margin
                return None if found is None else shown(found.values())


@dataclass(frozen=True, slots=True)
class JointVerdict(Verdict):
    """The joint distribution P(bucket, letter), and the bucket that greedy decoding would write.

    Attributes:
        joint: five rows (buckets in the order of `BUCKETS`) of one probability per offered letter; the whole sums to 1.
        greedy_bucket: index into `BUCKETS` of the argmax *at each branching* of the trie, which need not be the most
            probable bucket.
        paths: how the model's tokenizer splits the buckets; only a temperature needs it.
        temperature: temperature of the expected confidence, and of nothing else: answers and greedy choices stay what they are.
        fitted: P(the most probable option is correct) by the model of a calibration; None before such a model has read the verdict.
    """

    signals: ClassVar[frozenset[Signal]] = STATED | SHOWN

    joint: tuple[tuple[float, ...], ...]
    greedy_bucket: int
    paths: BucketPaths = FLAT_PATHS
    temperature: float = 1.0
    fitted: float | None = None

    @classmethod
    def from_weights(cls, weights: Sequence[Sequence[float]], greedy_bucket: int, paths: BucketPaths = FLAT_PATHS) -> "JointVerdict":
        """Normalise five rows of non-negative weights (float32 sums differ from 1 in the seventh digit).

        Raises:
            EdgeError: the weights are no distribution (NaN, infinite, negative, nothing but zeros), or no bucket is greedy.
        """
        sound = len(weights) == len(BUCKETS) and 0 <= greedy_bucket < len(BUCKETS)
        return cls(normalised(weights if sound else []), greedy_bucket, paths)

    def is_sound(self, options: int) -> bool:
        """Whether this is a distribution over five buckets and so many letters, with a greedy bucket."""
        return (
            [len(row) for row in self.joint] == [options] * len(BUCKETS)
            and 0 <= self.greedy_bucket < len(BUCKETS)
            and is_distribution([value for row in self.joint for value in row])
        )

    @property
    def confidence(self) -> float:
        """The verbalized confidence: the bucket that greedy decoding writes."""
        return BUCKETS[self.greedy_bucket]

    @property
    def expected_confidence(self) -> float:
        """Mean of the bucket distribution at `temperature`, in [0, 1]."""
        probabilities = tempered([math.fsum(row) for row in self.joint], self.paths, self.temperature)
        return mean_confidence(probabilities)

    @property
    def confidence_probabilities(self) -> Mapping[str, float]:
        """P(bucket) by label, at temperature 1."""
        return {label: math.fsum(row) for label, row in zip(BUCKET_LABELS, self.joint, strict=True)}

    @property
    def answer_probabilities(self) -> Mapping[str, float]:
        """The marginal P(letter) by letter."""
        return by_letter([math.fsum(column) for column in zip(*self.joint, strict=True)])

    def at_temperature(self, temperature: float) -> "JointVerdict":
        """This verdict with its expected confidence at a temperature."""
        return self if self.temperature == temperature else replace(self, temperature=temperature)

    def with_fitted(self, value: float | None) -> "JointVerdict":
        """This verdict with a fitted probability."""
        return replace(self, fitted=value)

    def answer(self, signal: Signal) -> str:
        """The chosen letter: as decoding would write it after the greedy bucket, or the argmax of the marginal."""
        if signal is Signal.VERBALIZED:
            return most_probable(by_letter(self.joint[self.greedy_bucket]))
        return most_probable(self.answer_probabilities)

    def answer_distribution(self, signal: Signal) -> Mapping[str, float]:
        """P(letter | greedy bucket) for the verbalized confidence, the marginal for every other signal."""
        if signal is not Signal.VERBALIZED:
            return self.answer_probabilities
        return by_letter(normalised([self.joint[self.greedy_bucket]])[0])


@dataclass(frozen=True, slots=True)
class OptionsVerdict(Verdict):
    """P(letter) and nothing about confidence: what a decision model gives, or the log-probabilities of the letters.

    Attributes:
        probabilities: one probability per offered letter, in order; they sum to 1.
        fitted: as in `JointVerdict`.
    """

    signals: ClassVar[frozenset[Signal]] = SHOWN

    probabilities: tuple[float, ...]
    fitted: float | None = None

    @classmethod
    def from_weights(cls, weights: Sequence[float]) -> "OptionsVerdict":
        """Normalise one non-negative weight per offered letter. Raises EdgeError where they are no distribution."""
        return cls(normalised([weights])[0])

    def is_sound(self, options: int) -> bool:
        """Whether this is a distribution over so many letters."""
        return len(self.probabilities) == options and is_distribution(self.probabilities)

    @property
    def answer_probabilities(self) -> Mapping[str, float]:
        """P(letter) by letter."""
        return by_letter(self.probabilities)

    def with_fitted(self, value: float | None) -> "OptionsVerdict":
        """This verdict with a fitted probability."""
        return replace(self, fitted=value)

    def answer(self, signal: Signal) -> str:  # noqa: ARG002  # the letter is the same for every signal
        """The most probable letter."""
        return most_probable(self.answer_probabilities)


@dataclass(frozen=True, slots=True)
class TextVerdict(Verdict):
    """A letter and nothing else: what an engine gives that only writes text.

    Attributes:
        letter: the letter that was written.
    """

    letter: str

    def is_sound(self, options: int) -> bool:
        """Whether the letter is one of so many."""
        return self.letter in labels_of(options)

    def answer(self, signal: Signal) -> str:  # noqa: ARG002  # the letter is the same for every signal
        """The letter."""
        return self.letter


@dataclass(frozen=True, slots=True)
class EdgeReply:
    """A verdict with its cost. Times in seconds; what an edge cannot know of them is None.

    Attributes:
        model: name of the model that gave the verdict.
        queue_s: wait before the model began.
        inference_s: the forward pass that `batch` questions shared, or the call of an engine elsewhere.
        batch: questions that shared the forward pass.
        prompt_tokens: tokens of the prompt, those that were computed once for all prompts included.
    """

    verdict: Verdict
    model: str
    queue_s: float | None
    inference_s: float
    batch: int | None = None
    prompt_tokens: int | None = None
