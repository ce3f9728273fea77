"""Preparation that `foggate evolve` and `foggate adapter` share: both open the folder of a run and need the extra `train`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.errors import ConfigError

if TYPE_CHECKING:
    from app.config.settings import Settings
    from app.training.config import EvolveConfig


def config_of(run: Path) -> "EvolveConfig":
    """Return the configuration that a run was started with. Raises ConfigError."""
    from app.training.state import read_state

    state = read_state(run)
    if state is None:
        raise ConfigError(f"{run} holds no run of foggate evolve")
    return state.config


def prepare(settings: "Settings", config: "EvolveConfig") -> dict[str, Any]:
    """Set the threads, and return what `open_chain` takes from the settings. Torch reads the wait policy when it is imported: call this before."""
    from app.edge.builtin import default_cache_dir
    from app.edge.threads import set_threads, set_wait_policy

    set_wait_policy(settings.edge.wait_policy)
    set_threads(config.threads)
    teacher = None
    if settings.cloud.base_url and config.labels.source == "teacher":
        from app.cli.teacher import connect_teacher

        teacher = connect_teacher(settings)
    return {"cache_dir": settings.edge.cache_dir or default_cache_dir(), "teacher": teacher}


@contextlib.contextmanager
def training_installed() -> Iterator[None]:
    """Turn a missing package of the extra `train` into a ConfigError. Goes around the imports that need it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(f"training needs {error.name}: pip install 'foggate[train]'") from None
