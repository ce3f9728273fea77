"""The files of the page at /: what is not our own is npm's, byte for byte; nothing comes from elsewhere, and nothing is made from text."""

import hashlib
import re
import tomllib
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

import pytest

from app.api.pages import ASSETS, FOLDER
from app.core.outcome import REASONS
from app.core.verdict import Signal

ROOT = Path(__file__).parents[2]
README = (FOLDER / "README.md").read_text()
OTHERS = dict(re.findall(r"^\| `([0-9a-f]{64})` \| `(.+)` \|$", README, re.MULTILINE))
OWN = sorted(path.name for path in FOLDER.iterdir() if path.name not in {*OTHERS.values(), "README.md"})


def test_what_is_not_our_own_is_the_npm_packages_byte_for_byte_with_their_licenses():
    assert {digest: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for digest, name in OTHERS.items()} == {
        digest: digest for digest in OTHERS
    }
    assert {"LICENSE-htm", "LICENSE-preact", "LICENSE-uPlot", "preact.js", "uPlot.iife.min.js", "uPlot.min.css"} == set(OTHERS.values())
    makefile = (ROOT / "Makefile").read_text()
    for package in re.findall(r"^\| `(\w+@[\d.]+)` \|", README, re.MULTILINE):
        assert package in makefile


def test_every_file_is_named_in_the_readme_and_served_or_a_text_about_the_others():
    assert all(f"`{name}`" in README for name in OWN)
    assert {*ASSETS, "index.html"} == {path.name for path in FOLDER.iterdir() if not path.name.startswith(("LICENSE", "README"))}
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["app"]
    for path in FOLDER.iterdir():
        assert any(fnmatch(str(path.relative_to(ROOT / "app")), pattern) for pattern in patterns), path
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 250_000


@pytest.mark.parametrize("name", OWN)
def test_our_own_files_ask_nobody_else_and_turn_no_text_into_markup_or_code(name):
    text = (FOLDER / name).read_text()
    # The name of SVG is no address that anybody asks.
    assert not re.findall(r"(?:https?:)?//[a-z][\w.]+", text.replace('xmlns="http://www.w3.org/2000/svg"', ""))
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "dangerouslySetInnerHTML"):
        assert forbidden not in text
    for store in ("localStorage", "sessionStorage", "indexedDB", "document.cookie"):
        assert store not in text


def test_the_document_has_no_script_style_or_handler_in_itself():
    text = (FOLDER / "index.html").read_text()
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", text)
    assert set(re.findall(r'(?:src|href)="ui/([^"]+)"', text)) < set(ASSETS)


def test_every_import_of_a_module_is_a_file_that_is_served():
    for name in OWN:
        if name.endswith(".js"):
            assert set(re.findall(r'from "\./([^"]+)"', (FOLDER / name).read_text())) <= set(ASSETS), name


@pytest.mark.parametrize("name", [name for name in OWN if name.endswith(".js")])
def test_no_two_sentences_are_joined(name):
    """The template library drops a line break with its blanks behind a value or an element: a text that goes on there loses its space."""
    lines = [line.strip() for line in (FOLDER / name).read_text().split("\n")]
    begins = re.compile(r"[A-Z][a-z]+ [a-z]+ |[a-z]+ [a-z]+ [a-z]+ ")
    assert [line for before, line in pairwise(lines) if before.endswith(("}", ">")) and begins.match(line)] == []


def test_the_name_of_a_side_stays_beside_its_dot_on_a_narrow_screen():
    assert '<td class="side"><i class=${`dot' in (FOLDER / "live.js").read_text()
    # Below 620 px the general class for this is taken back.
    assert ".list .side { white-space: nowrap; }" in (FOLDER / "style.css").read_text()


def block(name):
    return re.search(rf"const {name} = \{{\n(.*?)\n\}};", (FOLDER / "words.js").read_text(), re.DOTALL)[1]


def test_the_page_has_a_sentence_for_every_reason_and_a_name_for_every_signal():
    keys = [key for name in ("ROUTED", "FAILURES") for key in re.findall(r"^  (\w+): ", block(name), re.MULTILINE)]
    assert sorted(keys) == sorted(REASONS)
    assert set(re.findall(r"^  (\w+): ", block("SIGNALS"), re.MULTILINE)) >= {signal.value for signal in Signal}
