"""Tiny random-weight models with a real, if small, tokenizer: the edge of every fast test."""

import functools

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from app.core.prompt import PromptFamily, system_prompt
from tests.support.families import SHAPE

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# As Gemma's: the system text is folded into the first user turn, roles must alternate.
FOLDED = (
    "<bos>{% if messages[0].role == 'system' %}{% set first = messages[0].content + '\n\n' %}{% set rest = messages[1:] %}"
    "{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ first if loop.first else '' }}{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
SPECIAL = ["<pad>", "<bos>", "<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>"]

# Text with runs of newlines and blanks, so that the merges across the end of the shared prefix exist here too.
_CORPUS = [
    # Named one by one: a further wording would change the tokenizer, and with it what the tests of training learn.
    *(system_prompt(family) for family in (PromptFamily.QWEN, PromptFamily.GEMMA, PromptFamily.LLAMA)),
    "user\n\n\nWhat is this?\n\nA. one\nB. two\nC. three\n\n\n",
    "user\n  Which of the following?\n\nA. 1\nB. 2",
    "assistant\nConfidence: 0.0\nFinal answer: A",
    "system\nmodel\nuser\n\nWhy? \n\n A B C D E F G H I J K L M N O P Q R S T U V W X Y Z",
] * 3


def tiny_tokenizer(template: str = CHATML, corpus: list[str] | None = None) -> PreTrainedTokenizerFast:
    trained = Tokenizer.from_str(_trained(tuple(corpus or ())))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained, pad_token="<pad>", eos_token="<|im_end|>")
    tokenizer.chat_template = template
    return tokenizer


@functools.cache
def _trained(corpus: tuple[str, ...]) -> str:
    """A tokenizer as JSON: each test gets one of its own, and it is trained once in a process."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        # Splits like Qwen's: runs of newlines stay together and may merge with what stands before them.
        [pre_tokenizers.Split(_pattern(), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=520, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    bpe.train_from_iterator([*_CORPUS, *corpus], trainer)
    bpe.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    return bpe.to_str()


def _pattern():
    from tokenizers import Regex

    return Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+")


def tiny_model(kind: str, vocab_size: int, *, seed: int = 0, window: int = 24):
    """A random-weight model, float32; weights large enough that its distributions are far from uniform."""
    torch.manual_seed(seed)
    shape = {**SHAPE, "vocab_size": vocab_size}
    if kind == "qwen3":
        model = Qwen3ForCausalLM(Qwen3Config(**shape))
    elif kind == "gemma3":
        layers = ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"]
        model = Gemma3ForCausalLM(
            Gemma3TextConfig(**shape, sliding_window=window, layer_types=layers, query_pre_attn_scalar=16, final_logit_softcapping=30.0)
        )
    else:
        model = LlamaForCausalLM(LlamaConfig(**shape))
    return model.eval()


TEMPLATES = {"qwen3": CHATML, "gemma3": FOLDED, "llama": CHATML}
FAMILIES = {"qwen3": PromptFamily.QWEN, "gemma3": PromptFamily.GEMMA, "llama": PromptFamily.LLAMA}
