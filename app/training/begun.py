"""`chain.json`: what a run was begun with, so that nothing else goes on with it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.core.errors import ConfigError
from app.data.files import read_text
from app.training.config import GateConfig
from app.training.origin import differences

CHAIN = "chain.json"
# 1: options were not shuffled, the gate compared means, dtype and dev records were not kept.
VERSION = 2
_BEGUN_WITH = ("config", "base_fingerprint", "data_fingerprint", "prompt_version", "dtype")


def read_run(out: Path) -> dict[str, Any] | None:
    """The state of the run in a folder, None where there is none; that of an earlier version as this version writes it.

    Raises:
        ConfigError: `chain.json` cannot be read, or is of a later version.
    """
    path = out / CHAIN
    try:
        state = read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error})") from None
    if state.get("version", 1) > VERSION:
        raise ConfigError(f"{path} was written by a later version of foggate")
    return _with_data(_upgraded(state) if state.get("version", 1) == 1 else state)


def check_begun(out: Path, known: Mapping[str, Any], ours: Mapping[str, Any], *, trains: bool) -> None:
    """Refuse to go on with a run that was begun with something else.

    Args:
        out: the run's folder.
        known: what its `chain.json` says.
        ours: what would be written there now.
        trains: rounds are to be added; if not, gate and dtype may be others.

    Raises:
        ConfigError: it names what differs.
    """
    for key in _BEGUN_WITH:
        was, now = known.get(key), ours[key]
        # A run of version 1 does not say its dtype.
        if key == "dtype" and (was is None or not trains):
            continue
        if key == "config" and not trains:
            was, now = {**known["config"], "gate": None}, {**now, "gate": None}
        if found := differences(was, now):
            said = f" ({'; '.join(found)})" if key == "config" else f" ({was}, not {now})"
            raise ConfigError(f"{out} was begun with another {key.replace('_', ' ')}{said}; choose another --out")


def read_json(path: Path) -> dict[str, Any]:
    """What `app.data.files.write_json` wrote."""
    content: dict[str, Any] = json.loads(read_text(path))
    return content


def _with_data(state: dict[str, Any]) -> dict[str, Any]:
    """What runs could not be told when this one was begun was so."""
    config = state.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("data"), dict):
        return state
    return {**state, "config": {**config, "data": {"map": {}, "skip_bad": False, **config["data"]}}}


def _upgraded(state: dict[str, Any]) -> dict[str, Any]:
    """Version 1 → 2: what was not said was so."""
    config = dict(state["config"])
    config["sft"] = {**config["sft"], "shuffle_options": False}
    if config.get("warmup"):
        config["warmup"] = {**config["warmup"], "sft": {**config["warmup"]["sft"], "shuffle_options": False}}
    config["gate"] = {**GateConfig().model_dump(mode="json"), **config["gate"]}
    return {**state, "version": VERSION, "config": config, "dtype": None}
