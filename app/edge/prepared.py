"""Prepared weights: an edge model as it computes (adapter merged, dtype converted), in a file of the cache folder that is read by mmap.

Merging and converting at every start costs seconds and a copy of the model; a file that is mapped costs neither, and processes of one
machine share its pages. A file is used only for exactly what it was made of (`facts_of`), and only with the content that was written. It
gets its name when it is complete; any number of processes may read and write at once. Without a writable folder nothing is kept.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from app.edge.adapters import Adapter
from app.edge.architecture import Architecture
from app.edge.fingerprint import WEIGHTS

logger = logging.getLogger(__name__)

FOLDER = "prepared"
_WEIGHTS, _NOTE, _WRITING = ".safetensors", ".json", "writing-"
# What decides which numbers come out: a change of any of these files makes every prepared file void.
_MADE_BY = ("adapters", "prepared", "weights")
_READ = (*WEIGHTS, ".json")
# Left free on the disk, beside what is written.
_SPARE_BYTES = 500_000_000

State = Mapping[str, torch.Tensor]


def facts_of(
    fingerprint: str, source: str, architecture: Architecture, dtype: torch.dtype, *, commit: str | None, adapter: Adapter | None
) -> dict[str, str] | None:
    """Everything that the numbers in a prepared file depend on, as text; None where nothing says whether the weights have changed.

    Args:
        fingerprint: fingerprint of model and adapter.
        source: folder or Hugging Face id of the model.
        architecture: how the model is loaded.
        dtype: dtype of the result.
        commit: commit of a model from a hub.
        adapter: what is merged, if anything is.
    """
    places = [_place(source, commit), "" if adapter is None else _place(str(adapter.folder), adapter.commit)]
    config = architecture.config
    if None in places or not fingerprint or getattr(config, "quantization_config", None):
        return None
    versions = versions_of("torch", "transformers", "peft")
    if versions is None:
        return None
    described = {key: value for key, value in config.to_dict().items() if key not in {"_name_or_path", "transformers_version", "dtype"}}
    return {
        "weights": fingerprint,
        "files": _digest(*map(str, places)),
        "config": _digest(json.dumps(described, sort_keys=True, default=str)),
        "class": architecture.model_class.__name__,
        "dtype": str(dtype),
        **versions,
        "code": _digest(*(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8") for name in _MADE_BY)),
    }


def versions_of(*names: str) -> dict[str, str] | None:
    """The versions of libraries as they were installed; None where one lies in a folder of its own, without the files that say its version."""
    try:
        return {name: version(name) for name in names}
    except PackageNotFoundError:
        return None


def _place(place: str, commit: str | None) -> str | None:
    """Text that changes when the files of a model or an adapter do: its commit, or their sizes and times."""
    if commit is not None:
        return commit
    if not Path(place).is_dir():
        return None
    stats = ((path.name, path.stat()) for path in sorted(Path(place).iterdir()) if path.suffix in _READ)
    return json.dumps([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


@dataclass(frozen=True, slots=True)
class PreparedWeights:
    """The prepared files of a cache folder.

    Attributes:
        folder: their folder; it is made where it does not exist.
        most_bytes: bytes that all of them together may take; those that were used longest ago are removed. 0 keeps none.
    """

    folder: Path
    most_bytes: int

    def read(self, facts: Mapping[str, str]) -> dict[str, torch.Tensor] | None:
        """The weights by name, mapped from their file; None where there is no file of these facts, or it was damaged, and was removed."""
        if not self.most_bytes:
            return None
        note, weights = self._paths(facts)
        try:
            if not note.exists():
                return None
            self._check(note, weights, facts)
            found: dict[str, torch.Tensor] = load_file(weights)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            logger.warning("the prepared weights in %s cannot be used (%s): they are made again", weights, error)
            self.discard(facts)
            return None
        with suppress(OSError):
            # The time of its last use.
            os.utime(note)
        return found

    def write(self, facts: Mapping[str, str], state: State) -> bool:
        """Keep weights for later starts. Returns whether they are kept: not where they do not fit, nor where another process writes.

        Args:
            facts: what they were made of.
            state: the weights by name, as in `torch.nn.Module.state_dict`; tied ones once.
        """
        size = sum(tensor.nbytes for tensor in state.values())
        if size > self.most_bytes:
            return False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "lock").acquire(blocking=False):
                self._make_room(size)
                self._write(facts, state)
        except Timeout:
            return False
        except OSError as error:
            logger.info("the prepared weights cannot be kept in %s (%s); the next start makes them again", self.folder, error)
            return False
        return True

    def discard(self, facts: Mapping[str, str]) -> None:
        """Remove what is kept with these facts, if it can be removed. Whoever has mapped it goes on reading it."""
        for path in self._paths(facts):
            with suppress(OSError):
                path.unlink()

    def _paths(self, facts: Mapping[str, str]) -> tuple[Path, Path]:
        name = _digest(json.dumps(facts, sort_keys=True))
        return self.folder / (name + _NOTE), self.folder / (name + _WEIGHTS)

    def _check(self, note: Path, weights: Path, facts: Mapping[str, str]) -> None:
        """Compare a file with its note: by size, times and place on the disk, and where one of them differs by its SHA-256.

        Raises:
            ValueError: it has other facts, or another content.
        """
        noted = json.loads(note.read_bytes())
        if noted["facts"] != facts:
            raise ValueError("its facts are others")
        stat = _stat(weights)
        if stat == noted["stat"]:
            return
        with weights.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != noted["sha256"]:
                raise ValueError("its content has changed since it was written")
        with suppress(OSError):
            _replace(note, {**noted, "stat": stat})

    def _write(self, facts: Mapping[str, str], state: State) -> None:
        note, weights = self._paths(facts)
        with _scratch(self.folder) as scratch:
            save_file({name: tensor.detach().contiguous() for name, tensor in state.items()}, scratch)
            scratch.chmod(0o644)
            with scratch.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                # Zeros after a loss of power would be served.
                os.fsync(file.fileno())
            scratch.replace(weights)
        _replace(note, {"facts": dict(facts), "sha256": sha256, "stat": _stat(weights)})

    def _make_room(self, size: int) -> None:
        """Remove what writers have left that were killed, and then the files used longest ago. Raises OSError: the disk is full."""
        kept = {path.stem: path.stat().st_mtime_ns for path in self.folder.glob("*" + _NOTE)}
        for path in self.folder.iterdir():
            if path.name.startswith(_WRITING) or (path.suffix == _WEIGHTS and path.stem not in kept):
                path.unlink()
        sizes = {path.stem: path.stat().st_size for path in self.folder.glob("*" + _WEIGHTS)}
        for name in sorted(kept, key=kept.__getitem__):
            if sum(sizes.values()) + size > self.most_bytes or name not in sizes:
                (self.folder / (name + _NOTE)).unlink(missing_ok=True)
                (self.folder / (name + _WEIGHTS)).unlink(missing_ok=True)
                sizes.pop(name, None)
        free = shutil.disk_usage(self.folder).free
        if free < size + _SPARE_BYTES:
            raise OSError(f"its disk has {free / 1e9:.1f} GB free, and {(size + _SPARE_BYTES) / 1e9:.1f} are needed")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A file of our own, which is removed unless it was renamed."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=_WRITING)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _replace(path: Path, content: Mapping[str, Any]) -> None:
    with _scratch(path.parent) as scratch:
        scratch.write_text(json.dumps(content, indent=1), encoding="utf-8")
        scratch.chmod(0o644)
        scratch.replace(path)


def _stat(path: Path) -> list[int]:
    """What changes when the content of a file does, unless the disk itself errs."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _digest(*texts: str) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:24]
