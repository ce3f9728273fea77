"""Which records choose a calibration and which ones check it, and fingerprints by which such a set is known again."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from app.data.records import Record

_HALVES = 2


def halves(n: int, seed: int) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """The numbers of the rows that choose (the fit half), and of those that check (the test half, which is the larger one where n is odd)."""
    order = np.random.default_rng(seed).permutation(n)
    return order[: n // _HALVES], order[n // _HALVES :]


def fingerprint_of(records: Iterable[Record]) -> str:
    """12 hex digits that identify the questions, in any order."""
    keys = sorted(f"{record['id']} {record.get('fingerprint')} {record['gold']}" for record in records)
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:12]
