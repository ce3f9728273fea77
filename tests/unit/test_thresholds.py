"""Which threshold wins: the request's, a domain's, a named calibration's, the settings', the builtin model's own, the default."""

import json

import pytest

from app.config.settings import Settings
from app.core.edge import Identity
from app.core.errors import ConfigError
from app.core.policy import Policy
from app.core.prompt import PROMPT_VERSION
from app.core.verdict import Signal
from app.data.calibration import DomainThreshold, read_calibration, write_calibration
from app.edge.build import load_engine
from app.edge.builtin import SHIPPED_ADAPTER, find_builtin
from app.gateway.build import build_policy, calibration_of, load_calibration, routing_notes
from app.gateway.routing import in_force
from tests.support.fitted import fitted_model

SHIPPED = read_calibration(find_builtin("builtin").calibration)
NAME = "smollm2-135m-instruct+foggate-r14"


def chosen(named=None, *, edge_model=NAME, fingerprint=SHIPPED.edge_fingerprint, **settings):
    return calibration_of(Settings(**settings), named, edge_of(edge_model, fingerprint))


def edge_of(edge_model=NAME, fingerprint=SHIPPED.edge_fingerprint, prompt_fingerprint=None):
    return Identity(edge_model, fingerprint, prompt_fingerprint, frozenset(Signal))


def test_the_builtin_model_brings_its_own_calibration():
    assert chosen() == SHIPPED
    SHIPPED.check(edge_model=NAME, fingerprint=SHIPPED.edge_fingerprint, prompt_version=PROMPT_VERSION)
    policy = build_policy(Settings(), SHIPPED)
    assert (policy.signal, policy.tau) == (Signal.EXPECTED, SHIPPED.tau)
    assert policy.domains == {name: domain.tau for name, domain in SHIPPED.domains.items()}
    assert policy.temperature == SHIPPED.temperature


def named_calibration(**changes):
    """One on the expected confidence with two domains, whatever the shipped one becomes."""
    own = {"law": DomainThreshold(tau=0.7, n=9), "math": DomainThreshold(tau=0.6, n=9)}
    return SHIPPED.model_copy(update={"signal": Signal.EXPECTED, "temperature": 2.0, "domains": own} | changes)


def test_a_calibration_brings_its_signal_its_temperature_and_its_thresholds_and_domains_of_the_settings_win():
    named = named_calibration()
    policy = build_policy(Settings(policy={"calibration": "c.json", "tau": 0.9, "domains": {"law": {"tau": 0.1}}}), named)
    assert policy == Policy(named.tau, Signal.EXPECTED, 2.0, {"law": 0.1, "math": 0.6})
    assert not in_force(named, policy)
    assert in_force(named, build_policy(Settings(policy={"calibration": "c.json"}), named))


def test_a_named_calibration_whose_thresholds_are_for_another_signal_is_refused():
    settings = {"policy": {"calibration": "c.json", "signal": "verbalized"}}
    with pytest.raises(ConfigError, match=r"policy\.signal is 'verbalized', but the thresholds of policy\.calibration are for 'expected'"):
        chosen(named_calibration(), **settings)
    with pytest.raises(ConfigError, match="is 'verbalized'"):
        chosen(named_calibration(), policy=settings["policy"] | {"tau": 0.5})
    agreeing = {"policy": {"calibration": "c.json", "signal": "expected"}}
    assert chosen(named_calibration(), **agreeing) == named_calibration()


@pytest.mark.parametrize("tau", [0.0, 0.272, 0.5, 1.0])
@pytest.mark.parametrize("domains", [{}, {"law": {"tau": 0.4}}])
@pytest.mark.parametrize("signal", [None, SHIPPED.signal])
def test_a_tau_never_changes_the_signal_nor_the_temperature(tau, domains, signal, monkeypatch):
    monkeypatch.setenv("FOGGATE_POLICY__TAU", str(tau))
    settings = Settings(policy={"domains": domains, "signal": signal})
    calibration = calibration_of(settings, None, edge_of())
    policy = build_policy(settings, calibration)
    assert policy == Policy(tau, Signal(SHIPPED.signal), SHIPPED.temperature, {name: own["tau"] for name, own in domains.items()})
    monkeypatch.delenv("FOGGATE_POLICY__TAU")
    assert (policy.signal, policy.temperature) == (
        build_policy(Settings(), chosen()).signal,
        build_policy(Settings(), chosen()).temperature,
    )


