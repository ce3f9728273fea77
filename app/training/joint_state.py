"""A training through the one pass while it runs: what must be known to continue it after a kill, in one file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from app.core.errors import ConfigError
from app.training.summary import Evaluation

STATE = "training.state"
Weights = dict[str, torch.Tensor]


@dataclass(slots=True)
class TrainingState:
    """Where a training is.

    Attributes:
        origin: digest of everything that the training depends on.
        step: optimiser steps that are done.
        weights: the adapter by name of its parameters; empty before the first step is saved.
        best: the adapter with the best evaluation so far.
        optimizer: state of the optimiser.
        confidence: loss of the confidence at each step.
        letters: loss of the letters at each step.
        loss: weighted loss at each step.
        evaluations: what was measured on dev rows, step 0 first.
    """

    origin: str
    step: int = 0
    weights: Weights = field(default_factory=dict)
    best: Weights = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    confidence: list[float] = field(default_factory=list)
    letters: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)

    @property
    def best_step(self) -> int:
        """The step with the best AUROC, the later of equals; 0 before the first evaluation of a trained adapter."""
        trained = [entry for entry in self.evaluations if entry.step]
        # An AUROC that is not defined orders nothing.
        return max(trained, key=lambda entry: (entry.auroc or 0.0, entry.step)).step if trained else 0

    def is_over(self, total: int, patience: int) -> bool:
        """Whether all steps are done, or so many evaluations in a row were no better than an earlier one (0 = never)."""
        since = sum(entry.step > self.best_step for entry in self.evaluations)
        return self.step >= total or (patience > 0 and since >= patience)


def save(folder: Path, state: TrainingState) -> None:
    """Write whole or not at all. Raises OSError."""
    scratch = folder / (STATE + ".partial")
    content = {name: getattr(state, name) for name in state.__slots__} | {
        "evaluations": [entry.model_dump() for entry in state.evaluations]
    }
    torch.save(content, scratch)
    scratch.replace(folder / STATE)


def load(folder: Path, origin: str) -> TrainingState:
    """The state that a folder holds; a new one where it holds none, or that of a training with other rows or weights.

    Raises:
        ConfigError: the file is damaged.
    """
    path = folder / STATE
    if not path.exists():
        return TrainingState(origin)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state = TrainingState(**{**content, "evaluations": [Evaluation.model_validate(entry) for entry in content["evaluations"]]})
    except Exception as error:
        raise ConfigError(f"{path} is damaged: delete it, and the training of this round begins anew") from error
    return state if state.origin == origin else TrainingState(origin)


def clear(folder: Path) -> None:
    """Delete the state of a training that is finished."""
    for name in (STATE, STATE + ".partial"):
        (folder / name).unlink(missing_ok=True)
