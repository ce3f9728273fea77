"""The conventional entry of an ASGI server: `uvicorn app.main:create_app --factory`.

`foggate serve` adds signals, reload and the bounds on connections, and it refuses to listen beyond loopback without keys: here the
server chooses the address, so that whoever starts it has to set `security.keys`.
"""

import os
import sys
from pathlib import Path

from starlette.types import ASGIApp

from app.api.app import create_app as create_app_of
from app.config.environment import CONFIG_FILE, drop_blank
from app.config.loading import load_settings
from app.config.masking import secrets_in
from app.core.errors import ConfigError
from app.telemetry.logs import configure_logging


def create_app() -> ASGIApp:
    """The application of the file that FOGGATE_CONFIG names, if it names one, and of the environment.

    Raises:
        SystemExit: with code 2; the configuration is wrong, and standard error says in one sentence what.
    """
    drop_blank(os.environ)
    named = os.environ.get(CONFIG_FILE, "").strip()
    try:
        settings = load_settings(Path(named) if named else None)
        configure_logging(settings.log.level, settings.log.format, secrets_in(settings))
        return create_app_of(settings)
    except ConfigError as error:
        # A server that gets an error from a factory shows a traceback and not much else.
        sys.stderr.write(f"foggate: {error.message}\n")
        raise SystemExit(2) from None
