"""Settings and calibrations → the routing: the policy (which threshold wins over which), the cloud side, and both together.

A request's own tau wins over a domain's of the settings, that over a named calibration's (`policy.calibration`), that over
`policy.tau`, that over the calibration that comes with a builtin model. A threshold means nothing without its signal: a
calibration brings signal and temperature, and no threshold changes them. Without a calibration, `uncalibrated.py` says which signal.
"""

from pathlib import Path

from app.access.quotas import Quotas
from app.cloud.budget import Budget
from app.cloud.build import build_budget, build_cloud, build_single_flight_cloud
from app.config.bind_safety import passes_on_without_keys
from app.config.pick import picked
from app.config.settings import Settings
from app.core.cascade import Cascade, OnCloudFailure
from app.core.edge import Edge, Identity
from app.core.errors import ConfigError
from app.core.policy import Policy
from app.core.prompt import PROMPT_VERSION
from app.core.verdict import JointVerdict, Signal
from app.data.calibration import Calibration, read_calibration
from app.edge.builtin import find_builtin
from app.edge.foggen import writes_confidence
from app.gateway.gateway import Gateway
from app.gateway.observers import LineObserver, MetricsObserver, Observer, SpanObserver
from app.gateway.passing import Passing, PassLimits
from app.gateway.routing import CloudSide, Routing, Taus, cloud_model_of
from app.gateway.state import GatewayState, Limits
from app.gateway.uncalibrated import DEFAULT_TAU, uncalibrated_note, usual_signal
from app.telemetry.metrics import Metrics


def load_calibration(settings: Settings) -> Calibration | None:
    """The calibration that the settings name; None where they name none. Raises ConfigError."""
    path = settings.policy.calibration
    return read_calibration(path) if path else None


def calibration_of(settings: Settings, named: Calibration | None, identity: Identity) -> Calibration | None:
    """The calibration that brings signal and temperature for a loaded edge model; None without one.

    A builtin model's own is taken where exactly that model answers and no other signal is configured.

    Args:
        settings: what is configured.
        named: the calibration that the settings name.
        identity: identity of the edge that answers, or will answer.

    Raises:
        ConfigError: the named calibration is for another edge model, or its thresholds are for another signal than the configured one,
            or were chosen with another rule of reading questions again than `edge.permute`.
    """
    found = _chosen(settings, named, identity)
    reads = 1 if found is None or found.permutation is None else found.permutation.reads
    if reads != settings.edge.permute:
        made = "no calibration is in force" if found is None else f"the calibration was made with {reads}"
        raise ConfigError(
            f"edge.permute is {settings.edge.permute}, and {made}: a threshold holds for the rule with which it was calibrated only; set "
            f"edge.permute to {reads}, or calibrate with foggate calibrate --permutation-band"
        )
    return found


def _chosen(settings: Settings, named: Calibration | None, identity: Identity) -> Calibration | None:
    """The calibration in force, whatever its rule of reading again; the arguments and errors are those of `calibration_of`."""
    policy = settings.policy
    if named is not None:
        named.check(
            edge_model=identity.model,
            fingerprint=identity.fingerprint,
            prompt_version=PROMPT_VERSION,
            prompt_fingerprint=identity.prompt_fingerprint,
        )
        if policy.signal not in {None, named.signal}:
            raise ConfigError(
                f"policy.signal is '{policy.signal}', but the thresholds of policy.calibration are for '{named.signal}': "
                "calibrate again with that signal, or take one of the two out of the configuration"
            )
        return named
    shipped = shipped_calibration(settings)
    if shipped is None or shipped.edge_fingerprint != identity.fingerprint:
        return None
    return shipped if identity.prompt_fingerprint in {None, shipped.prompt_fingerprint} else None


def shipped_calibration(settings: Settings) -> Calibration | None:
    """A builtin model's own calibration, where the settings leave room for it; whether that model answers is not looked at."""
    path = _shipped_path(settings)
    if path is None:
        return None
    shipped = read_calibration(path)
    return shipped if shipped.prompt_version == PROMPT_VERSION and settings.policy.signal in {None, shipped.signal} else None


