"""transformers' Trainer as a chain uses it: one process on the model's device, and the common prefix computed once a batch.

Left alone, the Trainer (5.23: `TrainingArguments._setup_devices`, `Trainer._wrap_model`) takes the first GPU, whichever the model
is on, and where it sees several it wraps the model in `torch.nn.DataParallel`, which neither this project's loss nor its shared
prefix is made for. Several processes that a launcher starts would all write to the same folder.

All prompts begin with the same system text, which is half of a short question's tokens. Its keys and values are computed in one
row, with gradients, and every row of the batch attends to them: loss and gradient are the same as those of whole rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from accelerate.state import AcceleratorState, PartialState
from transformers import DynamicCache, Trainer, TrainingArguments

from app.core.errors import ConfigError

# Variables with the number of processes: of torchrun and accelerate launch, of Hydra, Open MPI and MVAPICH.
_WORLD_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


def refuse_launchers(environment: Mapping[str, str]) -> None:
    """Refuse a process that a launcher such as torchrun has started to share a training with others.

    Args:
        environment: environment variables of the process.

    Raises:
        ConfigError: the message names the variable.
    """
    # With LOCAL_RANK accelerate opens a process group, alone in it or not.
    found = [name for name in ("LOCAL_RANK", *_WORLD_SIZES) if _means_several(name, environment.get(name))]
    if found:
        raise ConfigError(
            f"training is one process on one device, and {found[0]}={environment[found[0]]} says that a launcher such as torchrun started "
            "this one; start foggate by itself, or unset the variable"
        )


def _means_several(name: str, value: str | None) -> bool:
    if not value:
        return False
    return value != "-1" if name == "LOCAL_RANK" else value != "1"


@dataclass
class OneDevice(TrainingArguments):  # type: ignore[misc]  # transformers is untyped
    """The Trainer's arguments for exactly one device, however many there are.

    Attributes:
        of_model: device of the model, as torch writes it: `cpu`, `cuda:1`.
    """

    of_model: str = "cpu"

    @property
    def place_model_on_device(self) -> bool:
        """False: the model is on its device already."""
        return False

    @cached_property
    def _setup_devices(self) -> torch.device:
        device = torch.device(self.of_model)
        # accelerate keeps its state for the whole process; that of an earlier training is thrown away, as the base class does.
        AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001
        # With `cpu=True` it looks at no GPU at all; the device is set afterwards.
        self.distributed_state = PartialState(cpu=True)
        self.distributed_state.device = device
        self._n_gpu = 0 if device.type == "cpu" else 1
        if device.type == "cuda" and torch.cuda.is_available():
            torch.cuda.set_device(device)
        return device


class PrefixTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped
    """A Trainer whose batches lack the common prefix.

    Args:
        prefix: token ids of the prefix; without any the rows are trained on as they are.
        kwargs: the Trainer's own arguments.
    """

    def __init__(self, *, prefix: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._prefix = list(prefix)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The loss of rows that attend to the prefix."""
        if self._prefix:
            inputs = {**inputs, "past_key_values": self._prefill(model, *inputs["input_ids"].shape[:1]), "use_cache": True}
        return super().compute_loss(model, inputs, *args, **kwargs)

    def _prefill(self, model: Any, rows: int) -> DynamicCache:
        cache = DynamicCache()
        ids = torch.tensor([self._prefix], device=model.device)
        model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return DynamicCache([(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1)) for layer in cache.layers])
