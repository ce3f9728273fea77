"""Commands are run in folders of data that others made: nothing in them is executed or obeyed."""

import os
import subprocess
import sys

import psutil
import pytest

from app.cli.begin import forget_current_folder
from tests.support.processes import ROOT

MODULES = (
    "json",
    "logging",
    "asyncio",
    "typer",
    "rich",
    "yaml",
    "uvicorn",
    "numpy",
    "torch",
    "transformers",
    "structlog",
    "psutil",
    "statistics",
)


def traps(folder, names):
    """A folder in which everything that anybody might import leaves a mark."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'MARK')!r}, 'a').write({name!r} + ' ')\n")
    return folder


@pytest.fixture
def hostile(tmp_path):
    folder = traps(tmp_path / "data", [*MODULES, "sitecustomize", "usercustomize"])
    for package in ("app", "pip"):
        traps(folder / package, ["__init__", "__main__"])
    (folder / "matplotlibrc").write_text("lines.linewidth: 42\nbackend: module://sitecustomize\n")
    (folder / ".env").write_text("FOGGATE_POLICY__TAU=7\n")
    return folder


@pytest.fixture
def script(tmp_path):
    """The console script as pip installs it: in a folder of its own, which Python puts first."""
    path = tmp_path / "bin" / "foggate"
    path.parent.mkdir()
    path.write_text("import sys\nfrom app.__main__ import main\nsys.exit(main())\n")
    return path


def marks(folder):
    return [path.read_text() for path in folder.rglob("MARK")]


def run(command, folder, **environment):
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["config", "check"], "tau: null"),
        (["health", "--port", "1"], "nothing answers"),
        (["keys", "list"], "the key file keys.json cannot be read"),
        (["demo-cloud", "--fault", "fire:1"], "fault 'fire:1'"),
        (["calibrate", "--records", "none.jsonl", "--target-accuracy", "0.5"], "cannot be read"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_command_imports_nothing_of_the_folder_that_it_runs_in(hostile, script, arguments, says):
    done = run([str(script), *arguments], hostile)
    assert says in done.stdout + done.stderr
    assert marks(hostile) == []


def test_python_m_app_does_not_either(tmp_path):
    """Which package `app` is, Python decides before ours begins; everything after that is imported from where it belongs."""
    folder = traps(tmp_path / "data", MODULES)
    done = run(["-m", "app", "config", "check"], folder)
    assert "tau: null" in done.stdout, done.stderr
    assert marks(folder) == []


def test_the_mock_cloud_and_the_model_of_a_gateway_come_from_the_installation(hostile, script):
    """Both start: the mock cloud, and the import of torch, which a trap would have noted before anything else happens in it."""
    command = [sys.executable, str(script), "serve", "--demo", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=hostile, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout.readline().startswith("Loading")
        gateway = psutil.Process(process.pid)
        while not any("libtorch" in mapped.path for mapped in gateway.memory_maps()):
            assert process.poll() is None
        process.kill()
    assert marks(hostile) == []


def test_pip_fetches_the_builtin_model_without_importing_anything_here(hostile):
    code = "from pathlib import Path; from app.edge.builtin import ensure_builtin; ensure_builtin(Path('cache'))"
    done = run(["-P", "-c", code], hostile, PIP_INDEX_URL="http://127.0.0.1:1/simple", PIP_RETRIES="0")
    assert "could not be fetched" in done.stderr
    assert marks(hostile) == []


def test_pictures_are_drawn_with_the_defaults_of_matplotlib(hostile):
    code = (
        "from app.evaluation.pictures import drawing; import matplotlib as m; before = m.rcParams['lines.linewidth']\n"
        "with drawing(): print(before, m.rcParams['lines.linewidth'], m.rcParams['svg.hashsalt'])"
    )
    done = run(["-P", "-c", code], hostile)
    assert done.stdout.split() == ["42.0", "1.5", "foggate"], done.stderr
    assert marks(hostile) == []


def test_the_current_folder_leaves_the_import_path_unless_it_is_meant(tmp_path, monkeypatch):
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "link"
    elsewhere.mkdir()
    link.symlink_to(tmp_path, target_is_directory=True)
    here = str(tmp_path)
    for path, pythonpath, left in (
        (["", "/lib"], "", ["/lib"]),
        ([here, "/lib"], "", ["/lib"]),
        ([str(link), "/lib"], "", ["/lib"]),
        ([here, str(elsewhere)], f"{os.pathsep}{elsewhere}", [str(elsewhere)]),
        ([here, str(elsewhere)], f"{here}{os.pathsep}{elsewhere}", [here, str(elsewhere)]),
        ([str(elsewhere)], "", [str(elsewhere)]),
    ):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", list(path))
        monkeypatch.setenv("PYTHONPATH", pythonpath)
        forget_current_folder()
        assert sys.path == left


def test_a_checkout_is_run_from_its_own_folder(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(sys, "path", [str(ROOT), "/lib"])
    forget_current_folder()
    assert sys.path == [str(ROOT), "/lib"]


def test_a_folder_that_was_deleted_is_no_reason_to_fail(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr(sys, "path", ["/lib"])
    forget_current_folder()
    assert sys.path == ["/lib"]
