"""`foggate config check`: finds everything that `foggate serve` would refuse at its start, by the same functions, and all of it at once."""

import asyncio
import errno
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.cli.options import AsJson, ConfigFile, Host, Insecure, Port
from app.cli.output import print_settings
from app.config.masking import mask_text
from app.core.errors import ConfigError, FogGateError

if TYPE_CHECKING:
    from app.config.settings import Settings
    from app.data.calibration import Calibration


def config_check(
    config: ConfigFile = None,
    host: Host = None,
    port: Port = None,
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Show the effective configuration, and check whether the gateway would start with it.

    Secrets are masked. The exit code is 2 if `foggate serve` would refuse to start, and standard error gives the reasons.
    """
    from app.cli.given import Given
    from app.telemetry.logs import configure_logging

    configure_logging("error")
    settings = Given(config, host, port, insecure).read()
    print_settings(settings, as_json=as_json)
    sys.stdout.flush()
    findings = examine(settings)
    for note in findings.notes:
        sys.stderr.write(f"foggate: note: {mask_text(note)}\n")
    if findings.problems:
        raise ConfigError("\n".join(findings.problems))


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, one sentence each.

    Attributes:
        problems: reasons why the gateway would not start.
        notes: facts that do not prevent a start and may be unexpected.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def trying(self, step: Callable[[], None]) -> None:
        """Run one step, and keep its error as a problem."""
        try:
            step()
        except FogGateError as error:
            self.problems.append(error.message)
        # Libraries that we call (for a TLS context, a proxy's protocol, a foreign file) raise other errors.
        except Exception as error:  # noqa: BLE001
            self.problems.append(f"the gateway would fail at start ({type(error).__name__}: {error})")


def examine(settings: "Settings") -> Findings:
    """Check everything that a start depends on, except reading the weights of the edge model and asking the cloud."""
    from app.config.bind_safety import check_bind_safety
    from app.config.variables import unknown_variables
    from app.gateway.build import load_calibration
    from app.telemetry.tracing import check_tracing

    findings = Findings()
    findings.notes.extend(f"the environment variable {name} is no setting of the gateway" for name in unknown_variables(os.environ))
    findings.trying(lambda: check_bind_safety(settings))
    findings.trying(lambda: _listen(settings, findings))
    findings.trying(lambda: _keys(settings, findings))
    findings.trying(lambda: check_tracing(settings.tracing.enabled))
    findings.trying(lambda: asyncio.run(_cloud(settings)))
    named: list[Calibration | None] = []
    findings.trying(lambda: named.append(load_calibration(settings)))
    findings.trying(lambda: _edge(settings, named[0] if named else None, findings))
    return findings


def _listen(settings: "Settings", findings: Findings) -> None:
    from app.api.server import listen

    try:
        listen(settings.server.host, settings.server.port).close()
    except ConfigError as error:
        # This is so while the gateway runs whose configuration is checked.
        if getattr(error.__context__, "errno", None) != errno.EADDRINUSE:
            raise
        findings.notes.append(f"{error.message}. This is normal while a gateway runs with this configuration")


def _keys(settings: "Settings", findings: Findings) -> None:
    from app.access.keys import KeyRing, read_keys

    path = settings.security.keys
    if path is not None:
        KeyRing(path)
        if all(key.revoked is not None for key in read_keys(path).keys):
            findings.notes.append(f"{path} holds no valid key: every request will get 401")


async def _cloud(settings: "Settings") -> None:
    from app.access.quotas import Quotas
    from app.cloud.build import build_budget, build_cloud
    from app.telemetry.metrics import Metrics

    counts = Quotas(settings.limits.store)
    try:
        build_budget(settings, counts, on_change=lambda _: None)
        cloud = build_cloud(settings, Metrics())
        if cloud is not None:
            await cloud.close()
    finally:
        await counts.close()


def _edge(settings: "Settings", named: "Calibration | None", findings: Findings) -> None:
    from app.edge.build import find_edge_model
    from app.edge.builtin.cache import check_cache, default_cache_dir, first_start, is_converted
    from app.edge.builtin.models import find_builtin
    from app.gateway.build import build_policy, calibration_of, routing_notes, shipped_calibration

    edge = settings.edge
    builtin = find_builtin(edge.model)
    cache = edge.cache_dir or default_cache_dir()
    if builtin is not None and not is_converted(builtin.weights, cache):
        check_cache(builtin.weights, cache)
        findings.notes.append(
            f"the builtin model {builtin.weights.name} is not in its cache folder yet: the first start {first_start(builtin.weights)}"
        )
        build_policy(settings, named or shipped_calibration(settings))
        return
    if builtin is not None and edge.adapter is None and edge.device in {"auto", "cpu"} and named is None:
        # There is nothing to look for, and importing torch takes seconds. The calibration of a builtin model is shipped.
        findings.notes.extend(routing_notes(settings, shipped_calibration(settings)))
        return
    found = find_edge_model(settings)
    calibration = calibration_of(settings, named, found.identity())
    build_policy(settings, calibration)
    findings.notes.extend(routing_notes(settings, calibration))
