"""What README and docs say can be done: every command parses, every target, file and link is there. `make readme` runs them."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from app.cli.banner import CLOUD_EXAMPLE, EDGE_EXAMPLE
from app.cli.commands import cli
from app.demo.bank import SHIPPED_BANK, load_rows
from tests.runs.readme import Step, difference, same_shape, steps, without_digits

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text()


def commands(page):
    return [step.command for step in steps(page.read_text())]


def parsed(words):
    """Parse a `foggate` command line as the real parser does, and run nothing. Raises what the parser raises."""
    command = typer.main.get_command(cli)
    context = command.make_context("foggate", words)
    while hasattr(command, "commands"):
        name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, words, parent=context)
    return context.command_path


def foggate_lines(page):
    """What stands behind `foggate` in every command of a page; `…` stands for more of the same."""
    found = []
    for command in commands(page):
        words = [word for word in shlex.split(command) if word != "…"]
        if {"docker", "systemctl"} & set(words):
            continue
        for number, word in enumerate(words):
            if word == "foggate" or word.endswith("bin/foggate"):
                rest = words[number + 1 :]
                found.append(rest[: rest.index("&&")] if "&&" in rest else rest)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_parses(page):
    for words in foggate_lines(page):
        # Parsing these would install them.
        if not words[0].endswith("-completion"):
            assert parsed(words).startswith("foggate ")


def test_the_parser_of_this_test_refuses_what_the_command_line_refuses():
    for words in (["serv"], ["serve", "--prot", "1"], ["eval", "colect"], ["calibrate"], ["ask", "q"], ["demo-cloud", "--unknown", "x"]):
        with pytest.raises(Exception, match=r"No such|Missing|Invalid|one of"):
            parsed(words)
    assert sum(len(foggate_lines(ROOT / page)) for page in ("README.md", "docs/tour.md")) >= 18


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_is_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", page.read_text()))
    for command in commands(page):
        if command.startswith("make "):
            named |= {word for word in shlex.split(command)[1:] if "=" not in word}
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_every_shipped_file_is_there(page):
    text = page.read_text()
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link and not link.startswith("#")]
    assert [link for link in links if not (page.parent / link).exists()] == []
    files = re.findall(r"(?<![\w/.-])((?:config|docs|tests|app)/[\w./-]+\.(?:yaml|yml|md|conf|cfg|service|py|jsonl))", text)
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_examples_of_readme_are_those_of_the_banner_and_come_with_the_right_answers():
    rows = {row["question"]: row for row in load_rows([SHIPPED_BANK])}
    bodies = [json.loads(found) for found in re.findall(r"-d '(.*)'$", README, re.MULTILINE)]
    assert bodies == [EDGE_EXAMPLE, CLOUD_EXAMPLE]
    shown = [json.loads(body) for body in re.findall(r"^```json\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)]
    for body, reply in zip(bodies, shown, strict=True):
        row = rows[body["question"]]
        assert (row["options"], row["answer"]) == (body["options"], reply["answer"])
        assert reply["answer_text"] == row["options"]["ABCD".index(row["answer"])]
    asked = [words for words in foggate_lines(ROOT / "docs/tour.md") if words[0] == "ask"]
    assert asked
    for words in asked:
        question, *options = words[3:] if words[1] == "--url" else words[1:]
        assert rows[question]["options"] == options


def test_what_differs_in_digits_is_the_same_and_nothing_else_is():
    assert without_digits("n = 12, 3.5 ms,  1e-05  ████") == without_digits("n = 7, 10.25 ms, 2e-6 █")
    assert without_digits("n = 12") != without_digits("m = 12")
    shown = {"answer": "D", "tau": 0.2, "cloud": None, "edge": {"p": [0.1, 0.2]}, "id": "a1"}
    assert same_shape(shown, {"answer": "D", "tau": 1, "cloud": None, "edge": {"p": [3, 4]}, "id": "a2"})
    for change in ({"answer": "C"}, {"tau": None}, {"tau": True}, {"cloud": {}}, {"edge": {"p": [0.1]}}, {"more": 1}):
        assert not same_shape(shown, {**shown, **change})


def test_output_is_compared_line_by_line_in_order():
    step = Step("x", "first 1\n\nsecond 2\n")
    assert difference(step, "banner\nfirst 7\nmore\nsecond 9\n") is None
    assert "second" in difference(step, "second 9\nfirst 7\n")
    answered = Step("x", '{"answer": "A", "answer_text": "75 km", "route": "edge"}', "json")
    assert difference(answered, '{"answer": "A", "answer_text": "75 km", "route": "edge"}') is None
    for wrong in (
        '{"answer": "B", "answer_text": "75 km", "route": "edge"}',
        '{"answer": "A", "answer_text": "50 km", "route": "edge"}',
        "<html>",
    ):
        assert difference(answered, wrong) is not None


def test_blocks_become_steps_with_what_they_show():
    text = "```sh\nmake serve    # a comment\n\nfoggate ask '#1'\n```\nprose\n```text\nready\n```\n```json\n{}\n```\n"
    assert steps(text) == [Step("make serve", "ready\n", "text"), Step("foggate ask '#1'")]
    text = "```python\nprint('D')\n```\n```text\nD\n```\n"
    assert steps(text) == [Step(""".venv/bin/python -c 'print('"'"'D'"'"')\n'""", "D\n", "text")]


def test_every_module_that_architecture_names_is_there():
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "app" / name).exists() and not (ROOT / name).exists()] == []


def test_readme_is_short():
    assert len(README.splitlines()) <= 150
