"""The model's preference for letters, estimated from records, and records whose distributions are corrected by it.

Records stay as they were collected; what is corrected here are copies, from which every number of a calibration or a report is then computed
as the gateway computes it (`app.core.letter_prior`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import ConfigError
from app.core.letter_prior import LetterPrior
from app.core.permutation import in_original_order, mean_letters, orders
from app.data.records import Record
from app.evaluation.fitting import FOLDS

# So many uniform distributions are added to those of the questions of each number of options. One question's distribution over four letters is about
# 0.2 away from the mean in each letter, so the mean of 20 questions is wrong by about 0.05, which is as much as the preferences that are to be
# found: 20 questions count half. docs/experiments.md compares 0, 20 and 100.
SHRINKAGE = 20.0
# Random moves of a permutation test; distances this near are equal but for rounding.
_DRAWS, _ROUNDING = 499, 1e-12
# So many moves are held in memory at a time.
_CELLS = 1_000_000


def estimate_prior(records: Sequence[Record], *, shrinkage: float = SHRINKAGE) -> tuple[LetterPrior, dict[int, int]]:
    """The prior of each number of options, and the number of questions behind it. No correct answer is looked at.

    Args:
        records: records with a distribution over the options each.
        shrinkage: number of uniform distributions that are added to theirs.
    """
    rows = _by_options(records)
    found = {}
    for options, shares in rows.items():
        mean = (np.sum(shares, axis=0) + shrinkage / options) / (np.sum(shares) + shrinkage)
        found[options] = tuple(mean.tolist())
    return LetterPrior(found), {options: len(rows[options]) for options in found}


def preference_p(records: Sequence[Record], seed: int) -> float:
    """The p-value of a permutation test for a preference for letters (Fisher 1935): how probable means this far from uniform are without one.

    Without a preference, and with correct answers spread evenly, a distribution is as probable as the same one with its options moved on by any
    number of letters. So each question's is moved at random, many times, and the distance of the means from uniform is compared: the sum over numbers of
    options k of n · k · Σ (mean - 1/k)² with n questions of k options.

    Args:
        records: as for `estimate_prior`.
        seed: seed of the moves.
    """
    draw = np.random.default_rng(seed)
    found, moved = 0.0, np.zeros(_DRAWS)
    for shares in _by_options(records).values():
        values = np.array(shares)
        found += float(_distance(values.sum(axis=0), len(values)))
        moved += _distance(_moved_sums(values, draw), len(values))
    return float((1 + (moved >= found - _ROUNDING).sum()) / (1 + _DRAWS))


def _moved_sums(values: NDArray[np.float64], draw: np.random.Generator) -> NDArray[np.float64]:
    """Sums of the rows of `[n, options]`, each moved on by its own number of places, of many draws: `[draws, options]`."""
    n, options = values.shape
    found, step = np.zeros((_DRAWS, options)), max(1, _CELLS // n)
    for start in range(0, _DRAWS, step):
        part = slice(start, min(_DRAWS, start + step))
        by = draw.integers(options, size=(part.stop - part.start, n), dtype=np.int8)
        for places in range(options):
            found[part] += np.roll((by == places).astype(np.float64) @ values, places, axis=1)
    return found


def _distance(sums: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Distance from uniform, n · k · Σ (mean - 1/k)², of sums over n distributions, `[…, k]` → `[…]`."""
    options = sums.shape[-1]
    return np.asarray(n * options * ((sums / n - 1 / options) ** 2).sum(axis=-1), dtype=np.float64)


def _by_options(records: Sequence[Record]) -> dict[int, list[list[float]]]:
    """The distributions over the options by their number, which ascends."""
    rows: dict[int, list[list[float]]] = {}
    for record in records:
        shares = list(record["answer_probabilities"].values())
        rows.setdefault(len(shares), []).append(shares)
    return dict(sorted(rows.items()))


def corrected_record(record: Record, prior: LetterPrior | None, *, reread: bool) -> Record:
    """A record as a gateway with this prior would have seen the question; the record itself where nothing is corrected.

    The letter of the verbalized confidence and the confidences stay as they are.

    Args:
        record: the record.
        prior: the prior; None corrects nothing.
        reread: whether the mean over several orders of the options is corrected too; otherwise the copy does not hold it.

    Raises:
        ConfigError: that mean is needed, and the record does not hold the distribution of each order.
    """
    answers = record.get("answer_probabilities")
    if prior is None or answers is None or not prior.knows(len(answers)):
        return record
    mean = record.get("permuted")
    corrected = None if mean is None or not reread else _corrected_mean(mean, prior)
    return {**record, "answer_probabilities": _corrected(answers, prior), "permuted": corrected}


def corrected_records(records: Sequence[Record], prior: LetterPrior | None, *, reread: bool) -> list[Record]:
    """`corrected_record` of each; raises what it raises."""
    return [corrected_record(record, prior, reread=reread) for record in records]


def cross_corrected(
    records: Sequence[Record], fitting: NDArray[np.int_], prior: LetterPrior, seed: int, *, reread: bool, shrinkage: float = SHRINKAGE
) -> list[Record]:
    """The records corrected by a prior; those that it was estimated from each by one that was estimated from the others of them (cross-fitted).

    Args:
        records: every record.
        fitting: numbers of the records that the prior was estimated from.
        prior: the prior.
        seed: seed of the folds.
        reread: as in `corrected_record`, which also says what is raised.
        shrinkage: as in `estimate_prior`.
    """
    found = corrected_records(records, prior, reread=reread)
    fold_of = np.random.default_rng(seed).permutation(len(fitting)) % FOLDS
    for fold in range(FOLDS):
        others, _ = estimate_prior([records[at] for at in fitting[fold_of != fold].tolist()], shrinkage=shrinkage)
        for at in fitting[fold_of == fold].tolist():
            found[at] = corrected_record(records[at], others, reread=reread)
    return found


def _corrected(answers: Mapping[str, float], prior: LetterPrior) -> dict[str, float]:
    return dict(zip(answers, prior.corrected(list(answers.values())), strict=True))


def _corrected_mean(mean: Mapping[str, Any], prior: LetterPrior) -> dict[str, Any]:
    """The mean over several orders, each of which is corrected as it was presented and then put back into the original order."""
    if "orders" not in mean:
        raise ConfigError(
            "a letter prior needs the distribution of each order of the options, and the records hold only their mean: an earlier version "
            "collected them; collect them again, or leave out the letter prior (--letter-prior off)"
        )
    letters = list(mean["answer_probabilities"])
    turned = zip(mean["orders"], orders(len(letters), mean["reads"]), strict=True)
    shares = mean_letters([in_original_order(prior.corrected(shown), order) for shown, order in turned])
    return {**mean, "answer_probabilities": dict(zip(letters, shares, strict=True))}
