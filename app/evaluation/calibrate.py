"""Records → thresholds that reach a target: chosen on one half of the questions, checked on the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from app.core.buckets import BUCKETS
from app.core.errors import ConfigError
from app.core.permutation import Permutation
from app.core.verdict import Signal
from app.data.calibration import ROUTES_ALL, Achieved, Calibration, DomainThreshold, PermutationRule, split_name, version_of
from app.data.fitted import FittedModel
from app.data.records import Record
from app.data.target import Target
from app.evaluation import statistics as st
from app.evaluation.cells import questions
from app.evaluation.choose import Choice, Chooser, listed
from app.evaluation.choose_prior import PriorMode, choose_reading, prior_model
from app.evaluation.choose_signal import ChosenSignal
from app.evaluation.curve import curve_of
from app.evaluation.groups import Groups, group, scope
from app.evaluation.judge import Judge
from app.evaluation.options_covered import counts_of, left_out, within
from app.evaluation.permuted import reread, reread_share, rule_of
from app.evaluation.recommend import WITHOUT_CLOUD, WITHOUT_COVERED, recommend
from app.evaluation.signals import Quality, quality_of
from app.evaluation.sizes import FEWEST, check_sizes, regrouped
from app.evaluation.split import fingerprint_of, halves
from app.evaluation.table import Table, has_cloud, to_table
from app.evaluation.temperature import calibration_errors, fit_temperature


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibration, and sentences about it.

    Attributes:
        calibration: content of the file.
        notes: sentences that a reader must know (how the signal and a letter prior were chosen, pooled domains, reachable rates, how delta
            was shared).
        temperature_report: log loss, Brier score and ECE on the test half before and after; empty without a temperature.
        signals: how good each signal is on the test half, by name; `fitted` among them where a model was fitted.
        signals_without: the same without the letter prior; empty where there is none.
    """

    calibration: Calibration
    notes: tuple[str, ...]
    temperature_report: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    signals: Mapping[str, Quality] = field(default_factory=dict)
    signals_without: Mapping[str, Quality] = field(default_factory=dict)


