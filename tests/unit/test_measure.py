"""What is measured of a checkpoint."""

import math

import pytest

from app.training.metrics import entropy


def test_entropy_of_a_histogram():
    assert entropy([5, 0, 0, 0, 0]) == 0
    assert entropy([2, 2, 2, 2, 2]) == pytest.approx(math.log(5))
