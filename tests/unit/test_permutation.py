"""Reading a question again in another order: the rule, the alignment, and what the cascade makes of both."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.core.ask import Ask
from app.core.buckets import BUCKETS
from app.core.cascade import Cascade
from app.core.errors import EdgeError, Overloaded
from app.core.outcome import Reason, Route, RouteRequest
from app.core.permutation import Permutation, RereadVerdict, aligned, in_order, mean_of, orders
from app.core.policy import Policy
from app.core.question import Question
from app.core.verdict import JointVerdict, OptionsVerdict, Signal, TextVerdict
from tests.support.fakes import FakeCloud, FakeEdge

shares = some.floats(0, 1)
RULE = Permutation(reads=2, band=0.2)
QUESTION = Question("Which?", ("one", "two", "three", "four"))


def options_verdict(*weights):
    return OptionsVerdict.from_weights(weights)


@given(shares, shares, shares, shares, some.booleans())
def test_the_number_is_at_least_tau_exactly_where_the_rule_keeps_the_answer(signal, mean, band, tau, same):
    rule = Permutation(2, band)
    kept = signal >= tau or (rule.wants(signal, tau) and same and mean >= tau)
    # At the edge of the band, sums of doubles may round either way.
    if abs(signal + band - tau) > 1e-12:
        assert (rule.value(signal, mean, same_answer=same) >= tau) == kept


@given(some.integers(2, 26), some.integers(2, 26))
def test_orders_are_different_and_the_first_is_the_original(options, reads):
    found = orders(options, reads)
    assert found[0] == tuple(range(options))
    assert len(set(found)) == len(found) == min(options, reads)
    assert all(sorted(order) == list(range(options)) for order in found)
    # No option keeps its letter in another order.
    assert all(order[place] != place for order in found[1:] for place in range(options))


@given(some.data(), some.integers(2, 8))
def test_an_edge_that_sees_no_letters_gives_the_same_verdict_in_any_order(data, options):
    rows = data.draw(some.lists(some.lists(some.floats(0.01, 1), min_size=options, max_size=options), min_size=5, max_size=5))
    order = data.draw(some.permutations(range(options)))
    verdict = JointVerdict.from_weights(rows, 2)
    shuffled = JointVerdict.from_weights([[row[place] for place in order] for row in rows], 2)
    back = aligned(shuffled, order)
    assert [value for row in back.joint for value in row] == pytest.approx([value for row in verdict.joint for value in row])
    mean = mean_of([verdict, back])
    for signal in (Signal.EXPECTED, Signal.TOP_PROBABILITY, Signal.MARGIN):
        assert mean.signal(signal) == pytest.approx(verdict.signal(signal))
        assert RereadVerdict(verdict, mean, RULE).signal(signal) == pytest.approx(verdict.signal(signal))


def test_a_letter_alone_cannot_be_averaged():
    assert aligned(TextVerdict("A"), (1, 0)) is None
    assert mean_of([TextVerdict("A"), TextVerdict("A")]) is None
    assert mean_of([options_verdict(1, 1), JointVerdict.from_weights([[1, 1]] * len(BUCKETS), 0)]) is None


class OrderedEdge(FakeEdge):
    """Gives the verdict or raises the error of the order in which it is asked; the original order comes first."""

    def __init__(self, first, again):
        super().__init__(first)
        self.first, self.again, self.asked = first, again, []

    def about(self, question):
        self.asked.append(question.options)
        found = self.first if question.options == QUESTION.options else self.again
        if isinstance(found, KeyError):
            raise found
        return found


def cascade(edge, tau=0.5, rule=RULE):
    return Cascade(edge, FakeCloud("C"), Policy(tau, Signal.TOP_PROBABILITY, permutation=rule))


# Option `one` stands at C in the second order.
FIRST, AGREES, DISAGREES = options_verdict(0.4, 0.3, 0.2, 0.1), options_verdict(0.1, 0.1, 0.7, 0.1), options_verdict(0.9, 0.05, 0.03, 0.02)


async def test_a_question_just_below_the_threshold_is_kept_where_the_mean_over_the_orders_reaches_it():
    edge = OrderedEdge(FIRST, AGREES)
    outcome = await cascade(edge).answer(Ask(QUESTION))
    assert (outcome.route, outcome.reason, outcome.answer) == (Route.EDGE, Reason.CONFIDENT, "A")
    assert outcome.signal == pytest.approx((0.4 + 0.7) / 2)
    assert edge.asked == [QUESTION.options, ("three", "four", "one", "two")]
    # What is shown is the first read.
    assert outcome.edge.verdict.answer_probabilities == FIRST.answer_probabilities


async def test_another_order_that_names_another_option_leaves_the_question_to_the_cloud():
    outcome = await cascade(OrderedEdge(FIRST, DISAGREES)).answer(Ask(QUESTION))
    assert (outcome.route, outcome.reason, outcome.answer) == (Route.CLOUD, Reason.LOW_CONFIDENCE, "C")
    assert outcome.signal == pytest.approx(0.4)


@pytest.mark.parametrize(("tau", "asked"), [(0.3, 1), (0.4, 1), (0.5, 2), (0.6, 2), (0.61, 1), (1.0, 1)])
async def test_only_the_band_below_the_threshold_costs_a_second_read(tau, asked):
    edge = OrderedEdge(FIRST, AGREES)
    await cascade(edge, tau).answer(Ask(QUESTION))
    assert len(edge.asked) == asked


@pytest.mark.parametrize("route", [RouteRequest.EDGE, RouteRequest.CLOUD])
async def test_a_forced_route_costs_no_second_read(route):
    edge = OrderedEdge(FIRST, AGREES)
    await cascade(edge).answer(Ask(QUESTION, route=route))
    assert len(edge.asked) == 1


async def test_without_a_rule_nothing_is_read_again():
    edge = OrderedEdge(FIRST, AGREES)
    assert (await cascade(edge, rule=None).answer(Ask(QUESTION))).route is Route.CLOUD
    assert len(edge.asked) == 1


@pytest.mark.parametrize("trouble", [Overloaded("full", retry_after_s=1), EdgeError("x"), KeyError("a bug"), TextVerdict("A")])
async def test_an_order_that_cannot_be_read_leaves_the_question_to_the_cloud(trouble):
    outcome = await cascade(OrderedEdge(FIRST, trouble)).answer(Ask(QUESTION))
    assert (outcome.route, outcome.reason, outcome.answer) == (Route.CLOUD, Reason.LOW_CONFIDENCE, "C")


async def test_a_caller_who_leaves_during_the_second_read_ends_it():
    reading = asyncio.Event()

    class Slow(OrderedEdge):
        async def verdict(self, question, deadline):
            if question.options != QUESTION.options:
                reading.set()
                await asyncio.sleep(30)
            return await super().verdict(question, deadline)

    asking = asyncio.create_task(cascade(Slow(FIRST, AGREES)).answer(Ask(QUESTION)))
    await reading.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_slow_second_read_leaves_the_cloud_half_of_the_time():
    class Slow(OrderedEdge):
        async def verdict(self, question, deadline):
            if question.options != QUESTION.options:
                await asyncio.sleep(30)
            return await super().verdict(question, deadline)

    outcome = await cascade(Slow(FIRST, AGREES)).answer(Ask(QUESTION, deadline_s=0.4))
    assert (outcome.route, outcome.answer) == (Route.CLOUD, "C")


def test_the_options_of_another_order_stay_with_their_question():
    assert in_order(QUESTION, (2, 3, 0, 1)).options == ("three", "four", "one", "two")
    assert in_order(QUESTION, (2, 3, 0, 1)).question == QUESTION.question
