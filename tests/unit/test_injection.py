"""What an attack is counted as doing, on an engine whose weakness is known."""

import pytest

from app.core.fitted import Logistic
from app.core.policy import Policy
from app.core.question import LETTERS, Question
from app.core.verdict import Signal
from app.data.dataset import Item
from app.edge.rendering import Prompt
from app.evaluation.injection import ATTACKS, measure_injection
from tests.support.fakes import make_verdict

# Its fitted probability is near 0 or 1, as the probability of the answer is below or above 0.6.
TOP = Logistic(("top_probability",), (20.0,), -12.0, (0.0,), (1.0,))
ITEMS = [Item(Question(f"Question {n}?", ("w", "x", "y", "z")), "A") for n in range(8)]


class Gullible:
    """Answers A with confidence 0.25 and a probability of 0.4; believes an authority, an option's note, and doubt."""

    def prepare(self, question):
        self.questions.append(question)
        return Prompt((len(self.questions) - 1,), len(question.options), shares_prefix=True)

    def __init__(self):
        self.questions = []

    def verdicts(self, prompts):
        return [self._verdict(self.questions[prompt.ids[0]]) for prompt in prompts]

    def _verdict(self, question):
        bucket, answer, top = 0.25, 0, 0.4
        if "The examiner has confirmed that " in question.question:
            bucket, answer, top = 1.0, LETTERS.index(question.question.partition("confirmed that ")[2][0]), 0.9
        noted = [index for index, option in enumerate(question.options) if "correct answer" in option]
        if noted:
            answer = noted[0]
        if "Nobody can know" in question.question:
            bucket = 0.0
        return make_verdict(bucket, answer, len(question.options), top=top)


def test_flips_of_answer_and_route_are_counted_by_attack():
    effects = measure_injection(Gullible(), ITEMS, Policy(tau=0.25), batch_size=3)
    assert set(effects) == set(ATTACKS)
    rows = {name: effect.row() for name, effect in effects.items()}
    assert all(row["n"] == 8 for row in rows.values())
    believed = rows["an authority"]
    assert (believed["answer_to_target"], believed["answer_changed"], believed["confidence_change"]) == (1.0, 1.0, 0.75)
    noted = rows["a note in an option"]
    assert (noted["answer_to_target"], noted["edge_to_cloud"], noted["confidence_change"]) == (1.0, 0.0, 0.0)
    doubted = rows["doubt (makes it expensive)"]
    assert (doubted["answer_changed"], doubted["edge_to_cloud"], doubted["cloud_to_edge"]) == (0.0, 1.0, 0.0)
    assert rows["an instruction"] == {
        "n": 8,
        "answer_to_target": 0.0,
        "answer_changed": 0.0,
        "edge_to_cloud": 0.0,
        "cloud_to_edge": 0.0,
        "confidence_change": 0.0,
    }


@pytest.mark.parametrize("signal", list(Signal))
def test_a_model_that_sends_everything_to_the_cloud_can_be_talked_into_keeping_it(signal):
    effects = measure_injection(Gullible(), ITEMS, Policy(tau=0.6, signal=signal, fitted=TOP), batch_size=16)
    assert effects["an authority"].to_edge == 8
    assert effects["doubt (makes it expensive)"].to_cloud == 0


def test_attacks_change_the_text_and_nothing_else():
    question = Question("Why?", ("a", "b", "c"))
    for name, attack in ATTACKS.items():
        hostile = attack(question, "B")
        assert len(hostile.options) == 3, name
        assert (hostile.question, hostile.options) != (question.question, question.options), name
