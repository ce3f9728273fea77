import logging
import os
import signal
import sys
import warnings

import hypothesis
import pytest
import structlog
from structlog._config import BoundLoggerLazyProxy
from structlog.dev import ConsoleRenderer, plain_traceback

from app.core.question import Question
from app.edge.lean import import_modelling
from app.telemetry.logs import NOISY, RecordHandler
from tests.support.processes import Process

# The suite computes with what the machine has, and must not be configured by the shell it runs in.
for name in [name for name in os.environ if name.startswith("FOGGATE_")]:
    del os.environ[name]
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Threads that wait by spinning make everything several times slower as soon as something else runs; read when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# Compiled files are kept: without them each of the many processes that tests start compiles all of our code again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A script that runs the suite in the background lets it ignore Ctrl-C, and every process that a test starts would ignore it too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says something of the machine, which others use too.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_sessionstart():
    """Each process of a suite of several imports torch and transformers sooner or later; in this way it takes half as long."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        import_modelling()


@pytest.fixture
def question() -> Question:
    return Question("Which gas do plants take in?", ("Oxygen", "Carbon dioxide", "Nitrogen", "Helium"), domain="science", id="q1")


@pytest.fixture
async def start(tmp_path):
    started = []

    def run(name, *args, **options):
        started.append(Process(tmp_path, name, *args, **options))
        return started[-1]

    yield run
    for process in started:
        await process.stop()


# Without a configuration, structlog shows an exception with the local variables of every frame, which takes seconds below a server.
_PROCESSORS = [*structlog.get_config()["processors"][:-1], ConsoleRenderer(colors=False, exception_formatter=plain_traceback)]
structlog.configure(processors=_PROCESSORS)

# As they are before any test, and any fixture of a module, has run a command in this process.
_ROOT_LEVEL = logging.getLogger().level
_LEVELS = {name: logging.getLogger(name).level for name in NOISY}


def _put_back_logging():
    """Undo what a command that ran in this process told its logging."""
    root = logging.getLogger()
    root.setLevel(_ROOT_LEVEL)
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, RecordHandler)]
    for name, before in _LEVELS.items():
        logging.getLogger(name).setLevel(before)
    if structlog.get_config()["processors"] is not _PROCESSORS:
        structlog.reset_defaults()
        structlog.configure(processors=_PROCESSORS)
        for module in [module for name, module in sys.modules.items() if name.startswith("app")]:
            for logger in [value for value in vars(module).values() if isinstance(value, BoundLoggerLazyProxy)]:
                # What it was configured with when it was first used.
                vars(logger).pop("bind", None)


@pytest.fixture(autouse=True)
def logging_as_before():
    """No test sees what another one, or a fixture of its module, told the process's logging."""
    _put_back_logging()
    show_warning = warnings.showwarning
    yield
    warnings.showwarning = show_warning
    _put_back_logging()


@pytest.fixture(autouse=True)
def threads_as_before():
    """A command that ran in this process let torch compute with all cores, and every later test of the process would."""
    yield
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal() and (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(int(threads))
