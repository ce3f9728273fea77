"""The words of FogGate as frozen values: Question, Verdict, Decision, Outcome.

Owns what a question and an answer *are*. Knows no framework, no model and no wire format.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.errors import EdgeError, InvalidQuestion

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MIN_OPTIONS, MAX_OPTIONS = 2, len(LETTERS)

# The five words of the confidence vocabulary, exactly as the model writes them.
BUCKET_LABELS = ("0.0", "0.25", "0.5", "0.75", "1.0")
BUCKETS = tuple(float(label) for label in BUCKET_LABELS)


class Route(StrEnum):
    """Where an answer came from."""

    EDGE = "edge"
    CLOUD = "cloud"


class RouteRequest(StrEnum):
    """What the caller asks for: let the policy decide, or force one side."""

    AUTO = "auto"
    EDGE = "edge"
    CLOUD = "cloud"


class Reason(StrEnum):
    """Why an answer came from where it came from.

    The first four are routing decisions; the rest are set on degraded answers only (the cloud was wanted but not had).
    """

    CONFIDENT = "confident"
    LOW_CONFIDENCE = "low_confidence"
    FORCED = "forced"
    EDGE_FAILED = "edge_failed"
    CLOUD_NOT_CONFIGURED = "cloud_not_configured"
    CLOUD_TIMEOUT = "cloud_timeout"
    CLOUD_UNAVAILABLE = "cloud_unavailable"
    CLOUD_REJECTED = "cloud_rejected"
    CLOUD_MISCONFIGURED = "cloud_misconfigured"
    CLOUD_UNPARSABLE = "cloud_unparsable"
    CIRCUIT_OPEN = "circuit_open"
    BUDGET_EXHAUSTED = "budget_exhausted"


class Signal(StrEnum):
    """The number that is compared with tau."""

    VERBALIZED = "verbalized"
    EXPECTED = "expected"


def one_line(text: str) -> str:
    """Fold every line break (and the blanks around it) into one space, so that an option cannot forge another option line."""
    # Not a pattern such as `\s*[breaks]\s*`: that needs time that grows with the square of a run of blanks.
    pieces = (piece.strip() for piece in text.splitlines())
    return " ".join(piece for piece in pieces if piece)


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded: a lone surrogate cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Question:
    """One multiple-choice question: the text as the caller wrote it, 2 to 26 distinct options, each on one line.

    Raises:
        InvalidQuestion: blank question or option, too few or too many options, two equal options, text (that of id
            and domain too) that is not valid Unicode (a lone surrogate).
    """

    question: str
    options: tuple[str, ...]
    domain: str | None = None
    id: str | None = None

    def __post_init__(self) -> None:
        options = tuple(one_line(option) for option in self.options)
        object.__setattr__(self, "options", options)
        if not self.question.strip():
            raise InvalidQuestion("question is blank", param="question")
        if not MIN_OPTIONS <= len(options) <= MAX_OPTIONS:
            raise InvalidQuestion(f"options must be {MIN_OPTIONS} to {MAX_OPTIONS}, got {len(options)}", param="options")
        for index, option in enumerate(options):
            if not option:
                raise InvalidQuestion(f"option {LETTERS[index]} is blank", param=f"options.{index}")
            if (first := options.index(option)) != index:
                raise InvalidQuestion(f"options {LETTERS[first]} and {LETTERS[index]} are the same", param=f"options.{index}")
        if not is_unicode("\n".join((self.question, *options))):
            raise InvalidQuestion("the text is not valid Unicode", param="question")
        # Both are echoed, and a text that cannot be encoded would break the whole reply.
        for name, echoed in (("id", self.id), ("domain", self.domain)):
            if echoed is not None and not is_unicode(echoed):
                raise InvalidQuestion(f"{name} is not valid Unicode", param=name)

    @property
    def letters(self) -> str:
        """The offered letters, as in `"ABCD"`."""
        return LETTERS[: len(self.options)]

    def text_of(self, letter: str) -> str:
        """The option behind an offered letter."""
        return self.options[self.letters.index(letter)]


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
class Decision:
    """What the policy says: keep the edge answer or ask the cloud, and why."""

    route: Route
    reason: Reason
    tau: float
    signal: Signal


@dataclass(frozen=True, slots=True)
class EdgeReply:
    """A verdict with its cost. Times in seconds; `inference_s` is the forward pass that `batch` questions shared."""

    verdict: Verdict
    model: str
    queue_s: float
    inference_s: float
    batch: int = 1


@dataclass(frozen=True, slots=True)
class CloudReply:
    """A cloud answer: an offered letter, what it took, and the tokens the endpoint counted (by its own names).

    `answer_probabilities` is P(letter) over offered letters where the endpoint gave log-probabilities, else None.
    """

    answer: str
    model: str
    attempts: int
    usage: Mapping[str, int]
    answer_probabilities: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answered question: everything that the body, the headers, the metrics and the log line are made of.

    `edge` is None only when the edge failed; `cloud` is None unless the cloud answered. Times in seconds.
    """

    question: Question
    answer: str
    route: Route
    reason: Reason
    degraded: bool
    tau: float
    signal: Signal
    edge: EdgeReply | None
    cloud: CloudReply | None
    cloud_s: float | None
    total_s: float
