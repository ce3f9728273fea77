"""One supervised fine-tuning: labelled questions → a LoRA adapter. peft and transformers' Trainer do the work.

This project makes the tokens: prompts come from the renderer that serving uses, answers from the trie that the verdict is
read from, so that training and serving see the same tokens. trl adds nothing here: its trainers tokenise conversations themselves
(docs/decisions/0006-trainer-not-trl.md).
"""

import itertools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, TrainerCallback

from app.training import config as settings
from app.training.batches import Collator, RowDataset, completion_loss
from app.training.chain import Chain
from app.training.checkpoint import sign
from app.training.label_file import Labelled
from app.training.lora import put_on, take_off, write_adapter
from app.training.rows import TrainingRows
from app.training.summary import ADAPTER, TrainingSummary, read_summary, write_summary
from app.training.trainer import OneDevice, PrefixTrainer, refuse_launchers


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training did: optimiser steps, rows, and the loss (nats a token) at each logged step."""

    steps: int
    rows: int
    loss: tuple[float, ...]


def fine_tune(
    chain: Chain,
    folder: Path,
    rows: Sequence[Labelled],
    *,
    sft: settings.SftConfig,
    lora: settings.LoraConfig,
    seed: int,
    new: int | None = None,
    replay: int | None = None,
    learn_confidence: bool = True,
) -> TrainingSummary:
    """Train the adapter of a round, or of symbol binding; an adapter that exists already is kept.

    `train.json` is written before the adapter appears under its name, so that where the adapter is, everything is.

    Args:
        chain: the run; its checkpoint is trained on, and is unchanged afterwards.
        folder: folder of the round.
        rows: questions with the confidence and the letter to learn.
        sft: learning rate, epochs, batch sizes, and whether options are shuffled.
        lora: rank and scale of the adapter.
        seed: seed of the adapter's first weights, of the order of rows, and of the order of their options.
        new: number of new rows, for `train.json`.
        replay: number of replayed rows, for `train.json`.
        learn_confidence: whether the confidence is learned or only read; see `app.training.rows.to_example`.

    Raises:
        ConfigError: a launcher of several processes started this one, or `train.json` is damaged.
    """
    adapter = folder / ADAPTER
    if not adapter.is_dir():
        scratch = folder / (ADAPTER + ".partial")
        lessons = TrainingRows(chain.engine.renderer, rows, seed=seed if sft.shuffle_options else None, learn_confidence=learn_confidence)
        done = train(
            chain.checkpoint.loaded.model,
            lessons,
            scratch,
            base_name=chain.config.base,
            sft=sft,
            lora=lora,
            seed=seed,
            on_step=lambda step, of: chain.progress(f"{folder.name} training", step, of),
        )
        sign(scratch, chain.checkpoint.fingerprint)
        found = TrainingSummary(steps=done.steps, rows=done.rows, new=new, replay=replay, fixed_order=lessons.fixed, loss=list(done.loss))
        write_summary(folder, found)
        scratch.replace(adapter)
    return read_summary(folder)


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
        rows: the rows; there must be at least one.
        out: a scratch folder; what a killed run left there is deleted.
        base_name: name of the base, written into the adapter's configuration.
        sft: learning rate, epochs, batch sizes.
        lora: shape of the adapter.
        seed: seed of the initial adapter and of the order of rows.
        on_step: called with the optimiser steps done and planned.

    Raises:
        ConfigError: a launcher of several processes started this one.
    """
    refuse_launchers(os.environ)
    adapted = put_on(model, lora, seed=seed, base_name=base_name)
    uses_cache = model.config.use_cache
    # A checkpointed layer keeps no cache; a sliding window is counted in columns, and padding stands behind the prefix.
    sliding = "sliding_attention" in (getattr(model.config, "layer_types", None) or ())
    shares = sft.share_prefix and not sft.gradient_checkpointing and not sliding
    prefix = rows.prefix(sft.epochs) if shares else ()
    data = RowDataset(rows, len(prefix))
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
        data_collator=Collator(model.config.pad_token_id or 0, len(prefix)),
        compute_loss_func=completion_loss,
        callbacks=[_Watch(losses, data, on_step)],
    )
    # It would print every log line; the loss curve is recorded instead.
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    write_adapter(adapted, out)
    # The base is used further: remove the adapter, the training mode, and what the Trainer changed.
    take_off(adapted, checkpointing=sft.gradient_checkpointing)
    model.config.use_cache = uses_cache
    return Trained(trainer.state.global_step, len(rows), tuple(losses))


class _Watch(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Tells the data set which epoch begins, records the loss curve and reports progress."""

    def __init__(self, losses: list[float], rows: RowDataset, on_step: Callable[[int, int], None]) -> None:
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
