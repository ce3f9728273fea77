"""Our commands as processes; each is stopped by its own id."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support import warm

ROOT = Path(__file__).parents[2]
# A gateway and a training take all cores unless they are told otherwise; the suite computes with one thread in each of its processes.
_THREADS = {"FOGGATE_EDGE__THREADS": os.environ.get("OMP_NUM_THREADS", "0")}


def foggate(*args, fresh=False, **environment):
    """Run a command to its end; `fresh` starts a new interpreter also where a process that has imported everything could be forked."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        process = _begin("app", args, fresh=fresh, environment=environment, stdout=out, stderr=err)
        code = process.wait()
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(args, code, out.read(), err.read())


class Process:
    """A server of ours with its output in files; stopped by its own id. `fresh` as in `foggate`."""

    def __init__(self, tmp_path, name, *args, module="app", fresh=False, **environment):
        self.log = tmp_path / f"{name}.log"
        self.out = tmp_path / f"{name}.out"
        with self.log.open("w") as log, self.out.open("w") as out:
            self.process = _begin(module, args, fresh=fresh, environment={"COLUMNS": "200", **environment}, stdout=out, stderr=log)

    async def url(self):
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", self.out.read_text())):
            assert self.process.poll() is None, self.log.read_text()
            await asyncio.sleep(0.1)
        return found[0]

    async def stop(self):
        """SIGTERM, as an orchestrator would; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 60)

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def _begin(module, arguments, *, fresh, environment, **streams):
    environment = {**os.environ, **_THREADS, **environment}
    if warm.available() and not fresh:
        return warm.WarmProcess(module, arguments, cwd=ROOT, env=environment, **streams)
    return subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment, **streams)
