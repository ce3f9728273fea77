"""README and docs/tour.md followed literally: `make readme`. Not part of `make test`: it starts gateways and loads the builtin model many times.

Clones this checkout's last commit into a temporary folder and runs there what the `sh` and `python` blocks say, from top to bottom.
What the pages show as output (a `text` or `json` block behind a command) must be what is printed, the digits aside. Every other
command must end with exit code 0.

What is not literal, and is said in the output: the environment of this checkout stands in for the installation (unless --install),
the ports are free ones, the deadline is a minute (the machine may be busy), README's placeholder of a cloud is the mock cloud, `questions.jsonl` is the mock cloud's bank, and
commands that take many minutes are skipped and counted (unless --slow).
"""

import argparse
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bench.processes import free_port
from app.cli.exit_codes import USAGE
from tests.support.processes import ROOT

PAGES = ("README.md", "docs/tour.md")
# Commands that are skipped without --slow, by what they begin with, and why.
SLOW = {
    "make test": "the whole suite",
    ".venv/bin/foggate bench edge": "40 seconds of measuring",
    ".venv/bin/foggate bench label": "minutes of measuring",
    ".venv/bin/foggate evolve": "a chain of fourteen rounds",
    "FOGGATE_EDGE__MODEL=runs/mine/model": "needs that chain",
    "docker compose": "needs a container engine and a registry",
}
# Commands that README says may refuse: on the bank's questions the builtin model promises little. What the refusal says.
MAY_REFUSE = {"--max-edge-error": "cannot be promised"}
# Commands that serve until they are stopped, and what they print when they do.
SERVERS = {"make serve": "is ready at", "foggate serve": "is ready at", "foggate demo-cloud": "mock cloud at"}
READY_S, COMMAND_S = 1800, 1800
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")


@dataclass(frozen=True)
class Step:
    """One command of README, with what README shows of its output, if anything."""

    command: str
    shown: str | None = None
    kind: str = "text"


def steps(markdown: str) -> list[Step]:
    """The commands of every `sh` block in order, and each `python` block as one command.

    A `text` or `json` block belongs to the first command of the block before it.
    """
    found: list[Step] = []
    first: int | None = None
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL):
        if language == "sh":
            first = len(found)
            lines = body.replace("\\\n", " ").splitlines()
            found += [Step(command) for line in lines if (command := re.sub(r"\s+#\s.*$", "", line).strip())]
        elif language == "python":
            first = len(found)
            found.append(Step(f".venv/bin/python -c {shlex.quote(body)}"))
        elif first is not None:
            found[first] = Step(found[first].command, body, language)
            first = None
    return found


def without_digits(text: str) -> str:
    """What is compared: numbers are one sign, bars and runs of blanks are one blank."""
    return " ".join(_NUMBER.sub("#", text).replace("█", " ").split())


def same_shape(shown: Any, printed: Any) -> bool:
    """Whether two JSON values differ in nothing but numbers, and digits in texts."""
    if isinstance(shown, dict):
        return isinstance(printed, dict) and shown.keys() == printed.keys() and all(same_shape(shown[key], printed[key]) for key in shown)
    if isinstance(shown, list):
        return isinstance(printed, list) and len(shown) == len(printed) and all(map(same_shape, shown, printed))
    if isinstance(shown, str):
        return isinstance(printed, str) and without_digits(shown) == without_digits(printed)
    if isinstance(shown, bool) or shown is None:
        return shown is printed
    return isinstance(printed, (int, float)) and not isinstance(printed, bool)


def difference(step: Step, printed: str) -> str | None:
    """None where README shows what is printed, else the first thing that it shows and that is not printed."""
    if step.shown is None:
        return None
    if step.kind == "json":
        try:
            shown, got = json.loads(step.shown), json.loads(printed)
        except ValueError as error:
            return f"not JSON ({error}): {printed[:500]}"
        # An answer is the same answer, down to its digits.
        fixed = [name for name in ("answer", "answer_text", "route", "reason", "degraded") if shown.get(name) != got.get(name)]
        return None if same_shape(shown, got) and not fixed else f"another answer ({', '.join(fixed) or 'its form'}): {printed.strip()}"
    text = without_digits(printed)
    at = 0
    for line in filter(None, map(without_digits, step.shown.splitlines())):
        found = text.find(line, at)
        if found < 0:
            return f"README shows {line!r}; printed was: {printed[-2000:]}"
        at = found + len(line)
    return None


