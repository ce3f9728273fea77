"""One supervised fine-tuning: labelled questions → a LoRA adapter. peft and transformers' Trainer do the work.

What is ours: the tokens. Prompts come from the renderer that serving uses, answers from the very trie that the verdict is
read from, so that what is trained is what is read. trl adds nothing here: its trainers tokenise conversations themselves
(docs/decisions/0006-trainer-not-trl.md).
"""

import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, TaskType, get_peft_model
from safetensors import SafetensorError
from transformers import PrinterCallback, TrainerCallback

from app.training import config as settings
from app.training.one_device import OneDevice, refuse_launchers
from app.training.rows import TrainingRows
from app.training.shared_prefix import PrefixTrainer

_IGNORED = -100


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training did: optimiser steps, rows, and the loss (nats a token) at each logged step."""

    steps: int
    rows: int
    loss: tuple[float, ...]


def train(
    model: Any,
    rows: TrainingRows,
    out: Path,
    *,
    base_name: str,
    sft: settings.SftConfig,
    lora: settings.LoraConfig,
    seed: int,
    on_step: Callable[[int, int], None] = lambda _done, _of: None,
) -> Trained:
    """Train an adapter and write it.

    Args:
        model: a causal language model in the dtype that is computed in; its weights are frozen, and unchanged afterwards.
        rows: at least one.
        out: a scratch folder; what a killed run left there is thrown away.
        base_name: what the adapter says it belongs to.
        sft: learning rate, epochs, batch sizes.
        lora: rank and scale; all linear layers get one.
        seed: of the initial adapter and the order of rows.
        on_step: told the optimiser steps done and planned.

    Raises:
        ConfigError: a launcher of several processes started this one.
    """
    refuse_launchers(os.environ)
    # The adapter's first weights are drawn when it is put on, before the Trainer sets any seed.
    transformers.set_seed(seed)
    shape = LoraConfig(
        r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear", task_type=TaskType.CAUSAL_LM
    )
    # On the very weights, of which there is no second copy; peft keeps the adapter's own in float32, whatever theirs are in.
    adapted = get_peft_model(model, shape)
    adapted.peft_config["default"].base_model_name_or_path = base_name
    uses_cache = model.config.use_cache
    # A checkpointed layer keeps no cache; a sliding window is counted in columns, and padding stands behind the prefix.
    sliding = "sliding_attention" in (getattr(model.config, "layer_types", None) or ())
    shares = sft.share_prefix and not sft.gradient_checkpointing and not sliding
    prefix = rows.prefix(sft.epochs) if shares else ()
    data = _Rows(rows, len(prefix))
    losses: list[float] = []
    shutil.rmtree(out, ignore_errors=True)
    arguments = OneDevice(
        of_model=str(model.device),
        output_dir=str(out),
        learning_rate=sft.learning_rate,
        lr_scheduler_type="cosine",
        # Below 1 it is a share of all steps.
        warmup_steps=sft.warmup_ratio,
        weight_decay=sft.weight_decay,
        max_grad_norm=sft.max_grad_norm,
        num_train_epochs=sft.epochs,
        per_device_train_batch_size=sft.micro_batch_size,
        gradient_accumulation_steps=sft.batch_size // sft.micro_batch_size,
        activation_checkpointing=sft.gradient_checkpointing,
        train_sampling_strategy="group_by_length",
        seed=seed,
        data_seed=seed,
        use_cpu=model.device.type == "cpu",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    trainer = PrefixTrainer(
        prefix=prefix,
        model=adapted,
        args=arguments,
        train_dataset=data,
        data_collator=_Collator(model.config.pad_token_id or 0, len(prefix)),
        compute_loss_func=_completion_loss,
        callbacks=[_Watch(losses, data, on_step)],
    )
    # It would print every log line; the loss curve is kept instead.
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    # Embeddings are never trained; to find that out peft would ask the hub about the base.
    with as_os_error():
        adapted.save_pretrained(str(out), save_embedding_layers=False)
    sort_adapter_config(out / "adapter_config.json")
    # The base goes on being used: take off it the adapter, the training mode, and what the Trainer put on.
    adapted.unload().eval()
    model.config.use_cache = uses_cache
    if sft.gradient_checkpointing:
        model.activation_checkpointing_disable()
        model.disable_input_require_grads()
    return Trained(trainer.state.global_step, len(rows), tuple(losses))


@contextlib.contextmanager
def as_os_error() -> Iterator[None]:
    """A full disk, as safetensors reports it, becomes what everybody else raises."""
    try:
        yield
    except SafetensorError as error:
        raise OSError(0, str(error)) from error


def sort_adapter_config(path: Path) -> None:
    """Peft writes sets in whatever order this process hashes them; the same training must leave the same file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content = {key: sorted(value) if key == "target_modules" else value for key, value in content.items()}
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


class _Rows(torch.utils.data.Dataset[Any]):
    """What the Trainer iterates over, less the first `skip` tokens; by the length of `input_ids` it puts similar rows together.

    The lengths that it looks at are those of the first epoch; in another order a row is a token longer or shorter at most now and
    then, which costs a little padding.
    """

    def __init__(self, rows: TrainingRows, skip: int = 0) -> None:
        self._rows = rows
        self._skip = skip
        self._epoch = 0

    def begin(self, epoch: int) -> None:
        """The rows of an epoch, which counts from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        example = self._rows.example(index, self._epoch)
        return {
            "input_ids": [*example.prompt[self._skip :], *example.completion],
            "completion": len(example.completion),
            "given": example.given,
        }


@dataclass(frozen=True, slots=True)
class _Collator:
    """Rows → a left-padded batch: answers end in the same column, so logits are computed for the last few columns only.

    Before the padding stand `prefix` columns of the cache: seen by the mask, counted by the positions.
    """

    pad: int
    prefix: int = 0

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        width = max(len(row["input_ids"]) for row in rows)
        # One column more than the longest answer: each token is predicted from the one before.
        kept = max(row["completion"] for row in rows) + 1
        ids = torch.full((len(rows), width), self.pad)
        mask = torch.zeros(len(rows), width, dtype=torch.long)
        labels = torch.full((len(rows), kept), _IGNORED)
        for index, row in enumerate(rows):
            tokens, answer = row["input_ids"], row["completion"]
            ids[index, width - len(tokens) :] = torch.tensor(tokens)
            mask[index, width - len(tokens) :] = 1
            labels[index, kept - answer :] = torch.tensor(tokens[-answer:])
            labels[index, [kept - answer + place for place in row["given"]]] = _IGNORED
        positions = self.prefix + (mask.cumsum(dim=1) - 1).clamp(min=0)
        mask = torch.cat([torch.ones(len(rows), self.prefix, dtype=torch.long), mask], dim=1)
        return {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "labels": labels, "logits_to_keep": kept}


def _completion_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
    """Cross entropy of the answer tokens, a mean over all of the optimiser step's tokens."""
    logits = outputs.logits[:, :-1].float()
    total = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=_IGNORED, reduction="sum")
    count = (labels != _IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
    return total / count


class _Watch(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Tells the rows which epoch begins, keeps the loss curve and moves the progress bar."""

    def __init__(self, losses: list[float], rows: _Rows, on_step: Callable[[int, int], None]) -> None:
        self._losses = losses
        self._rows = rows
        self._epochs = itertools.count()
        self._on_step = on_step

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._rows.begin(next(self._epochs))

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:  # noqa: ARG002
        if logs and "loss" in logs:
            self._losses.append(round(logs["loss"], 6))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._on_step(state.global_step, state.max_steps)
