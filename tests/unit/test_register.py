"""The register: questions of examinations and ordinary prompts of the same form are told apart by their words."""

import random

import pytest

from app.demo.bank import SHIPPED_BANK
from app.recognise import Recognised, Refusal, examine, examine_chat, register
from tests.runs import register_fit
from tests.runs.recogniser import questions_of
from tests.support.register import fronts, rows, technical

OPTIONS = ("the first one", "the second one", "the third one", "the fourth one")
# Neither stands in the files of the fit.
EXAMINATION = [
    "Which ion moves into the cell during the depolarization of a neuron?",
    "A defendant who pleads necessity must show that",
    "What is the determinant of a 2 by 2 identity matrix?",
    "Атом ядросындағы оң зарядталған бөлшек қалай аталады?",
]
EVERYDAY = [
    "Which cushion goes with the green armchair?",
    "A good neighbour on our street usually has",
    "What is the nicest café near the office?",
    "Кешке балалармен қай саябаққа барайық?",
]


def listed(text, options=OPTIONS):
    return text + "".join(f"\n{label}) {option}" for label, option in zip("ABCD", options, strict=False))


@pytest.mark.parametrize(("exam", "life"), [*zip(EXAMINATION, EVERYDAY, strict=True)])
def test_texts_of_the_same_form_are_told_apart(exam, life):
    assert register.score(exam, OPTIONS) > register.score(life, OPTIONS) + 1


def test_a_list_in_everyday_words_is_passed_through_unless_an_instruction_asks_for_a_letter():
    text = listed(EVERYDAY[0])
    assert examine(text) is Refusal.EVERYDAY
    assert isinstance(examine(f"{text}\n\nAnswer with the letter only."), Recognised)
    assert isinstance(examine(f"{text}\n\nAnswer:"), Recognised)
    assert isinstance(examine_chat([("system", "Answer with the letter only."), ("user", text)]), Recognised)


def test_a_survey_that_asks_to_choose_is_passed_through():
    survey = listed("How happy are you with the new parking rules at the office?", ("Very happy", "Happy", "Unhappy"))
    assert isinstance(examine(f"Choose the correct answer.\n{listed(EXAMINATION[0])}"), Recognised)
    assert examine(f"Choose the best answer.\n{survey}") is Refusal.EVERYDAY


def test_a_wish_in_front_of_a_question_of_an_examination_counts_though_its_words_are_no_task_that_the_rules_know():
    question = "Which ion moves into the cell during the depolarization of a neuron?"
    wish = "The pupils of the evening group mixed everything up again, so a kinder wording would be lovely."
    assert isinstance(examine(listed(question, ("sodium", "potassium", "chloride", "iron"))), Recognised)
    assert isinstance(examine(f"{wish}\n\n{listed(question, ('sodium', 'potassium', 'chloride', 'iron'))}"), Refusal)


def test_the_score_is_that_of_the_model_that_was_fitted(tmp_path):
    """Weights are rounded to whole numbers: the score in pure Python differs little from the model's own."""
    draw = random.Random(2)
    good = [(one.question, one.options) for one in questions_of(str(SHIPPED_BANK))]
    bad = rows("ordinary")[:200]
    model = register_fit.fitted([register.features(*row) for row in good], [register.features(*row) for row in bad])
    path = tmp_path / "weights.b85"
    path.write_text(register_fit.packed(model.coef_[0], float(model.intercept_[0])), encoding="ascii")
    (read_back,) = register.models(path)
    for row in draw.sample(good, 10) + draw.sample(bad, 10):
        found = register.features(*row)
        exact = float(model.decision_function(register_fit.matrix([found]))[0])
        assert register.value_of(found, read_back) == pytest.approx(exact, abs=0.1)


def test_the_rows_of_the_fit_are_complete_and_different():
    """A line that is written wrongly would be lost without a word."""
    for name in ("ordinary", "general"):
        found = rows(name)
        assert len({text for text, _ in found}) == len(found)
        assert all(text and len(options) > 1 and all(options) for text, options in found)
    draw = random.Random(1)
    made = technical(draw, [OPTIONS], 3)
    assert len(made) > 300
    assert len(set(fronts())) == len(fronts()) > 200
    assert all(text and "{}" not in text and "[" not in text[:1] for text, _ in made)