def _shipped_path(settings: Settings) -> Path | None:
    """The calibration that comes with the configured model, unless another one or another wording of the prompt is configured."""
    builtin = find_builtin(settings.edge.model)
    if builtin is None or settings.policy.calibration is not None or settings.edge.prompt_family not in {"auto", builtin.weights.family}:
        return None
    return builtin.calibration


def build_policy(settings: Settings, calibration: Calibration | None = None, identity: Identity | None = None) -> Policy:
    """The routing policy.

    Args:
        settings: what is configured.
        calibration: the result of `calibration_of`.
        identity: the edge that will be asked; None where it is the in-process one and not loaded.

    Raises:
        ConfigError: a signal is configured, or brought by the calibration, that this edge does not give; or the signal is `fitted`, and
            no calibration holds its model.
    """
    policy = settings.policy
    given = JointVerdict.signals if identity is None else identity.signals
    _check_signal(settings, calibration, given, settings.edge.model if identity is None else identity.model)
    own = {name: domain.tau for name, domain in policy.domains.items()}
    if calibration is None:
        tau = DEFAULT_TAU if policy.tau is None else policy.tau
        return Policy(tau, policy.signal or usual_signal(given, trained=_trained(settings)), domains=own)
    rule = None if calibration.permutation is None else calibration.permutation.rule()
    if policy.calibration is None and policy.tau is not None:
        tau, domains = policy.tau, own
    else:
        tau, domains = calibration.tau, {name: domain.tau for name, domain in calibration.domains.items()} | own
    return Policy(
        tau,
        calibration.signal,
        calibration.temperature,
        domains,
        calibration.logistic,
        rule,
        calibration.prior,
        calibration.option_numbers,
    )


def _check_signal(settings: Settings, calibration: Calibration | None, given: frozenset[Signal], model: str) -> None:
    """Refuse a signal that no verdict of this edge could have. Raises ConfigError.

    Args:
        settings: what is configured.
        calibration: as in `build_policy`.
        given: signals that the edge gives.
        model: name of the edge model.
    """
    wanted = calibration.signal if calibration is not None else settings.policy.signal
    setting = "policy.signal" if settings.policy.signal is not None else "the signal of policy.calibration"
    fitted = calibration.logistic if calibration is not None else None
    if wanted is Signal.FITTED and fitted is None:
        raise ConfigError(
            "policy.signal is 'fitted', and there is no calibration that holds the model of this signal; make one with foggate calibrate "
            "--records records.jsonl --signal fitted --target-cloud-rate 0.4, and set policy.calibration to the file"
        )
    needed = fitted.signals if fitted is not None else frozenset() if wanted is None else frozenset({wanted})
    if not needed <= given:
        what = f"'{wanted}'" + (f", computed from all that gives the signals {', '.join(sorted(needed))}" if fitted is not None else "")
        raise ConfigError(
            f"{setting} is {what}, and the edge model {model} gives {_listed(given)}: "
            "take it out of the configuration, or choose an edge model that gives it"
        )


def _listed(signals: frozenset[Signal]) -> str:
    return "only the signal " + " or ".join(sorted(signals)) if signals else "no signal that could be compared with tau"


def routing_notes(settings: Settings, calibration: Calibration | None, identity: Identity | None = None) -> list[str]:
    """How settings of the routing affect each other, one sentence for each effect, for the log and for `config check`.

    Args:
        settings: what is configured.
        calibration: the result of `calibration_of`.
        identity: as in `build_policy`.
    """
    policy = settings.policy
    notes = []
    if identity is not None and not identity.signals:
        notes.append(
            f"the edge model {identity.model} gives no signal that could be compared with tau: every question goes to the cloud, "
            "unless the caller asks for the edge"
        )
    if calibration is None:
        if warning := warning_of(settings, build_policy(settings, None, identity), identity):
            notes.append(warning)
        if _shipped_path(settings) is not None and policy.signal is not None and policy.tau is None:
            notes.append(
                f"the builtin model's calibration is not used, because policy.signal is '{policy.signal}': tau is {DEFAULT_TAU:g} on that signal"
            )
        return notes
    if policy.tau is not None and policy.calibration is not None:
        notes.append(f"policy.tau {policy.tau:g} has no effect: the thresholds of policy.calibration win over it")
    elif policy.tau is not None:
        notes.append(
            f"policy.tau {policy.tau:g} takes the place of the builtin calibration's {calibration.tau:.4g} and is compared with its signal, "
            f"'{calibration.signal}'; the estimates of the calibration hold for its own threshold only"
        )
    if policy.calibration is not None and calibration.option_numbers is None:
        notes.append(
            "policy.calibration does not say how many options its questions had, as files of earlier versions do not: its thresholds are used for every "
            "number of options; calibrate again, so that other questions go to the cloud"
        )
    if policy.domains and policy.signal is None:
        notes.append(
            f"the thresholds of policy.domains are compared with the calibration's signal, '{calibration.signal}'; "
            "set policy.signal to that value to confirm it"
        )
    return notes


