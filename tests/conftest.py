import os

import hypothesis
import pytest

from app.domain import Question
from tests.processes import Process

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
