"""The examples of docs/decisions.md and docs/mcp.md, as they stand there, against a gateway."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.integration.test_api import gateway

DOCS = Path(__file__).parents[2] / "docs"
ADDRESS = "http://127.0.0.1:8080"


def blocks(page, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


BODIES = blocks("decisions.md", "json")
PATHS = [block.split()[2].removeprefix(ADDRESS) for block in blocks("decisions.md", "sh") if block.startswith("curl")]


@pytest.mark.parametrize(("path", "body"), zip(PATHS, BODIES, strict=True))
async def test_a_body_is_answered_at_its_path(path, body):
    async with gateway() as (http, _):
        reply = await http.post(path, content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 200, reply.text
    assert reply.json()["answers"]


@pytest.mark.parametrize(
    ("page", "said"), [("decisions.md", "refund predicate cloud\nteam choice cloud"), ("mcp.md", "so the cloud was to answer")]
)
async def test_a_program_runs_as_it_is_printed(page, said, capsys):
    [program] = blocks(page, "python")
    assert ADDRESS in program
    async with gateway(mcp={"enabled": True}) as (http, _):
        await asyncio.to_thread(exec, program.replace(ADDRESS, str(http.base_url).rstrip("/")), {})
    assert said in capsys.readouterr().out


def test_both_pages_show_something():
    assert PATHS == ["/v1/systemone", "/v1/decisions"]
