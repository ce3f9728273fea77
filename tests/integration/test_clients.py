"""What docs/clients.md shows of OpenAI's own client and of curl, as it stands there. `make clients` runs the other clients too."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_api import gateway
from tests.support.client_page import sections

PAGE = Path(__file__).parents[2] / "docs/clients.md"
ADDRESS = "http://127.0.0.1:8080"
BY_TITLE = {section.title: section for section in sections(PAGE.read_text())}
OPENAI = BY_TITLE["openai (Python)"]
# The fake engine is not sure of the page's question, so the mock cloud answers it, with a letter that depends on its seed only. An answer
# of the cloud has no confidence.
PRINTED = [
    "Final answer: B cloud\n",
    "Final answer: B",
    "answer='B' confidence=None\nanswer='B' confidence=None\n",
    'weather {"city": "Almaty"}\nThe function returned: Snow.\n',
]


async def output_of(*words, folder):
    done = await asyncio.to_thread(subprocess.run, words, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_has_a_synchronous_an_asynchronous_and_a_parsing_program():
    assert len(OPENAI.files) == len(PRINTED)
    assert [word in "".join(OPENAI.files.values()) for word in ("OpenAI(", "AsyncOpenAI(", ".parse(")] == [True] * 3


async def test_the_programs_run_as_they_are_printed(tmp_path):
    # In one process, because the import takes longer than all of them.
    programs = "\n".join(OPENAI.files.values())
    assert programs.count(ADDRESS) == len(PRINTED)
    async with gateway() as (http, _):
        programs = programs.replace(ADDRESS, str(http.base_url).rstrip("/"))
        assert await output_of(sys.executable, "-c", programs, folder=tmp_path) == "".join(PRINTED)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_shows_the_stream_as_it_comes(tmp_path):
    [step] = BY_TITLE["curl"].steps
    assert "curl -sN" in step.command
    async with gateway() as (http, _):
        shown = await output_of("bash", "-c", step.command.replace(ADDRESS, str(http.base_url).rstrip("/")), folder=tmp_path)
    assert '"content":"Final answer: "' in shown
    assert shown.endswith("data: [DONE]\n\n")
