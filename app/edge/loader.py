"""A model setting → a loaded model: `builtin`, `builtin-base`, a Hugging Face id or a local folder, with an adapter merged if asked.

Every way this can fail ends in one sentence for a person at start-up (`ConfigError`).
"""

import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from app.edge.builtin import BUILTIN, BUILTIN_BASE, IDENTITY, SHIPPED_ADAPTER, ensure_builtin
from app.edge.engine import ARCHITECTURES, VerdictEngine
from app.edge.rendering import Renderer
from app.errors import ConfigError
from app.prompt import PromptFamily

# Beside an adapter's weights: which base they belong to (`{"base_fingerprint"}`). Adapters from elsewhere have none.
ORIGIN = "foggate.json"
BUILTIN_NAME = "smollm2-135m-instruct"
_BLOCKS, _BLOCK_BYTES = 64, 16_384
_FAMILIES = {"qwen3": PromptFamily.QWEN, "gemma3_text": PromptFamily.GEMMA, "llama": PromptFamily.LLAMA}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in evaluation mode with its tokenizer, what to call it, and a fingerprint of its weights (12 hex digits)."""

    model: Any
    tokenizer: Any
    family: PromptFamily
    name: str
    fingerprint: str

    def engine(self, *, max_prompt_tokens: int = 2048, share_prefix: bool = True) -> VerdictEngine:
        """The one-pass engine of these weights, on the device and in the dtype that they are in. Raises ConfigError."""
        renderer = Renderer(self.tokenizer, self.family)
        return VerdictEngine(
            self.model,
            renderer,
            name=self.name,
            fingerprint=self.fingerprint,
            max_prompt_tokens=max_prompt_tokens,
            share_prefix=share_prefix,
        )


def load_model(
    spec: str,
    *,
    cache_dir: Path,
    adapter: str | None = None,
    family: PromptFamily | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> LoadedModel:
    """Load a causal language model for verdicts.

    Args:
        spec: `builtin` (with the shipped adapter, unless another is named), `builtin-base`, a Hugging Face model id, or a folder.
        cache_dir: where the converted builtin model lives.
        adapter: a LoRA adapter (id or folder); merged in float32, then cast, because bf16 would round small updates away.
        family: wording of the prompt; by default that of the architecture.
        device: `auto` (CUDA if there is one), `cpu`, `cuda`, `cuda:1`.
        dtype: `auto` (bf16 where the device multiplies it natively, else float32), `bfloat16`, `float32`.

    Raises:
        ConfigError: anything that keeps this model from answering.
    """
    # Progress bars of a half-second load are noise in a server's log.
    transformers.logging.disable_progress_bar()
    where = torch.device(_device(device))
    to = compute_dtype(dtype, where)
    builtin = spec in {BUILTIN, BUILTIN_BASE}
    source = str(ensure_builtin(cache_dir)) if builtin else spec
    identity = IDENTITY if builtin else source
    name = BUILTIN_NAME if builtin else (Path(spec).name if Path(spec).is_dir() else spec)
    if spec == BUILTIN and adapter is None:
        adapter = str(SHIPPED_ADAPTER)
    try:
        config = AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"edge.model '{spec}' is neither a folder with a model nor a model id that can be fetched ({_first_line(error)})"
        ) from error
    if config.model_type not in ARCHITECTURES:
        raise ConfigError(f"edge.model '{spec}' has the architecture '{config.model_type}'; supported are {', '.join(ARCHITECTURES)}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32 if adapter else to, attn_implementation="sdpa")
    # A missing or damaged file surfaces as whatever four libraries throw, down to a bare Exception of safetensors.
    except Exception as error:
        raise ConfigError(f"edge.model '{spec}' could not be loaded ({_first_line(error)})") from error
    commit = getattr(config, "_commit_hash", None)
    if adapter:
        check_origin(adapter, fingerprint(identity, None, commit=commit))
        model = merge_adapter(model, adapter).to(to)
        name = f"{name}+{Path(adapter).name}"
    print_of_weights = fingerprint(identity, adapter, commit=commit)
    return LoadedModel(model.to(where).eval(), tokenizer, family or _FAMILIES[config.model_type], name, print_of_weights)


def fingerprint(source: str, adapter: str | None, *, commit: str | None = None) -> str:
    """12 hex digits that change when the weights or the adapter change, whatever their folders are called.

    Of weight files only their sizes and evenly spaced blocks are read, so that gigabytes cost milliseconds: training
    changes weights everywhere. A model from a hub is known by its commit.
    """
    digest = hashlib.sha256()
    for place in (source, adapter):
        folder = Path(place) if place else None
        if folder is None or not folder.is_dir():
            digest.update(f"{place} {commit if place == source else None}".encode())
            continue
        for path in sorted(folder.iterdir()):
            if path.suffix in {".safetensors", ".bin"}:
                _add_file(digest, path)
    return digest.hexdigest()[:12]


def _add_file(digest: Any, path: Path) -> None:
    size = path.stat().st_size
    digest.update(f"{path.name} {size}".encode())
    with path.open("rb") as file:
        for block in range(_BLOCKS):
            file.seek(block * max(0, size - _BLOCK_BYTES) // max(1, _BLOCKS - 1))
            digest.update(file.read(_BLOCK_BYTES))


def check_origin(adapter: str | Path, base_fingerprint: str) -> None:
    """Refuse an adapter that says it was trained on other weights; one that says nothing is taken.

    Raises:
        ConfigError: both fingerprints.
    """
    origin = Path(adapter) / ORIGIN
    if not origin.is_file():
        return
    made_for = json.loads(origin.read_text(encoding="utf-8"))["base_fingerprint"]
    if made_for != base_fingerprint:
        raise ConfigError(
            f"the adapter '{adapter}' belongs to another base model: it was trained on weights {made_for}, not on {base_fingerprint}"
        )


def merge_adapter(model: Any, adapter: str | Path) -> Any:
    """The model, which is in float32, with a LoRA adapter (a folder, or a hub id) merged into its weights, in place.

    Raises:
        ConfigError: the adapter cannot be read, or does not fit.
    """
    from peft import PeftModel  # adapters are optional, and this import is slow

    try:
        with warnings.catch_warnings():
            # peft asks transformers by an old name; a server's log is no place to hear of that.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)
    except Exception as error:
        raise ConfigError(f"edge.adapter '{adapter}' could not be merged into the model ({_first_line(error)})") from error


def _device(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise ConfigError(f"edge.device '{device}' is not a device (auto, cpu, cuda, cuda:1 …)") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"edge.device is '{device}', but this torch sees no CUDA device")
    return device


def compute_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """What to compute in: as said, or for `auto` bf16 where the device multiplies it natively, else float32."""
    if dtype == "float32":
        return torch.float32
    if dtype == "bfloat16":
        return torch.bfloat16
    return torch.bfloat16 if device.type == "cuda" or has_native_bf16() else torch.float32


def has_native_bf16() -> bool:
    """Whether this processor multiplies bf16 itself (AVX512_BF16 or AMX); without it bf16 is slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
