"""Populations of an edge that knows something and prefers letters by a known amount, or prefers none."""

import numpy as np

from app.core.letter_prior import LetterPrior
from app.core.verdict import Signal
from app.data.letter_prior import LetterPriorModel, PriorEffect
from app.evaluation.calibrated import served_table
from tests.support.records import record

LETTERS = "ABCDEFGHIJ"
# In nats, for the first letters of every question; the others have none.
PREFERENCE = (1.2, 0.0, -0.8, 0.4)
EFFECT = PriorEffect(n=9, accuracy=(0.4, 0.5), accuracy_gain_ci=(0.0, 0.2), auroc=(0.6, 0.7), auroc_gain_ci=(-0.1, 0.3), aurc=(0.5, 0.4))


def sample(n, draw, *, preference=PREFERENCE, options=(4,), cloud=0.8, **more):
    """n records. The correct option, which is any letter with the same probability, has a score that is higher by an exponential amount."""
    rows = []
    for number in range(n):
        k = options[number % len(options)]
        gold = int(draw.integers(k))
        scores = draw.normal(0, 1, k)
        scores[gold] += draw.exponential(1.5)
        liked = np.zeros(k)
        liked[: min(k, len(preference))] = preference[:k]
        shares = np.exp(scores + liked)
        shares /= shares.sum()
        letters = LETTERS[:k]
        answers = dict(zip(letters, shares.tolist(), strict=True))
        is_right = draw.random() < cloud
        cloud_letter = letters[gold] if is_right else letters[(gold + 1) % k]
        written = max(answers, key=answers.__getitem__)
        domain = ("law", "math")[number % 2]
        rows.append(
            record(number, domain, 0.5, written, cloud_letter, expected=0.5, answer_probabilities=answers) | {"gold": letters[gold], **more}
        )
    return rows


def prior_model(by_options=None, **changes):
    """A prior as a calibration file holds it."""
    by_options = by_options or {4: (0.4, 0.3, 0.2, 0.1)}
    content = {"by_options": by_options, "n": dict.fromkeys(by_options, 50), "shrinkage": 20.0, "effect": EFFECT}
    return LetterPriorModel(**content | changes)


def prior(*rows):
    """A prior of the numbers of options that these rows have."""
    return LetterPrior({len(row): tuple(row) for row in rows})


def truth(calibration, fresh):
    """(cloud rate, accuracy of the system, error among the kept answers) on many records that had no part in a calibration."""
    table = served_table(fresh, calibration)
    name = Signal(calibration.signal).value
    stays, correct = table.signal[name] >= calibration.tau, table.edge_correct[name]
    error = float((~correct[stays]).mean()) if stays.any() else 0.0
    return float(1 - stays.mean()), float(np.where(stays, correct, table.cloud_correct).mean()), error
