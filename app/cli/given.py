"""Options of the command line that override the configuration file and the environment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.config.loading import load_settings
from app.config.settings import ServerSettings, Settings
from app.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Given:
    """Options of `foggate serve` and of the commands that look at the same gateway; None is an option that was not given."""

    config: Path | None = None
    host: str | None = None
    port: int | None = None
    insecure: bool = False

    def read(self, *, refuse_empty: bool = False) -> Settings:
        """Read the settings, and return them with these options.

        Args:
            refuse_empty: whether an empty configuration file is an error, as it is at a reload.

        Raises:
            ConfigError: something is wrong with the file, the environment or an option.
        """
        settings = load_settings(self.config, refuse_empty=refuse_empty)
        server = settings.server.model_dump() | {
            key: value for key, value in (("host", self.host), ("port", self.port)) if value is not None
        }
        try:
            changes: dict[str, Any] = {"server": ServerSettings.model_validate(server)}
        except ValidationError as error:
            raise ConfigError(
                "\n".join(f"--{item['loc'][0]}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors())
            ) from None
        if self.insecure:
            changes["security"] = settings.security.model_copy(update={"insecure": True})
        return settings.model_copy(update=changes)
