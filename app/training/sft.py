"""One supervised fine-tuning: labelled questions → a LoRA adapter. peft and transformers' Trainer do the work.

What is ours: the tokens. Prompts come from the renderer that serving uses, answers from the very trie that the verdict is
read from, so that what is trained is what is read. trl adds nothing here: its trainers tokenise conversations themselves
(docs/decisions/0006-trainer-not-trl.md).
"""

import contextlib
import json
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, TaskType, get_peft_model
from safetensors import SafetensorError
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from app.edge.rendering import Renderer
from app.edge.trie import ROOT
from app.training import config as settings
from app.training.label import Labelled
from app.training.shared_prefix import PrefixTrainer, common_prefix

_IGNORED = -100


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of one row: the chat prompt as served, and what the model is to write, end of turn included.

    `given` are places in the completion whose tokens are read, not learned.
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    given: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training did: optimiser steps, rows, and the loss (nats a token) at each logged step."""

    steps: int
    rows: int
    loss: tuple[float, ...]


def to_example(renderer: Renderer, row: Labelled, *, learn_confidence: bool = True) -> Example:
    """The bucket's path of the trie, the letter's token behind it, and the end of turn if the tokenizer has one.

    Without `learn_confidence` the tokens that tell one bucket from the others are given; the format and the letter are learned.
    """
    trie = renderer.trie
    letter = trie.letters[row.bucket][row.item.question.letters.index(row.letter)]
    end = () if renderer.end_of_turn is None else (renderer.end_of_turn,)
    choices = [trie.branchings[index].node for index, _ in trie.choices[row.bucket]]
    given = [] if learn_confidence else [0 if node == ROOT else trie.depths[node] for node in choices]
    return Example(renderer.prompt(row.item.question).ids, (*trie.path(row.bucket), letter, *end), frozenset(given))


def balanced(rows: Sequence[Labelled], seed: int) -> list[Labelled]:
    """Every bucket that occurs as often as the most frequent one: rows of the others are repeated by lot."""
    by_bucket: dict[int, list[Labelled]] = defaultdict(list)
    for row in rows:
        by_bucket[row.bucket].append(row)
    draw = random.Random(f"{seed}|balance")  # noqa: S311  # a sample, not a secret
    largest = max(map(len, by_bucket.values()), default=0)
    return [row for _, same in sorted(by_bucket.items()) for row in [*same, *draw.choices(same, k=largest - len(same))]]


def train(
    model: Any,
    examples: Sequence[Example],
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
        examples: at least one.
        out: a scratch folder; what a killed run left there is thrown away.
        base_name: what the adapter says it belongs to.
        sft: learning rate, epochs, batch sizes.
        lora: rank and scale; all linear layers get one.
        seed: of the initial adapter and the order of rows.
        on_step: told the optimiser steps done and planned.
    """
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
    prefix = common_prefix([example.prompt for example in examples]) if shares else ()
    losses: list[float] = []
    shutil.rmtree(out, ignore_errors=True)
    arguments = TrainingArguments(
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
        train_dataset=_Rows(examples, len(prefix)),
        data_collator=_Collator(model.config.pad_token_id or 0, len(prefix)),
        compute_loss_func=_completion_loss,
        callbacks=[_Watch(losses, on_step)],
    )
    # It would print every log line; the loss curve is kept instead.
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    # Embeddings are never trained; to find that out peft would ask the hub about the base.
    with as_os_error():
        adapted.save_pretrained(str(out), save_embedding_layers=False)
    put_in_order(out / "adapter_config.json")
    # The base goes on being used: take off it the adapter, the training mode, and what the Trainer put on.
    adapted.unload().eval()
    model.config.use_cache = uses_cache
    if sft.gradient_checkpointing:
        model.activation_checkpointing_disable()
        model.disable_input_require_grads()
    return Trained(trainer.state.global_step, len(examples), tuple(losses))


@contextlib.contextmanager
def as_os_error() -> Iterator[None]:
    """A full disk, as safetensors reports it, becomes what everybody else raises."""
    try:
        yield
    except SafetensorError as error:
        raise OSError(0, str(error)) from error


def put_in_order(path: Path) -> None:
    """Peft writes sets in whatever order this process hashes them; the same training must leave the same file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content = {key: sorted(value) if key == "target_modules" else value for key, value in content.items()}
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


class _Rows(torch.utils.data.Dataset[Any]):
    """What the Trainer iterates over, less the first `skip` tokens; by the length of `input_ids` it puts similar rows together."""

    def __init__(self, examples: Sequence[Example], skip: int = 0) -> None:
        self._examples = examples
        self._skip = skip

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        example = self._examples[index]
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
    """Keeps the loss curve and moves the progress bar."""

    def __init__(self, losses: list[float], on_step: Callable[[int, int], None]) -> None:
        self._losses = losses
        self._on_step = on_step

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:  # noqa: ARG002
        if logs and "loss" in logs:
            self._losses.append(round(logs["loss"], 6))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._on_step(state.global_step, state.max_steps)
