"""What `foggate evolve` and `foggate adapter` share: they open the folder of a run, and need what the extra `train` brings."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.errors import ConfigError

if TYPE_CHECKING:
    from app.config.settings import Settings
    from app.training.config import EvolveConfig


def config_of(run: Path) -> "EvolveConfig":
    """The config that a run was begun with. Raises ConfigError."""
    from app.training.state import read_state

    state = read_state(run)
    if state is None:
        raise ConfigError(f"{run} holds no run of foggate evolve")
    return state.config


def prepare(settings: "Settings", config: "EvolveConfig") -> dict[str, Any]:
    """Threads, before torch is imported, which reads the wait policy then; and what `open_chain` takes from the settings."""
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
    """Around imports of what only the extra `train` brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(f"training needs {error.name}: pip install 'foggate[train]'") from None
