"""Every client of docs/clients.md, as it stands there, against a running gateway: `make clients`. Not part of `make test`: it downloads.

Each section is followed in a temporary folder with an environment of its own: the client is installed with the version that the page
names, the code is run with the base URL of a gateway (the builtin model and the mock cloud, which answers seven of ten questions
correctly), and what the page shows must be what is printed, the digits aside. What cannot be installed is skipped and counted. The two
evaluation harnesses get the first questions of the mock cloud's bank, and must agree with the records of `foggate eval collect` on each
of them: the same letter, the same accuracy.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.runs.readme import difference
from tests.support.client_page import Section, sections
from tests.support.harness_logs import LETTERS_OF, Expected, disagreement, routed_letters
from tests.support.processes import ROOT, Process, foggate

PAGE = ROOT / "docs/clients.md"
ADDRESS = "http://127.0.0.1:8080"
INSTALL_S, RUN_S = 1800, 900
# Python compiles what a client imports, not all that is installed. LiteLLM and Hugging Face's libraries ask no other host.
QUIET = {"PIP_NO_COMPILE": "1", "PIP_QUIET": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"}


class Skipped(Exception):
    """A client cannot be installed here; the message says why."""


class Client:
    """One section of the page, in a folder of its own."""

    def __init__(self, section: Section, folder: Path, url: str, questions: Path) -> None:
        self.section, self.folder, self.url = section, folder, url
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(questions, folder / "questions.jsonl")
        for old in ("results", "logs"):
            shutil.rmtree(folder / old, ignore_errors=True)
        for name, text in section.files.items():
            (folder / name).write_text(text.replace(ADDRESS, url))
        # Settings and keys of the person who runs this are none of the client's business.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FOGGATE_", "OPENAI_", "PYTHON"))} | QUIET
        self.environment = kept | {"PATH": f"{folder / 'env/bin'}:{kept['PATH']}", "NO_COLOR": "1", "COLUMNS": "200", "HOME": str(folder)}

    def install(self) -> None:
        """Make the environment, unless it is there already. Raises Skipped."""
        done_before = self.folder / "installed"
        if done_before.exists() and done_before.read_text() == "\n".join(self.section.installs):
            return
        for command in self.section.installs:
            if command.startswith("npm") and not (shutil.which("npm") and shutil.which("node")):
                raise Skipped("Node.js is not here")
            if command.startswith("pip") and not (self.folder / "env").exists():
                subprocess.run([sys.executable, "-m", "venv", self.folder / "env"], check=True)
            # The person's own settings of pip and npm (an index, a proxy) hold here.
            try:
                done = self._run(command, INSTALL_S, HOME=os.environ.get("HOME", ""))
            except subprocess.TimeoutExpired:
                raise Skipped(f"`{command}` took longer than {INSTALL_S} s") from None
            if done.returncode:
                raise Skipped(f"`{command}` failed: {(done.stdout + done.stderr).strip()[-300:]}")
        done_before.write_text("\n".join(self.section.installs))

    def follow(self) -> list[str]:
        """Run the commands; what went wrong."""
        wrong = []
        for step in self.section.steps:
            try:
                done = self._run(step.command.replace(ADDRESS, self.url), RUN_S)
            except subprocess.TimeoutExpired:
                wrong.append(f"{step.command}: it took longer than {RUN_S} s")
                continue
            output = done.stdout + done.stderr
            if done.returncode:
                wrong.append(f"{step.command}: exit code {done.returncode}: {output[-2000:]}")
            elif differs := difference(step, output):
                wrong.append(f"{step.command}: {differs.replace('README', 'the page')}")
        return wrong

    def _run(self, command: str, longest_s: float, **environment: str) -> subprocess.CompletedProcess[str]:
        program = command.partition(" ")[0]
        if program in {"node", "curl"} and not shutil.which(program):
            raise Skipped(f"{program} is not here")
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=longest_s,
        )


@dataclass(frozen=True)
class Row:
    """What became of one client."""

    section: Section
    result: str
    seconds: float
    note: str

    @property
    def versions(self) -> str:
        """The packages that were installed, as the page names them."""
        words = " ".join(command.partition("install ")[2] for command in self.section.installs)
        return words.replace("'", "") or "-"

    def __str__(self) -> str:
        return f"{self.result:8} {self.seconds:6.1f} s  {self.section.title}{': ' if self.note else ''}{self.note}"


def table(rows: list[Row]) -> str:
    """One table of all clients in Markdown, with the counts below it."""
    lines = ["| client | installed | result | seconds | note |", "|---|---|---|---|---|"]
    lines += [f"| {row.section.title} | {row.versions} | {row.result} | {row.seconds:.0f} | {' '.join(row.note.split())} |" for row in rows]
    counts = ", ".join(f"{sum(row.result == kind for row in rows)} {kind}" for kind in ("ok", "FAILED", "skipped"))
    return "\n".join([*lines, "", f"{counts}, of {len(rows)} clients"])


@contextmanager
def gateway(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A gateway with the builtin model and a mock cloud; its address, and the settings that `eval collect` needs to ask the same two."""
    cloud = Process(folder, "cloud", "demo-cloud", "--port", "0", "--accuracy", "0.7")
    started = [cloud]
    try:
        settings = {"FOGGATE_CLOUD__BASE_URL": asyncio.run(cloud.url()) + "/v1", "FOGGATE_CLOUD__MODEL": "demo-cloud"}
        # The machine may be busy.
        settings |= {"FOGGATE_DEADLINE_MS": "60000", "FOGGATE_CLOUD__TIMEOUT_S": "30"}
        started.append(Process(folder, "gateway", "serve", "--port", "0", FOGGATE_SERVER__DRAIN_WAIT_S="0", **settings))
        yield asyncio.run(started[-1].url()), settings
    finally:
        for process in reversed(started):
            asyncio.run(process.stop())


