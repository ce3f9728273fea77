"""A calibration that a report shows: whether it is for the edge of the records, and what the report says about it."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from app.core.errors import ConfigError
from app.core.fitted import Logistic
from app.core.verdict import Signal
from app.data.calibration import Calibration
from app.data.records import Record
from app.evaluation.letter_prior import corrected_records
from app.evaluation.permuted import reread, rule_of
from app.evaluation.split import fingerprint_of, halves
from app.evaluation.table import Table, answered, to_table


def check_records(calibration: Calibration, records: Sequence[Record], path: str) -> None:
    """Refuse records of another edge than the one that was calibrated, as the gateway refuses to serve it.

    Args:
        calibration: calibration that was read from `path`.
        records: records as `load_records` checked them, all of one edge.
        path: path of the calibration, for messages.

    Raises:
        ConfigError: what differs, both values.
    """
    first = records[0]
    # Older records do not hold a fingerprint of the weights, so it cannot differ.
    fingerprint = first.get("edge_fingerprint") or calibration.edge_fingerprint or ""
    found = calibration.difference(
        edge_model=str(first["edge_model"]),
        fingerprint=str(fingerprint),
        prompt_version=str(first["prompt_version"]),
        prompt_fingerprint=next((str(rendered) for record in records if (rendered := record.get("prompt_fingerprint"))), None),
    )
    if found:
        what, calibrated, recorded = found
        raise ConfigError(
            f"{path} is for another {what}: it was made with {calibrated}, the records with {recorded}; "
            "no gateway serves one with the other, so there is nothing to report"
        )


class ModelOf(TypedDict):
    """The arguments of `to_table` about the signal `fitted`."""

    fitted: Logistic | None
    held_out: frozenset[str] | None


def model_of(calibration: Calibration | None, records: Sequence[Record]) -> ModelOf:
    """The model of a calibration, and the ids of the records that had no part in fitting it.

    Where the calibration was made of these very records, in this order, the split by its seed gives its halves again. Otherwise no record
    counts as one that had a part.
    """
    if calibration is None or calibration.fitted is None:
        return {"fitted": None, "held_out": None}
    whole = answered(records, cloud_needed=calibration.target.kind == "accuracy")
    fit, test = halves(len(whole), calibration.seed)
    if fingerprint_of(whole[number] for number in test.tolist()) != calibration.test_fingerprint:
        return {"fitted": calibration.logistic, "held_out": None}
    fitted_on = {str(whole[number]["id"]) for number in fit.tolist()}
    return {"fitted": calibration.logistic, "held_out": frozenset(str(record["id"]) for record in records) - fitted_on}


def served_table(
    records: Sequence[Record], calibration: Calibration | None, *, temperature: float = 1.0, cloud_needed: bool = False
) -> Table:
    """Columns of the records with an edge answer, with the numbers that a gateway with this calibration compares with its thresholds.

    Args:
        records: records as `load_records` checked them.
        calibration: calibration that is served; None without one.
        temperature: temperature of the expected confidence.
        cloud_needed: whether to leave out the records without a cloud answer.

    Raises:
        ConfigError: as `to_table` does; the calibration is for other numbers of options than every question has; or it reads questions again, and the
            records do not hold that.
    """
    seen = records
    if calibration is not None:
        seen = corrected_records(records, calibration.prior, reread=calibration.permutation is not None)
    served = None if calibration is None else calibration.option_numbers
    table = to_table(seen, temperature=temperature, cloud_needed=cloud_needed, option_numbers=served, **model_of(calibration, records))
    if served is not None and not all(len(table.judging(name)) for name in table.signals):
        raise ConfigError(
            f"the calibration is for questions with {served} options, and no question of the records that could judge it is one: every question goes to the cloud, "
            "so there is nothing to report; calibrate on questions like these, or report without the calibration"
        )
    if calibration is None or calibration.permutation is None:
        return table
    rule = rule_of(table, calibration.permutation.band)
    if rule.reads != calibration.permutation.reads:
        raise ConfigError(f"the calibration reads {calibration.permutation.reads} orders of the options, and the records hold {rule.reads}")
    return reread(table, rule, list(Signal), temperature=temperature, fitted=calibration.logistic)


def about(calibration: Calibration) -> dict[str, Any]:
    """The entry of a calibration in `report.json`."""
    keys = {"target", "pooled", "scope", "seed", "n_fit", "n_test", "data_fingerprint", "created"}
    return calibration.model_dump(mode="json", include=keys | ({"letter_prior"} if calibration.letter_prior is not None else set()))


def note(
    calibration: Calibration,
    domains: Sequence[str],
    fingerprints: Sequence[str],
    thresholds: Mapping[str, float],
    *,
    held_out: int | None = None,
) -> list[str]:
    """Sentences about a calibration and the records of a report.

    Args:
        calibration: calibration that is served.
        domains: domains of the records.
        fingerprints: data fingerprints of the records; the calibration may have been made on any of them.
        thresholds: thresholds that are served, by domain; those of the settings take precedence over the calibration's.
        held_out: number of questions of the report that had no part in fitting the signal `fitted`; None where no such part is known.
    """
    said = [calibration.scope] if calibration.scope else []
    if calibration.letter_prior is not None:
        said.append(
            "The calibration divides a letter prior out of the model's distributions over the options: accuracy and signals are those of the corrected "
            "distributions, as a gateway serves them. The verbalized confidence, its letter and the order check are the model's own."
        )
    made_here = calibration.data_fingerprint in fingerprints
    if made_here and held_out is not None:
        said.append(
            f"The quality of the fitted probability is measured on the n = {held_out} questions that had no part in fitting it, as is its comparison with "
            "other signals (with those of them that go to the cloud for their number of options); the quality of the other signals on all questions that the calibration is for."
        )
    if made_here:
        said.append(
            f"The thresholds were chosen on half of these very questions (n = {calibration.n_fit}), so the numbers here are too good; what they "
            f"achieve on the other half (n = {calibration.n_test}) is written in the calibration."
        )
    own = {name: domain.tau for name, domain in calibration.domains.items()}
    if changed := sorted(name for name, tau in thresholds.items() if own.get(name) != tau):
        said.append(f"The thresholds of {', '.join(changed)} are those of `policy.domains`, which take precedence over the calibration's.")
    if foreign := [name for name in domains if name not in own and name not in calibration.pooled and own and name not in thresholds]:
        said.append(
            f"The calibration holds no question of {', '.join(foreign)}: tau = {calibration.tau:.4g} is used there, without a promise."
        )
    return said
