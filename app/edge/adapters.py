"""LoRA adapters: found on disk or on a hub, checked key by key, and merged weight by weight in float32.

peft only warns when an adapter's weights do not fit the model, and the model would then be served under the adapter's name
without its effect. Here an adapter is applied whole, or refused in one sentence.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from app.core.errors import ConfigError, first_line
from app.data.files import read_text
from app.edge.foggen import ORIGIN

CONFIG = "adapter_config.json"
_FILES = [CONFIG, ORIGIN, "adapter_model.safetensors", "adapter_model.bin"]
# Settings of a LoRA adapter that merging takes into account, or that say nothing about what it computes. Any other that is
# set (whole modules saved, biases, tokens, replicated layers, and what later versions of peft invent) would be dropped.
_APPLIED = frozenset(
    {
        *("r", "lora_alpha", "use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "fan_in_fan_out", "lora_dropout"),
        *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "init_lora_weights"),
        *("peft_type", "task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode"),
        *("megatron_core", "qalora_group_size", "loftq_config", "eva_config", "runtime_config"),
    }
)
# Ways to begin a training that leave the base as it is; the others (PiSSA, OLoRA, …) take something out of its weights.
_PLAIN_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter on this machine.

    Attributes:
        name: value of the setting.
        folder: folder of its files.
        commit: commit that a hub id stood for when it was found; None for a local folder.
    """

    name: str
    folder: Path
    commit: str | None = None


def find_adapter(adapter: str | Path) -> Adapter:
    """The adapter in a local folder, or behind a hub id: the snapshot of one commit, fetched if necessary.

    Raises:
        ConfigError: it is neither a folder nor an id that can be fetched.
    """
    name, folder = str(adapter), Path(adapter)
    if folder.is_dir():
        return Adapter(name, folder)
    from huggingface_hub import snapshot_download  # slow, and few adapters come from a hub

    try:
        # A hub's cache is laid out as …/snapshots/<commit>/.
        found = Path(snapshot_download(name, allow_patterns=_FILES))
    except Exception as error:
        raise ConfigError(
            f"edge.adapter '{name}' could not be merged: it is neither a folder nor an adapter id that can be fetched ({first_line(error)})"
        ) from error
    return Adapter(name, found, found.name)


def check_origin(adapter: Path, base_fingerprint: str) -> None:
    """Refuse an adapter whose file names other weights as its base; an adapter without that file is accepted.

    Raises:
        ConfigError: the adapter belongs to other weights; the message holds both fingerprints.
    """
    origin = adapter / ORIGIN
    if not origin.is_file():
        return
    made_for = json.loads(read_text(origin))["base_fingerprint"]
    if made_for != base_fingerprint:
        raise ConfigError(
            f"the adapter '{adapter}' belongs to another base model: it was trained on weights {made_for}, not on {base_fingerprint}"
        )


def scaling(adapter: Path) -> str:
    """The settings by which an adapter's weights are scaled, as text; empty where they are used as they are (alpha = rank)."""
    raw = _read(adapter)
    plain = {"use_rslora": False, "use_dora": False, "fan_in_fan_out": False, "rank_pattern": {}, "alpha_pattern": {}}
    said = {key: value for key, default in plain.items() if (value := raw.get(key) or default) != default}
    rank, alpha = raw.get("r"), raw.get("lora_alpha")
    if alpha != rank:
        said |= {"r": rank, "lora_alpha": alpha}
    return json.dumps(said, sort_keys=True) if said else ""


def merge_adapters(model: Any, adapters: Sequence[Path], dtype: torch.dtype) -> None:
    """Merge adapters into a model in place, one after the other: weight by weight, in float32, then rounded once to `dtype`.

    Weights that no adapter changes keep their dtype. Besides the model there are the adapters, and one weight in float32
    at a time. Merging the same adapters gives the same bytes.

    Args:
        model: a causal language model; each adapter is for the weights that the ones before it make.
        adapters: folders, at least one.
        dtype: dtype of the merged weights.

    Raises:
        ConfigError: an adapter cannot be read, is not one of linear layers alone, does not fit key for key, or has no effect.
    """
    from peft.tuners.lora import LoraLayer  # slow, and needed for adapters alone

    names = [f"merged_{number}" for number in range(len(adapters))]
    with attached(model, dict(zip(names, adapters, strict=True))) as adapted, torch.no_grad():
        # By name: whether it changes any weight in float32. A product that is rounded away as a whole is no effect either.
        effect = dict.fromkeys(names, False)
        rounded_away = True
        for layer in [module for module in adapted.modules() if isinstance(module, LoraLayer)]:
            base = layer.get_base_layer()
            stored = base.weight.data
            base.weight.data = stored.float()
            for name in names:
                before = base.weight.data
                layer.merge(safe_merge=True, adapter_names=[name])
                effect[name] = effect[name] or not torch.equal(base.weight.data, before)
            merged = base.weight.data.to(dtype)
            rounded_away = rounded_away and torch.equal(merged, stored.to(dtype))
            # Where it was, if it can be: weights that change places leave holes in the heap, round by round.
            base.weight.data = stored.copy_(merged) if stored.dtype is dtype else merged
    for name, adapter in zip(names, adapters, strict=True):
        if not effect[name]:
            raise ConfigError(f"the adapter '{adapter}' changes no weight of the model: it was never trained, or its matrices are zero")
    if rounded_away:
        short = str(dtype).removeprefix("torch.")
        raise ConfigError(f"the adapter '{adapters[-1]}' changes so little that {short} rounds all of it away; compute in float32")