def expected(folder: Path, questions: Path, url: str, settings: dict[str, str]) -> dict[str, Expected]:
    """By id of a question the letter that the gateway must answer according to `eval collect`, and the correct one."""
    records = folder / "records.jsonl"
    done = foggate("eval", "collect", "--data", str(questions), "--out", str(records), **settings)
    if done.returncode:
        raise RuntimeError(f"eval collect: {done.stderr[-2000:]}")
    asked = {"question": "Which fraction equals 0.75?", "options": ["2/3", "7/10", "4/5", "3/4"]}
    request = urllib.request.Request(f"{url}/v1/answer", json.dumps(asked).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        policy = json.load(reply)
    return routed_letters(records, policy["signal"], policy["tau"])


def spread(rows: list[str], count: int) -> list[str]:
    """So many rows, or all where there are fewer, spread over all of them: the bank is sorted by domain."""
    count = min(count, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]


class Runner:
    """Follows the sections of the page one after the other, and prints what became of each.

    Args:
        url: address of the gateway.
        questions: file of questions for the harnesses.
        letters: makes what `expected` returns, when the first harness is through.
        kept: folder in which the clients stay installed; None removes each of them.
    """

    def __init__(self, url: str, questions: Path, letters: Callable[[], dict[str, Expected]], kept: Path | None = None) -> None:
        self._url, self._questions, self._make, self._kept = url, questions, letters, kept
        self._letters: dict[str, Expected] = {}

    def follow(self, section: Section) -> Row:
        """Install one client and run what the page shows of it."""
        begun = time.monotonic()
        folder = (self._kept or self._questions.parent).absolute() / re.sub(r"\W+", "-", section.title.lower())
        client = Client(section, folder, self._url, self._questions)
        try:
            client.install()
            wrong = client.follow()
        except Skipped as reason:
            row = Row(section, "skipped", time.monotonic() - begun, str(reason))
            print(row, flush=True)
            return row
        said = ""
        if section.title in LETTERS_OF and not wrong:
            self._letters = self._letters or self._make()
            said, differs = disagreement(LETTERS_OF[section.title](client.folder), self._letters)
            wrong += differs
        row = Row(section, "FAILED" if wrong else "ok", time.monotonic() - begun, said.removeprefix(": "))
        print(row, *(f"       {line}" for line in wrong), sep="\n", flush=True)
        if self._kept is None:
            # A client has up to a gigabyte.
            shutil.rmtree(client.folder)
        return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="Only sections in whose heading this regular expression is found.")
    parser.add_argument("--questions", type=int, default=60, help="Number of questions that the two harnesses ask.")
    parser.add_argument("--keep", type=Path, help="Folder in which the clients stay installed, for another run.")
    given = parser.parse_args()
    # Its servers must not outlive it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [section for section in sections(PAGE.read_text()) if re.search(given.only, section.title)]
    with tempfile.TemporaryDirectory() as name, gateway(Path(name)) as (url, settings):
        questions = Path(name) / "questions.jsonl"
        questions.write_text("".join(spread((ROOT / "app/demo/bank.jsonl").read_text().splitlines(keepends=True), given.questions)))
        runner = Runner(url, questions, lambda: expected(Path(name), questions, url, settings), given.keep)
        rows = [runner.follow(section) for section in chosen]
    print(f"\n{table(rows)}")
    sys.exit(1 if not rows or any(row.result == "FAILED" for row in rows) else 0)


if __name__ == "__main__":
    main()
