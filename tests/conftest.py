import logging
import os
import sys
import warnings

import hypothesis
import pytest
import structlog
from structlog._config import BoundLoggerLazyProxy

from app.core.question import Question
from app.telemetry.logs import NOISY, RecordHandler
from tests.support.processes import Process

# The suite computes with what the machine has, and must not be configured by the shell it runs in.
for name in [name for name in os.environ if name.startswith("FOGGATE_")]:
    del os.environ[name]
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Threads that wait by spinning make everything several times slower as soon as something else runs; read when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# How long an example takes says something of the machine, which others use too.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


@pytest.fixture
def question() -> Question:
    return Question("Which gas do plants take in?", ("Oxygen", "Carbon dioxide", "Nitrogen", "Helium"), domain="science", id="q1")


@pytest.fixture
async def start(tmp_path):
    started = []

    def run(name, *args, **environment):
        started.append(Process(tmp_path, name, *args, **environment))
        return started[-1]

    yield run
    for process in started:
        await process.stop()


@pytest.fixture(autouse=True)
def logging_as_before():
    """What a test tells the process's logging, such as a command that runs in this process, is over with the test."""
    root = logging.getLogger()
    level, show_warning = root.level, warnings.showwarning
    levels = {name: logging.getLogger(name).level for name in NOISY}
    yield
    warnings.showwarning = show_warning
    root.setLevel(level)
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, RecordHandler)]
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    if structlog.is_configured():
        structlog.reset_defaults()
        for module in [module for name, module in sys.modules.items() if name.startswith("app")]:
            for logger in [value for value in vars(module).values() if isinstance(value, BoundLoggerLazyProxy)]:
                # What it was configured with when it was first used.
                vars(logger).pop("bind", None)
