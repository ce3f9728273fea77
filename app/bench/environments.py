"""Throw-away environments: each peer of a bench is installed into a virtual environment of its own, in a cache folder.

Nothing of them is ever imported by this process, and removing the folder removes them. An environment that was made whole is used
again by later runs; one that was not is made anew.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from filelock import FileLock

from app.core import interrupts

_READY = "ready.txt"


class InstallFailed(Exception):
    """An environment could not be made; the message is one sentence for a person."""


def ensure_environment(
    folder: Path,
    name: str,
    requirements: Sequence[str],
    *,
    remove: Sequence[str] = (),
    share: bool = False,
    variables: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Make an environment with some packages, unless it is there already.

    Args:
        folder: where environments are kept.
        name: name of the peer.
        requirements: what pip installs; no requirements make an empty environment.
        remove: packages that are uninstalled afterwards.
        share: whether the packages of this process can be imported there too, behind those of the environment: a peer that needs torch
            then computes with the same one.
        variables: environment variables for the installation, as for a compiler.
        say: told what takes long.

    Returns:
        The environment's Python.

    Raises:
        InstallFailed: pip failed, or the folder cannot be written.
    """
    wanted = "\n".join([sys.version, str(share), *requirements, *(f"-{package}" for package in remove), *(_shared() if share else ())])
    home = folder / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:10]}"
    python = home / "bin" / "python"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{home}.lock"):
            if not (home / _READY).is_file():
                say(f"{name}: installing {', '.join(requirements) or 'an environment'} into {home}, once")
                shutil.rmtree(home, ignore_errors=True)
                _make(home, python, requirements, remove, share=share, variables=variables or {})
                (home / _READY).write_text(wanted, encoding="utf-8")
    except OSError as error:
        raise InstallFailed(f"{name} could not be installed into {folder}: {error.strerror or error}") from error
    return python


def _make(
    home: Path, python: Path, requirements: Sequence[str], remove: Sequence[str], *, share: bool, variables: Mapping[str, str]
) -> None:
    # Our own pip installs into it, where there is one: putting another one there takes longer than many a package.
    ours = importlib.util.find_spec("pip") is not None
    _run([sys.executable, "-m", "venv", *(["--without-pip"] if ours else []), str(home)], {})
    if share:
        (packages,) = home.glob("lib/python*/site-packages")
        # A .pth file adds folders behind the environment's own, so that what is installed there comes first.
        (packages / "shared.pth").write_text("\n".join(_shared()) + "\n", encoding="utf-8")
    runs_pip = [sys.executable, "-m", "pip", "--python", str(python)] if ours else [str(python), "-m", "pip"]
    pip = [*runs_pip, "--disable-pip-version-check", "--no-input"]
    if requirements:
        _run([*pip, "install", "--quiet", *requirements], variables)
    if remove:
        _run([*pip, "uninstall", "--quiet", "--yes", *remove], variables)


def _shared() -> list[str]:
    # Resolved: the same packages through a link are the same environment.
    return [str(Path(path).resolve()) for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]


def _run(command: Sequence[str], variables: Mapping[str, str]) -> None:
    environment = {**os.environ, **variables}
    # This process may have been started with a checkout in it.
    environment.pop("PYTHONPATH", None)
    with (
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        ) as child,
        interrupts.ends_with_us(child),
    ):
        _, said = child.communicate()
    if child.returncode:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        wrong = next((line for line in lines if line.lower().startswith("error:")), lines[-1] if lines else "no output")
        raise InstallFailed(f"pip failed: {wrong[:300]}")
