"""The gate: what keeps a checkpoint from replacing the last one."""

import math

import pytest

from app.training.config import GateConfig
from app.training.measure import entropy, gate


def metrics(*, law=0.5, ece=0.1, histogram=1.0):
    return {
        "domains": {"law": {"edge_only": law}, "math": {"edge_only": 0.3}},
        "signals": {"expected": {"ece_fixed": ece}},
        "entropy": histogram,
    }


@pytest.mark.parametrize(
    ("new", "reasons"),
    [
        (metrics(), []),
        (metrics(law=0.46), []),
        (metrics(law=0.44), ["law lost 6.0 points of edge accuracy"]),
        (metrics(ece=0.14), []),
        (metrics(ece=0.16), ["the calibration error grew by 0.060"]),
        (metrics(histogram=0.1), ["the confidence vocabulary collapsed (entropy 0.10 nats)"]),
        (metrics(law=0.0, ece=0.9, histogram=0.0), 3),
    ],
)
def test_the_gate(new, reasons):
    found = gate(new, metrics(), GateConfig())
    assert found == reasons if isinstance(reasons, list) else len(found) == reasons


def test_entropy_of_a_histogram():
    assert entropy([5, 0, 0, 0, 0]) == 0
    assert entropy([2, 2, 2, 2, 2]) == pytest.approx(math.log(5))
