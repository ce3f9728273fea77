"""A letter prior divided out of a verdict: the formula, what it leaves alone, and how it goes with other orders of the options."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from app.core.ask import Ask
from app.core.buckets import BUCKETS
from app.core.cascade import Cascade
from app.core.distribution import margin
from app.core.fitted import SHOWN_FEATURES, features_of
from app.core.letter_prior import CorrectedVerdict, LetterPrior
from app.core.permutation import Permutation, aligned, in_order, mean_of, orders
from app.core.policy import Policy
from app.core.question import Question
from app.core.verdict import EdgeReply, JointVerdict, OptionsVerdict, Signal, TextVerdict
from tests.support.fakes import FakeEdge, make_verdict
from tests.support.fitted import logistic
from tests.support.lettered import prior

weights = some.floats(0.01, 1)
SHOWN = (Signal.TOP_PROBABILITY, Signal.MARGIN)


def shares_of(data, options):
    found = data.draw(some.lists(weights, min_size=options, max_size=options))
    return tuple(value / math.fsum(found) for value in found)


def joint_of(data, options):
    rows = data.draw(some.lists(some.lists(weights, min_size=options, max_size=options), min_size=5, max_size=5))
    return JointVerdict.from_weights(rows, data.draw(some.integers(0, 4)))


def test_by_hand():
    """0.5 / 0.4 : 0.3 / 0.3 : 0.2 / 0.3 = 1.25 : 1 : 0.667."""
    found = prior((0.4, 0.3, 0.3)).read(OptionsVerdict.from_weights([0.5, 0.3, 0.2]))
    total = 1.25 + 1 + 2 / 3
    assert list(found.answer_probabilities.values()) == pytest.approx([1.25 / total, 1 / total, 2 / 3 / total])
    assert found.signal(Signal.TOP_PROBABILITY) == pytest.approx(1.25 / total)
    assert found.signal(Signal.MARGIN) == pytest.approx(0.25 / total)
    turned = prior((0.7, 0.2, 0.1)).read(OptionsVerdict.from_weights([0.5, 0.3, 0.2]))
    assert turned.answer(Signal.TOP_PROBABILITY) == "C", "the answer is the largest corrected probability"
    assert turned.answer_distribution(Signal.MARGIN) == turned.answer_probabilities


@settings(max_examples=25)
@given(some.data(), some.integers(2, 26))
def test_a_uniform_prior_and_one_of_other_numbers_of_options_change_nothing(data, options):
    verdict = joint_of(data, options)
    for one in (prior((1 / options,) * options), LetterPrior({}), LetterPrior({options + 1: (0.9, *[0.1 / options] * options)})):
        assert one.read(verdict) is verdict
        assert one.corrected(shares_of(data, options)) is not None
    policy = Policy(signal=Signal.MARGIN, letter_prior=prior((1 / options,) * options))
    assert policy.read(verdict) == Policy(signal=Signal.MARGIN).read(verdict)


@settings(max_examples=25)
@given(some.data(), some.integers(2, 26))
def test_letters_that_are_renamed_together_with_their_prior_give_the_same_options(data, options):
    """Equivariant under relabelling: what counts is which preference goes with which probability."""
    preference, verdict = shares_of(data, options), joint_of(data, options)
    order = data.draw(some.permutations(range(options)))
    found = prior(preference).read(verdict)
    renamed = prior([preference[place] for place in order]).read(
        JointVerdict.from_weights([[row[place] for place in order] for row in verdict.joint], verdict.greedy_bucket)
    )
    # Of equally probable letters the first is taken, which may be another option under other names.
    for shares in (found.answer_probabilities, found.answer_distribution(Signal.VERBALIZED)):
        assume(margin(shares.values()) > 1e-9)
    before, after = (list(one.answer_probabilities.values()) for one in (found, renamed))
    assert after == pytest.approx([before[place] for place in order])
    assert math.fsum(after) == pytest.approx(1)
    for signal in (*SHOWN, Signal.EXPECTED, Signal.VERBALIZED):
        assert renamed.signal(signal) == pytest.approx(found.signal(signal))
    features = [features_of(one) for one in (found, renamed)]
    assert features[1] == pytest.approx(features[0])


@settings(max_examples=25)
@given(some.data(), some.integers(2, 10))
def test_a_model_that_is_nothing_but_its_preference_is_sure_of_nothing(data, options):
    preference = shares_of(data, options)
    found = LetterPrior({options: preference}).corrected(preference)
    assert found == pytest.approx([1 / options] * options)


@settings(max_examples=25)
@given(some.data(), some.integers(2, 10))
def test_the_confidence_and_what_decoding_would_write_stay_the_models_own(data, options):
    verdict, one = joint_of(data, options), prior(shares_of(data, options))
    found = one.read(verdict)
    for signal in (Signal.VERBALIZED, Signal.EXPECTED):
        assert found.signal(signal) == verdict.signal(signal)
    assert found.confidence_probabilities == verdict.confidence_probabilities
    assert found.answer(Signal.VERBALIZED) == verdict.answer(Signal.VERBALIZED)
    assert found.answer_distribution(Signal.VERBALIZED) == verdict.answer_distribution(Signal.VERBALIZED)
    assert found.at_temperature(2.0).expected_confidence == verdict.at_temperature(2.0).expected_confidence
    assert found.is_sound(options)
    assert not found.is_sound(options + 1)


@settings(max_examples=10)
@given(some.data(), some.integers(2, 6))
def test_the_two_marginals_are_those_of_one_joint_distribution(data, options):
    """The model's own times a factor for each bucket and each letter, by iterative proportional fitting (Deming and Stephan 1940)."""
    verdict = joint_of(data, options)
    found = prior(shares_of(data, options)).read(verdict)
    joint = np.array(verdict.joint)
    buckets, letters = (np.array(list(part.values())) for part in (found.confidence_probabilities, found.answer_probabilities))
    for _ in range(300):
        joint *= (buckets / joint.sum(axis=1))[:, None]
        joint *= letters / joint.sum(axis=0)
    assert joint.sum(axis=1) == pytest.approx(buckets, abs=1e-4)
    assert joint.sum(axis=0) == pytest.approx(letters, abs=1e-4)


