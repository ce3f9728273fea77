"""What the outside relies on: the OpenAPI document and the commands of the README."""

import json
import re
from pathlib import Path

import pytest

from app.api.app import create_app
from app.config.settings import Settings

ROOT = Path(__file__).parents[2]
SNAPSHOT = ROOT / "docs/openapi.json"


def document():
    # Through JSON once: tuples become lists.
    return json.loads(json.dumps(create_app(Settings()).openapi()))


def test_the_openapi_document_is_the_committed_one():
    """A change of the interface is meant, or it is a bug. If meant: python -m tests.integration.test_contract"""
    assert document() == json.loads(SNAPSHOT.read_text())


def test_the_openapi_document_has_examples_and_every_status():
    answer = document()["paths"]["/v1/answer"]["post"]
    assert {"200", "400", "413", "415", "422", "429", "502", "503", "504"} <= set(answer["responses"])
    assert document()["components"]["schemas"]["AnswerRequest"]["examples"]
    items = document()["components"]["schemas"]["AnswersRequest"]["properties"]["questions"]["items"]
    assert items["title"] == "AnswerRequest"


def readme():
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readmes_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", readme() + (ROOT / "CONTRIBUTING.md").read_text()))
    assert named <= targets


def test_the_readmes_foggate_commands_parse():
    from typer.main import get_command

    from app.cli.commands import cli

    command = get_command(cli)
    lines = re.findall(r"\.venv/bin/foggate ([^\n#&]+)", readme())
    assert len(lines) >= 6
    import shlex

    for line in lines:
        words = shlex.split(line)
        node = command
        context = None
        while hasattr(node, "commands"):
            name = words.pop(0)
            assert name in node.commands, line
            node = node.commands[name]
        context = node.make_context(name, words, resilient_parsing=False)
        assert context is not None


def test_the_readmes_curl_bodies_are_those_of_the_banner():
    from app.cli.banner import CLOUD_EXAMPLE, EDGE_EXAMPLE

    assert [json.loads(body) for body in re.findall(r"-d '(.*)'", readme())] == [EDGE_EXAMPLE, CLOUD_EXAMPLE]


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\((?!http)([^)#]+)", (ROOT / name).read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(document(), indent=1, ensure_ascii=False) + "\n")
