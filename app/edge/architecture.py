"""Which models can be read in one pass, as far as a configuration tells, and as which class they are loaded.

There is no list of families: what is not refused here is loaded, and proven exact before it answers (`app/edge/proof.py`).
"""

from dataclasses import dataclass
from typing import Any

import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from app.core.errors import ConfigError
from app.core.prompt import PromptFamily
from app.edge.masks import ATTENTION, layer_kinds

# Where the files of a model for text and other inputs keep the weights of its text model, old layout and new.
_TEXT_WEIGHTS = {r"^language_model\.model\.": "model.", r"^language_model\.lm_head\.": "lm_head.", r"^model\.language_model\.": "model."}


@dataclass(frozen=True, slots=True)
class Architecture:
    """How a model is loaded.

    Attributes:
        config: configuration of the causal language model; of the text model alone where the files hold more.
        model_class: its class in transformers.
        key_mapping: what replaces which part of the names of the weights in the files; None where they are loaded as they are.
    """

    config: Any
    model_class: Any
    key_mapping: dict[str, str] | None

    @property
    def family(self) -> PromptFamily:
        """Wording of the prompt where none is configured: that of Qwen for Qwen's models, for all others one without think tags."""
        kind = str(self.config.model_type)
        if kind.startswith("qwen"):
            return PromptFamily.QWEN
        return PromptFamily.GEMMA if kind.startswith("gemma") else PromptFamily.LLAMA

    @property
    def attention(self) -> str:
        """Name of the attention code that is used; each takes masks of four dimensions."""
        return "sdpa" if getattr(self.model_class, "_supports_sdpa", False) else "eager"


def find_architecture(spec: str, config: Any) -> Architecture:
    """How to load the model of a configuration.

    Args:
        spec: value of the setting, for messages.
        config: configuration object of transformers.

    Raises:
        ConfigError: it is not a decoder-only language model, or carries a state from token to token.
    """
    what = f"edge.model '{spec}' has the architecture '{config.model_type}', "
    if getattr(config, "is_encoder_decoder", False):
        raise ConfigError(f"{what}an encoder with a decoder; only decoder-only models can be read in one pass")
    text = config.get_text_config(decoder=True)
    found = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(text), None)
    # Some text models are a tuple of classes, the usual one first.
    model_class = found[0] if isinstance(found, tuple) else found
    if model_class is None:
        inner = "" if text is config else f", and its text model '{text.model_type}' cannot be loaded alone"
        raise ConfigError(f"{what}which is not a causal language model in transformers {transformers.__version__}{inner}")
    kinds = layer_kinds(text)
    if (kinds is None and model_class._is_stateful) or (kinds is not None and not kinds <= ATTENTION):  # noqa: SLF001
        named = "" if kinds is None else f" (layers of the kind '{min(kinds - ATTENTION)}')"
        raise ConfigError(f"{what}which carries a state from token to token{named}; only models with attention can be read in one pass")
    return Architecture(text, model_class, None if text is config else _TEXT_WEIGHTS)


def longest_prompt(config: Any, answer_tokens: int) -> int | None:
    """Most tokens of a prompt that the positions of a model allow, with the answer behind it; None where they have no limit.

    Args:
        config: configuration of the text model.
        answer_tokens: depth of the answer trie.
    """
    limits = [getattr(config, "max_position_embeddings", None)]
    rope = getattr(config, "rope_parameters", None) or {}
    # One rope for all layers, or one for each kind of layer.
    for one in (rope, *(value for value in rope.values() if isinstance(value, dict))):
        if one.get("rope_type") == "longrope":
            # Beyond this, all keys would have to be rotated anew, those of the shared prefix and of shorter questions in a batch too.
            limits += [one.get("original_max_position_embeddings"), getattr(config, "original_max_position_embeddings", None)]
    known = [limit for limit in limits if isinstance(limit, int)]
    return min(known) - answer_tokens if known else None