def calibrate(
    records: Sequence[Record],
    *,
    target: Target,
    signal: Signal | None = None,
    keep_fitted: bool = False,
    with_temperature: bool = False,
    permutation_band: float | None = None,
    letter_prior: PriorMode = "off",
    min_domain: int = 100,
    seed: int = 0,
    today: date,
    resamples: int = 2000,
    with_curve: bool = True,
) -> Fit:
    """Choose the thresholds.

    Args:
        records: records as `load_records` checked them.
        target: what the thresholds must reach.
        signal: the number that is compared with the thresholds. None, and `fitted`, take `fitted` where it is better than the best single
            signal by more than the standard error, else that single signal; with a temperature None is the expected confidence.
        keep_fitted: whether `fitted` is taken although it is not better.
        with_temperature: whether to fit a temperature of the expected confidence first.
        permutation_band: width of the band below tau in which a question is read again in other orders of its options; None reads each once.
        letter_prior: whether a letter prior is divided out of the records' distributions first: `auto` where it is better (`choose_reading`), `on` in any
            case, `off` never.
        min_domain: fewest questions of the fit half for which a domain gets its own threshold; smaller domains share one.
        seed: seed of the split into halves, of the certification's split, of the folds of cross-fitting and of the bootstrap.
        today: date that is written into the file.
        resamples: number of bootstrap resamples behind the intervals.
        with_curve: whether the file holds the curve of other thresholds, whose exact intervals take most of the time.

    Raises:
        ConfigError: too few questions; records without the signal; a target that cannot be reached, with the best that can be; or a temperature on
            another signal. Pooled domains that do not reach the target prevent nothing: a note says which threshold they get.
    """
    signal = signal or (Signal.EXPECTED if with_temperature else Signal.FITTED if keep_fitted else None)
    if with_temperature and signal is not Signal.EXPECTED:
        raise ConfigError("a temperature changes the expected confidence only: add --signal expected")
    if keep_fitted and signal is not Signal.FITTED:
        raise ConfigError(f"--keep-fitted keeps the signal 'fitted', and --signal asks for '{signal}': leave out one of the two")
    # Only an accuracy needs the cloud's answers: a cloud rate and an edge error are chosen on every question.
    needs_cloud = target.kind == "accuracy"
    if needs_cloud and not any(has_cloud(record) for record in records):
        raise ConfigError(
            "--target-accuracy is about edge and cloud together, and no record has a cloud answer: collect with a cloud (or with "
            "--cloud-records), or choose by --max-edge-error or --target-cloud-rate, which need none"
        )
    plain = to_table(records, cloud_needed=needs_cloud)
    if signal not in {None, Signal.FITTED}:
        plain.check_signal(signal)
    fit_rows, test_rows = halves(len(plain), seed)
    check_sizes(len(plain), target, min_domain)
    groups = group(plain.rows(fit_rows), plain.domains, per_domain=target.per_domain, min_domain=min_domain)
    proposing = groups.proposing(plain.rows(fit_rows), seed)
    # The questions that test the promise of an edge error must have had no part in any choice before: of a prior, a signal, a model, a temperature.
    plain, fitted_on = within(plain, fit_rows[proposing] if target.kind == "edge_error" else fit_rows)
    groups = regrouped(groups, plain, (fit_rows, test_rows), target, min_domain)
    reading = choose_reading(
        plain, fitted_on, wanted=signal, keep_fitted=keep_fitted, seed=seed, prior=letter_prior, reread=permutation_band is not None
    )
    chosen, table = reading.chosen, reading.chosen.table
    temperature, temperature_report = 1.0, {}
    if with_temperature:
        untempered = table
        temperature = fit_temperature(untempered.rows(fitted_on)) if len(fitted_on) else 1.0
        table = to_table(untempered.records.tolist(), temperature=temperature, cloud_needed=False, option_numbers=untempered.option_numbers)
        judging = test_rows[table.covered[test_rows]]
        temperature_report = {
            "before": calibration_errors(untempered.rows(judging)),
            "after": calibration_errors(table.rows(judging)),
        }
    first_read, rule = table, None
    if permutation_band is not None:
        rule = rule_of(table, permutation_band)
        if chosen.signal is Signal.VERBALIZED:
            raise ConfigError("--permutation-band needs a signal with a mean over several orders of the options: choose another --signal")
        table = reread(table, rule, [chosen.signal], temperature=temperature, fitted=chosen.model)
    fit, test = table.rows(fit_rows), table.rows(test_rows)
    # All promises hold together with probability 1 - delta: each gets its share of it (Bonferroni).
    chooser = Chooser(target, chosen.signal, delta=(target.delta or 0.0) / groups.promises)
    own = {name: chooser.choose(fit.of(name), proposing[fit.domain == name], f"the domain '{name}'") for name in groups.own}
    shared = _choose_shared(chooser, fit, proposing, groups)
    taus = np.array([own.get(name, shared.tau) for name in test.domain.tolist()])
    judge = Judge(chosen.signal, target, resamples, seed)
    achieved = judge.judge(test, taus)
    assert achieved is not None  # noqa: S101  # for mypy: the test half is never smaller than the fit half
    models = {split_name(str(record["edge_model"])) for record in table.records}
    model, adapter = next(iter(models))
    signals = quality_of(test, resamples=resamples, seed=seed)
    held_prior = prior_model(reading, test_rows[table.covered[test_rows]], resamples=resamples, seed=seed)
    options = counts_of(table)
    calibration = Calibration(
        version=version_of(options=options is not None, letter_prior=held_prior is not None),
        signal=chosen.signal,
        temperature=temperature,
        tau=shared.tau,
        domains={
            name: DomainThreshold(tau=tau, n=groups.sizes[name], achieved=judge.judge(test.of(name), tau)) for name, tau in own.items()
        },
        pooled=list(groups.pooled),
        target=target,
        achieved=achieved,
        n_shared=int(groups.shared(fit).sum()),
        achieved_shared=judge.judge(test.rows(groups.shared(test)), shared.tau) if groups.own else None,
        scope=scope(groups, target, table.option_numbers, shared_missed=shared.missed is not None),
        # What goes to the cloud for its number of options is no merit of the signal.
        recommendation=_recommendation(
            judge.judge(test.rows(test.covered), taus[test.covered]) or achieved, cloud=bool(test.cloud_known.any())
        ),
        n_fit=len(fit),
        n_test=len(test),
        seed=seed,
        data_fingerprint=fingerprint_of(table.records),
        edge_model=model,
        edge_adapter=adapter,
        edge_fingerprint=table.records[0].get("edge_fingerprint"),
        prompt_version=str(table.records[0]["prompt_version"]),
        prompt_fingerprint=next((found for record in table.records if (found := record.get("prompt_fingerprint"))), None),
        cloud_model=sorted({str(record.get("cloud_model")) for record in table.records if record["cloud_answer"] is not None}),
        created=today,
        fitted=_model(chosen, signals),
        permutation=None if rule is None else _rule(rule, first_read.rows(test_rows).signal[chosen.signal.value], taus),
        test_fingerprint=fingerprint_of(test.records),
        curve=curve_of(test, chosen.signal, chosen=shared.tau) if with_curve else None,
        letter_prior=held_prior,
        options=options,
    )
    said = [*reading.notes, *_notes(fit, chooser, groups, shared, min_domain), *_about(records, plain, calibration)]
    without = {} if held_prior is None else quality_of(reading.plain.table.rows(test_rows), resamples=resamples, seed=seed)
    return Fit(calibration, tuple(said), temperature_report, signals, without)