def test_reading_again_changes_nothing_and_what_has_no_distribution_is_left_alone():
    policy = Policy(0.5, Signal.FITTED, fitted=logistic(), letter_prior=prior((0.4, 0.3, 0.2, 0.1)))
    once = policy.read(make_verdict(0.75))
    assert isinstance(once, CorrectedVerdict)
    assert policy.read(once) == once
    assert once.fitted is not None
    assert once.with_fitted(0.25).signal(Signal.FITTED) == 0.25
    letter = TextVerdict("B")
    assert policy.read(letter) is letter


def test_a_model_of_the_fitted_signal_reads_the_corrected_features():
    verdict, one = make_verdict(0.75, answer=0), prior((0.7, 0.1, 0.1, 0.1))
    corrected = features_of(one.read(verdict))
    assert corrected["top_probability"] == pytest.approx(0.25)
    assert corrected["expected_confidence"] == features_of(verdict)["expected_confidence"]
    # Decoding would still write A, which is no longer more probable than the others, but as probable.
    turned = features_of(prior((0.9, 0.05, 0.03, 0.02)).read(verdict))
    assert (features_of(verdict)["letters_agree"], turned["letters_agree"]) == (1.0, 0.0)
    assert corrected.keys() >= set(SHOWN_FEATURES)


QUESTION = Question("Which?", ("one", "two", "three", "four"))
PREFERENCE = (0.55, 0.2, 0.15, 0.1)
CONTENT = {"one": 0.4, "two": 0.3, "three": 0.2, "four": 0.1}


class Preferring(FakeEdge):
    """Knows the options, and likes letters by `PREFERENCE`: what it shows is the product."""

    def about(self, question):
        liked = [CONTENT[option] * like for option, like in zip(question.options, PREFERENCE, strict=True)]
        return OptionsVerdict.from_weights(liked)


@pytest.mark.parametrize("kind", [OptionsVerdict, JointVerdict])
def test_each_order_is_corrected_as_it_was_presented_before_it_is_put_back(kind):
    edge, one = Preferring(None), prior(PREFERENCE)
    found = []
    for order in orders(4, 4):
        shown = edge.about(in_order(QUESTION, order))
        if kind is JointVerdict:
            shown = JointVerdict.from_weights([shown.probabilities] * len(BUCKETS), 3)
        found.append(aligned(one.read(shown), order))
    for verdict in (*found, mean_of(found)):
        assert list(verdict.answer_probabilities.values()) == pytest.approx(list(CONTENT.values()))
        assert verdict.is_sound(4)
    assert mean_of(found).confidence == found[0].confidence


async def test_a_question_that_is_read_again_is_corrected_in_both_reads():
    """Without the correction of the second read the mean would name another option, or be as sure as the preference makes it."""
    rule, tau = Permutation(2, 0.3), 0.5
    policy = Policy(tau, Signal.TOP_PROBABILITY, permutation=rule, letter_prior=prior(PREFERENCE))
    outcome = await Cascade(Preferring(None), None, policy).answer(Ask(QUESTION))
    assert outcome.signal == pytest.approx(0.4), "both reads say 0.4 once the preference is gone"
    assert list(outcome.edge.verdict.answer_probabilities.values()) == pytest.approx(list(CONTENT.values()))
    assert outcome.answer == "A"


def test_a_reply_keeps_its_verdict_sound_through_the_policy():
    reply = EdgeReply(make_verdict(1.0, options=5), "m", None, 0.1)
    read = Policy(signal=Signal.MARGIN, letter_prior=prior((0.3, 0.3, 0.2, 0.1, 0.1))).read(reply.verdict)
    assert read.is_sound(5)
    assert math.fsum(read.answer_probabilities.values()) == pytest.approx(1)