def test_a_tau_replaces_the_domain_thresholds_of_the_builtin_calibration_too():
    policy = build_policy(Settings(policy={"tau": 0.3}), named_calibration())
    assert (policy.tau_for("law", None), policy.tau_for("math", None), policy.temperature) == (0.3, 0.3, 2.0)


@pytest.mark.parametrize(
    ("policy", "calibration", "says"),
    [
        ({}, SHIPPED, []),
        ({"signal": SHIPPED.signal}, SHIPPED, []),
        ({"tau": 0.5}, SHIPPED, ["policy.tau 0.5 takes the place of the builtin calibration's 0.272"]),
        ({"signal": "verbalized"}, None, ["the builtin model's calibration is not used"]),
        ({"signal": "verbalized", "tau": 0.5}, None, []),
        ({"calibration": "c.json"}, SHIPPED, ["policy.calibration does not say how many options"]),
        (
            {"calibration": "c.json", "tau": 0.5},
            SHIPPED,
            ["policy.tau 0.5 has no effect", "policy.calibration does not say how many options"],
        ),
        ({"domains": {"law": {"tau": 0.5}}}, SHIPPED, ["the thresholds of policy.domains are compared with the calibration's signal"]),
        ({"domains": {"law": {"tau": 0.5}}, "signal": SHIPPED.signal}, SHIPPED, []),
        ({"domains": {"law": {"tau": 0.5}}, "tau": 0.5}, SHIPPED, ["policy.tau 0.5 takes the place", "the thresholds of policy.domains"]),
    ],
)
def test_what_one_setting_does_to_another_is_said(policy, calibration, says):
    notes = routing_notes(Settings(policy=policy), calibration)
    assert [note.startswith(start) for note, start in zip(notes, says, strict=True)] == [True] * len(says)


@pytest.mark.parametrize(
    "settings",
    [
        {"policy": {"signal": "verbalized"}},
        {"edge": {"model": "builtin-base"}},
        {"edge": {"model": "issai/foggen"}},
        {"edge": {"prompt_family": "qwen"}},
    ],
)
def test_it_is_not_looked_at_where_another_model_or_signal_is_configured(settings):
    assert chosen(**settings) is None


def test_it_is_not_looked_at_for_other_weights():
    assert chosen(fingerprint="000000000000") is None, "an adapter of one's own on the builtin model"


def test_it_is_not_looked_at_for_another_rendering_of_the_prompt():
    assert calibration_of(Settings(), None, edge_of(prompt_fingerprint=SHIPPED.prompt_fingerprint)) == SHIPPED
    assert calibration_of(Settings(), None, edge_of(prompt_fingerprint="000000000000")) is None


def test_a_named_calibration_wins_and_is_checked():
    named = SHIPPED.model_copy(update={"tau": 0.123})
    policy = {"calibration": "c.json", "tau": 0.5}
    assert chosen(named, policy=policy) == named
    assert build_policy(Settings(policy=policy), named).tau == 0.123


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
    assert engine.prompt_fingerprint == SHIPPED.prompt_fingerprint
    assert load_engine(Settings(edge={"model": "builtin-base"})).name == "smollm2-135m-instruct"


SILENT = Identity("silent-edge", "f", None, frozenset())
VERBAL = Identity("verbal-edge", "f", None, frozenset({Signal.VERBALIZED}))


def test_a_signal_that_the_edge_does_not_give_is_refused_and_one_that_nobody_asked_for_is_not():
    with pytest.raises(
        ConfigError, match=r"^policy\.signal is 'expected', and the edge model verbal-edge gives only the signal verbalized: "
    ):
        build_policy(Settings(policy={"signal": "expected"}), None, VERBAL)
    with pytest.raises(
        ConfigError, match=r"^the signal of policy\.calibration is 'expected', and the edge model silent-edge gives no signal"
    ):
        build_policy(Settings(policy={"calibration": "c.json"}), named_calibration(), SILENT)
    assert build_policy(Settings(policy={"signal": "verbalized"}), None, VERBAL) == Policy(0.5, Signal.VERBALIZED)
    assert build_policy(Settings(policy={"tau": 0.7}), None, SILENT) == Policy(0.7, Signal.VERBALIZED)
    expecting = Identity("expecting-edge", "f", None, frozenset({Signal.EXPECTED}))
    assert build_policy(Settings(policy={"tau": 0.7}), None, expecting) == Policy(0.7, Signal.EXPECTED), "never one that it does not give"


