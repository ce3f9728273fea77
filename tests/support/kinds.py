"""A population of 400 kinds of question with 2 or 10 options, whose truth is known, and where no single signal orders answers well.

A kind has an ability u from 0 to 1: the edge is correct with probability 1 / (1 + exp(8 · (0.5 - u))). Its largest probability is
(1 + (k - 1) · u) / k of k options, and the second one takes nearly all of what is left, so that neither says u without k. The expected
confidence is the same everywhere.
"""

import numpy as np

from app.core.verdict import Signal
from app.evaluation.table import signal_of
from tests.support.records import record

CLOUD = 0.8
_LETTERS = "ABCDEFGHIJ"


def _answers(options, ability):
    top = (1 + (options - 1) * ability) / options
    second = min({2: 1.0, 10: 0.95}[options] * (1 - top), 0.99 * top)
    left = (1 - top - second) / max(1, options - 2)
    return {letter: float(p) for letter, p in zip(_LETTERS, [top, second, *[left] * (options - 2)], strict=False)}


_ABILITIES = np.linspace(0.0025, 0.9975, 200)
WRONG = 1 / (1 + np.exp(8 * (np.tile(_ABILITIES, 2) - 0.5)))
KINDS = [
    record(at, "law", 0.5, "A", "A", answer_probabilities=_answers(options, ability), expected=0.5)
    for at, (options, ability) in enumerate((options, ability) for options in (2, 10) for ability in _ABILITIES)
]


def sample(n, draw, **more):
    """n records; the most probable option is A, which is correct or not."""
    kinds = draw.integers(len(KINDS), size=n)
    gold = np.where(draw.random(n) < WRONG[kinds], "B", "A").tolist()
    cloud = (draw.random(n) < CLOUD).tolist()
    return [
        KINDS[kind]
        | {
            "id": str(at),
            "gold": letter,
            "cloud_answer": letter if is_right else "AB"[letter == "A"],
            "domain": ("law", "math")[at % 2],
            **more,
        }
        for at, (kind, letter, is_right) in enumerate(zip(kinds.tolist(), gold, cloud, strict=True))
    ]


def kept(calibration):
    """Whether a calibration keeps the edge answer, `[400]`."""
    values = [signal_of(kind, calibration.signal, calibration.temperature, calibration.logistic) for kind in KINDS]
    return np.array(values) >= calibration.tau


def true_error(calibration):
    """The error among the kept answers; 0 where nothing is kept."""
    stays = kept(calibration)
    return float(WRONG[stays].mean()) if stays.any() else 0.0


def true_rate(calibration):
    """The cloud rate."""
    return float(1 - kept(calibration).mean())


def true_accuracy(calibration):
    """The accuracy of edge and cloud together."""
    return float(np.where(kept(calibration), 1 - WRONG, CLOUD).mean())


def true_auroc(calibration):
    """The probability that a correct answer has a higher signal than a wrong one, ties counted half."""
    values = np.array([signal_of(kind, Signal(calibration.signal), 1.0, calibration.logistic) for kind in KINDS])
    order = np.argsort(values, kind="stable")
    right, wrong = (1 - WRONG)[order], WRONG[order]
    below = np.cumsum(wrong) - wrong / 2
    return float((right * below).sum() / (right.sum() * wrong.sum()))