def _rule(rule: Permutation, first: st.Floats, taus: st.Floats) -> PermutationRule:
    """The rule as the file holds it, with the share of the test half that it reads again."""
    return PermutationRule(reads=rule.reads, band=rule.band, reread_share=reread_share(first, rule, taus))


def _model(chosen: ChosenSignal, signals: Mapping[str, Quality]) -> FittedModel | None:
    """The model of the signal `fitted` as the file holds it; None with another signal."""
    if chosen.model is None:
        return None
    model, found = chosen.model, signals[Signal.FITTED.value]
    return FittedModel(
        features=model.features,
        weights=model.weights,
        intercept=model.intercept,
        lowest=model.lowest,
        highest=model.highest,
        n=chosen.n,
        auroc=found["auroc"],
        auroc_ci=found["auroc_ci"],
        ece=found["ece"],
        brier=found["brier"],
    )


def _choose_shared(chooser: Chooser, fit: Table, proposing: np.ndarray, groups: Groups) -> Choice:
    """The threshold of every question whose domain has none of its own; raises ConfigError only where no domain has one."""
    rows = groups.shared(fit)
    if not groups.own:
        return Choice(chooser.choose(fit.rows(rows), proposing[rows], groups.where))
    n = int((rows & fit.covered).sum())
    if n >= FEWEST or chooser.target.kind == "edge_error":
        return chooser.attempt(fit.rows(rows), proposing[rows], groups.where)
    missed = f"the fit half holds {questions(n)} of {groups.where}, and {FEWEST} are needed"
    return Choice(chooser.attempt(fit, proposing, "all domains together").tau, missed, "the threshold of all domains together")


def _recommendation(achieved: Achieved, *, cloud: bool) -> str:
    if achieved.lift is None:
        return WITHOUT_COVERED if cloud else WITHOUT_CLOUD
    n = achieved.n if achieved.n_cloud is None else achieved.n_cloud
    return recommend(n=n, cloud_rate=achieved.cloud_rate, lift=achieved.lift, lift_ci=achieved.lift_ci)


def _about(records: Sequence[Record], table: Table, found: Calibration) -> list[str]:
    """What the data lack, and whether the thresholds route everything or nothing of the test half."""
    said = []
    known = int(table.cloud_known.sum())
    if found.target.kind == "accuracy" and len(table) < len(records):
        said.append(f"{len(records) - len(table)} of {len(records)} questions lack an edge or a cloud answer and are left out")
    if not known:
        said.append("no question has a cloud answer: accuracy and lift of the system are unknown; the thresholds do not need them")
    elif known < len(table):
        said.append(f"{len(table) - known} of {len(table)} questions have no cloud answer: accuracy and lift are measured on the others")
    if outside := left_out(table, "of the data"):
        said.append(outside)
    if gone := sorted({str(record["domain"]) for record in records} - set(table.domains)):
        said.append(f"no question of {', '.join(gone)} has an edge answer, so {'they are' if len(gone) > 1 else 'it is'} left out")
    if found.achieved.lift is None and found.achieved.cloud_rate in {0.0, 1.0}:
        where = "goes to the cloud" if found.achieved.cloud_rate else "stays on the edge"
        said.append(f"every question of the test half (n = {found.n_test}) {where}")
    return said


def _notes(fit: Table, chooser: Chooser, groups: Groups, shared: Choice, min_domain: int) -> list[str]:
    signal, target = chooser.signal, chooser.target
    notes = []
    if signal is Signal.VERBALIZED:
        values = np.sort(fit.signal[signal.value])
        rates = np.searchsorted(values, np.array(BUCKETS), side="left") / len(values)
        notes.append(f"with five buckets the reachable cloud rates are {listed(rates)} (fit half)")
    if groups.pooled:
        named = ", ".join(f"{name} ({groups.sizes[name]})" for name in groups.pooled)
        notes.append(f"pooled, because they have fewer than {min_domain} questions in the fit half: {named}; they share one threshold")
    if shared.missed:
        served = (
            f"all of their questions go to the cloud (tau = {ROUTES_ALL:g})"
            if target.kind == "edge_error"
            else f"they get {shared.serves}, {shared.tau:.4g}"
        )
        notes.append(f"{shared.missed}; {served}")
    if target.kind == "edge_error" and groups.promises > 1:
        notes.append(
            f"delta is shared among {groups.promises} promises, so that all hold together: each is tested at "
            f"{(target.delta or 0) / groups.promises:.3g}"
        )
    return notes
