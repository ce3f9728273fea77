"""The import contracts of pyproject.toml hold, and each of them can fail: a copy of `app` breaks every one once, in one run."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
CONTRACTS = {
    contract["name"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
}
ONE_FACE, OTHER_FACE = next(contract["modules"][:2] for contract in CONTRACTS.values() if contract["type"] == "independence")
MOST_LINES, MOST_NAMES = 300, 19

# By the beginning of the contract's name: who imports what, though they must not, and what is then said of it.
BREAKS = {
    "1": [("app.data.files", "app.config.loading", "app.data.files -> app.config.loading")],
    "2": [("app.core.question", "pydantic", "app.core.question -> pydantic")],
    "3": [("app.access.keys", "app.evaluation.statistics", "app.access.keys -> app.evaluation.statistics")],
    "4": [("app.telemetry.metrics", "app.config.settings", "app.telemetry.metrics -> app.config.settings")],
    "5": [("app.telemetry.logs", "torch", "app.telemetry.logs -> torch")],
    "6": [("app.edge.trie", "httpx2", "app.edge.trie -> httpx2")],
    "7": [("app.gateway.build", "fastapi", "app.gateway.build -> fastapi")],
    "8": [(ONE_FACE, OTHER_FACE, f"{ONE_FACE} -> {OTHER_FACE}")],
    "9": [
        ("app.config.origins", "app.demo.bank", ".config -> .demo"),
        ("app.demo.bank", "app.config.origins", "No cycles are allowed in app"),
    ],
}


def lint(folder):
    command = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"]
    done = subprocess.run([*command, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """The report on a copy in which each contract is broken, by contract."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copytree(APP, folder / "app", ignore=lambda _, names: [name for name in names if "." in name and not name.endswith(".py")])
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "app" / "stray.py").write_text('"""A module of which the layers know nothing."""\n', encoding="utf-8")
    for importer, imported, _ in (each for breaks in BREAKS.values() for each in breaks):
        path = folder / (importer.replace(".", "/") + ".py")
        path.write_text(path.read_text(encoding="utf-8") + f"\nimport {imported}\n", encoding="utf-8")
    code, text = lint(folder)
    assert code == 1, text
    overview, _, details = text.partition("Broken contracts")
    # Each contract's part begins with its name, underlined.
    parts = re.split(r"^(\d .+)\n-+$", details, flags=re.MULTILINE)
    return overview, dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", CONTRACTS)
def test_each_contract_can_be_broken(broken, name):
    overview, details = broken
    assert f"{name} BROKEN" in overview
    for _, _, said in BREAKS[name.split(maxsplit=1)[0]]:
        assert said in details[name]


def test_a_package_that_no_layer_names_breaks_the_first_contract(broken):
    (first,) = (details for name, details in broken[1].items() if name.startswith("1 "))
    assert "app.stray" in first


def test_every_contract_has_a_break():
    assert len(CONTRACTS) == len(BREAKS) == 9
    assert {name.split(maxsplit=1)[0] for name in CONTRACTS} == set(BREAKS)


def test_the_contracts_hold():
    code, text = lint(ROOT)
    assert code == 0, text
    assert "9 kept, 0 broken" in text


def test_no_file_is_longer_than_a_person_reads_at_once():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in APP.rglob("*.py")}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_the_top_level_stays_small():
    names = {path.name for path in APP.iterdir()} - {"__pycache__"}
    assert len(names) <= MOST_NAMES, sorted(names)
