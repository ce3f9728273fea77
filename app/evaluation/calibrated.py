"""A calibration beside records: whether both are of one edge, and what a report says of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import ConfigError
from app.data.calibration import Calibration
from app.data.records import Record


def check_records(calibration: Calibration, records: Sequence[Record], path: str) -> None:
    """Refuse records of another edge than the one that was calibrated, as the gateway refuses to serve it.

    Args:
        calibration: read from `path`.
        records: as `load_records` checked them: all of one edge.
        path: of the calibration, for people.

    Raises:
        ConfigError: what differs, both values.
    """
    first = records[0]
    # Records that do not know their weights cannot tell them apart.
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
    """What `report.json` says of the calibration that it shows."""
    keys = {"target", "pooled", "scope", "seed", "n_fit", "n_test", "data_fingerprint", "created"}
    return calibration.model_dump(mode="json", include=keys)


def note(calibration: Calibration, domains: Sequence[str], fingerprints: Sequence[str], thresholds: Mapping[str, float]) -> list[str]:
    """Sentences about a calibration and the records of a report.

    Args:
        calibration: what is served.
        domains: of the records.
        fingerprints: of the records' questions, any of which the calibration may have been made on.
        thresholds: those that are served; settings may win over the calibration.
    """
    said = [calibration.scope] if calibration.scope else []
    if calibration.data_fingerprint in fingerprints:
        said.append(
            f"The thresholds were chosen on half of these very questions (n = {calibration.n_fit}), so the numbers here flatter them; what they "
            f"achieve on the other half (n = {calibration.n_test}) stands in the calibration."
        )
    own = {name: domain.tau for name, domain in calibration.domains.items()}
    if changed := sorted(name for name, tau in thresholds.items() if own.get(name) != tau):
        said.append(f"The thresholds of {', '.join(changed)} are those of `policy.domains`, which win over the calibration's.")
    if foreign := [name for name in domains if name not in own and name not in calibration.pooled and own and name not in thresholds]:
        said.append(f"The calibration knows nothing of {', '.join(foreign)}: these get tau = {calibration.tau:.4g}, without a promise.")
    return said
