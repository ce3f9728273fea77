"""`chain.json` of earlier versions in the form of this version. A new setting of a chain gets a version here."""

from collections.abc import Mapping
from typing import Any, Literal

from app.training.config import GateConfig, JointConfig

# 1: options were not shuffled, the gate compared means, the dtype and dev records were not kept.
# 2: symbol binding was called a warm-up, in the file and in the name of its folder.
# 3: the loss was always that of the tokens, and the confidence target one bucket.
VERSION: Literal[4] = 4


def upgraded(content: Mapping[str, Any], version: int) -> dict[str, Any]:
    """The content of `chain.json` in the form of this version. What an earlier file does not say was the only way to do it then.

    Args:
        content: JSON object of the file.
        version: version of the file, from 1 to `VERSION`.

    Raises:
        KeyError, TypeError, AttributeError: parts of the config are missing or of another type.
    """
    state = dict(content)
    if version == 1:
        state = _from_version_1(state)
    if version <= 2:  # noqa: PLR2004  # the version's number
        state = _from_version_2(state)
    return _from_version_3(state) if version <= 3 else state  # noqa: PLR2004


def _from_version_1(state: Mapping[str, Any]) -> dict[str, Any]:
    config = dict(state["config"])
    config["sft"] = {**config["sft"], "shuffle_options": False}
    if config.get("warmup"):
        config["warmup"] = {**config["warmup"], "sft": {**config["warmup"]["sft"], "shuffle_options": False}}
    config["gate"] = {**GateConfig().model_dump(mode="json"), **config["gate"]}
    return {**state, "config": config, "dtype": None}


def _from_version_2(state: Mapping[str, Any]) -> dict[str, Any]:
    config = {("binding" if key == "warmup" else key): value for key, value in state["config"].items()}
    # The first runs of version 2 could not be told these.
    config["data"] = {"map": {}, "skip_bad": False, **config["data"]}
    renewed = {("binding" if key == "warmup" else key): value for key, value in state.items()}
    if entry := renewed.get("binding"):
        held_out = {key.replace("right_", "correct_"): value for key, value in entry["held_out"].items()}
        renewed["binding"] = {**entry, "held_out": held_out}
    return {**renewed, "config": config}


def _from_version_3(state: Mapping[str, Any]) -> dict[str, Any]:
    config = dict(state["config"])
    config["labels"] = {**config["labels"], "target": "hard"}
    config |= {"loss": "tokens", "joint": JointConfig().model_dump(mode="json")}
    return {**state, "version": VERSION, "config": config}
