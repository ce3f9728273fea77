"""The chat messages of each family, word for word as the reference model cards have them."""

import pytest

from app.core.prompt import PromptFamily, chat_messages, system_prompt
from app.core.question import Question

RULES = (
    "You are a self-aware multiple-choice assistant.\n\nRules:\n{}- First, assess your confidence in solving this question.\n"
    "- Then give your answer.\n- Output format:\n  Confidence: <0.0|0.25|0.5|0.75|1.0>\n  Final answer: <OPTION_LETTER>"
)


@pytest.mark.parametrize(
    ("family", "first"),
    [(PromptFamily.QWEN, "- Do not output <think> tags.\n"), (PromptFamily.GEMMA, ""), (PromptFamily.LLAMA, "")],
)
def test_every_family_has_its_own_messages(family, first):
    assert system_prompt(family) == RULES.format(first)
    assert chat_messages(Question("Which?", ("one", "<end>")), family, ["<end>"]) == [
        {"role": "system", "content": RULES.format(first)},
        {"role": "user", "content": "Which?\n\nA. one\nB. < end>"},
    ]
