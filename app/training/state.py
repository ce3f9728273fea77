"""The state of a run as `chain.json` holds it: its models, reading and writing, and what must be the same for a run to continue.

This module knows the file's form and nothing of weights or rows; `chain.py` decides when the file is written.
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from app.core.errors import ConfigError
from app.data.files import read_text, write_json
from app.training.config import EvolveConfig
from app.training.origin import differences
from app.training.upgrade import VERSION, upgraded

STATE_FILE = "chain.json"
_BEGUN_WITH = ("config", "base_fingerprint", "data_fingerprint", "prompt_version", "dtype")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Source(_Part):
    """How many of the trained rows of a domain come from one source under one licence; empty texts where the rows name none."""

    domain: str
    source: str
    license: str
    rows: int


class HeldOut(_Part):
    """Edge accuracy on held-out generated questions before and after symbol binding; fractions."""

    rows: int
    correct_before: float
    correct_after: float


class BindingEntry(_Part):
    """What symbol binding did before R0.

    Attributes:
        new_rows: generated questions that were trained on.
        replay_rows: always 0; the key stands here as in a round.
        domain: always `generated`.
        steps: optimiser steps.
        held_out: accuracy on generated questions of words that training never shows.
        checkpoint: fingerprint of the weights after it.
        seconds: duration by step (`train`, `measure`).
    """

    new_rows: int
    replay_rows: int
    domain: str
    steps: int
    held_out: HeldOut
    checkpoint: str
    seconds: dict[str, float]


class CheckEntry(_Part):
    """One comparison of the gate, rounded to six digits; the fields are those of `app.training.gate.Check`."""

    name: str
    loss: float
    at_least: float
    p: float | None
    refused: bool


class Comparison(_Part):
    """What the gate compared: the folder of the last promoted checkpoint (`R03`, or `base`), and every check."""

    against: str
    checks: list[CheckEntry]


class RoundEntry(_Part):
    """One finished round.

    Attributes:
        round: number of the round; 0 is the calibration buffer.
        domain: domain of the new rows; None for R0.
        new_rows: new questions that got a label.
        replay_rows: replayed questions of earlier rounds.
        buckets: number of new rows by confidence target.
        steps: optimiser steps.
        trained_on: fingerprint of the weights that the adapter was trained on.
        checkpoint: fingerprint of the weights with the adapter merged.
        promoted: the gate's decision.
        reasons: why the checkpoint was not promoted, one sentence each.
        gate: what the gate compared; None where a run of version 1 was never measured row by row.
        kept: whether later rounds are trained on this checkpoint.
        seconds: duration by step (`label`, `train`, `measure`).
    """

    round: int
    domain: str | None
    new_rows: int
    replay_rows: int
    buckets: dict[str, int]
    steps: int
    trained_on: str
    checkpoint: str
    promoted: bool
    reasons: list[str]
    gate: Comparison | None = None
    kept: bool
    seconds: dict[str, float]

    @property
    def name(self) -> str:
        """Name of the round and of its folder: `R03`."""
        return round_name(self.round)

    @property
    def decision(self) -> str:
        """The gate's decision as a sentence."""
        return "promoted" if self.promoted else "not promoted: " + "; ".join(self.reasons)


class ChainState(_Part):
    """The content of `chain.json`.

    Attributes:
        config: settings of the chain, with the defaults of the version that began it.
        base_fingerprint: fingerprint of the base model's weights.
        data_fingerprint: fingerprint of which row is used where.
        prompt_version: version of the prompt that is trained.
        dtype: dtype that is computed in; None in a run of version 1 that was not continued since.
        dev_rows: number of dev rows, over all domains.
        left_out: rows of the training files that are not used, by reason.
        sources: where the trained rows come from.
        binding: what symbol binding did; None where the config does not ask for it, or before it is finished.
        rounds: the finished rounds in order, R0 first.
    """

    version: Literal[4] = VERSION
    config: EvolveConfig
    base_fingerprint: str
    data_fingerprint: str
    prompt_version: str
    dtype: str | None
    dev_rows: int
    left_out: dict[str, int]
    sources: list[Source]
    binding: BindingEntry | None = None
    rounds: list[RoundEntry] = []

    @property
    def kept(self) -> list[RoundEntry]:
        """The rounds whose adapters later rounds are trained on."""
        return [entry for entry in self.rounds if entry.kept]

    @property
    def promoted(self) -> int | None:
        """Number of the last promoted round; None if there is none."""
        return next((entry.round for entry in reversed(self.rounds) if entry.promoted), None)


def round_name(number: int) -> str:
    """Name of a round and of its folder: `R03`."""
    return f"R{number:02d}"


def write_state(out: Path, state: ChainState) -> None:
    """Write `chain.json` whole or not at all. Raises OSError."""
    write_json(out / STATE_FILE, state.model_dump(mode="json"))


def read_state(out: Path) -> ChainState | None:
    """The state of the run in a folder, that of an earlier version as this version would have written it; None where there is no run.

    Raises:
        ConfigError: `chain.json` cannot be read, is damaged, or was written by a later version.
    """
    path = out / STATE_FILE
    try:
        content = json.loads(read_text(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): restore the file from a copy, or begin a new run in another folder") from None
    version = content.get("version", 1) if isinstance(content, dict) else None
    if not isinstance(version, int) or version < 1:
        raise ConfigError(f"{path} is not the state of a run; choose another folder")
    if version > VERSION:
        raise ConfigError(f"{path} was written by a later version of foggate; use that version, or choose another --out")
    try:
        current = upgraded(content, version)
        state = ChainState.model_validate(current)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(_damaged(path, f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}")) from None
    except (KeyError, TypeError, AttributeError):
        raise ConfigError(_damaged(path, "parts of its config are missing")) from None
    # A setting that did not exist yet must not get today's default without a word.
    if unsaid := differences(current["config"], state.config.model_dump(mode="json")):
        raise ConfigError(_damaged(path, f"its config lacks settings of this version ({'; '.join(unsaid)})"))
    return state


def check_same_run(out: Path, known: ChainState, ours: ChainState, *, trains: bool) -> None:
    """Refuse to continue a run that was begun with something else.

    Args:
        out: folder of the run.
        known: content of its `chain.json`.
        ours: content that would be written there now.
        trains: whether rounds are to be added; if not, the gate and the dtype may be others.

    Raises:
        ConfigError: the message names what differs.
    """
    before, after = known.model_dump(mode="json"), ours.model_dump(mode="json")
    for key in _BEGUN_WITH:
        was, now = before[key], after[key]
        # A run of version 1 does not say its dtype.
        if key == "dtype" and (was is None or not trains):
            continue
        if key == "config" and not trains:
            was, now = {**was, "gate": None}, {**now, "gate": None}
        if found := differences(was, now):
            said = f" ({'; '.join(found)})" if key == "config" else f" ({was}, not {now})"
            raise ConfigError(f"{out} was begun with another {key.replace('_', ' ')}{said}; choose another --out")


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path} cannot be used: {why}. Restore the file from a copy, use the version of foggate that wrote it, "
        "or begin a new run in another folder"
    )
