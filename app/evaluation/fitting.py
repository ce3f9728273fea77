"""The fitted signal: a ridge-regularised logistic regression, its cross-fitted values, and whether it beats the best single signal.

The regression is Newton's method on the penalised log-likelihood (le Cessie and van Houwelingen 1992), which is convex: the same rows
give the same weights, and no library beyond NumPy is needed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.core.fitted import STATED_FEATURES, Logistic, shown_features, stated_features
from app.core.verdict import BUCKET_LABELS
from app.data.records import Record
from app.evaluation import statistics as st

Matrix = NDArray[np.float64]
# Weight of the squared length of the weights (of standardised features) against the summed log-loss.
RIDGE = 1.0
FOLDS = 5
_STEPS, _ENOUGH = 50, 1e-10


def record_features(record: Record) -> dict[str, float]:
    """The features of a record with an edge answer, as the gateway computes them of the verdict."""
    answers = record["answer_probabilities"]
    found = shown_features(list(answers.values()))
    buckets = record["confidence_probabilities"]
    if buckets is not None:
        agree = record["edge_answer"] == max(answers, key=answers.__getitem__)
        found |= stated_features([buckets[label] for label in BUCKET_LABELS], letters_agree=agree)
    return found


def feature_matrix(records: Sequence[Record]) -> tuple[tuple[str, ...], Matrix]:
    """The features that every record has, and their values, `[n, features]`."""
    rows = [record_features(record) for record in records]
    names = tuple(name for name in rows[0] if name not in STATED_FEATURES or all(name in row for row in rows))
    return names, np.array([[row[name] for name in names] for row in rows], dtype=np.float64)


def fit_logistic(names: tuple[str, ...], values: Matrix, correct: st.Flags, *, ridge: float = RIDGE) -> Logistic:
    """The model with the least log-loss plus `ridge` / 2 times the squared length of the standardised weights.

    Args:
        names: names of the features.
        values: `[n, features]`.
        correct: `[n]`, whether the edge answer is correct.
        ridge: strength of the penalty; the intercept has none.
    """
    mean, spread = values.mean(axis=0), values.std(axis=0)
    # A feature that is the same everywhere has no weight.
    scale = np.where(spread > _ENOUGH, spread, np.inf)
    columns = np.concatenate([np.ones((len(values), 1)), (values - mean) / scale], axis=1)
    # Half a correct and half a wrong answer more: all rows correct, or none, still have a finite intercept.
    target = np.concatenate([correct.astype(np.float64), [0.5]])
    columns = np.concatenate([columns, np.eye(1, columns.shape[1])])
    penalty = np.full(columns.shape[1], ridge)
    penalty[0] = 0.0
    weights = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(columns @ weights, -30, 30)))
        gradient = columns.T @ (probability - target) + penalty * weights
        curvature = (columns * (probability * (1 - probability))[:, None]).T @ columns + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        weights -= np.clip(step, -5, 5)
        if float(np.abs(step).max()) < _ENOUGH:
            break
    raw = weights[1:] / scale
    return Logistic(names, tuple(map(float, raw)), float(weights[0] - raw @ mean))


def cross_fitted(names: tuple[str, ...], values: Matrix, correct: st.Flags, *, seed: int, folds: int = FOLDS) -> st.Floats:
    """The probability of each row by a model that was fitted on the rows of the other folds, `[n]`."""
    place = np.random.default_rng(seed).permutation(len(values)) % folds
    found = np.empty(len(values), dtype=np.float64)
    for fold in range(folds):
        out = place == fold
        if out.any():
            found[out] = predicted(fit_logistic(names, values[~out], correct[~out]), values[out])
    return found


def predicted(model: Logistic, values: Matrix) -> st.Floats:
    """The probabilities of rows by a model, `[n]`, each as the gateway would compute it."""
    return np.array([model.probability(dict(zip(model.features, row, strict=True))) for row in values.tolist()], dtype=np.float64)


def beats(fitted: st.Floats, single: st.Floats, correct: st.Flags, single_correct: st.Flags, *, resamples: int, seed: int) -> bool:
    """Whether the AUROC of cross-fitted values is above that of a single signal by more than the standard error of the difference.

    Args:
        fitted: `[n]`, cross-fitted values.
        single: `[n]`, the best single signal.
        correct: `[n]`, whether the answer that goes with the fitted signal is correct.
        single_correct: the same of the single signal.
        resamples: number of bootstrap resamples; the same draws for both, so that the difference is paired.
        seed: seed of the bootstrap.
    """
    points = st.auroc(fitted, correct), st.auroc(single, single_correct)
    if points[0] is None or points[1] is None:
        return False
    drawn = [st.bootstrap_auroc(*pair, resamples=resamples, seed=seed) for pair in ((fitted, correct), (single, single_correct))]
    return points[0] - points[1] > float(np.nanstd(drawn[0] - drawn[1]))
