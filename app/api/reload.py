"""A new configuration in force while the gateway runs (SIGHUP), whole or not at all.

What belongs to the listener, to the loaded model or to the middleware stays until a restart, and is named when it changed.
"""

import asyncio
from collections.abc import Callable

import structlog

from app.access.keys import KeyRing
from app.api.auth import Access
from app.api.face import Endpoints
from app.config.bind_safety import allowed_hosts, check_bind_safety
from app.config.changes import changed, in_force
from app.config.masking import secrets_in
from app.config.settings import Settings
from app.core.errors import FogGateError
from app.gateway.build import load_calibration
from app.gateway.running import RunningCascade
from app.gateway.state import GatewayState
from app.telemetry.logs import reconfigure

log = structlog.get_logger("foggate")


def access_of(settings: Settings, endpoints: Endpoints) -> Access:
    """Who may ask what, by these settings.

    Args:
        settings: what is configured.
        endpoints: tells which paths need no key, and which settings open others.

    Raises:
        ConfigError: the key file cannot be used.
    """
    security = settings.security
    hosts = allowed_hosts(settings)
    return Access(
        ring=KeyRing(security.keys) if security.keys else None,
        public=endpoints.paths(lambda one: one.is_probe or one.public or (one.opened_by is not None and getattr(security, one.opened_by))),
        hosts=None if hosts is None else frozenset(hosts),
    )


class Reloader:
    """Reloads the configuration of one gateway.

    Args:
        settings: those in force.
        state: the gateway's state.
        access: who may ask.
        endpoints: the application's paths, which `access` is about.

    Attributes:
        settings: those in force.
    """

    def __init__(self, settings: Settings, state: GatewayState, access: Access, endpoints: Endpoints) -> None:
        self.settings = settings
        self._state = state
        self._access = access
        self._endpoints = endpoints
        self._opened: RunningCascade | None = None
        self._wanted: Callable[[], Settings] | None = None
        self._running: asyncio.Task[None] | None = None

    def is_open(self, opened: RunningCascade) -> None:
        """The model has been loaded: what was asked for before is done now."""
        self._opened = opened
        self._begin()

    def request(self, read: Callable[[], Settings]) -> None:
        """Reload soon: at once, or when the model has been loaded, or behind a reload that is under way.

        Args:
            read: reads the configuration; called in a thread. Raises ConfigError.
        """
        self._wanted = read
        if self._opened is None:
            log.info("the configuration will be reloaded when the model has been loaded")
        self._begin()

    def close(self) -> None:
        """Reload no more."""
        self._wanted = None
        if self._running is not None:
            self._running.cancel()

    def _begin(self) -> None:
        if self._opened is not None and self._wanted is not None and self._running is None:
            self._running = asyncio.create_task(self._reload(self._opened))
            self._running.add_done_callback(self._done)

    def _done(self, _: asyncio.Task[None]) -> None:
        self._running = None
        self._begin()

    async def _reload(self, opened: RunningCascade) -> None:
        read, self._wanted = self._wanted, None
        assert read is not None  # noqa: S101  # for mypy: begun only where something is wanted
        try:
            wanted = await asyncio.to_thread(read)
            settings = in_force(self.settings, wanted)
            check_bind_safety(settings)
            access, named = await asyncio.to_thread(lambda: (access_of(settings, self._endpoints), load_calibration(settings)))
            routing = await opened.prepare(settings, named)
        except FogGateError as error:
            log.error("the configuration was not reloaded; the old one stays in force", reason=error.message)  # noqa: TRY400
            return
        except Exception:
            log.exception("a bug: the configuration was not reloaded; the old one stays in force")
            return
        # Nothing below waits or fails, so that no request meets half of it.
        before, self.settings = self.settings, settings
        opened.exchange(routing)
        self._access.take(access)
        self._state.route_by(routing)
        reconfigure(settings.log.level, secrets_in(settings))
        log.info(
            "the configuration was reloaded",
            changed=changed(before, settings),
            tau=routing.policy.tau,
            signal=routing.policy.signal.value,
            calibrated=routing.calibration is not None,
        )
        if waiting := changed(settings, wanted):
            log.warning("settings that changed and need a restart", settings=waiting)
