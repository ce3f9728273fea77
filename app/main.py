"""The conventional entry of an ASGI server: `uvicorn app.main:create_app --factory`. `foggate serve` adds signals, reload and bounds."""

import os
from pathlib import Path

from starlette.types import ASGIApp

from app.api.app import create_app as create_app_of
from app.config.environment import CONFIG_FILE
from app.config.loading import load_settings
from app.config.masking import secrets_in
from app.telemetry.logs import configure_logging


def create_app() -> ASGIApp:
    """The application of the file that FOGGATE_CONFIG names, if it names one, and of the environment. Raises ConfigError."""
    named = os.environ.get(CONFIG_FILE, "").strip()
    settings = load_settings(Path(named) if named else None)
    configure_logging(settings.log.level, settings.log.format, secrets_in(settings))
    return create_app_of(settings)
