"""Settings and calibrations → the routing policy: which cut wins over which.

A request's own tau over a domain's of the settings over the calibration's; a calibration is the one that the settings name
(`policy.calibration`) or, where they say nothing of routing, the one that comes with the builtin model.
"""

from app.calibration import Calibration, read_calibration
from app.domain import Signal
from app.edge.builtin import BUILTIN, SHIPPED_ADAPTER
from app.policy import Policy
from app.prompt import PROMPT_VERSION
from app.settings import Settings

DEFAULT_TAU = 0.5
SHIPPED_CALIBRATION = SHIPPED_ADAPTER / "calibration.json"


def load_calibration(settings: Settings) -> Calibration | None:
    """The one that the settings name; None where they name none. Raises ConfigError."""
    path = settings.policy.calibration
    return read_calibration(path) if path else None


def calibration_of(settings: Settings, named: Calibration | None, *, edge_model: str, fingerprint: str) -> Calibration | None:
    """The calibration that routes for a loaded edge model; None without one.

    The builtin model's own is taken where exactly that model answers and neither a tau nor a signal is configured;
    otherwise it is not looked at.

    Args:
        settings: what is configured.
        named: the calibration that the settings name.
        edge_model: as answers name it, `base` or `base+adapter`.
        fingerprint: of the loaded weights.

    Raises:
        ConfigError: the named calibration is for another edge model.
    """
    if named is not None:
        named.check(edge_model=edge_model, fingerprint=fingerprint, prompt_version=PROMPT_VERSION)
        return named
    policy, edge = settings.policy, settings.edge
    if edge.model != BUILTIN or edge.prompt_family not in {"auto", "llama"} or policy.tau is not None or policy.signal is not None:
        return None
    shipped = read_calibration(SHIPPED_CALIBRATION)
    return shipped if shipped.edge_fingerprint == fingerprint and shipped.prompt_version == PROMPT_VERSION else None


def build_policy(settings: Settings, calibration: Calibration | None = None) -> Policy:
    """The routing policy. The cuts of `policy.domains` win over a calibration's.

    A cut means nothing without its signal, so a calibration brings its own.
    """
    policy = settings.policy
    own = {name: domain.tau for name, domain in policy.domains.items()}
    if calibration is None:
        tau = DEFAULT_TAU if policy.tau is None else policy.tau
        return Policy(tau, Signal(policy.signal or Signal.VERBALIZED), domains=own)
    domains = {name: cut.tau for name, cut in calibration.domains.items()} | own
    return Policy(calibration.tau, Signal(calibration.signal), calibration.temperature, domains)
