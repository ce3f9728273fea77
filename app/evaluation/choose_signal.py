"""Which signal a calibration is made for: the fitted probability where it is better than every single signal, else the best of these."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.errors import ConfigError
from app.core.fitted import Logistic
from app.core.verdict import Signal
from app.evaluation import statistics as st
from app.evaluation.cells import questions
from app.evaluation.fitting import FOLDS, check_installed, cross_fitted, feature_matrix, fit_logistic, predicted
from app.evaluation.table import Table

# The signals that are compared, the first of equal ones first. `verbalized` reaches few cloud rates, so it is taken only by name.
_SINGLE = (Signal.EXPECTED, Signal.TOP_PROBABILITY, Signal.MARGIN)
# A model is fitted on so many questions at least, with so many correct and so many wrong answers: two in each fold.
FEWEST_TO_FIT, _FEWEST_OF_A_KIND = 50, 2 * FOLDS


@dataclass(frozen=True, slots=True)
class ChosenSignal:
    """A signal, and the rows with all the numbers that it needs.

    Attributes:
        signal: the signal.
        table: every row. Where a model was fitted, the rows have the signal `fitted`: those that it was fitted on a value of a model that was
            fitted on other ones of them (cross-fitted), all others the value of the model.
        model: the model of the signal `fitted`; None where another signal was chosen.
        n: number of questions that a model was fitted on; 0 where none was.
        notes: sentences on how the signal was chosen; empty where it was given by name.
    """

    signal: Signal
    table: Table
    model: Logistic | None = None
    n: int = 0
    notes: tuple[str, ...] = ()


def choose_signal(table: Table, fitting: NDArray[np.int_], *, wanted: Signal | None, keep_fitted: bool, seed: int) -> ChosenSignal:
    """The signal of a calibration.

    Args:
        table: every row.
        fitting: numbers of the rows that may have a part in the choice, and that a model is fitted on; each has the signals of the table.
        wanted: signal that was asked for; None leaves the choice, as `fitted` does.
        keep_fitted: whether `fitted` is taken although it is not better than the best single signal.
        seed: seed of the folds.

    Raises:
        ConfigError: the records do not hold the signal; `fitted` was asked for and scikit-learn is not installed; or `fitted` must be kept
            and there are too few questions to fit it on.
    """
    if wanted not in {None, Signal.FITTED}:
        table.check_signal(wanted)
        return ChosenSignal(wanted, table)
    part = table.rows(fitting)
    best = _best_single(part)
    missing = _missing(part)
    if missing is None:
        try:
            check_installed()
        except ConfigError as error:
            if wanted is Signal.FITTED:
                raise
            missing = error.message
    if missing is not None:
        if keep_fitted:
            raise ConfigError(missing)
        return ChosenSignal(best, table, notes=(f"{missing}; the file takes the {best.words}, the best single signal",))
    correct = part.edge_correct[best.value]
    names, values = feature_matrix(table.records.tolist())
    crossed = cross_fitted(names, values[fitting], correct, seed=seed)
    model = fit_logistic(names, values[fitting], correct)
    column = predicted(model, names, values)
    column[fitting] = crossed
    gain, error_of_gain = st.auroc_gain(crossed, part.signal[best.value], correct)
    compared = (
        f"AUROC {_auroc(crossed, correct)} (cross-fitted) against {_auroc(part.signal[best.value], correct)} of the {best.words}, the best single "
        f"signal; difference {gain:+.3f}, standard error {error_of_gain:.3f}, n = {len(part)}"
    )
    wins = gain > error_of_gain
    if wins or keep_fitted:
        said = "is better than" if wins else "was to be kept; it is not better, by more than the standard error, than"
        note = f"the fitted probability {said} the best single signal: {compared}"
        return ChosenSignal(Signal.FITTED, table.with_fitted(column), model, len(part), (note,))
    note = f"the fitted probability is not better than the best single signal by more than the standard error: {compared}; the file takes the {best.words}"
    return ChosenSignal(best, table.with_fitted(column), None, len(part), (note,))


def _best_single(part: Table) -> Signal:
    """The single signal with the highest AUROC; the first one where no AUROC is defined. One that is the same everywhere routes nothing."""
    given = [signal for signal in _SINGLE if signal.value in part.signal]
    varied = [signal for signal in given if len(part) and np.ptp(part.signal[signal.value]) > 0]
    return max(varied or given, key=lambda signal: st.auroc(part.signal[signal.value], part.edge_correct[signal.value]) or 0.0)


def _missing(part: Table) -> str | None:
    """Why no model can be fitted on these rows; None where one can be."""
    n, correct = len(part), int(part.edge_correct[Signal.TOP_PROBABILITY.value].sum())
    if n >= FEWEST_TO_FIT and min(correct, n - correct) >= _FEWEST_OF_A_KIND:
        return None
    return (
        f"the fitted probability needs {FEWEST_TO_FIT} questions to be fitted on, with {_FEWEST_OF_A_KIND} correct and {_FEWEST_OF_A_KIND} wrong edge "
        f"answers at least, and there are {questions(n)}, {correct} of them answered correctly"
    )


def _auroc(signal: st.Floats, correct: st.Flags) -> str:
    found = st.auroc(signal, correct)
    return "not defined" if found is None else f"{found:.3f}"
