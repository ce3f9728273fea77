"""A calibration that a report shows: whether it is for the edge of the records, and what the report says about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import ConfigError
from app.data.calibration import Calibration
from app.data.records import Record


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


def about(calibration: Calibration) -> dict[str, Any]:
    """The entry of a calibration in `report.json`."""
    keys = {"target", "pooled", "scope", "seed", "n_fit", "n_test", "data_fingerprint", "created"}
    return calibration.model_dump(mode="json", include=keys)


def note(calibration: Calibration, domains: Sequence[str], fingerprints: Sequence[str], thresholds: Mapping[str, float]) -> list[str]:
    """Sentences about a calibration and the records of a report.

    Args:
        calibration: calibration that is served.
        domains: domains of the records.
        fingerprints: data fingerprints of the records; the calibration may have been made on any of them.
        thresholds: thresholds that are served, by domain; those of the settings take precedence over the calibration's.
    """
    said = [calibration.scope] if calibration.scope else []
    if calibration.data_fingerprint in fingerprints:
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
