"""The words of FogGate as frozen values: Question, Verdict, Decision, Outcome.

Owns what a question and an answer *are*. Knows no framework, no model and no wire format.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.errors import InvalidQuestion

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MIN_OPTIONS, MAX_OPTIONS = 2, len(LETTERS)

# The five words of the confidence vocabulary, exactly as the model writes them.
BUCKET_LABELS = ("0.0", "0.25", "0.5", "0.75", "1.0")
BUCKETS = tuple(float(label) for label in BUCKET_LABELS)

# Everything that str.splitlines() treats as the end of a line.
_LINE_BREAKS = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")


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
    CLOUD_UNPARSABLE = "cloud_unparsable"
    CIRCUIT_OPEN = "circuit_open"
    BUDGET_EXHAUSTED = "budget_exhausted"


class Signal(StrEnum):
    """The number that is compared with tau."""

    VERBALIZED = "verbalized"
    EXPECTED = "expected"


def one_line(text: str) -> str:
    """Fold every line break (and the blanks around it) into one space, so that an option cannot forge another option line."""
    return _LINE_BREAKS.sub(" ", text).strip()


@dataclass(frozen=True, slots=True)
class Question:
    """One multiple-choice question: the text as the caller wrote it, 2 to 26 distinct options, each on one line.

    Raises:
        InvalidQuestion: blank question or option, too few or too many options, two equal options, text that is not
            valid Unicode (a lone surrogate).
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
        try:
            "\n".join((self.question, *options)).encode()
        except UnicodeEncodeError:
            raise InvalidQuestion("the text is not valid Unicode", param="question") from None

    @property
    def letters(self) -> str:
        """The offered letters, as in `"ABCD"`."""
        return LETTERS[: len(self.options)]

    def text_of(self, letter: str) -> str:
        """The option behind an offered letter."""
        return self.options[self.letters.index(letter)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The edge model's whole say on one question: the joint P(bucket, letter) and the bucket greedy decoding would write.

    Attributes:
        joint: five rows (buckets in the order of `BUCKETS`) of one probability per offered letter; the whole sums to 1.
        greedy_bucket: index into `BUCKETS` of the argmax *at each branching* of the trie, which need not be the most
            probable bucket.
    """

    joint: tuple[tuple[float, ...], ...]
    greedy_bucket: int

    @classmethod
    def from_weights(cls, weights: Sequence[Sequence[float]], greedy_bucket: int) -> "Verdict":
        """Normalise five rows of non-negative weights (float32 sums differ from 1 in the seventh digit)."""
        total = math.fsum(math.fsum(row) for row in weights)
        return cls(tuple(tuple(value / total for value in row) for row in weights), greedy_bucket)

    @property
    def confidence(self) -> float:
        """The verbalized confidence: the bucket that greedy decoding writes."""
        return BUCKETS[self.greedy_bucket]

    @property
    def expected_confidence(self) -> float:
        """Mean of the bucket distribution, in [0, 1]."""
        return min(1.0, math.fsum(b * math.fsum(row) for b, row in zip(BUCKETS, self.joint, strict=True)))

    @property
    def confidence_probabilities(self) -> Mapping[str, float]:
        """P(bucket) by label."""
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
    """A verdict with its cost. Times in seconds."""

    verdict: Verdict
    model: str
    queue_s: float
    inference_s: float


@dataclass(frozen=True, slots=True)
class CloudReply:
    """A cloud answer: an offered letter, what it took, and the tokens the endpoint counted (by its own names)."""

    answer: str
    model: str
    attempts: int
    usage: Mapping[str, int]


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
