"""Models of the signal `fitted` whose numbers are known."""

from app.core.fitted import FEATURES, SHOWN_FEATURES, Logistic
from app.data.fitted import FittedModel


def logistic(features=FEATURES, weight=0.5, intercept=-1.0):
    """A model with the same weight on every feature, over the whole range that a feature can have."""
    n = len(features)
    return Logistic(tuple(features), (weight,) * n, intercept, (0.0,) * n, (4.0,) * n)


def shown_logistic():
    """A model that needs a distribution over the options only."""
    return logistic(SHOWN_FEATURES)


def fitted_model(model=None, **changes):
    """The same as a calibration file holds it."""
    model = model or logistic()
    content = {name: getattr(model, name) for name in ("features", "weights", "intercept", "lowest", "highest")}
    return FittedModel(**{**content, "n": 300, "auroc": 0.7, "auroc_ci": (0.6, 0.8), "ece": 0.03, "brier": 0.2} | changes)
