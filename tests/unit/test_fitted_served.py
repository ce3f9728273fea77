"""The signal `fitted` in a gateway: the model of the calibration reads every verdict, and nothing is kept that it cannot read."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.schemas import answer_body
from app.cli.config_check import examine
from app.config.settings import Settings
from app.core.ask import Ask
from app.core.cascade import Cascade
from app.core.edge import Identity
from app.core.errors import ConfigError
from app.core.fitted import SHOWN_FEATURES, STATED_FEATURES
from app.core.outcome import Reason, Route
from app.core.policy import Policy
from app.core.question import Question
from app.core.verdict import SHOWN, STATED, EdgeReply, OptionsVerdict, Signal, TextVerdict
from app.data.calibration import read_calibration, write_calibration
from app.edge.builtin import find_builtin
from app.gateway.build import build_policy, load_calibration, routing_notes
from tests.support.fakes import make_verdict
from tests.support.fitted import fitted_model, logistic, shown_logistic

SHIPPED = read_calibration(find_builtin("builtin").calibration)
NOTHING_HOLDS_IT = (
    r"^policy\.signal is 'fitted', and there is no calibration that holds the model of this signal; make one with foggate calibrate "
)


def calibration(model=None):
    return SHIPPED.model_copy(
        update={"signal": Signal.FITTED, "temperature": 1.0, "tau": 0.6, "domains": {}, "fitted": fitted_model(model)}
    )


class Edge:
    """Gives one verdict."""

    def __init__(self, verdict):
        self.reply = EdgeReply(verdict, "the-edge", None, 0.1)

    async def verdict(self, question, deadline):
        return self.reply


async def outcome_of(verdict, policy):
    return await Cascade(Edge(verdict), None, policy).answer(Ask(Question("2 + 3?", ("4", "5", "6", "7"))))


async def test_a_reply_holds_the_fitted_probability_and_tau_is_compared_with_it():
    model = logistic()
    verdict = make_verdict(0.75)
    value = Policy(signal=Signal.FITTED, fitted=model).read(verdict).fitted
    assert 0 < value < 1
    for tau, reason in ((value, Reason.CONFIDENT), (value + 1e-9, "cloud_not_configured")):
        outcome = await outcome_of(verdict, Policy(tau, Signal.FITTED, fitted=model))
        assert (outcome.reason, outcome.signal) == (reason, value)
        body = answer_body(outcome)
        assert (body["signal"], body["signal_value"], body["tau"]) == ("fitted", value, tau)
    assert answer_body(await outcome_of(verdict, Policy(0.5)))["signal_value"] == 0.75


@given(st.floats(0, 1), st.sampled_from([OptionsVerdict.from_weights([9, 1]), TextVerdict("A")]))
def test_a_verdict_without_the_features_is_never_kept_whatever_tau_is(tau, verdict):
    policy = Policy(tau, Signal.FITTED, fitted=logistic())
    decision = policy.decide(policy.read(verdict), max_tau=0.0)
    assert (decision.route, decision.reason) == (Route.CLOUD, Reason.NO_SIGNAL)
    # Nor is any verdict that no model has read.
    assert Policy(tau, Signal.FITTED).decide(make_verdict(1.0)).reason is Reason.NO_SIGNAL


def test_a_distribution_over_the_options_is_enough_for_a_model_that_needs_no_confidence():
    policy = Policy(0.0, Signal.FITTED, fitted=shown_logistic())
    assert policy.decide(policy.read(OptionsVerdict.from_weights([9, 1]))).route is Route.EDGE


def test_a_calibration_brings_its_model_and_no_threshold_changes_the_signal():
    found = calibration()
    assert build_policy(Settings(policy={"calibration": "c.json"}), found) == Policy(
        0.6, Signal.FITTED, fitted=logistic(), options=found.option_numbers
    )
    for policy in ({"tau": 0.3}, {"domains": {"law": {"tau": 0.1}}}, {"calibration": "c.json", "tau": 0.3}):
        built = build_policy(Settings(policy=policy), found)
        assert (built.signal, built.fitted, built.options) == (Signal.FITTED, logistic(), found.option_numbers)
    assert build_policy(Settings(policy={"tau": 0.3}), SHIPPED).fitted is None
    assert routing_notes(Settings(policy={"calibration": "c.json"}), found) == []


@pytest.mark.parametrize("edge", [{}, {"model": "issai/foggen"}])
def test_without_a_calibration_that_holds_its_model_it_is_refused_at_start_and_by_config_check(edge, tmp_path):
    settings = Settings(policy={"signal": "fitted"}, edge=edge)
    with pytest.raises(ConfigError, match=NOTHING_HOLDS_IT + "--records records.jsonl --signal fitted"):
        build_policy(settings)
    if not edge:
        for cache in (None, tmp_path):
            found = examine(settings.model_copy(update={"edge": settings.edge.model_copy(update={"cache_dir": cache})}))
            assert any(problem.startswith("policy.signal is 'fitted', and there is no calibration") for problem in found.problems)


def test_an_edge_that_does_not_give_what_the_model_needs_is_refused():
    options, joint = (Identity("the-edge", "f", None, signals) for signals in (SHOWN, STATED | SHOWN))
    settings = Settings(policy={"calibration": "c.json"})
    with pytest.raises(
        ConfigError, match=r"is 'fitted', computed from all that gives the signals .*, and the edge model the-edge gives only the signal"
    ):
        build_policy(settings, calibration(), options)
    assert build_policy(settings, calibration(), joint).signal is Signal.FITTED
    assert build_policy(settings, calibration(shown_logistic()), options).signal is Signal.FITTED


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"fitted": None}, "its signal is 'fitted', and it holds no model of that signal"),
        ({"signal": "margin"}, "it holds a model of the signal 'fitted', and its signal is 'margin'"),
        ({"features": ["phase_of_the_moon"]}, "fitted.features: this version of FogGate does not know 'phase_of_the_moon'"),
        ({"features": [SHOWN_FEATURES[0]] * 2}, "a feature stands there twice"),
        ({"features": []}, "fitted.features: "),
        ({"weights": [1.0]}, f"'weights' holds 1 numbers for {len(SHOWN_FEATURES) + len(STATED_FEATURES)} features"),
        ({"highest": []}, "'highest' holds 0 numbers"),
        ({"intercept": float("nan")}, "fitted.intercept: "),
        ({"intercept": 1e300}, "fitted.intercept: "),
    ],
)
def test_a_damaged_model_is_one_sentence(tmp_path, damage, says):
    path = tmp_path / "c.json"
    write_calibration(path, calibration())
    content = json.loads(path.read_text())
    for key, value in damage.items():
        (content if key in {"fitted", "signal"} else content["fitted"])[key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"c\.json is not a calibration: ") as refused:
        load_calibration(Settings(policy={"calibration": path}))
    assert says in refused.value.message


def test_what_was_read_of_one_verdict_is_not_left_in_another():
    policy, verdict = Policy(signal=Signal.FITTED, fitted=logistic()), make_verdict(1.0)
    read = policy.read(verdict)
    assert verdict.fitted is None
    assert Policy(signal=Signal.FITTED, fitted=replace(logistic(), intercept=1.0)).read(read).fitted > read.fitted
