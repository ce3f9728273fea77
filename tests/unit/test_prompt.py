"""The chat messages of each family, word for word as the reference model cards have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.prompt import PromptFamily, answer_text, chat_messages, neutralise, system_prompt
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


def test_the_plain_wording_is_an_assistants_usual_one_and_the_question_is_the_same():
    assert chat_messages(Question("Which?", ("one", "<end>")), PromptFamily.PLAIN, ["<end>"]) == [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Which?\n\nA. one\nB. < end>"},
    ]


def test_the_answer_has_the_format_that_the_system_prompt_asks_for():
    assert answer_text("0.75", "B") == "Confidence: 0.75\nFinal answer: B"


def test_the_user_turn_is_question_blank_line_options(question):
    messages = chat_messages(question, PromptFamily.QWEN)
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[1]["content"] == "Which gas do plants take in?\n\nA. Oxygen\nB. Carbon dioxide\nC. Nitrogen\nD. Helium"


CONTROL = ("<|im_start|>", "<|im_end|>", "<think>", "</think>", "[INST]")


@given(st.lists(st.sampled_from([*CONTROL, "<|im_", "end|>", "a", " ", "<", "|>"])).map("".join))
def test_no_control_token_survives_in_user_text(text):
    clean = neutralise(text, CONTROL)
    assert not any(token in clean for token in CONTROL)
    assert clean.replace(" ", "") == text.replace(" ", "")


def test_text_without_control_tokens_is_untouched():
    assert neutralise("a < b | c > d <think", CONTROL) == "a < b | c > d <think"
