"""Whether a calibration divides a letter prior out of the model's distributions, and which signal it then chooses."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.core.errors import ConfigError
from app.core.letter_prior import LetterPrior
from app.core.verdict import Signal
from app.data.letter_prior import LetterPriorModel, PriorEffect
from app.evaluation import statistics as st
from app.evaluation.cells import percent
from app.evaluation.choose_signal import FEWEST_TO_FIT, ChosenSignal, choose_signal
from app.evaluation.fitting import FOLDS
from app.evaluation.letter_prior import SHRINKAGE, cross_corrected, estimate_prior, preference_p
from app.evaluation.prior_gain import Change, Gain, Side, gain
from app.evaluation.table import Table, to_table

# `auto` keeps a prior only where it is better; `on` keeps it in any case.
PriorMode = Literal["auto", "on", "off"]
# A preference for letters is seen where its p-value is at most this. Without this test 3 to 6 % of the calibrations of a model that prefers no letter
# would hold a prior, with it none of 450 did (docs/experiments.md): whatever is compared rises by more than its standard error now and then.
LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class ChosenReading:
    """How records are read: with a letter prior or as they are, and by which signal.

    Attributes:
        chosen: the signal, and the rows that everything else is computed from: with a prior these are corrected, those that it was estimated from
            by priors of other ones of them (cross-fitted).
        plain: what would have been chosen without a prior, on the rows as they are.
        prior: the prior; None where none is kept.
        n: number of questions that the prior of each number of options was estimated from.
        notes: sentences on how signal and prior were chosen.
    """

    chosen: ChosenSignal
    plain: ChosenSignal
    prior: LetterPrior | None = None
    n: dict[int, int] | None = None
    notes: tuple[str, ...] = ()


def choose_reading(
    table: Table, fitting: NDArray[np.int_], *, wanted: Signal | None, keep_fitted: bool, seed: int, prior: PriorMode, reread: bool = False
) -> ChosenReading:
    """The letter prior and the signal of a calibration.

    The prior is estimated from the distributions alone. It is kept where there is a preference for letters to be divided out (`preference_p`), and where the
    signal that is chosen with it is better than the one that is chosen without it (`Gain.wins`), on rows whose prior was estimated from other rows,
    so that nothing is judged by what it was made of.

    Args:
        table: every row, as it was collected.
        fitting: numbers of the rows that may have a part in the choice.
        wanted: as in `choose_signal`.
        keep_fitted: as in `choose_signal`.
        seed: seed of the folds.
        prior: whether a prior is kept.
        reread: whether the rows' means over several orders of the options are needed.

    Raises:
        ConfigError: what `choose_signal` raises; or a prior must be kept, and the signal is the verbalized confidence, or the records do not hold
            what it takes.
    """
    plain = choose_signal(table, fitting, wanted=wanted, keep_fitted=keep_fitted, seed=seed)
    if prior == "off" or (prior == "auto" and wanted is Signal.VERBALIZED):
        return ChosenReading(plain, plain, notes=plain.notes)
    missing = _missing(wanted, len(fitting), prior)
    if missing is None:
        records = table.records.tolist()
        part = [records[at] for at in fitting.tolist()]
        found, n = estimate_prior(part)
        p_value = preference_p(part, seed)
        try:
            corrected = to_table(
                cross_corrected(records, fitting, found, seed, reread=reread), cloud_needed=False, option_numbers=table.option_numbers
            )
        except ConfigError as error:
            if prior == "on":
                raise
            missing = error.message
    if missing is not None:
        return ChosenReading(plain, plain, notes=(*plain.notes, f"no letter prior is divided out: {missing}"))
    chosen = choose_signal(corrected, fitting, wanted=wanted, keep_fitted=keep_fitted, seed=seed)
    change = gain(_side(plain, fitting), _side(chosen, fitting))
    compared = f"{_compared(change, plain, chosen)}; a preference for letters has p = {p_value:.3f}"
    wins = change.wins and p_value <= LEVEL
    if wins or prior == "on":
        said = "is divided out: it is better" if wins else "was to be divided out; it is not better"
        return ChosenReading(chosen, plain, found, n, (*chosen.notes, f"the letter prior {said}, by the rule for keeping one: {compared}"))
    note = f"no letter prior is divided out, because it is not better by the rule for keeping one: {compared}"
    return ChosenReading(plain, plain, notes=(*plain.notes, note))


def prior_model(reading: ChosenReading, test: NDArray[np.int_], *, resamples: int, seed: int) -> LetterPriorModel | None:
    """The prior as the file holds it, with what it changes on questions that had no part in it; None without one.

    Args:
        reading: what was chosen.
        test: numbers of the rows of the test half.
        resamples: number of bootstrap resamples behind the intervals.
        seed: seed of the bootstrap.
    """
    if reading.prior is None or reading.n is None:
        return None
    before, after = _side(reading.plain, test), _side(reading.chosen, test)
    return LetterPriorModel(
        by_options=dict(reading.prior.by_options),
        n=reading.n,
        shrinkage=SHRINKAGE,
        effect=_effect(before, after, resamples=resamples, seed=seed),
    )


def _effect(before: Side, after: Side, *, resamples: int, seed: int) -> PriorEffect:
    change = gain(before, after)
    answers = np.stack([before.correct, after.correct], axis=1).astype(np.float64)
    means = st.bootstrap_means(answers, resamples=resamples, seed=seed)
    first, second = before.auroc, after.auroc
    both = None if first is None or second is None else (first, second)
    # The same draws for both sides, so the difference is paired.
    drawn = [st.bootstrap_auroc(side.signal, side.correct, resamples=resamples, seed=seed) for side in (before, after)]
    return PriorEffect(
        n=change.n,
        accuracy=(change.accuracy.before, change.accuracy.after),
        accuracy_gain_ci=st.interval(means[:, 1] - means[:, 0]),
        auroc=both,
        auroc_gain_ci=None if change.auroc is None else st.interval(drawn[1] - drawn[0]),
        aurc=change.aurc,
    )


def _side(chosen: ChosenSignal, rows: NDArray[np.int_]) -> Side:
    name = chosen.signal.value
    return Side(chosen.table.signal[name][rows], chosen.table.edge_correct[name][rows])


def _missing(wanted: Signal | None, n: int, prior: PriorMode) -> str | None:
    """Why no prior can be judged; None where one can be. Raises ConfigError where one must be kept and cannot."""
    if wanted is Signal.VERBALIZED:
        raise ConfigError(
            "the answer of the verbalized confidence is the letter that the model writes, which no letter prior changes: leave out --letter-prior, "
            "or choose another --signal"
        )
    fewest = FEWEST_TO_FIT if prior == "auto" else FOLDS
    if n < fewest:
        said = f"it takes {fewest} questions to see whether one is better, and there are {n}"
        if prior == "on":
            raise ConfigError(f"no letter prior can be estimated: {said}")
        return said
    return None


def _compared(change: Gain, plain: ChosenSignal, chosen: ChosenSignal) -> str:
    accuracy = change.accuracy
    said = [f"accuracy {percent(accuracy.before)} % without and {percent(accuracy.after)} % with it (difference {_points(accuracy)})"]
    if (auroc := change.auroc) is not None:
        said.append(
            f"AUROC {auroc.before:.3f} of the {plain.signal.words} without and {auroc.after:.3f} of the {chosen.signal.words} with it (difference "
            f"{auroc.difference:+.3f}, standard error {auroc.error:.3f})"
        )
    said.append(f"mean error among the answers kept {percent(change.aurc[0])} % and {percent(change.aurc[1])} %")
    return f"{', '.join(said)}; cross-fitted, n = {change.n}"


def _points(change: Change) -> str:
    return f"{100 * change.difference:+.1f} points, standard error {100 * change.error:.1f}"
