"""Weights of a base model: read in the dtype that they are stored in, checked, and cast as loading would have cast them.

transformers only warns where it makes up weights or leaves some out while it loads. Nobody may see a warning, so here that is an
error.
"""

import copy
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights  # a requirement of peft
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.initialization import no_init_weights
from transformers.utils import cached_file
from transformers.utils import logging as transformers_logging

from app.core.errors import ConfigError, first_line
from app.edge.architecture import Architecture

_BF16, _FLOATS = "BF16", {"BF16", "F16", "F32", "F64"}
# Of what transformers warns of in a rope configuration, this changes positions: a setting that it ignores, or a value that
# it cannot mean. The other warnings are advice, such as that a factor differs from a ratio of two other settings.
_WRONG_ROPE = re.compile(r"Unrecognized keys|Missing|field must be|must have length")


def read_config(spec: str, source: str) -> tuple[Any, str | None]:
    """The configuration of a model, and its commit where the model comes from a hub.

    Args:
        spec: value of the setting, for messages.
        source: folder or Hugging Face id.

    Raises:
        ConfigError: there is none, it cannot be read, or it sets positions in a way that transformers would ignore.
    """
    with _warnings_of("transformers.modeling_rope_utils") as heard:
        try:
            commit = _commit(source)
            config = AutoConfig.from_pretrained(source, revision=commit)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"edge.model '{spec}' is neither a folder with a model nor a model id that can be fetched ({first_line(error)})"
            ) from error
        # A rope configuration with a key too few is a KeyError, one of the wrong type whatever its reader throws.
        except Exception as error:
            raise ConfigError(f"edge.model '{spec}' has a config.json that cannot be used ({first_line(error)})") from error
    if wrong := next((text for text in heard if _WRONG_ROPE.search(text)), None):
        raise ConfigError(f"edge.model '{spec}' has a rope configuration that would not be applied as written ({wrong})")
    return config, commit


def read_weights(spec: str, source: str, architecture: Architecture, *, to: torch.dtype, revision: str | None) -> tuple[Any, Any]:
    """(tokenizer, model): the model on the CPU, in the dtype of its files, or already in `to` where that loses nothing.

    Args:
        spec: value of the setting, for messages.
        source: folder or Hugging Face id.
        architecture: from `find_architecture`.
        to: dtype that the model will compute in.
        revision: commit of the configuration, so that all files are of the same commit.

    Raises:
        ConfigError: the files do not hold exactly the weights of the architecture; or the tokenizer does not fit it.
    """
    tokenizer = read_tokenizer(source, revision)
    dtype = _stored_dtype(source, architecture.config, to, revision)
    how: dict[str, Any] = {"revision": revision, "dtype": dtype, "attn_implementation": architecture.attention, "output_loading_info": True}
    if architecture.key_mapping is None:
        model, info = AutoModelForCausalLM.from_pretrained(source, **how)
    else:
        how |= {"config": architecture.config, "key_mapping": architecture.key_mapping}
        with _no_report():
            model, info = architecture.model_class.from_pretrained(source, **how)
        # What the files hold beside the text model: weights for pictures or sound.
        info = {**info, "unexpected_keys": [name for name in info["unexpected_keys"] if name.startswith(("model.layers.", "lm_head."))]}
    check_whole(f"edge.model '{spec}'", info)
    check_fit(spec, tokenizer, model)
    return tokenizer, model


def read_tokenizer(source: str, revision: str | None) -> Any:
    """The tokenizer in a folder, or of a commit of a Hugging Face id."""
    return AutoTokenizer.from_pretrained(source, revision=revision)


def check_whole(what: str, info: Mapping[str, Any]) -> None:
    """Refuse a model for which transformers made up weights or left some out.

    Args:
        what: name of the model, for the message.
        info: what `from_pretrained` returns with `output_loading_info`.

    Raises:
        ConfigError: weights were made up or left out; the message says how many, and names one.
    """
    for problem, names in (
        ("are not in its files", info["missing_keys"]),
        ("in its files belong nowhere in its architecture", info["unexpected_keys"]),
        ("have another shape in its files", info["mismatched_keys"]),
    ):
        if names:
            raise ConfigError(f"{what} could not be loaded whole: {len(names)} weights {problem}, such as {_example(names)}")


def check_fit(spec: str, tokenizer: Any, model: Any) -> None:
    """Refuse a tokenizer or a configuration that the weights contradict.

    Raises:
        ConfigError: they do not belong together.
    """
    embedding, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    if model.config.tie_word_embeddings and embedding is not output:
        raise ConfigError(
            f"edge.model '{spec}' says tie_word_embeddings, but its files hold two different matrices; correct its config.json"
        )
    beyond = without_row(tokenizer, len(embedding))
    if beyond:
        raise ConfigError(
            f"edge.model '{spec}' has a tokenizer of another model: {len(beyond)} of its tokens, such as {min(beyond)!r}, have no row in "
            f"the {len(embedding)} of the embedding"
        )
    # transformers says so in a warning, and marks the tokenizer.
    if getattr(tokenizer, "fix_mistral_regex", None) is False:
        raise ConfigError(f"edge.model '{spec}' has a tokenizer that splits text wrongly (the pattern of Mistral before it was mended)")