class Follower:
    """Runs the steps in a clone, with servers in the background; each is stopped by its own id."""

    def __init__(self, folder: Path, *, install: bool, slow: bool) -> None:
        self.clone = folder / "foggate"
        self.slow = slow
        self.install = install
        self.port, self.demo_port = free_port(), free_port()
        self.cloud_url = ""
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FOGGATE_")}
        self.environment |= {"FOGGATE_SERVER__PORT": str(self.port), "FOGGATE_SERVER__DRAIN_WAIT_S": "0"}
        self.environment |= {"FOGGATE_DEADLINE_MS": "60000", "COLUMNS": "200"}
        self.servers: list[subprocess.Popen[bytes]] = []
        self.skipped: list[str] = []
        self.number = 0

    def prepare(self) -> None:
        """Clone, and give the clone an environment, a question file and a cloud to stand for the placeholder."""
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(self.clone)], check=True)
        if not self.install:
            self._borrow_environment()
        (self.clone / "questions.jsonl").write_bytes((self.clone / "app/demo/bank.jsonl").read_bytes())

    def _borrow_environment(self) -> None:
        programs = self.clone / ".venv/bin"
        programs.mkdir(parents=True)
        python = f'#!/bin/sh\nPYTHONPATH="{self.clone}" exec "{sys.executable}" "$@"\n'
        for name, text in (("python", python), ("foggate", python.replace('"$@"', '-m app "$@"'))):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        for name in (".installed", ".builtin"):
            (self.clone / ".venv" / name).touch()

    def literal(self, command: str) -> str:
        """The command with free ports and the mock cloud in place of README's placeholder."""
        command = command.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}").replace("--port 9100", f"--port {self.demo_port}")
        if "https://your-endpoint/v1" in command:
            if not self.cloud_url:
                self.cloud_url = self._serve(f".venv/bin/foggate demo-cloud --port {free_port()}", "mock cloud at")
            command = command.replace("https://your-endpoint/v1", self.cloud_url)
        return command

    def skips(self, step: Step) -> bool:
        """Whether the step takes too long, which is noted."""
        why = next((why for begins, why in SLOW.items() if step.command.startswith(begins)), None)
        if why is None or self.slow:
            return False
        self.skipped.append(f"{step.command}   ({why})")
        return True

    def follow(self, step: Step) -> str | None:
        """Run one step; None if it went as README says, else what went wrong."""
        command = self.literal(step.command)
        if command.startswith("export "):
            self.environment |= dict(word.split("=", 1) for word in shlex.split(command)[1:])
            return None
        serves = next((ready for name, ready in SERVERS.items() if name in command), None)
        if serves is not None:
            if "demo-cloud" not in command:
                self.stop("serve")
            try:
                self._serve(command, serves)
            except RuntimeError as error:
                return str(error)
            return difference(step, self._log().read_text())
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.clone, env=self.environment, capture_output=True, text=True, check=False, timeout=COMMAND_S
        )
        refusal = next((said for option, said in MAY_REFUSE.items() if option in command), None)
        if refusal is not None and done.returncode == USAGE and refusal in done.stderr:
            print(f"refused, as README says it may: {done.stderr.strip()}")
            return None
        if done.returncode:
            return f"exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"
        return difference(step, done.stdout)

    def _log(self) -> Path:
        return self.clone.parent / f"server-{self.number}.out"

    def _serve(self, command: str, ready: str) -> str:
        """Start a server and wait for its line; the address in it. Raises RuntimeError."""
        self.number += 1
        with self._log().open("wb") as out:
            # A process group of its own, since make and sh stand between.
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.clone,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process.args = command
        self.servers.append(process)
        latest = time.monotonic() + READY_S
        while True:
            text = self._log().read_text(errors="replace")
            if found := re.search(re.escape(ready) + r" (http://\S+)", text):
                # The banner is printed line by line.
                time.sleep(0.5)
                return found[1]
            if process.poll() is not None or time.monotonic() > latest:
                raise RuntimeError(f"it did not become ready: {text[-2000:]}")
            time.sleep(0.1)

    def stop(self, named: str = "") -> None:
        """End the servers whose command holds this."""
        for process in [process for process in self.servers if named in str(process.args)]:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(60)
            self.servers.remove(process)
        while named and socket.socket().connect_ex(("127.0.0.1", self.port)) == 0:
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="Install into the clone as a newcomer would (minutes).")
    parser.add_argument("--slow", action="store_true", help="Run what takes many minutes too.")
    parser.add_argument("--only", default="", help="Only commands in which this regular expression is found.")
    given = parser.parse_args()
    failed = 0
    # Its servers must not outlive it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as name:
        follower = Follower(Path(name), install=given.install, slow=given.slow)
        follower.prepare()
        try:
            followed = [step for page in PAGES for step in steps((follower.clone / page).read_text())]
            for step in [step for step in followed if re.search(given.only, step.command)]:
                if follower.skips(step):
                    print(f"skipped           {step.command}")
                    continue
                begun = time.monotonic()
                wrong = follower.follow(step)
                failed += wrong is not None
                shown = step.command.replace("\n", " ")
                took = f"{time.monotonic() - begun:6.1f} s"
                print(f"{'FAILED' if wrong else 'ok    '} {took}  {shown}" + (f"\n       {wrong}" if wrong else ""), flush=True)
        finally:
            follower.stop()
        borrowed = "" if given.install else "; the environment was borrowed, not installed"
        print(f"\n{failed} failed, {len(follower.skipped)} skipped{borrowed}")
        print("".join(f"  skipped: {command}\n" for command in follower.skipped), end="")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
