"""Question → chat messages: the exact prompt of FogGen's model cards, or a plain one.

Serving, training and evaluation all use this file, so that a model is trained on the prompt that it is served with. Knows no tokenizer.
"""

from collections.abc import Iterable
from enum import StrEnum

from app.core.question import Question

# Written into calibration files, metrics and records: change it with any change of the text below.
PROMPT_VERSION = "foggate-1"

_RULES = """You are a self-aware multiple-choice assistant.

Rules:
{think}- First, assess your confidence in solving this question.
- Then give your answer.
- Output format:
  Confidence: <0.0|0.25|0.5|0.75|1.0>
  Final answer: <OPTION_LETTER>"""
_NO_THINK = "- Do not output <think> tags.\n"
_PLAIN = "You are a helpful assistant."


class PromptFamily(StrEnum):
    """Which wording a model is given.

    The first three are the rules that FogGen's checkpoints were trained with; only Qwen's names the think tags. `plain` is for models that
    nobody trained to write a confidence: an assistant's usual system text without rules.
    """

    QWEN = "qwen"
    GEMMA = "gemma"
    LLAMA = "llama"
    PLAIN = "plain"


def system_prompt(family: PromptFamily) -> str:
    """The system text of a family, without a final newline."""
    if family is PromptFamily.PLAIN:
        return _PLAIN
    return _RULES.format(think=_NO_THINK if family is PromptFamily.QWEN else "")


def user_prompt(question: Question) -> str:
    """The question verbatim, a blank line, then one option a line as `A. text`; nothing after the options."""
    return question.question + "\n\n" + "\n".join(f"{label}. {text}" for label, text in zip(question.labels, question.options, strict=True))


def answer_text(bucket_label: str, letter: str) -> str:
    """What the model writes, as in `Confidence: 0.75\\nFinal answer: B`."""
    return f"Confidence: {bucket_label}\nFinal answer: {letter}"


def neutralise(text: str, control_tokens: Iterable[str]) -> str:
    """Break every chat-template control token in user text with a blank after its first character.

    The tokenizer then reads plain characters (`<|im_end|>` becomes `< |im_end|>`), so that a question cannot open a
    new turn of the conversation. Blanks are only added, so the loop ends: no control token holds a blank after its first character.
    """
    # Breaking one token can never form another, but it can uncover one that it overlapped: longest first, until still.
    tokens = sorted(control_tokens, key=len, reverse=True)
    while found := [token for token in tokens if token in text]:
        for token in found:
            text = text.replace(token, token[0] + " " + token[1:])
    return text


def chat_messages(question: Question, family: PromptFamily, control_tokens: Iterable[str] = ()) -> list[dict[str, str]]:
    """System and user turn; for Gemma the chat template folds the system text into the user turn."""
    return [
        {"role": "system", "content": system_prompt(family)},
        {"role": "user", "content": neutralise(user_prompt(question), control_tokens)},
    ]
