"""A chain's checkpoint → one low-rank adapter of its base, small enough to ship.

The rounds' adapters are merged one after the other, so what they changed is a full matrix per layer. Its truncated singular
value decomposition is the closest matrix of a rank (Eckart and Young, 1936); the rank is the smallest at which the verdicts
on the dev rows stay what they were.
"""

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model

from app.errors import ConfigError
from app.evaluation.records import Record
from app.training.chain import Chain
from app.training.checkpoint import Checkpoint, load_base, sign
from app.training.sft import as_os_error, put_in_order
from app.training.steps import measured

_BYTES = 2  # of a bf16 number
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Compressed:
    """What was written.

    Attributes:
        rank: of every layer's update.
        agreement: share of the dev rows with the same verdict as the checkpoint's (said confidence, and the answer by
            either signal).
        megabytes: of the weights.
        tried: (rank, agreement) in the order of the search.
    """

    rank: int
    agreement: float
    rows: int
    megabytes: float
    tried: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Update:
    """One layer's change as U·diag(S)·Vh. Shapes [out, k], [k], [k, in]."""

    u: torch.Tensor
    s: torch.Tensor
    vh: torch.Tensor

    def factors(self, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        """LoRA's B [out, rank] and A [rank, in] in bf16, as they are shipped; B·A is the closest update of that rank.

        Where the layer itself is narrower than that, the rest is zeros: peft gives all layers the same rank.
        """
        root = self.s[:rank].sqrt()
        rest = max(0, rank - len(root))
        b = torch.nn.functional.pad(self.u[:, :rank] * root, (0, rest))
        a = torch.nn.functional.pad(root[:, None] * self.vh[:rank], (0, 0, 0, rest))
        return b.to(torch.bfloat16), a.to(torch.bfloat16)


def compress(chain: Chain, out: Path, *, round_number: int, agreement: float, max_mb: float) -> Compressed:
    """Write a checkpoint of a chain as one adapter of the chain's base.

    Args:
        chain: a run; its checkpoint becomes that of the round.
        out: the adapter's folder; appears when it is whole.
        round_number: which checkpoint.
        agreement: share of the dev rows whose verdict must stay.
        max_mb: how large the weights may be.

    Raises:
        ConfigError: the round is not there, or no rank of that size keeps enough verdicts; the best is named.
    """
    # A round that was sent back leaves no checkpoint.
    if round_number not in {entry["round"] for entry in chain.state["rounds"] if entry["kept"]}:
        raise ConfigError(f"the run has no finished round {round_number}")
    chain.go_to(round_number)
    config = chain.config
    base = load_base(config.base, cache_dir=chain.cache_dir, family=config.family, device=config.device)
    updates = updates_of(base.loaded.model, chain.checkpoint.loaded.model)
    wanted = [_verdict(record) for record in measured(chain)]
    full = max(len(update.s) for update in updates.values())
    per_rank = sum(update.u.shape[0] + update.vh.shape[1] for update in updates.values()) * _BYTES / _MB
    most = min(full, int(max_mb / per_rank))
    tried: dict[int, float] = {}

    def stays(rank: int) -> float:
        if rank not in tried:
            trial = copy.deepcopy(base)
            _apply(trial.loaded.model, updates, rank)
            found = [_verdict(record) for record in measured(chain, chain.engine_of(trial))]
            tried[rank] = sum(one == other for one, other in zip(found, wanted, strict=True)) / len(wanted)
        return tried[rank]

    if most < 1 or stays(most) < agreement:
        kept = f"{100 * tried[most]:.1f} % of the verdicts stay" if most else "nothing fits"
        raise ConfigError(f"within {max_mb:g} MB (rank {most}) {kept}, {100 * agreement:g} % are wanted; allow more or ask for less")
    rank = smallest(lambda rank: stays(rank) >= agreement, most)
    megabytes = _write(base, updates, rank, out, base_name=config.base)
    return Compressed(rank, tried[rank], len(wanted), megabytes, tuple(tried.items()))


def smallest(holds: Callable[[int], bool], most: int) -> int:
    """The smallest rank for which a property holds that holds for `most`, by bisection: what fails is taken to fail below."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def updates_of(base: Any, tuned: Any) -> dict[str, Update]:
    """What a chain changed, by the name of the linear layer.

    Raises:
        ConfigError: something else than linear layers differs, which no adapter of linear layers can carry.
    """
    layers = {f"{name}.weight" for name, module in base.named_modules() if isinstance(module, torch.nn.Linear)}
    before, after = base.state_dict(), tuned.state_dict()
    changed = [name for name, value in after.items() if not torch.equal(value, before[name])]
    if others := [name for name in changed if name not in layers]:
        raise ConfigError(f"the checkpoint differs from its base in '{others[0]}', which is no linear layer")
    if not changed:
        raise ConfigError("the checkpoint is its base: there is nothing to write")
    return {
        name.removesuffix(".weight"): Update(*torch.linalg.svd((after[name] - before[name]).float(), full_matrices=False))
        for name in changed
    }


def _apply(model: Any, updates: dict[str, Update], rank: int) -> None:
    with torch.no_grad():
        for name, update in updates.items():
            b, a = update.factors(rank)
            model.get_submodule(name).weight += b.float() @ a.float()


def _verdict(record: Record) -> tuple[float, str, str]:
    """What is said: the confidence, and the answer by either signal."""
    likely = record["answer_probabilities"]
    return record["confidence"], record["edge_answer"], max(likely, key=likely.__getitem__)


def _write(base: Checkpoint, updates: dict[str, Update], rank: int, out: Path, *, base_name: str) -> float:
    """The adapter in peft's form; alpha = rank, so that nothing is scaled. Returns megabytes."""
    shape = LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear", task_type=TaskType.CAUSAL_LM)
    adapted = get_peft_model(base.loaded.model, shape)
    adapted.peft_config["default"].base_model_name_or_path = base_name
    with torch.no_grad():
        for name, update in updates.items():
            layer = adapted.get_submodule(f"base_model.model.{name}")
            b, a = update.factors(rank)
            layer.lora_B["default"].weight.copy_(b)
            layer.lora_A["default"].weight.copy_(a)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(torch.bfloat16)
    scratch = out.with_name(out.name + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    with as_os_error():
        adapted.save_pretrained(str(scratch), save_embedding_layers=False)
    put_in_order(scratch / "adapter_config.json")
    sign(scratch, base.fingerprint)
    scratch.replace(out)
    return (out / "adapter_model.safetensors").stat().st_size / _MB