def warning_of(settings: Settings, policy: Policy, identity: Identity | None = None) -> str | None:
    """The warning that the threshold in force without a calibration is not calibrated; None where it needs none.

    Args:
        settings: what is configured.
        policy: the policy that `build_policy` made of them without a calibration.
        identity: as in `build_policy`.
    """
    if identity is not None and policy.signal not in identity.signals:
        return None
    chosen = settings.policy.tau is not None and settings.policy.signal is not None
    model = settings.edge.model if identity is None else identity.model
    return uncalibrated_note(policy, model, trained=_trained(settings), chosen=chosen)


def _trained(settings: Settings) -> bool:
    return writes_confidence(settings.edge.model, settings.edge.adapter)


def build_gateway(settings: Settings, metrics: Metrics, *more: Observer) -> Gateway:
    """A gateway whose model is still to be loaded; metrics, span, log line and `more` observe it."""
    limits = Limits(
        settings.limits.max_text_chars, settings.limits.max_questions, settings.limits.batch_concurrency, settings.batch_deadline_ms / 1000
    )
    state = GatewayState(metrics, limits, cloud_model_of(settings))
    return Gateway(state, [MetricsObserver(metrics), SpanObserver(settings.tracing.question_text), LineObserver(), *more])


def build_cloud_side(settings: Settings, metrics: Metrics, quotas: Quotas) -> CloudSide:
    """The cloud side of a configuration. Raises ConfigError: the budget needs prices, or a proxy cannot be used."""
    taus = Taus(metrics, settings.cloud.budget.lowered_tau)
    budget = build_budget(settings, quotas, on_change=taus.on_budget) or Budget((), quotas)
    client = build_cloud(settings, metrics)
    return CloudSide(taus, budget, client, build_single_flight_cloud(settings, client, metrics, budget) if client else None)


def build_routing(settings: Settings, named: Calibration | None, edge: Edge, cloud: CloudSide) -> Routing:
    """The routing of a configuration for a loaded edge.

    Args:
        settings: what to build.
        named: the calibration that the settings name.
        edge: the edge that will be asked.
        cloud: the cloud side of the same settings.

    Raises:
        ConfigError: the calibration is not for this edge, or a signal is configured that the edge does not give.
    """
    calibration = calibration_of(settings, named, edge.identity)
    policy = build_policy(settings, calibration, edge.identity)
    on_failure = OnCloudFailure(settings.policy.on_cloud_failure)
    # Only a budget that lowers tau is asked before a decision; without one a confident answer waits for nothing.
    lowers = settings.cloud.budget.lowered_tau is not None
    cascade = Cascade(edge, cloud.shared, policy, on_failure, settings.deadline_ms / 1000, cloud.budget if lowers else None)
    warning = warning_of(settings, policy, edge.identity) if calibration is None else None
    return Routing(settings, calibration, cloud, policy, cascade, warning, _passing(settings, cloud))


def _passing(settings: Settings, cloud: CloudSide) -> Passing | None:
    given = settings.cloud.pass_through
    if cloud.client is None or not given.enabled:
        return None
    without_keys = settings.security.keys is None and passes_on_without_keys(settings)
    return Passing(cloud.client.pool, cloud.budget, picked(PassLimits, given), without_keys=without_keys)