def test_an_edge_without_a_signal_is_said_at_start():
    (note,) = routing_notes(Settings(edge={"model": "silent"}), None, SILENT)
    assert note.startswith("the edge model silent-edge gives no signal that could be compared with tau: every question goes to the cloud")
    (note,) = routing_notes(Settings(edge={"model": "verbal"}), None, VERBAL)
    assert note.startswith("the threshold is not calibrated: tau 0.5 is compared with the verbalized confidence of verbal-edge")
    assert routing_notes(Settings(edge={"model": "issai/foggen"}), None, VERBAL) == []


def adapter_of(folder, content):
    folder.mkdir()
    (folder / "foggate.json").write_text(content)
    return str(folder)


def model_of(folder, **config):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    return str(folder)


def test_what_is_routed_on_without_a_calibration(tmp_path):
    """Models that were trained to write their confidence are routed on it; of any other, on what its distribution shows."""
    ours = adapter_of(tmp_path / "ours", '{"base_fingerprint": "0"}')
    plain = model_of(tmp_path / "plain")
    trained = [
        {"model": "issai/foggen"},
        {"model": "issai/foggen-gemma3-1b"},
        {"model": model_of(tmp_path / "evolved", foggen=True)},
        {"model": plain, "adapter": ours},
        {"model": "builtin-base", "adapter": ours},
        {"prompt_family": "qwen"},
    ]
    others = [
        {"model": "builtin-base"},
        {"model": plain},
        {"model": model_of(tmp_path / "marked", foggen="no")},
        {"model": "qwen/foggen-like"},
        {"model": str(tmp_path / "nowhere")},
        {"model": plain, "adapter": plain},
        {"adapter": adapter_of(tmp_path / "foreign", "[1]")},
        {"adapter": adapter_of(tmp_path / "torn", "{")},
    ]
    for edge in [*trained, *others]:
        policies = [build_policy(Settings(edge=edge, policy={"tau": tau})) for tau in (None, 0.0, 0.7)]
        signal = Signal.VERBALIZED if edge in trained else Signal.TOP_PROBABILITY
        assert policies == [Policy(tau, signal) for tau in (0.5, 0.0, 0.7)], edge
        notes = routing_notes(Settings(edge=edge), None)
        assert [note.startswith("the threshold is not calibrated: tau 0.5 ") for note in notes] == ([] if edge in trained else [True])


@pytest.mark.parametrize(
    ("policy", "warned"),
    [
        ({}, True),
        ({"tau": 0.7}, True),
        ({"signal": "margin"}, True),
        ({"signal": "margin", "tau": 0.7}, False),
        ({"signal": "expected"}, True),
    ],
)
def test_the_warning_names_the_command_for_the_signal_in_force(policy, warned):
    settings = Settings(edge={"model": "builtin-base"}, policy=policy)
    notes = routing_notes(settings, None)
    assert len(notes) == warned
    signal = build_policy(settings).signal
    assert all(f"foggate calibrate --records records.jsonl --signal {signal} --target" in note for note in notes)


def test_a_signal_without_a_calibration_on_a_trained_model_is_warned_of_unless_it_is_the_verbalized_one():
    (note,) = routing_notes(Settings(edge={"model": "issai/foggen"}, policy={"signal": "expected"}), None)
    assert note.startswith("the threshold is not calibrated: tau 0.5 is compared with the expected confidence of issai/foggen, ")
    assert routing_notes(Settings(edge={"model": "issai/foggen"}, policy={"tau": 0.9}), None) == []


@pytest.mark.parametrize("signal", Signal)
def test_a_calibration_file_may_be_for_any_signal(tmp_path, signal):
    write_calibration(tmp_path / "c.json", named_calibration(signal=signal, fitted=fitted_model() if signal is Signal.FITTED else None))
    settings = Settings(policy={"calibration": tmp_path / "c.json"})
    named = load_calibration(settings)
    assert (named.version, named.signal) == (2, signal)
    assert json.loads((tmp_path / "c.json").read_text())["signal"] == signal.value
    policy = build_policy(settings, named)
    assert (policy.signal, policy.fitted) == (signal, named.logistic)
    other = next(one for one in Signal if one is not signal)
    with pytest.raises(ConfigError, match=r"policy\.signal is '"):
        chosen(named, policy={"calibration": tmp_path / "c.json", "signal": other.value})