@contextmanager
def attached(model: Any, adapters: Mapping[str, Path]) -> Iterator[Any]:
    """The model with adapters on it, by name, their weights in float32; taken off again, merged or not, at the end.

    Raises:
        ConfigError: an adapter cannot be read, is not one of linear layers alone, or does not fit key for key.
    """
    from peft import get_peft_model  # slow, and needed for adapters alone
    from peft.utils.save_and_load import load_peft_weights

    read = {}
    for name, folder in adapters.items():
        with _refusing(folder):
            read[name] = (_config(folder), load_peft_weights(str(folder), device="cpu"))
    adapted = None
    try:
        for name, (config, found) in read.items():
            with _refusing(adapters[name]):
                if adapted is None:
                    adapted = get_peft_model(model, config, adapter_name=name)
                else:
                    adapted.add_adapter(name, config)
                _fill(adapted, name, found, adapters[name])
        if adapted is None:
            raise ValueError("no adapter is named")
        with warnings.catch_warnings():
            # peft says that several are merged into one layer, which is what is wanted here.
            warnings.filterwarnings("ignore", "Already following adapters were merged", UserWarning)
            yield adapted
    finally:
        if adapted is not None:
            adapted.unload()


def _fill(adapted: Any, name: str, found: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Put an adapter's weights in their places. Raises ConfigError unless they fit one to one."""
    from peft.utils.save_and_load import get_peft_model_state_dict, set_peft_model_state_dict

    wanted = get_peft_model_state_dict(adapted, adapter_name=name, save_embedding_layers=False)
    shaped = [key for key in wanted if key in found and wanted[key].shape != found[key].shape]
    for what, keys in (
        ("of its weights belong nowhere in the model", sorted(set(found) - set(wanted))),
        ("weights that its configuration asks for are not in its file", sorted(set(wanted) - set(found))),
        ("of its weights have another shape than its configuration and the model ask for", sorted(shaped)),
    ):
        if keys:
            raise ConfigError(f"the adapter '{folder}' does not fit the model: {len(keys)} {what}, such as {keys[0]}")
    left = set_peft_model_state_dict(adapted, dict(found), adapter_name=name)
    if left.unexpected_keys:
        raise ConfigError(f"the adapter '{folder}' was not applied: {len(left.unexpected_keys)} weights, such as {left.unexpected_keys[0]}")


def _config(folder: Path) -> Any:
    """The LoRA configuration of an adapter. Raises ConfigError where merging would not apply all of it."""
    from peft import LoraConfig

    raw = _read(folder)
    kind, task = raw.get("peft_type"), raw.get("task_type")
    if kind != "LORA" or task not in {None, "CAUSAL_LM"}:
        raise ConfigError(f"the adapter '{folder}' is one of the kind {kind} for the task {task}; what can be merged is LORA for CAUSAL_LM")
    plain = {field.name: getattr(LoraConfig(), field.name) for field in fields(LoraConfig)}
    dropped = sorted(key for key, value in raw.items() if key not in _APPLIED and value and value != plain.get(key))
    if dropped:
        raise ConfigError(
            f"the adapter '{folder}' sets {', '.join(dropped)}, which cannot be merged here: merge it into its base with peft, and name the "
            "merged folder as the model"
        )
    if raw.get("init_lora_weights") not in _PLAIN_STARTS:
        raise ConfigError(
            f"the adapter '{folder}' was begun with init_lora_weights {raw['init_lora_weights']}, which changes the base: convert it to a plain LoRA"
        )
    config = LoraConfig(**{key: value for key, value in raw.items() if key in plain and key != "runtime_config"})
    # The base is only a name here, about which peft would warn.
    config.base_model_name_or_path = None
    return config


def _read(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(folder / CONFIG))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the adapter '{folder}' could not be merged: its {CONFIG} cannot be read ({first_line(error)})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"the adapter '{folder}' could not be merged: its {CONFIG} is not an object")
    return content


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    """Turn what peft raises, and what it only warns of, into a ConfigError."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            yield
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(f"the adapter '{folder}' cannot be used: it could not be merged ({first_line(error)})") from error
    for warning in heard:
        # Deprecations concern those who write code; and other threads may warn of something else meanwhile.
        if issubclass(warning.category, UserWarning | RuntimeWarning) and "peft" in Path(warning.filename).parts:
            raise ConfigError(f"the adapter '{folder}' does not fit the model ({str(warning.message).splitlines()[0][:200]})")
