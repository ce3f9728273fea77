"""Base model + the adapters of a chain, merged one after the other in float32 → the checkpoint of a round.

Nothing else is stored: a merged checkpoint follows from the base and the adapters, bit for bit, on the way to a round and
after a kill alike. In memory is one copy of the weights, in the dtype that is computed in; engine and training share it.
"""

import gc
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from app.core.errors import ConfigError
from app.core.prompt import PROMPT_VERSION, PromptFamily
from app.edge.adapters import attached, check_origin, merge_adapters
from app.edge.engine import VerdictEngine
from app.edge.foggen import ORIGIN
from app.edge.loader import LoadedModel, load_model

# Largest difference of any logit, relative to the largest logit, that reordering float32 sums may make; and that rounding
# merged weights to bf16 may make, which has three digits less.
_MERGE_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1}


@dataclass(slots=True)
class Checkpoint:
    """Weights and what they are made from.

    Attributes:
        load: loads the base with adapters merged into it, in the dtype that is computed in.
        base_fingerprint: fingerprint of the base's weights.
        fingerprint: fingerprint of the base and of every adapter merged so far.
        adapters: folders of the adapters, in the order of merging.
    """

    load: Callable[[Sequence[Path]], LoadedModel]
    base_fingerprint: str
    fingerprint: str
    adapters: tuple[Path, ...] = ()
    _loaded: LoadedModel | None = None
    _merged: int = 0

    @property
    def loaded(self) -> LoadedModel:
        """The weights, made at their first use.

        Raises:
            ConfigError: the base cannot be loaded, is not what it was, or an adapter cannot be merged.
        """
        due = self.adapters[self._merged :]
        if self._loaded is not None and due and self._loaded.model.dtype is torch.float32:
            merge_adapters(self._loaded.model, due, torch.float32)
        elif self._loaded is None or due:
            # Updates are added up in float32. Added to weights that were rounded to bf16, small updates would be lost round by round.
            # So the weights are made anew from the base, after the old ones are released.
            self.release()
            self._loaded = self.load(self.adapters)
            if self._loaded.fingerprint != self.base_fingerprint:
                self.release()
                raise ConfigError(f"the base model changed meanwhile: its weights were {self.base_fingerprint}")
        self._merged = len(self.adapters)
        return self._loaded

    def release(self) -> None:
        """Forget the weights; they are made anew at their next use. An engine that shares them keeps them in memory."""
        self._loaded, self._merged = None, 0
        # A trainer's references to the model are circular.
        gc.collect()
        # Torch would keep the memory of a GPU for itself, and other trainings may share the card. Nothing happens where none is used.
        torch.cuda.empty_cache()

    def engine(self, *, max_prompt_tokens: int) -> VerdictEngine:
        """The one-pass engine of these weights; it shares them."""
        loaded = self.loaded
        return replace(loaded, model=loaded.model.eval(), fingerprint=self.fingerprint).engine(max_prompt_tokens=max_prompt_tokens)

    def add(self, adapter: Path) -> None:
        """Add an adapter that was checked when it was merged first.

        Raises:
            ConfigError: it was trained on other weights.
        """
        check_origin(adapter, self.fingerprint)
        self.fingerprint = _next(self.fingerprint, adapter)
        self.adapters = (*self.adapters, adapter)

    def merge(self, adapter: Path, probe: Sequence[int]) -> None:
        """Merge a round's adapter, and check on one prompt that merged equals weights + adapter.

        Args:
            adapter: folder that `train` wrote.
            probe: token ids of any prompt.

        Raises:
            ConfigError: the adapter cannot be read, does not fit, has no effect or was trained on other weights; or the merge
                is not what the adapter computes.
        """
        check_origin(adapter, self.fingerprint)
        model = self.loaded.model
        with attached(model, {"beside": adapter}) as both:
            beside = _logits(both.eval(), probe)
        tolerance = _MERGE_TOLERANCE[model.dtype]
        # The old weights must be released before new ones are made.
        del model, both
        self.add(adapter)
        merged = _logits(self.loaded.model, probe)
        if not float((merged - beside).abs().max()) <= tolerance * max(1.0, float(beside.abs().max())):
            raise ConfigError(f"merging {adapter} changed what it computes; the adapter or the base is damaged")


def load_base(spec: str, *, cache_dir: Path, family: str, device: str, dtype: str = "float32") -> Checkpoint:
    """The base of a chain, in the dtype that the chain computes in. Raises ConfigError."""
    chosen = None if family == "auto" else PromptFamily(family)
    load = partial(_load, spec, cache_dir=cache_dir, family=chosen, device=device, dtype=dtype)
    loaded = load(())
    return Checkpoint(load, loaded.fingerprint, loaded.fingerprint, _loaded=loaded)


def _load(spec: str, adapters: Sequence[Path], **how: Any) -> LoadedModel:
    return load_model(spec, beneath=adapters, **how)


def sign(adapter: Path, base_fingerprint: str) -> None:
    """Write beside an adapter which weights it was trained on.

    Args:
        adapter: folder of the adapter.
        base_fingerprint: fingerprint of the weights that it was trained on.
    """
    origin = {"base_fingerprint": base_fingerprint, "prompt_version": PROMPT_VERSION}
    (adapter / ORIGIN).write_text(json.dumps(origin) + "\n", encoding="utf-8")


def _next(before: str, adapter: Path) -> str:
    with (adapter / "adapter_model.safetensors").open("rb") as file:
        own = hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(f"{before} {own}".encode()).hexdigest()[:12]


@torch.inference_mode()
def _logits(model: Any, ids: Sequence[int]) -> torch.Tensor:
    logits: torch.Tensor = model(torch.tensor([list(ids)], device=model.device), logits_to_keep=1).logits.float()
    return logits
