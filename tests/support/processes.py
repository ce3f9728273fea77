"""Our commands as processes; each is stopped by its own id."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A gateway and a training take all cores unless they are told otherwise; the suite computes with one thread in each of its processes.
THREADS = {"FOGGATE_EDGE__THREADS": os.environ.get("OMP_NUM_THREADS", "0")}


def foggate(*args, **environment):
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app", *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **THREADS, **environment},
    )


class Process:
    """A server of ours with its output in files; stopped by its own id."""

    def __init__(self, tmp_path, name, *args, module="app", **environment):
        self.log = tmp_path / f"{name}.log"
        self.out = tmp_path / f"{name}.out"
        environment = {**os.environ, **THREADS, "COLUMNS": "200", **environment}
        with self.log.open("w") as log, self.out.open("w") as out:
            self.process = subprocess.Popen([sys.executable, "-m", module, *args], stdout=out, stderr=log, cwd=ROOT, env=environment)

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
