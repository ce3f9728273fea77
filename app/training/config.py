"""The settings of a chain: one YAML file, unknown keys refused.

Defaults are those of FogGen (issai/foggen and issai/foggen-gemma3-1b on the Hugging Face hub) where its model cards give them.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.config.loading import read_yaml, sentences
from app.core.buckets import BUCKETS
from app.core.errors import ConfigError
from app.data.readers.mapping import parse_map
from app.data.readers.sources import is_hub_name

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LoraConfig(_Part):
    r: Positive = 16
    alpha: Positive = 32
    dropout: Share = 0.0
    # Only the last so many layers are trained; null = all. The gradient then ends there, which saves time and memory.
    last_layers: Positive | None = None


class SftConfig(_Part):
    """One round's supervised fine-tuning."""

    learning_rate: Rate = 5e-5
    epochs: Positive = 2
    # Rows per optimiser step, and rows per forward pass; the first is a multiple of the second.
    batch_size: Positive = 16
    micro_batch_size: Positive = 8
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.03
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Rate = 1.0
    gradient_checkpointing: bool = False
    # The system prompt, which all rows begin with, is computed once a batch (not with gradient
    # checkpointing, nor for models with sliding windows).
    share_prefix: bool = True
    # The options of every row, and with them the letters, stand in another order in each epoch, by seed.
    shuffle_options: bool = True


class BindingSftConfig(SftConfig):
    """Fine-tuning of symbol binding: that of a round, at a learning rate at which binding is learned."""

    learning_rate: Rate = 1e-3
    epochs: Positive = 1
    batch_size: Positive = 8


class BindingConfig(_Part):
    """Symbol binding before R0: generated questions that teach a small base to bind an option's content to its letter."""

    rows: Positive = 1200
    lora: LoraConfig = LoraConfig()
    sft: BindingSftConfig = BindingSftConfig()


class LabelConfig(_Part):
    """How a checkpoint's confidence target is made."""

    source: Literal["gold", "teacher"] = "teacher"
    samples: Positive = 8
    temperature: Rate = 0.7
    method: Literal["exact", "sample"] = "exact"
    # hard: the bucket; soft: the exact distribution of the bucket that the method `sample` draws (with loss: joint only).
    target: Literal["hard", "soft"] = "hard"
    # Bucket of k = 0 … samples correct draws; null = the nearest lower quarter of k / samples.
    buckets: list[float] | None = None
    # Share of a round's questions on which the teacher may name no option before the run stops.
    max_unlabelled: Share = 0.1
    # Oversample rows of rare buckets up to the size of the largest one.
    balance: bool = False
    # Replayed rows get a new bucket from the current checkpoint instead of keeping that of their round.
    relabel_replay: bool = False


class JointConfig(_Part):
    """The loss through the one pass (`loss: joint`; app/training/joint_loss.py)."""

    # The confidence: cross-entropy with the target, or the tokenised Brier score of ConfTuner.
    confidence_loss: Literal["cross_entropy", "brier"] = "cross_entropy"
    # The letters: kept as the checkpoint has them before the round, or learned from the correct answer.
    letters: Literal["keep", "gold"] = "keep"
    confidence_weight: Weight = 1.0
    letters_weight: Weight = 1.0
    # Optimiser steps between two evaluations on dev rows; the adapter with the best AUROC of the expected confidence is kept.
    evaluate_every: Positive = 25
    # So many dev rows, spread over the domains; null = all.
    evaluate_rows: Positive | None = None
    # The training stops after so many evaluations in a row without a better one; 0 = never.
    patience: Count = 4


class GateConfig(_Part):
    """When a checkpoint is promoted; it is compared with the last promoted one on the same dev rows (app/training/gate.py)."""

    # A loss counts where it is larger than allowed and chance does not explain it: points of edge accuracy of a domain …
    max_accuracy_loss: Share = 0.05
    # … and of the mean over domains, which is computed from all rows and is therefore more precise.
    max_mean_loss: Share = 0.02
    # Increase of the calibration error that is allowed in the same way.
    max_ece_increase: Share = 0.05
    # How often a checkpoint that is as good as the last promoted one may be refused, over all of these checks together.
    level: Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)] = 0.05
    # Entropy of the verbalized buckets, in nats; five equal buckets have 1.61, a collapsed vocabulary has 0.
    min_entropy: Annotated[float, Field(ge=0)] = 0.2
    # Cloud rate of the tau that is fitted for the promoted checkpoint.
    target_cloud_rate: Share = 0.4
    # continue: the next round continues from an unpromoted checkpoint too, as in FogGen's chain; revert: from the last promoted one.
    on_failure: Literal["continue", "revert"] = "continue"


