"""One process trains on one device: the one on which the model is.

Left alone, transformers' Trainer (5.23: `TrainingArguments._setup_devices`, `Trainer._wrap_model`) takes the first GPU for its own, whichever the model is on, and where it sees several it wraps
the model in `torch.nn.DataParallel`, which neither this project's loss nor its shared prefix is made for. A launcher of several
processes would have each of them write to the same folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from accelerate.state import AcceleratorState, PartialState
from transformers import TrainingArguments

from app.core.errors import ConfigError

# How many processes there are: torchrun and accelerate launch, then Hydra, Open MPI and MVAPICH.
_WORLD_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


def refuse_launchers(environment: Mapping[str, str]) -> None:
    """Raises ConfigError where a launcher such as torchrun has started this process to share a training with others.

    Args:
        environment: of the process.
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
        of_model: the model's device, as torch writes it: `cpu`, `cuda:1`.
    """

    of_model: str = "cpu"

    @property
    def place_model_on_device(self) -> bool:
        """Never: it is there already."""
        return False

    @cached_property
    def _setup_devices(self) -> torch.device:
        device = torch.device(self.of_model)
        # accelerate keeps its state for the whole process, so that of an earlier training is thrown away, as the base does.
        AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001
        # Asked for the processor, it looks at no GPU at all; which one it is to be is said then.
        self.distributed_state = PartialState(cpu=True)
        self.distributed_state.device = device
        self._n_gpu = 0 if device.type == "cpu" else 1
        if device.type == "cuda" and torch.cuda.is_available():
            torch.cuda.set_device(device)
        return device
