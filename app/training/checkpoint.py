"""Base model + the adapters of a chain, merged one after the other in float32 → the checkpoint of a round.

Nothing else is stored: a merged checkpoint follows from the base and the adapters, bit for bit, on the way to a round and
after a kill alike.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from app.edge.engine import VerdictEngine
from app.edge.loader import ORIGIN, LoadedModel, check_origin, load_model, merge_adapter
from app.errors import ConfigError
from app.prompt import PROMPT_VERSION, PromptFamily

# Largest difference of any logit that reordering float32 sums may make, relative to the largest logit.
_MERGE_TOLERANCE = 1e-3


@dataclass(slots=True)
class Checkpoint:
    """A model in float32 and what it was made from.

    Attributes:
        loaded: the base, into which adapters were merged.
        fingerprint: of the base and every adapter merged so far.
    """

    loaded: LoadedModel
    fingerprint: str

    def engine(self, dtype: torch.dtype, *, max_prompt_tokens: int) -> VerdictEngine:
        """The one-pass engine of these weights, in the dtype that serving would use; the weights here stay float32."""
        model = self.loaded.model
        if dtype is not torch.float32:
            import copy

            model = copy.deepcopy(model).to(dtype)
        loaded = replace(self.loaded, model=model.eval(), fingerprint=self.fingerprint)
        return loaded.engine(max_prompt_tokens=max_prompt_tokens)

    def merge(self, adapter: Path, probe: Sequence[int]) -> None:
        """Merge a round's adapter, and check on one prompt that merged equals base + adapter.

        Args:
            adapter: the folder that `train` wrote.
            probe: token ids of any prompt.

        Raises:
            ConfigError: the adapter cannot be read, does not fit or was trained on other weights; or the merge is not
                what the adapter computes.
        """
        check_origin(adapter, self.fingerprint)
        beside = _with_adapter(self.loaded.model, adapter, probe)
        model = merge_adapter(self.loaded.model, adapter)
        merged = _logits(model, probe)
        if float((merged - beside).abs().max()) > _MERGE_TOLERANCE * max(1.0, float(beside.abs().max())):
            raise ConfigError(f"merging {adapter} changed what it computes; the adapter or the base is damaged")
        self.loaded = replace(self.loaded, model=model)
        self.fingerprint = _next(self.fingerprint, adapter)


def load_base(spec: str, *, cache_dir: Path, family: str, device: str) -> Checkpoint:
    """The base of a chain in float32. Raises ConfigError."""
    chosen = None if family == "auto" else PromptFamily(family)
    loaded = load_model(spec, cache_dir=cache_dir, family=chosen, device=device, dtype="float32")
    return Checkpoint(loaded, loaded.fingerprint)


def sign(adapter: Path, base_fingerprint: str) -> None:
    """Write beside an adapter's weights which weights it was trained on."""
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


def _with_adapter(model: Any, adapter: Path, probe: Sequence[int]) -> torch.Tensor:
    """What base and adapter compute side by side; the adapter is taken off again."""
    from peft import PeftModel

    try:
        beside = PeftModel.from_pretrained(model, str(adapter)).eval()
    except Exception as error:
        raise ConfigError(f"the adapter {adapter} cannot be used ({type(error).__name__})") from error
    logits = _logits(beside, probe)
    beside.unload()
    return logits