class DataConfig(_Part):
    """Question files by domain; every domain of `domains` needs rows or a place in `replay_only`."""

    train: dict[str, list[str]]
    test: list[str] = []
    replay_only: list[str] = []
    # Only rows whose every licence is among these are used; null takes all.
    licenses: list[str] | None = None
    dev_rows: Positive = 50
    # Which column is what, as `--map` has it (docs/data.md): {options: choices.text, answer: "cop:0"}.
    map: dict[str, str] = {}
    # Rows that are no questions are passed over, counted and listed.
    skip_bad: bool = False


class EvolveConfig(_Part):
    """All settings of a chain."""

    base: str = "builtin-base"
    family: Literal["auto", "qwen", "gemma", "llama", "plain"] = "auto"
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: Count = 0
    seed: Count = 0
    domains: list[str] = ["finance", "science", "coding", "law", "math", "kazakh", "medical"]
    rounds: Count = 14
    buffer_rows: Count = 1800
    new_rows: Positive = 376
    replay_rows: Count = 1500
    tau: Share = 0.5
    label_batch_size: Positive = 16
    max_prompt_tokens: Positive = 1024
    data: DataConfig
    # None: R0 is trained on the base.
    binding: BindingConfig | None = None
    labels: LabelConfig = LabelConfig()
    # tokens: the answer's tokens, as FogGen trains; joint: what is read in the one pass. Symbol binding is always tokens.
    loss: Literal["tokens", "joint"] = "tokens"
    joint: JointConfig = JointConfig()
    lora: LoraConfig = LoraConfig()
    sft: SftConfig = SftConfig()
    gate: GateConfig = GateConfig()


def load_config(path: Path) -> EvolveConfig:
    """Read and validate a chain's configuration; paths in `data` are relative to the file.

    Raises:
        ConfigError: the message has one sentence a line.
    """
    content = read_yaml(path)
    if "warmup" in content:
        raise ConfigError("the setting 'warmup' is called 'binding' now (symbol binding): rename the key, its values stay as they are")
    try:
        config = EvolveConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError(sentences(error, EvolveConfig)) from None
    given = {"sft": config.sft} | ({"binding.sft": config.binding.sft} if config.binding else {})
    for name, sft in given.items():
        if sft.batch_size % sft.micro_batch_size:
            raise ConfigError(f"{name}.batch_size must be a multiple of {name}.micro_batch_size")
    table = config.labels.buckets
    if table is not None and (len(table) != config.labels.samples + 1 or not set(table) <= set(BUCKETS)):
        raise ConfigError("labels.buckets needs one of 0.0, 0.25, 0.5, 0.75, 1.0 for each of k = 0 … labels.samples")
    _check_loss(config)
    parse_map(config.data.map)
    unknown = (set(config.data.train) | set(config.data.replay_only)) - set(config.domains)
    if unknown:
        raise ConfigError(f"data names the domain '{min(unknown)}', which is not among domains")
    train = {name: [_beside(path, file) for file in files] for name, files in config.data.train.items()}
    data = config.data.model_copy(update={"train": train, "test": [_beside(path, file) for file in config.data.test]})
    return config.model_copy(update={"data": data})


def _check_loss(config: EvolveConfig) -> None:
    """Refuse settings that would have no effect. Raises ConfigError."""
    if config.loss == "tokens" and config.labels.target == "soft":
        raise ConfigError("labels.target = soft is a distribution over the buckets, which loss = tokens cannot learn: set loss to joint")
    if config.loss == "tokens" and config.joint != JointConfig():
        raise ConfigError("the settings of 'joint' have no effect with loss = tokens: set loss to joint, or remove them")
    if config.joint.confidence_weight == 0:
        raise ConfigError("joint.confidence_weight must be above 0: a training that learns no confidence has no use for loss = joint")


def _beside(config: Path, file: str) -> str:
    """A path relative to the file that names it; the name of a data set of the hub is no path and stays as it is."""
    found = config.parent / Path(file).expanduser()
    return file if is_hub_name(file) and not found.exists() else str(found)
