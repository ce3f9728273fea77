import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import EdgeError, InvalidQuestion
from app.core.prompt import PromptFamily, answer_text, chat_messages, neutralise, system_prompt, user_prompt
from app.core.question import Question, one_line
from app.core.verdict import BUCKETS, JointVerdict, Signal


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("", ("a", "b"), "question is blank"),
        (" \n\t", ("a", "b"), "question is blank"),
        ("q", ("a",), "2 to 26, got 1"),
        ("q", tuple(map(str, range(27))), "2 to 26, got 27"),
        ("q", ("a", "b", "a"), "options A and C are the same"),
        ("q", ("a", " a \n"), "options A and B are the same"),
        ("q", ("a", " \n "), "option B is blank"),
        ("q\ud800", ("a", "b"), "not valid Unicode"),
        ("q", ("a", "b\udfff"), "not valid Unicode"),
    ],
)
def test_bad_questions_are_refused_with_a_reason(text, options, says):
    with pytest.raises(InvalidQuestion, match=says):
        Question(text, options)


@pytest.mark.parametrize("name", ["id", "domain"])
def test_what_is_echoed_can_be_encoded(name):
    with pytest.raises(InvalidQuestion, match=f"{name} is not valid Unicode") as refused:
        Question("q", ("a", "b"), **{name: "x\ud800"})
    assert refused.value.param == name


# How folding was written before, in time that grows with the square of a run of blanks.
FOLDED = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")


@given(st.text(st.sampled_from("a. \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029\u00a0\u3000\u200b"), max_size=30))
def test_lines_are_folded_as_the_pattern_says(text):
    assert one_line(text) == FOLDED.sub(" ", text).strip()


@given(st.text(min_size=1))
def test_an_option_never_spans_lines(text):
    assert len(one_line(text).splitlines()) <= 1


def test_a_newline_inside_an_option_cannot_forge_another():
    question = Question("q", ("first\nB. forged\u2028C. forged too", "second"))
    assert user_prompt(question).splitlines() == ["q", "", "A. first B. forged C. forged too", "B. second"]


def weights(options: int):
    return st.lists(st.lists(st.floats(1e-6, 1.0), min_size=options, max_size=options), min_size=5, max_size=5)


@given(st.integers(2, 26).flatmap(weights), st.integers(0, 4))
def test_every_distribution_of_a_verdict_sums_to_one(table, greedy):
    verdict = JointVerdict.from_weights(table, greedy)
    assert math.isclose(sum(verdict.confidence_probabilities.values()), 1, abs_tol=1e-9)
    assert math.isclose(sum(verdict.answer_probabilities.values()), 1, abs_tol=1e-9)
    assert 0 <= verdict.expected_confidence <= 1
    for signal in Signal:
        assert verdict.answer(signal) in verdict.answer_probabilities


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), -0.1, 1e308])
@pytest.mark.parametrize("everywhere", [True, False])
def test_weights_that_are_no_distribution_are_an_edge_error(bad, everywhere):
    table = [[0.1, 0.1] for _ in BUCKETS]
    for row in table if everywhere else table[3:4]:
        row[1] = bad
    if bad == 1e308 and not everywhere:
        assert JointVerdict.from_weights(table, 0).is_sound(2), "a large weight alone is one"
        return
    with pytest.raises(EdgeError, match="not a probability distribution"):
        JointVerdict.from_weights(table, 0)


@pytest.mark.parametrize(
    ("table", "greedy"), [([[0.0, 0.0]] * 5, 0), ([[0.1, 0.1]] * 5, -1), ([[0.1, 0.1]] * 5, 5), ([[1.0]] * 4, 0), ([[]] * 5, 0)]
)
def test_no_weight_and_no_greedy_bucket_are_an_edge_error_too(table, greedy):
    with pytest.raises(EdgeError):
        JointVerdict.from_weights(table, greedy)


@given(st.integers(2, 26).flatmap(weights), st.integers(0, 4))
def test_what_from_weights_makes_is_sound(table, greedy):
    verdict = JointVerdict.from_weights(table, greedy)
    assert verdict.is_sound(len(table[0]))
    assert not verdict.is_sound(len(table[0]) + 1)


def test_the_two_signals_can_disagree_about_the_answer():
    table = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.30, 0.29], [0.01, 0.40]]
    verdict = JointVerdict.from_weights(table, greedy_bucket=3)
    assert (verdict.answer(Signal.VERBALIZED), verdict.answer(Signal.EXPECTED)) == ("A", "B")
    assert verdict.confidence == BUCKETS[3]
    assert math.isclose(verdict.expected_confidence, 0.75 * 0.59 + 0.41)


def test_the_system_prompt_is_that_of_the_reference_cards():
    assert system_prompt(PromptFamily.QWEN) == (
        "You are a self-aware multiple-choice assistant.\n\nRules:\n- Do not output <think> tags.\n"
        "- First, assess your confidence in solving this question.\n- Then give your answer.\n- Output format:\n"
        "  Confidence: <0.0|0.25|0.5|0.75|1.0>\n  Final answer: <OPTION_LETTER>"
    )
    assert "think" not in system_prompt(PromptFamily.GEMMA)
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
