"""The adapter of a training: put on a model, written to a folder, and taken off again. peft does the work."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, TaskType, get_peft_model
from safetensors import SafetensorError

from app.core.errors import ConfigError
from app.training import config as settings


def put_on(model: Any, lora: settings.LoraConfig, *, seed: int, base_name: str) -> Any:
    """Put a new adapter on all linear layers of a model, and give peft's model of both.

    There is no second copy of the model's weights; the adapter's are float32 in any case.

    Args:
        model: a causal language model.
        lora: rank, scale, dropout, and how many of the last layers get an adapter.
        seed: seed of the adapter's first weights.
        base_name: name of the base, written into the adapter's configuration.

    Raises:
        ConfigError: the model has fewer layers than are to be trained.
    """
    # The adapter's first weights are drawn when it is put on, before a Trainer sets any seed.
    transformers.set_seed(seed)
    where = {"target_modules": "all-linear"} if lora.last_layers is None else _last(model, lora.last_layers)
    shape = LoraConfig(r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, task_type=TaskType.CAUSAL_LM, **where)
    adapted = get_peft_model(model, shape)
    adapted.peft_config["default"].base_model_name_or_path = base_name
    return adapted


def _last(model: Any, count: int) -> dict[str, Any]:
    """What peft is told about the last layers of a model: their numbers, and the names of what is linear in them. Raises ConfigError."""
    layers: int = model.config.get_text_config(decoder=True).num_hidden_layers
    if count > layers:
        raise ConfigError(f"lora.last_layers is {count}, and the model has {layers} layers: lower it, or leave it out to train all of them")
    found = range(layers - count, layers)
    marks = tuple(f".layers.{number}." for number in found)
    linear = (name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear))
    kinds = sorted({name.rpartition(".")[2] for name in linear if any(mark in name for mark in marks)})
    return {"target_modules": kinds, "layers_to_transform": list(found)}


def take_off(adapted: Any, *, checkpointing: bool) -> None:
    """Give a model back as it was before `put_on`: without the adapter, in evaluation mode, without gradient checkpointing.

    Args:
        adapted: what `put_on` gave.
        checkpointing: whether gradient checkpointing was switched on.
    """
    model = adapted.unload()
    model.eval()
    if checkpointing:
        model.activation_checkpointing_disable()
        model.disable_input_require_grads()


def write_adapter(adapted: Any, out: Path) -> None:
    """Write the adapter to a folder; the same weights leave the same bytes. Raises OSError."""
    # Embeddings are never trained; without the argument peft would ask the hub about the base.
    with as_os_error():
        adapted.save_pretrained(str(out), save_embedding_layers=False)
    sort_adapter_config(out / "adapter_config.json")


@contextlib.contextmanager
def as_os_error() -> Iterator[None]:
    """Raise OSError where safetensors reports a full disk by an error of its own."""
    try:
        yield
    except SafetensorError as error:
        raise OSError(0, str(error)) from error


def sort_adapter_config(path: Path) -> None:
    """Sort the sets in an adapter's configuration, which peft writes in hash order: the same training must leave the same file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content = {key: sorted(value) if key == "target_modules" else value for key, value in content.items()}
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