def without_row(tokenizer: Any, rows: int) -> list[str]:
    """The tokens of a tokenizer that an embedding with so many rows has no row for, and that may stand in a prompt."""
    special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    # Control tokens without a row, Gemma's image token for one, are never written into a prompt.
    return [token for token, index in tokenizer.get_vocab().items() if index >= rows and index not in special]


def cast_as_loaded(model: Any, dtype: torch.dtype) -> None:
    """Cast a model in place to what loading its weights in that dtype would have given.

    `model.to(dtype)` would also round what is computed, not stored: rotary frequencies, which loading keeps in float32, and
    scales of embeddings. Those are computed anew. One weight at a time exists twice.
    """
    with init_empty_weights(include_buffers=False):
        fresh = AutoModelForCausalLM.from_config(model.config, dtype=dtype)
    wanted = dict(fresh.named_parameters(remove_duplicate=False))
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(wanted[name].dtype)
    stored = set(model.state_dict())
    for name, buffer in fresh.named_buffers():
        place, _, own = name.rpartition(".")
        module = model.get_submodule(place)
        current = getattr(module, own)
        setattr(module, own, current.to(buffer.dtype) if name in stored else buffer.to(current.device))
    model.config.dtype = dtype


def state_of(model: Any) -> dict[str, torch.Tensor]:
    """What is stored of a model, by name; matrices that are tied once. The tensors are those of the model, not copies."""
    found: dict[tuple[Any, ...], tuple[str, torch.Tensor]] = {}
    for name, tensor in model.state_dict().items():
        found.setdefault((tensor.data_ptr(), tensor.shape, tensor.stride()), (name, tensor))
    return dict(found.values())


def assemble(architecture: Architecture, state: Mapping[str, torch.Tensor], dtype: torch.dtype) -> Any:
    """The model on the CPU whose `state_of` this is: it holds these very tensors, and computes anew what is not stored.

    Raises:
        ValueError: they are not exactly the weights of the architecture.
    """
    config = copy.deepcopy(architecture.config)
    # Random numbers for weights that are replaced at once take time, and import torch's compiler.
    with init_empty_weights(include_buffers=False), no_init_weights():
        model = architecture.model_class._from_config(config, dtype=dtype, attn_implementation=architecture.attention)  # noqa: SLF001
    try:
        unexpected = model.load_state_dict(dict(state), strict=False, assign=True).unexpected_keys
    except RuntimeError as error:
        raise ValueError(first_line(error)) from error
    model.tie_weights()
    # A tied matrix has the name that it has in the files; what has no numbers yet is missing.
    missing = [name for name, tensor in (*model.named_parameters(), *model.named_buffers()) if tensor.is_meta]
    if missing or unexpected:
        raise ValueError(f"{len(missing)} weights are missing and {len(unexpected)} too many, such as {[*missing, *unexpected][0]}")
    return model


def _stored_dtype(source: str, config: Any, to: torch.dtype, revision: str | None) -> torch.dtype:
    """What to read the files in: bf16 where they hold nothing else, else float32, which holds float16 exactly too.

    So an update is added to the very weights that are stored, and a bf16 model is never in memory as float32 as a whole.
    """
    if getattr(config, "quantization_config", None):
        return to
    found = {dtype for path in _weight_files(source, revision) for dtype in _dtypes(path)}
    return torch.bfloat16 if found == {_BF16} else torch.float32


def _commit(source: str) -> str | None:
    """The commit that a hub id stands for at present; None for a folder. transformers no longer provides it."""
    if Path(source).is_dir():
        return None
    # A hub's cache is laid out as …/snapshots/<commit>/.
    path = _cached(source, "config.json", None)
    return path.parent.name if path is not None and path.parent.parent.name == "snapshots" else None


def _weight_files(source: str, revision: str | None) -> Iterator[Path]:
    """The safetensors files of a model; none where it has others."""
    single = _cached(source, "model.safetensors", revision)
    if single is not None:
        yield single
        return
    index = _cached(source, "model.safetensors.index.json", revision)
    if index is not None:
        for name in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())):
            shard = _cached(source, name, revision)
            if shard is not None:
                yield shard


def _cached(source: str, name: str, revision: str | None) -> Path | None:
    path = cached_file(source, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    return None if path is None else Path(path)


def _dtypes(path: Path) -> set[str]:
    """Dtypes of the floating-point tensors in a safetensors file, from its header (https://github.com/huggingface/safetensors)."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {entry["dtype"] for name, entry in header.items() if name != "__metadata__" and entry["dtype"] in _FLOATS}


def _example(names: Sequence[Any]) -> str:
    """One name; a mismatched key comes with its shapes."""
    first = min(names)
    return first if isinstance(first, str) else f"{first[0]} ({list(first[1])} for {list(first[2])})"


@contextmanager
def _no_report() -> Iterator[None]:
    """Without the table of unused weights that transformers logs."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)


@contextmanager
def _warnings_of(name: str) -> Iterator[list[str]]:
    """Collect the warnings of a logger inside the context."""
    heard: list[str] = []

    class _Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    listener, logger = _Listener(logging.WARNING), logging.getLogger(name)
    logger.addHandler(listener)
    try:
        yield heard
    finally:
        logger.removeHandler(listener)
