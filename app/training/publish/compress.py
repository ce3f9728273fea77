"""A chain's checkpoint → one low-rank adapter of its base, small enough to ship.

What the rounds changed in a layer is the sum of their adapters' products, one matrix of their ranks' sum at most. Its truncated
singular value decomposition is the closest matrix of a rank (Eckart and Young, 1936); the rank is the smallest at which the
verdicts on the dev rows stay what they were. Each rank is measured as it would be served: written, and loaded again.
"""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, TaskType
from safetensors.torch import load_file, save_file

from app.core.errors import ConfigError
from app.core.prompt import PromptFamily
from app.data.records import Record
from app.edge.loader import LoadedModel, load_model
from app.training.chain import Chain
from app.training.checkpoint import sign
from app.training.lora import as_os_error, sort_adapter_config
from app.training.measure import chain_records

_BYTES = 2  # of a bf16 number
_WEIGHTS = "adapter_model.safetensors"
# How peft names a weight: this, the layer, `.lora_A.weight` or `.lora_B.weight`.
_PREFIX, _A, _B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"
_LAYER = re.compile(r"\.layers\.(\d+)\.")
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Compressed:
    """What compressing found.

    Attributes:
        rank: rank of every layer's update.
        agreement: share of the dev rows with the same verdict as the checkpoint's (verbalized confidence, and the answer by
            either signal).
        rows: number of dev rows.
        megabytes: size of the weights.
        tried: rank and agreement of each trial, in the order of the search.
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
        chain: the run; its checkpoint becomes that of the round.
        out: folder of the adapter; it appears when it is whole.
        round_number: number of the round whose checkpoint is written.
        agreement: share of the dev rows whose verdict must stay the same.
        max_mb: largest size of the weights, in megabytes.

    Raises:
        ConfigError: the round is missing, or no rank of that size keeps enough verdicts; the best is named.
    """
    # A round that was sent back leaves no checkpoint.
    if round_number not in {entry.round for entry in chain.state.kept}:
        raise ConfigError(f"the run has no finished round {round_number}")
    chain.go_to(round_number)
    wanted = [_verdict(record) for record in chain_records(chain)]
    updates = updates_of(chain.checkpoint.adapters)
    base_fingerprint = chain.checkpoint.base_fingerprint
    full = max(len(update.s) for update in updates.values())
    per_rank = sum(update.u.shape[0] + update.vh.shape[1] for update in updates.values()) * _BYTES / _MB
    most = min(full, int(max_mb / per_rank))
    tried: dict[int, float] = {}
    scratch = out.with_name(out.name + ".partial")

    def agreement_at(rank: int) -> float:
        if rank not in tried:
            write_updates(updates, rank, scratch, base_name=chain.config.base, base_fingerprint=base_fingerprint)
            # In place of the chain's own weights, not beside them.
            chain.release()
            engine = load_served(chain, scratch).engine(max_prompt_tokens=chain.config.max_prompt_tokens)
            found = [_verdict(record) for record in chain_records(chain, engine)]
            tried[rank] = sum(one == other for one, other in zip(found, wanted, strict=True)) / len(wanted)
        return tried[rank]

    try:
        if most < 1 or agreement_at(most) < agreement:
            kept = f"{100 * tried[most]:.1f} % of the verdicts stay" if most else "nothing fits"
            raise ConfigError(f"within {max_mb:g} MB (rank {most}) {kept}, {100 * agreement:g} % are wanted; allow more or ask for less")
        rank = smallest(lambda rank: agreement_at(rank) >= agreement, most)
        write_updates(updates, rank, scratch, base_name=chain.config.base, base_fingerprint=base_fingerprint)
        scratch.replace(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    megabytes = (out / _WEIGHTS).stat().st_size / _MB
    return Compressed(rank, tried[rank], len(wanted), megabytes, tuple(tried.items()))


def load_served(chain: Chain, adapter: Path) -> LoadedModel:
    """The chain's base with one adapter, as a gateway would serve it. Raises ConfigError."""
    config = chain.config
    family = None if config.family == "auto" else PromptFamily(config.family)
    return load_model(config.base, cache_dir=chain.cache_dir, adapter=str(adapter), family=family, device=config.device, dtype=config.dtype)


def smallest(holds: Callable[[int], bool], most: int) -> int:
    """The smallest rank for which a property holds that holds for `most`, by bisection: what fails is taken to fail below."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def updates_of(adapters: Sequence[Path]) -> dict[str, Update]:
    """The sum of what adapters change when all are merged, by the name of the linear layer.

    The sum of products B·A is one product of B side by side and A one upon the other, so no full matrix is ever made:
    with QR decompositions of both, what is decomposed is as small as their ranks together.

    Args:
        adapters: folders as `train` writes them: LoRA of linear layers.

    Raises:
        ConfigError: there is nothing that they change.
    """
    left: dict[str, list[torch.Tensor]] = {}
    right: dict[str, list[torch.Tensor]] = {}
    for adapter in adapters:
        weights = load_file(adapter / _WEIGHTS)
        config = LoraConfig.from_pretrained(str(adapter))
        for name in sorted(key.removesuffix(_A) for key in weights if key.endswith(_A)):
            left.setdefault(name, []).append(weights[name + _B].float() * (config.lora_alpha / config.r))
            right.setdefault(name, []).append(weights[name + _A].float())
    updates = {}
    for name, factors in left.items():
        q_left, r_left = torch.linalg.qr(torch.cat(factors, dim=1))
        q_right, r_right = torch.linalg.qr(torch.cat(right[name], dim=0).T)
        u, s, vh = torch.linalg.svd(r_left @ r_right.T, full_matrices=False)
        updates[name.removeprefix(_PREFIX)] = Update(q_left @ u, s, vh @ q_right.T)
    if not any(bool(update.s.any()) for update in updates.values()):
        raise ConfigError("the checkpoint is its base: there is nothing to write")
    return updates


def _verdict(record: Record) -> tuple[float, str, str]:
    """The verbalized confidence, and the answer by either signal."""
    likely = record["answer_probabilities"]
    return record["confidence"], record["edge_answer"], max(likely, key=likely.__getitem__)


def write_updates(updates: dict[str, Update], rank: int, out: Path, *, base_name: str, base_fingerprint: str) -> None:
    """Write an adapter in peft's form; alpha = rank, so that nothing is scaled.

    Args:
        updates: what it changes, by the name of the linear layer.
        rank: rank of every layer's update.
        out: the folder; one that exists is replaced.
        base_name: name of the base, written into the adapter's configuration.
        base_fingerprint: fingerprint of the base's weights.

    Raises:
        OSError: it cannot be written.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    weights = {}
    for name, update in updates.items():
        b, a = update.factors(rank)
        weights[f"{_PREFIX}{name}{_B}"], weights[f"{_PREFIX}{name}{_A}"] = b.contiguous(), a.contiguous()
    kinds = sorted({name.rpartition(".")[2] for name in updates})
    # Where only some layers were trained, the configuration must say so.
    numbers = sorted({int(found[1]) for name in updates if (found := _LAYER.search(name))})
    some = bool(numbers) and len(numbers) <= numbers[-1]
    shape = LoraConfig(
        r=rank,
        lora_alpha=rank,
        target_modules=kinds,
        layers_to_transform=numbers if some else None,
        task_type=TaskType.CAUSAL_LM,
        inference_mode=True,
    )
    shape.base_model_name_or_path = base_name
    shape.save_pretrained(str(out))
    with as_os_error():
        save_file(weights, out / _WEIGHTS, metadata={"format": "pt"})
    sort_adapter_config(out / "adapter_config.json")
    sign(out, base_fingerprint)
