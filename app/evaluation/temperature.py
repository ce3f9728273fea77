"""The temperature of the expected confidence: fitted by log loss, and what it does to the calibration errors."""

import math

import numpy as np

from app.core.verdict import Signal
from app.evaluation import statistics as st
from app.evaluation.table import Table, expected_at

_TEMPERATURES = (0.05, 20.0)


def fit_temperature(table: Table) -> float:
    """The temperature with the least log loss of the expected confidence, by golden-section search over its logarithm."""
    correct = table.edge_correct[Signal.EXPECTED.value]

    def loss(log_temperature: float) -> float:
        signal = np.array([expected_at(record, math.exp(log_temperature)) for record in table.records])
        return log_loss(signal, correct)

    low, high = map(math.log, _TEMPERATURES)
    ratio = (math.sqrt(5) - 1) / 2
    left, right_of = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right_of)
    for _ in range(25):
        if at_left <= at_right:
            high, right_of, at_right = right_of, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right_of, at_right
            right_of = low + ratio * (high - low)
            at_right = loss(right_of)
    return round(math.exp((low + high) / 2), 4)


def calibration_errors(table: Table) -> dict[str, float]:
    """Log loss, Brier score and ECE (10 bins) of the expected confidence."""
    signal, correct = table.signal[Signal.EXPECTED.value], table.edge_correct[Signal.EXPECTED.value]
    return {"log_loss": log_loss(signal, correct), "brier": st.brier(signal, correct), "ece": st.ece_fixed(signal, correct)}


def log_loss(signal: st.Floats, correct: st.Flags) -> float:
    """Mean negative logarithm of the probability of the outcome, in nats; probabilities within 1e-6 of 0 and 1."""
    clipped = np.clip(signal, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(correct, np.log(clipped), np.log1p(-clipped))))
