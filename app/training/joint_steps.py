"""The optimiser steps of a training through the one pass, with an evaluation on dev rows every so many steps."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.dataset import Item
from app.edge.engine import VerdictEngine
from app.evaluation import statistics as st
from app.evaluation.collect import EdgeIdentity
from app.evaluation.table import to_table
from app.training.config import EvolveConfig
from app.training.joint_loss import read_out, row_loss
from app.training.joint_rows import JointRows
from app.training.joint_state import TrainingState, Weights, load, save
from app.training.measure import dev_records
from app.training.summary import Evaluation


class Steps:
    """Trains the adapter on a model.

    Args:
        model: the model, with an adapter put on; its own weights are frozen.
        rows: rows of the training, at least one.
        config: settings of the chain.
        seed: seed of dropout.
        dev: dev rows.
        domains: domains in their order, over which the dev rows of an evaluation are spread.
    """

    def __init__(
        self, model: Any, rows: JointRows, config: EvolveConfig, *, seed: int, dev: Sequence[Item], domains: Sequence[str]
    ) -> None:
        self._model, self._rows, self._config, self._seed = model, rows, config, seed
        self._dev = spread(dev, domains, config.joint.evaluate_rows)
        self._parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
        sft = config.sft
        self._optimizer = torch.optim.AdamW(self._parameters.values(), lr=sft.learning_rate, weight_decay=sft.weight_decay)
        if sft.gradient_checkpointing:
            model.activation_checkpointing_enable()
        self._engine = self._engine_now(share_prefix=False)
        # A checkpointed layer keeps no cache.
        self._shares = sft.share_prefix and not sft.gradient_checkpointing and bool(rows.renderer.prefix_ids)

    def run(self, folder: Path, origin: str, *, on_step: Callable[[int, int], None] = lambda _done, _of: None) -> TrainingState:
        """Train from the beginning, or from the last evaluation that a folder holds; the model has the last weights afterwards.

        Args:
            folder: folder in which the state is kept.
            origin: digest of everything that the training depends on; the state of another training is not continued.
            on_step: called with the optimiser steps done and planned.

        Raises:
            ConfigError: the loss is not finite, or the state is damaged.
        """
        per_epoch, joint = len(self._rows.batches(0)), self._config.joint
        total = per_epoch * self._config.sft.epochs
        state = load(folder, origin)
        if state.step:
            self.set_weights(state.weights)
            self._optimizer.load_state_dict(state.optimizer)
        else:
            state.evaluations.append(self._evaluate(0))
        while not state.is_over(total, joint.patience):
            epoch, at = divmod(state.step, per_epoch)
            self._step(state, self._rows.batches(epoch)[at], epoch, self._rate(state.step, total))
            on_step(state.step, total)
            if state.step % joint.evaluate_every == 0 or state.step == total:
                state.evaluations.append(self._evaluate(state.step))
                state.weights, state.optimizer = self._weights(), self._optimizer.state_dict()
                if state.best_step == state.step:
                    state.best = state.weights
                save(folder, state)
        return state

    def set_weights(self, weights: Weights) -> None:
        """Give the adapter other weights."""
        with torch.no_grad():
            for name, value in self._parameters.items():
                value.copy_(weights[name])

    def _weights(self) -> Weights:
        return {name: value.detach().to("cpu", copy=True) for name, value in self._parameters.items()}

    def _step(self, state: TrainingState, batch: Sequence[int], epoch: int, rate: float) -> None:
        """One optimiser step, micro-batch by micro-batch; the loss is a mean over the rows of the step."""
        self._model.train()
        # Dropout depends on the step alone, not on where a run was killed.
        torch.manual_seed(self._seed * 1_000_003 + state.step)
        sums, size = torch.zeros(3, dtype=torch.float64), self._config.sft.micro_batch_size
        for start in range(0, len(batch), size):
            sums += self._backward(batch[start : start + size], epoch, of=len(batch))
        loss, confidence, letters = (round(value, 6) for value in sums.tolist())
        if not math.isfinite(loss):
            raise ConfigError(f"the loss is not finite at step {state.step + 1}: lower sft.learning_rate, or compute in float32")
        torch.nn.utils.clip_grad_norm_(self._parameters.values(), self._config.sft.max_grad_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        state.loss.append(loss)
        state.confidence.append(confidence)
        state.letters.append(letters)
        state.step += 1

    def _backward(self, indices: Sequence[int], epoch: int, *, of: int) -> torch.Tensor:
        """Add the gradients of some rows of a step; give their parts of the three losses."""
        rows = [self._rows.row(index, epoch) for index in indices]
        prefix = self._engine.prefill() if self._shares and all(prompt.shares_prefix for prompt, _ in rows) else None
        # The loss of a row is a hundred sums of a few numbers: on a GPU each would be a launch, and some of them would wait for it.
        logits = [place.cpu() for place in self._engine.forward([prompt for prompt, _ in rows], prefix)]
        trie = self._rows.renderer.trie
        parts = [
            torch.stack(row_loss(read_out(trie, logits, at, prompt.options), target, self._config.joint))
            for at, (prompt, target) in enumerate(rows)
        ]
        losses = torch.stack(parts).sum(dim=0) / of
        torch.autograd.backward(losses[0])
        return losses.detach().cpu()

    def _rate(self, step: int, total: int) -> float:
        """The learning rate of a step: a linear warm-up, then half a cosine; never 0, so that no step is lost."""
        sft = self._config.sft
        warmup = math.ceil(sft.warmup_ratio * total)
        if step < warmup:
            return sft.learning_rate * (step + 1) / (warmup + 1)
        return sft.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))

    def _engine_now(self, *, share_prefix: bool) -> VerdictEngine:
        limit = self._config.max_prompt_tokens
        return VerdictEngine(self._model, self._rows.renderer, name="training", max_prompt_tokens=limit, share_prefix=share_prefix)

    def _evaluate(self, step: int) -> Evaluation:
        """The adapter as it is now on dev rows, through the one pass."""
        self._model.eval()
        engine, size = self._engine_now(share_prefix=True), self._config.label_batch_size
        table = to_table(dev_records(engine, self._dev, None, identity=EdgeIdentity("training", ""), batch_size=size))
        signal, correct = table.signal[Signal.EXPECTED.value], table.edge_correct[Signal.EXPECTED.value]
        auroc = st.auroc(signal, correct)
        return Evaluation(
            step=step,
            auroc=None if auroc is None else round(float(auroc), 6),
            accuracy=round(float(correct.mean()), 6),
            mean=round(float(signal.mean()), 6),
        )


def spread(dev: Sequence[Item], domains: Sequence[str], rows: int | None) -> list[Item]:
    """So many dev rows, as many of each domain as there are; None takes all."""
    if rows is None or rows >= len(dev):
        return list(dev)
    of = {name: [item for item in dev if item.question.domain == name] for name in domains}
    turns = (of[name][at] for at in range(max(map(len, of.values()))) for name in domains if at < len(of[name]))
    return [item for item, _ in zip(turns, range(rows), strict=False)]
