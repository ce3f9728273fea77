"""What the edge model says of a question: the joint distribution over confidences and letters, and what is read off it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.errors import EdgeError
from app.core.question import LETTERS

# The five words of the confidence vocabulary, exactly as the model writes them.
BUCKET_LABELS = ("0.0", "0.25", "0.5", "0.75", "1.0")
BUCKETS = tuple(float(label) for label in BUCKET_LABELS)


class Signal(StrEnum):
    """The number that is compared with tau."""

    VERBALIZED = "verbalized"
    EXPECTED = "expected"


# Per bucket, in the order of `BUCKETS`: the (branching, child) choices that writing it takes, from the first token down.
BucketPaths = tuple[tuple[tuple[int, int], ...], ...]
# A bucket that is chosen in one step, among five: what a distribution is taken for whose tokens are not known.
FLAT_PATHS: BucketPaths = tuple(((0, bucket),) for bucket in range(len(BUCKETS)))


def tempered(probabilities: Sequence[float], paths: BucketPaths, temperature: float) -> tuple[float, ...]:
    """P(bucket) as it would be with the logits at every branching divided by a temperature.

    At a branching the softmax of logits / T is the normalised p^(1/T) of its children, so the probabilities and the
    tree they come from are all that is needed. Tempering the path probabilities themselves would be something else.
    """
    if temperature == 1.0:
        return tuple(probabilities)
    below: dict[int, dict[int, float]] = {}
    for probability, path in zip(probabilities, paths, strict=True):
        for branching, child in path:
            children = below.setdefault(branching, {})
            children[child] = children.get(child, 0.0) + probability
    log_choice: dict[tuple[int, int], float] = {}
    for branching, children in below.items():
        scaled = {child: math.log(max(mass, 1e-300)) / temperature for child, mass in children.items()}
        top = max(scaled.values())
        log_total = top + math.log(math.fsum(math.exp(value - top) for value in scaled.values()))
        log_choice.update({(branching, child): value - log_total for child, value in scaled.items()})
    return tuple(math.exp(math.fsum(log_choice[step] for step in path)) for path in paths)


def mean_confidence(probabilities: Sequence[float]) -> float:
    """Mean of a distribution over `BUCKETS`, in [0, 1]."""
    return min(1.0, math.fsum(bucket * probability for bucket, probability in zip(BUCKETS, probabilities, strict=True)))


# Sums of doubles that were normalised are exact to about 1e-15; this only has to tell a distribution from something else.
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Verdict:
    """The edge model's whole say on one question: the joint P(bucket, letter) and the bucket greedy decoding would write.

    Attributes:
        joint: five rows (buckets in the order of `BUCKETS`) of one probability per offered letter; the whole sums to 1.
        greedy_bucket: index into `BUCKETS` of the argmax *at each branching* of the trie, which need not be the most
            probable bucket.
        paths: how the model's tokenizer splits the buckets; only a temperature needs it.
        temperature: of the expected confidence, and of nothing else: answers and greedy choices stay what they are.
    """

    joint: tuple[tuple[float, ...], ...]
    greedy_bucket: int
    paths: BucketPaths = FLAT_PATHS
    temperature: float = 1.0

    @classmethod
    def from_weights(cls, weights: Sequence[Sequence[float]], greedy_bucket: int, paths: BucketPaths = FLAT_PATHS) -> "Verdict":
        """Normalise five rows of non-negative weights (float32 sums differ from 1 in the seventh digit).

        Raises:
            EdgeError: the weights are no distribution (NaN, infinite, negative, nothing but zeros), or no bucket is greedy.
        """
        sound = len(weights) == len(BUCKETS) and 0 <= greedy_bucket < len(BUCKETS)
        # Every weight is compared, not only their sum: a NaN is neither below nor above anything.
        sound = sound and all(0 <= value < math.inf for row in weights for value in row)
        try:
            total = math.fsum(math.fsum(row) for row in weights) if sound else 0.0
        except OverflowError:
            total = 0.0
        if total == 0.0:
            raise EdgeError("the edge model's output on this question is not a probability distribution")
        return cls(tuple(tuple(value / total for value in row) for row in weights), greedy_bucket, paths)

    def is_sound(self, options: int) -> bool:
        """Whether this is a distribution over five buckets and so many letters, with a greedy bucket: what callers rely on."""
        flat = [value for row in self.joint for value in row]
        return (
            [len(row) for row in self.joint] == [options] * len(BUCKETS)
            and 0 <= self.greedy_bucket < len(BUCKETS)
            and all(0 <= value <= 1 + _SUM_TOLERANCE for value in flat)
            and abs(math.fsum(flat) - 1) <= _SUM_TOLERANCE
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
        return {letter: math.fsum(column) for letter, column in zip(LETTERS, zip(*self.joint, strict=True), strict=False)}

    def signal(self, signal: Signal) -> float:
        """The number that is compared with tau."""
        return self.confidence if signal is Signal.VERBALIZED else self.expected_confidence

    def answer(self, signal: Signal) -> str:
        """The chosen letter: as decoding would write it after the greedy bucket, or the argmax of the marginal."""
        if signal is Signal.VERBALIZED:
            row: Sequence[float] = self.joint[self.greedy_bucket]
        else:
            row = tuple(self.answer_probabilities.values())
        return LETTERS[max(range(len(row)), key=row.__getitem__)]


@dataclass(frozen=True, slots=True)
class EdgeReply:
    """A verdict with its cost. Times in seconds; `inference_s` is the forward pass that `batch` questions shared."""

    verdict: Verdict
    model: str
    queue_s: float
    inference_s: float
    batch: int = 1
