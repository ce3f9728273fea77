"""The model behind the signal `fitted`: a logistic regression with an L2 penalty, and its cross-fitted values.

Needs scikit-learn (`pip install 'foggate[eval]'`), which is imported only when something is fitted: whoever reads a calibration does not need it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.core.errors import ConfigError
from app.core.fitted import FEATURES, Logistic
from app.data.records import Record
from app.evaluation import statistics as st
from app.evaluation.features import record_features

Matrix = NDArray[np.float64]
# Weight of the squared length of the weights, of standardised features, against the summed log loss.
RIDGE = 1.0
FOLDS = 5
# A feature that differs less than this (standard deviation; features lie between 0 and 4) is taken for the same everywhere.
_SAME = 1e-6


def check_installed() -> None:
    """Refuse to fit where scikit-learn is not installed. Raises ConfigError."""
    try:
        import sklearn.linear_model  # noqa: F401  # whether it can be imported
    except ModuleNotFoundError:
        raise ConfigError("the signal 'fitted' needs scikit-learn, which is not installed: pip install 'foggate[eval]'") from None


def feature_matrix(records: Sequence[Record]) -> tuple[tuple[str, ...], Matrix]:
    """The features that every record has, in the order of `FEATURES`, and their values, `[n, features]`."""
    rows = [record_features(record) for record in records]
    names = tuple(name for name in FEATURES if all(name in row for row in rows))
    return names, np.array([[row[name] for name in names] for row in rows], dtype=np.float64)


def fit_logistic(names: Sequence[str], values: Matrix, correct: st.Flags, *, ridge: float = RIDGE) -> Logistic:
    """The model with the least summed log loss plus `ridge` / 2 times the squared length of the standardised weights.

    Args:
        names: names of the features.
        values: `[n, features]`.
        correct: `[n]`, whether the edge answer is correct; at least one is and at least one is not.
        ridge: strength of the penalty; the intercept has none.

    Returns:
        The model for features as they are. Features that are the same everywhere are left out.
    """
    from sklearn.linear_model import LogisticRegression

    mean, spread = values.mean(axis=0), values.std(axis=0)
    used = np.flatnonzero(spread > _SAME)
    standardised = (values[:, used] - mean[used]) / spread[used]
    # With a penalty the Hessian is positive definite, so Newton's method converges from anywhere, also on separable rows.
    found = LogisticRegression(C=1 / ridge, solver="newton-cholesky", max_iter=1000, tol=1e-8).fit(standardised, correct)
    weights = found.coef_[0] / spread[used]
    return Logistic(
        features=tuple(names[at] for at in used.tolist()),
        weights=tuple(weights.tolist()),
        intercept=float(found.intercept_[0] - weights @ mean[used]),
        lowest=tuple(values[:, used].min(axis=0).tolist()),
        highest=tuple(values[:, used].max(axis=0).tolist()),
    )


def cross_fitted(names: Sequence[str], values: Matrix, correct: st.Flags, *, seed: int) -> st.Floats:
    """The probability of each row by a model that was fitted on the rows of the other folds, `[n]`.

    Args:
        names: names of the features.
        values: `[n, features]`.
        correct: `[n]`, with at least `FOLDS` correct and as many wrong answers.
        seed: seed of the folds, each of which has the same share of correct answers.
    """
    from sklearn.model_selection import StratifiedKFold

    found = np.empty(len(values), dtype=np.float64)
    for others, fold in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(values, correct):
        found[fold] = predicted(fit_logistic(names, values[others], correct[others]), names, values[fold])
    return found


def predicted(model: Logistic, names: Sequence[str], values: Matrix) -> st.Floats:
    """The probabilities of rows by a model, `[n]`, computed as the gateway computes them, to the last digit."""
    return np.array([model.probability(dict(zip(names, row, strict=True))) for row in values.tolist()], dtype=np.float64)
