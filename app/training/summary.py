"""`train.json`: what a training did, written before the adapter appears under its name."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from app.data.files import read_model, write_json

ADAPTER, SUMMARY_FILE = "adapter", "train.json"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Evaluation(_Part):
    """The adapter on dev rows after some optimiser steps; 0 is the checkpoint before the training.

    Attributes:
        step: number of optimiser steps.
        auroc: AUROC of the expected confidence; None where all answers are correct or all are wrong.
        accuracy: edge accuracy by the most probable option.
        mean: mean expected confidence.
    """

    step: int
    auroc: float | None
    accuracy: float
    mean: float


class JointSummary(_Part):
    """What a training through the one pass recorded besides; losses are means over the rows of a step, not weighted.

    Attributes:
        best_step: the step whose adapter was kept.
        evaluations: the dev rows, in the order of the steps.
        confidence: loss of the confidence at each step.
        letters: loss of the letters at each step.
        constant: loss of the confidence that the best answer that is the same for all rows would have.
        floor: loss of the confidence that the targets themselves would have.
        label_entropy: entropy in bits of the bucket labels of each domain.
    """

    best_step: int
    evaluations: list[Evaluation]
    confidence: list[float]
    letters: list[float]
    constant: float
    floor: float
    label_entropy: dict[str, float]


class TrainingSummary(_Part):
    """The content of `train.json`.

    Attributes:
        steps: optimiser steps.
        rows: rows that were trained on.
        new: new rows among them; None for symbol binding.
        replay: replayed rows among them; None for symbol binding.
        fixed_order: rows whose options were not shuffled, because they refer to each other.
        loss: loss at each step: in nats a token, or through the one pass the weighted sum of its two parts, a row.
        joint: what only a training through the one pass records.
    """

    steps: int
    rows: int
    new: int | None = None
    replay: int | None = None
    # Files of the first version do not say it: options were not shuffled then.
    fixed_order: int = 0
    loss: list[float]
    joint: JointSummary | None = None


def read_summary(folder: Path) -> TrainingSummary:
    """The summary in the folder of a round. Raises ConfigError."""
    return read_model(folder / SUMMARY_FILE, TrainingSummary, "training summary")


def write_summary(folder: Path, summary: TrainingSummary) -> None:
    """Write whole or not at all. Raises OSError."""
    content = summary.model_dump(mode="json", exclude_none=True)
    if summary.joint is not None:
        content["joint"]["evaluations"] = [entry.model_dump(mode="json") for entry in summary.joint.evaluations]
    write_json(folder / SUMMARY_FILE, content)
