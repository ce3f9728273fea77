"""The adapter of a training: put on a model, written to a folder, and taken off again. peft does the work."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import transformers
from peft import LoraConfig, TaskType, get_peft_model
from safetensors import SafetensorError

from app.training import config as settings


def put_on(model: Any, lora: settings.LoraConfig, *, seed: int, base_name: str) -> Any:
    """Put a new adapter on all linear layers of a model, and give peft's model of both.

    There is no second copy of the model's weights; the adapter's are float32 in any case.

    Args:
        model: a causal language model.
        lora: rank, scale and dropout.
        seed: seed of the adapter's first weights.
        base_name: name of the base, written into the adapter's configuration.
    """
    # The adapter's first weights are drawn when it is put on, before a Trainer sets any seed.
    transformers.set_seed(seed)
    shape = LoraConfig(
        r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear", task_type=TaskType.CAUSAL_LM
    )
    adapted = get_peft_model(model, shape)
    adapted.peft_config["default"].base_model_name_or_path = base_name
    return adapted


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
