"""The files that `foggate tune` writes beside the records: the configuration of the tuned gateway, and the page about it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.config.tree import env_name
from app.config.written import settings_content, settings_yaml

if TYPE_CHECKING:
    from app.config.settings import Settings

GATEWAY, PAGE, CALIBRATION, RECORDS = "gateway.yaml", "index.html", "calibration.json", "records.jsonl"
# A configuration that somebody has changed by hand is kept under this name.
_BEFORE = "gateway.yaml.before"
_SEAL = "# Fingerprint of what foggate tune wrote: "


def tuned_settings(settings: "Settings", calibration: Path) -> "tuple[Settings, list[str]]":
    """The settings of a gateway with a calibration; and sentences about thresholds of theirs that it replaces.

    Args:
        settings: settings that the answers were collected with.
        calibration: path of the calibration.
    """
    policy = settings.policy
    replaced = {
        "policy.tau": policy.tau is not None,
        "policy.signal": policy.signal is not None,
        "policy.domains": bool(policy.domains),
        "policy.calibration": policy.calibration is not None,
    }
    ours = policy.model_copy(update={"tau": None, "signal": None, "domains": {}, "calibration": calibration.resolve()})
    gone = [name for name, was_set in replaced.items() if was_set]
    said = [f"The new configuration holds the new calibration instead of your {' and '.join(gone)}."] if gone else []
    return settings.model_copy(update={"policy": ours}), said


def write_gateway(path: Path, settings: "Settings", about: Sequence[str]) -> list[str]:
    """Write the configuration file of a gateway, whole or not at all.

    Args:
        path: path of the file; one that was changed by hand is kept beside it.
        settings: settings of the gateway; what may be secret in them is not written.
        about: comments at the head of the file.

    Returns:
        Sentences about what is not in the file, and about a file that was kept. Raises OSError.
    """
    content, left_out = settings_content(settings)
    said = []
    if left_out:
        names = ", ".join(f"{name} ({env_name(name)})" for name in left_out)
        said.append(f"Not in {path.name}, because it may be secret: {names}. Set it in the environment of the gateway.")
    text = settings_yaml(content, [*about, *said])
    if path.exists() and not _is_ours(path):
        path.replace(path.with_name(_BEFORE))
        said.append(f"{path.name} was changed by hand; the changed file is kept as {_BEFORE}.")
    scratch = path.with_name(path.name + ".partial")
    scratch.write_text(f"{_SEAL}{_fingerprint(text)}\n{text}", encoding="utf-8")
    scratch.replace(path)
    return said


def _is_ours(path: Path) -> bool:
    """Whether a file is what `write_gateway` wrote, without a change."""
    try:
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    except ValueError:  # no UTF-8
        return False
    return first == _SEAL + _fingerprint(rest)


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
