"""What a verdict says, by hand: distributions, signals, answers, and the temperature at each branching."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.buckets import BUCKET_LABELS, BUCKETS, FLAT_PATHS, mean_confidence, tempered
from app.core.errors import EdgeError
from app.core.policy import Policy
from app.core.question import LETTERS
from app.core.verdict import JointVerdict, OptionsVerdict, Signal, TextVerdict
from tests.support.fitted import logistic, shown_logistic

FITTED, SHOWN_FITTED = (Policy(signal=Signal.FITTED, fitted=model) for model in (logistic(), shown_logistic()))

# The first token chooses `0` or `1`, the second among 0.0, 0.25, 0.5 and 0.75; as Qwen's and SmolLM2's tokenizers split them.
TREE = (((0, 0), (1, 0)), ((0, 0), (1, 1)), ((0, 0), (1, 2)), ((0, 0), (1, 3)), ((0, 1),))


def test_mean_confidence_weighs_each_bucket():
    assert mean_confidence([1, 0, 0, 0, 0]) == 0.0
    assert mean_confidence([0, 1, 0, 0, 0]) == 0.25
    assert mean_confidence([0.1, 0.2, 0.3, 0.2, 0.2]) == pytest.approx(0.05 + 0.15 + 0.15 + 0.2)
    assert mean_confidence([0, 0, 0, 0, 1.0000001]) == 1.0, "rounding never makes more than 1"


def test_a_temperature_divides_the_logits_at_each_branching():
    """By hand at T = 2: square roots at each branching, normalised there, multiplied along the path."""
    probabilities = [0.04, 0.16, 0.0, 0.0, 0.8]
    first = [math.sqrt(0.2), math.sqrt(0.8)]
    second = [math.sqrt(0.04), math.sqrt(0.16)]
    zero = first[0] / sum(first)
    found = tempered(probabilities, TREE, 2.0)
    assert found[4] == pytest.approx(first[1] / sum(first))
    assert found[0] == pytest.approx(zero * second[0] / sum(second), rel=1e-6)
    assert found[1] == pytest.approx(zero * second[1] / sum(second), rel=1e-6)
    assert math.fsum(found) == pytest.approx(1.0)
    # Tempering whole paths is something else.
    assert found[4] != pytest.approx(math.sqrt(0.8) / (math.sqrt(0.04) + math.sqrt(0.16) + math.sqrt(0.8)), rel=1e-3)


def test_a_temperature_of_one_changes_nothing_and_a_low_one_decides():
    probabilities = (0.1, 0.2, 0.3, 0.15, 0.25)
    assert tempered(probabilities, FLAT_PATHS, 1.0) == probabilities
    assert tempered(list(probabilities), TREE, 1.0) == probabilities
    cold = tempered(probabilities, FLAT_PATHS, 0.01)
    assert cold[2] == pytest.approx(1.0)
    hot = tempered(probabilities, FLAT_PATHS, 1e6)
    assert hot == pytest.approx([0.2] * 5, abs=1e-5)


def test_a_bucket_of_no_probability_keeps_none_worth_speaking_of():
    found = tempered([0.5, 0.5, 0.0, 0.0, 0.0], FLAT_PATHS, 2.0)
    assert found[:2] == pytest.approx([0.5, 0.5])
    assert max(found[2:]) < 1e-100


def test_probabilities_and_paths_must_belong_together():
    with pytest.raises(ValueError, match="zip"):
        tempered([0.5, 0.5], FLAT_PATHS, 2.0)
    with pytest.raises(ValueError, match="zip"):
        mean_confidence([0.5, 0.5])


def test_a_verdict_read_from_weights():
    weights = [[1, 1], [2, 2], [3, 1], [0, 4], [5, 1]]
    verdict = JointVerdict.from_weights(weights, 3, TREE)
    assert verdict.joint == tuple(tuple(value / 20 for value in row) for row in weights)
    assert (verdict.greedy_bucket, verdict.paths, verdict.temperature) == (3, TREE, 1.0)
    assert JointVerdict.from_weights(weights, 3).paths == FLAT_PATHS
    assert verdict.confidence == 0.75
    assert verdict.confidence_probabilities == pytest.approx(dict(zip(BUCKET_LABELS, (0.1, 0.2, 0.2, 0.2, 0.3), strict=True)))
    assert verdict.answer_probabilities == pytest.approx({"A": 11 / 20, "B": 9 / 20})
    assert verdict.expected_confidence == pytest.approx(0.05 + 0.1 + 0.15 + 0.3)
    assert verdict.signal(Signal.VERBALIZED) == 0.75
    assert verdict.signal(Signal.EXPECTED) == verdict.expected_confidence
    assert verdict.signal(Signal.TOP_PROBABILITY) == pytest.approx(11 / 20)
    assert verdict.signal(Signal.MARGIN) == pytest.approx(2 / 20)
    assert verdict.answer(Signal.VERBALIZED) == "B", "what decoding writes after 0.75"
    assert verdict.answer(Signal.TOP_PROBABILITY) == verdict.answer(Signal.MARGIN) == "A"
    assert verdict.answer(Signal.EXPECTED) == "A", "the argmax of the marginal"


def test_the_expected_confidence_is_read_at_the_verdicts_temperature():
    joint = ((0.02, 0.02), (0.1, 0.06), (0.0, 0.0), (0.0, 0.0), (0.5, 0.3))
    verdict = JointVerdict(joint, 4, TREE, 2.0)
    assert verdict.expected_confidence == pytest.approx(mean_confidence(tempered([0.04, 0.16, 0.0, 0.0, 0.8], TREE, 2.0)))
    assert verdict.confidence_probabilities["1.0"] == pytest.approx(0.8), "the distribution itself stays as it was read"


def test_ties_go_to_the_first_letter_and_every_letter_can_be_chosen():
    assert JointVerdict.from_weights([[1, 1]] * 5, 0).answer(Signal.EXPECTED) == "A"
    for index, letter in enumerate(LETTERS):
        row = [2 if place == index else 1 for place in range(26)]
        for signal in Signal:
            assert JointVerdict.from_weights([row] * 5, 4).answer(signal) == letter


# Kinds of verdict.

OPTIONS, TEXT = OptionsVerdict.from_weights([1, 2, 1]), TextVerdict("B")


@pytest.mark.parametrize(("verdict", "has"), [(OPTIONS, {"top_probability": 0.5, "margin": 0.25}), (TEXT, {})])
@pytest.mark.parametrize("signal", Signal)
def test_what_a_kind_of_verdict_does_not_have_is_absent(verdict, has, signal):
    assert verdict.signals == set(has)
    assert verdict.confidence is verdict.expected_confidence is verdict.confidence_probabilities is None
    assert verdict.signal(signal) == has.get(signal), "the largest probability of a letter is not a confidence"
    assert verdict.answer(signal) == "B"
    assert verdict.at_temperature(3.0) is verdict
    assert verdict.fitted is None


def test_letters_have_their_probabilities_where_there_are_any():
    assert OPTIONS.answer_probabilities == {"A": 0.25, "B": 0.5, "C": 0.25}
    assert TEXT.answer_probabilities is None
    assert OptionsVerdict((0.4, 0.4, 0.2)).answer(Signal.EXPECTED) == "A", "the first of equal ones"


def test_a_joint_verdict_has_every_signal_that_it_declares():
    verdict = JointVerdict.from_weights([[1, 1]] * 5, 0)
    assert JointVerdict.signals == frozenset(Signal) - {Signal.FITTED}, "which needs the model of a calibration"
    assert all(verdict.signal(signal) is not None for signal in verdict.signals)
    assert verdict.at_temperature(1.0) is verdict
    assert verdict.at_temperature(2.0) == JointVerdict(verdict.joint, 0, FLAT_PATHS, 2.0)


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [1, math.nan], [1, math.inf], [1e308, 1e308]])
def test_weights_of_letters_that_are_no_distribution_are_a_failure_of_the_edge(weights):
    with pytest.raises(EdgeError, match="not a probability distribution"):
        OptionsVerdict.from_weights(weights)


def test_a_verdict_belongs_to_as_many_letters_as_were_offered():
    assert OPTIONS.is_sound(3)
    assert not OPTIONS.is_sound(2)
    assert not OPTIONS.is_sound(4)
    for values in ((0.5, 0.4), (0.5, math.nan), (1.5, -0.5)):
        assert not OptionsVerdict(values).is_sound(2)
    assert TextVerdict("C").is_sound(3)
    for letter in ("D", "", "AB", "b", "?"):
        assert not TextVerdict(letter).is_sound(3)


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


def relabelled(table, order):
    """The same options with their probabilities, offered in another order."""
    return [[row[place] for place in order] for row in table]


@given(st.integers(2, 26).flatmap(lambda options: st.tuples(weights(options), st.permutations(range(options)))), st.integers(0, 4))
def test_no_signal_depends_on_which_letter_an_option_has(found, greedy):
    table, order = found
    before, after = (FITTED.read(JointVerdict.from_weights(one, greedy)) for one in (table, relabelled(table, order)))
    # Which of several equally probable letters decoding writes does depend on their order, and `fitted` uses whether it is the most probable one.
    # Weights that differ can be equal as probabilities, which are rounded.
    written = sorted(before.joint[greedy])
    for signal in set(Signal) - ({Signal.FITTED} if written[-1] == written[-2] else set()):
        assert before.signal(signal) == after.signal(signal)
    marginals = sorted(before.answer_probabilities.values())
    if marginals[-1] > marginals[-2]:
        answers = [verdict.answer(Signal.MARGIN) for verdict in (before, after)]
        assert order[LETTERS.index(answers[1])] == LETTERS.index(answers[0]), "the answer is the same option"
    one, other = (SHOWN_FITTED.read(OptionsVerdict.from_weights(row)) for row in (table[0], relabelled(table, order)[0]))
    for signal in {*OptionsVerdict.signals, Signal.FITTED}:
        assert one.signal(signal) is not None
        assert one.signal(signal) == other.signal(signal)


@given(st.integers(2, 26).flatmap(weights), st.integers(0, 4))
def test_every_signal_is_from_zero_to_one_and_the_margin_is_never_above_the_top_probability(table, greedy):
    joint = FITTED.read(JointVerdict.from_weights(table, greedy))
    assert all(0 <= joint.signal(signal) <= 1 for signal in Signal)
    for verdict in (joint, OptionsVerdict.from_weights(table[0])):
        top = verdict.signal(Signal.TOP_PROBABILITY)
        assert 0 <= verdict.signal(Signal.MARGIN) <= top <= 1
        assert top >= 1 / len(table[0]) - 1e-12


def test_a_certain_option_has_signals_of_exactly_one_and_equal_options_a_margin_of_zero():
    # The float sum of these shares is above 1.
    assert OptionsVerdict((1.0000000000000002, 0.0)).signal(Signal.TOP_PROBABILITY) == 1.0
    assert OptionsVerdict((1.0000000000000002, 0.0)).signal(Signal.MARGIN) == 1.0
    assert OptionsVerdict((0.25,) * 4).signal(Signal.MARGIN) == 0.0


def test_each_signal_has_words_for_a_sentence():
    assert [signal.words for signal in Signal] == [
        "verbalized confidence",
        "expected confidence",
        "top probability",
        "margin",
        "fitted probability",
    ]


def test_the_answer_is_the_most_probable_letter_of_the_distribution_that_it_was_chosen_from():
    # Behind the greedy bucket B is more probable, over all buckets A.
    joint = [[0.3, 0.05], [0.05, 0.05], [0.05, 0.05], [0.05, 0.05], [0.1, 0.25]]
    verdict = JointVerdict.from_weights(joint, 4)
    given = {signal: verdict.answer_distribution(signal) for signal in (Signal.VERBALIZED, Signal.EXPECTED, Signal.TOP_PROBABILITY)}
    for signal, distribution in given.items():
        assert max(distribution, key=distribution.__getitem__) == verdict.answer(signal)
        assert math.isclose(math.fsum(distribution.values()), 1)
    assert given[Signal.VERBALIZED] == pytest.approx({"A": 0.1 / 0.35, "B": 0.25 / 0.35})
    assert given[Signal.EXPECTED] == given[Signal.TOP_PROBABILITY] == verdict.answer_probabilities
    assert OptionsVerdict((0.2, 0.8)).answer_distribution(Signal.MARGIN) == {"A": 0.2, "B": 0.8}
