from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.buckets import BUCKETS
from app.core.outcome import Decision, Reason, Route, RouteRequest
from app.core.policy import Policy
from app.core.verdict import JointVerdict, OptionsVerdict, Signal, TextVerdict
from tests.support.fakes import make_verdict

verdicts = st.tuples(
    st.lists(st.lists(st.floats(1e-3, 1.0), min_size=3, max_size=3), min_size=5, max_size=5), st.integers(0, len(BUCKETS) - 1)
).map(lambda pair: JointVerdict.from_weights(*pair))


@given(st.lists(verdicts, max_size=20), st.floats(0, 1), st.floats(0, 1), st.sampled_from(Signal))
def test_raising_tau_never_lowers_the_cloud_rate(some, one, other, signal):
    def routed(tau):
        return sum(Policy(tau, signal).decide(verdict).route is Route.CLOUD for verdict in some)

    assert routed(min(one, other)) <= routed(max(one, other))


def test_equal_to_tau_is_kept():
    decision = Policy(0.75).decide(make_verdict(0.75))
    assert (decision.route, decision.reason) == (Route.EDGE, Reason.CONFIDENT)
    assert Policy(0.76).decide(make_verdict(0.75)).reason is Reason.LOW_CONFIDENCE


def test_the_signal_is_what_is_compared():
    verdict = make_verdict(1.0)  # verbalized 1.0, expected 0.8 + 0.05 * 1.5
    assert Policy(0.9, Signal.VERBALIZED).decide(verdict).route is Route.EDGE
    assert Policy(0.9, Signal.EXPECTED).decide(verdict).route is Route.CLOUD


def test_tau_comes_from_request_then_domain_then_global():
    policy = Policy(0.5, domains={"law": 0.9})
    assert policy.tau_for("law", 0.1) == 0.1
    assert policy.tau_for("law", 0.0) == 0.0
    assert policy.tau_for("law", None) == 0.9
    assert policy.tau_for("math", None) == policy.tau_for(None, None) == 0.5


def test_a_forced_route_ignores_confidence():
    for route, confidence in ((RouteRequest.EDGE, 0.0), (RouteRequest.CLOUD, 1.0)):
        decision = Policy().decide(make_verdict(confidence), route=route)
        assert (decision.route.value, decision.reason) == (route.value, Reason.FORCED)


def test_a_decision_says_what_was_compared():
    verdict = make_verdict(0.75)
    policy = Policy(0.5, Signal.EXPECTED, domains={"law": 0.9})
    assert policy.decide(verdict) == Decision(Route.EDGE, Reason.CONFIDENT, 0.5, Signal.EXPECTED)
    assert policy.decide(verdict, domain="law") == Decision(Route.CLOUD, Reason.LOW_CONFIDENCE, 0.9, Signal.EXPECTED)
    assert policy.decide(verdict, domain="law", tau=0.1) == Decision(Route.EDGE, Reason.CONFIDENT, 0.1, Signal.EXPECTED)
    assert policy.decide(verdict, domain="law", tau=0.1, route=RouteRequest.CLOUD) == Decision(
        Route.CLOUD, Reason.FORCED, 0.1, Signal.EXPECTED
    )
    assert policy.decide(verdict, route=RouteRequest.EDGE) == Decision(Route.EDGE, Reason.FORCED, 0.5, Signal.EXPECTED)


def test_a_ceiling_lowers_the_threshold_and_never_raises_it():
    policy = Policy(0.9)
    assert policy.decide(make_verdict(0.25), max_tau=0.2) == Decision(Route.EDGE, Reason.CONFIDENT, 0.2, Signal.VERBALIZED)
    assert policy.decide(make_verdict(0.25), max_tau=0.0, tau=0.1).tau == 0.0
    assert policy.decide(make_verdict(0.75), max_tau=1.0) == Decision(Route.CLOUD, Reason.LOW_CONFIDENCE, 0.9, Signal.VERBALIZED)


def test_a_policy_reads_a_verdict_at_its_own_temperature_and_changes_nothing_else():
    verdict = make_verdict(1.0)
    assert Policy().read(verdict) is verdict
    read = Policy(temperature=2.0).read(verdict)
    assert read == replace(verdict, temperature=2.0)
    assert read.expected_confidence < verdict.expected_confidence
    assert Policy(temperature=2.0).read(read) is read


@pytest.mark.parametrize(("signal", "value"), [(Signal.TOP_PROBABILITY, 0.75), (Signal.MARGIN, 0.5)])
def test_a_distribution_over_the_options_is_enough_for_two_signals(signal, value):
    verdict = OptionsVerdict.from_weights([6, 2])
    for tau, route in ((value, Route.EDGE), (value + 0.01, Route.CLOUD)):
        assert Policy(tau, signal).decide(verdict).route is route


@given(st.sampled_from([OptionsVerdict.from_weights([9, 1]), TextVerdict("A")]), st.floats(0, 1), st.sampled_from(Signal))
def test_a_verdict_without_the_signal_is_never_kept_whatever_tau_is(verdict, tau, signal):
    assume(signal not in verdict.signals)
    policy = Policy(tau, signal, temperature=2.0)
    assert policy.read(verdict) is verdict
    for max_tau in (None, 0.0):
        decision = policy.decide(verdict, max_tau=max_tau)
        assert (decision.route, decision.reason, decision.signal) == (Route.CLOUD, Reason.NO_SIGNAL, signal)
    for route in (RouteRequest.EDGE, RouteRequest.CLOUD):
        decision = policy.decide(verdict, route=route)
        assert (decision.route.value, decision.reason) == (route.value, Reason.FORCED)
