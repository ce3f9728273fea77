"""Names of models: what each asks for, the same for OpenAI's clients and for decision clients."""

import pytest

from app.api.model_names import Chosen, chosen_by, chosen_or_configured
from app.config.settings import Settings
from app.core.errors import UnknownModel
from app.core.outcome import RouteRequest
from app.gateway.build import build_gateway
from app.telemetry.metrics import Metrics


@pytest.fixture
def state():
    state = build_gateway(Settings(cloud={"base_url": "http://127.0.0.1:9/v1", "model": "large"}), Metrics()).state
    state.edge_model, state.cloud_model = "small", "large"
    return state


TAUS = [
    ("foggate-0", 0.0),
    ("foggate-1", 1.0),
    ("foggate-0.8", 0.8),
    ("foggate-.8", 0.8),
    ("foggate-1.000", 1.0),
    ("foggate-0.12345678", 0.12345678),
]


@pytest.mark.parametrize(("name", "tau"), TAUS)
def test_a_threshold_is_read_alike_for_all_clients(name, tau, state):
    assert chosen_or_configured(name) == chosen_by(name, state) == Chosen(name, tau=tau)


@pytest.mark.parametrize(("name", "route"), [("foggate", RouteRequest.AUTO), ("edge", RouteRequest.EDGE), ("cloud", RouteRequest.CLOUD)])
def test_a_side_is_read_alike_for_all_clients(name, route, state):
    assert chosen_or_configured(name) == chosen_by(name, state) == Chosen(name, route)


@pytest.mark.parametrize(
    "name", ["", "gpt-6", "foggate-", "foggate-1.5", "foggate-2", "foggate--1", "foggate-nan", "foggate-0.5x", "foggate-٠.5", "Edge"]
)
def test_any_other_name_is_routed_as_configured_for_decision_clients_and_unknown_to_those_of_openai(name, state):
    assert chosen_or_configured(name) == Chosen(name)
    with pytest.raises(UnknownModel, match="foggate-<tau>"):
        chosen_by(name, state)


def test_the_names_of_the_models_themselves_force_a_side_for_clients_of_openai_only(state):
    assert [chosen_by(name, state).route for name in ("small", "large")] == [RouteRequest.EDGE, RouteRequest.CLOUD]
    assert not chosen_or_configured("small").is_a_choice


def test_a_cloud_that_is_not_configured_is_no_model(state):
    state.cloud_model = None
    for name in ("cloud", "large"):
        with pytest.raises(UnknownModel, match=r"-0\.7\), edge$"):
            chosen_by(name, state)
