"""Which cut wins: the request's, a domain's, a named calibration's, the settings', the builtin model's own, the default."""

import pytest

from app.build import load_engine
from app.calibration import DomainCut, read_calibration
from app.domain import Signal
from app.edge.builtin import SHIPPED_ADAPTER
from app.policies import SHIPPED_CALIBRATION, build_policy, calibration_of, load_calibration
from app.prompt import PROMPT_VERSION
from app.settings import Settings

SHIPPED = read_calibration(SHIPPED_CALIBRATION)
NAME = "smollm2-135m-instruct+foggate-r14"


def chosen(named=None, *, edge_model=NAME, fingerprint=SHIPPED.edge_fingerprint, **settings):
    return calibration_of(Settings(**settings), named, edge_model=edge_model, fingerprint=fingerprint)


def test_the_builtin_model_brings_its_own_calibration():
    assert chosen() == SHIPPED
    SHIPPED.check(edge_model=NAME, fingerprint=SHIPPED.edge_fingerprint, prompt_version=PROMPT_VERSION)
    policy = build_policy(Settings(), SHIPPED)
    assert (policy.signal, policy.tau) == (Signal.EXPECTED, SHIPPED.tau)
    assert (SHIPPED.domains, policy.tau_for("law", None), policy.tau_for(None, None)) == ({}, SHIPPED.tau, SHIPPED.tau)


def test_a_domain_is_routed_by_its_own_threshold_of_the_calibration_unless_the_settings_set_one():
    own = SHIPPED.model_copy(update={"domains": {"law": DomainCut(tau=0.9, n=5), "math": DomainCut(tau=0.8, n=5)}, "temperature": 2.0})
    policy = build_policy(Settings(policy={"domains": {"math": {"tau": 0.1}}}), own)
    assert [policy.tau_for(name, None) for name in ("law", "math", "art", None)] == [0.9, 0.1, SHIPPED.tau, SHIPPED.tau]
    assert policy.temperature == 2.0


@pytest.mark.parametrize(
    "settings",
    [
        {"policy": {"tau": 0.5}},
        {"policy": {"signal": "verbalized"}},
        {"edge": {"model": "builtin-base"}},
        {"edge": {"model": "issai/foggen"}},
        {"edge": {"prompt_family": "qwen"}},
    ],
)
def test_it_is_not_looked_at_where_anything_else_is_said(settings):
    assert chosen(**settings) is None


def test_it_is_not_looked_at_for_other_weights():
    assert chosen(fingerprint="000000000000") is None, "an adapter of one's own on the builtin model"


def test_a_named_calibration_wins_and_is_checked():
    named = SHIPPED.model_copy(update={"tau": 0.123})
    assert chosen(named, policy={"tau": 0.5}) == named
    assert build_policy(Settings(policy={"tau": 0.5}), named).tau == 0.123


def test_without_any_calibration_the_settings_or_the_defaults_cut():
    assert load_calibration(Settings()) is None
    policy = build_policy(Settings())
    assert (policy.tau, policy.signal) == (0.5, Signal.VERBALIZED)
    policy = build_policy(Settings(policy={"tau": 0.75, "signal": "expected", "domains": {"law": {"tau": 0.1}}}))
    assert (policy.tau_for("law", None), policy.tau_for(None, None), policy.signal) == (0.1, 0.75, Signal.EXPECTED)


def test_what_is_shipped_fits_together():
    assert (SHIPPED_ADAPTER / "adapter_model.safetensors").stat().st_size <= 30_000_000
    card = (SHIPPED_ADAPTER / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\nbase_model: HuggingFaceTB/SmolLM2-135M-Instruct\n")
    for forbidden in ("CC BY-NC", "CC BY-SA", "TUMLU", "csbench", "/tmp", "/work"):
        assert forbidden not in card
        assert forbidden not in (SHIPPED_ADAPTER / "adapter_config.json").read_text()


def test_the_loaded_builtin_is_what_the_shipped_calibration_is_for():
    settings = Settings()
    engine = load_engine(settings)
    assert engine.name == NAME
    assert chosen(edge_model=engine.name, fingerprint=engine.fingerprint) == SHIPPED
    assert load_engine(Settings(edge={"model": "builtin-base"})).name == "smollm2-135m-instruct"
