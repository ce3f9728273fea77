"""The fingerprint of a model and its adapter, which answers, records and calibrations carry."""

import hashlib
from pathlib import Path
from typing import Any

from app.edge.adapters import Adapter, scaling

_BLOCKS, _BLOCK_BYTES = 64, 16_384
# Endings of files that hold weights.
WEIGHTS = (".safetensors", ".bin")


def fingerprint(source: str, adapter: Adapter | None, *, commit: str | None = None) -> str:
    """12 hex digits that change when the weights or the adapter change, whatever their folders are called.

    Of weight files only their sizes and evenly spaced blocks are read, so that gigabytes cost milliseconds: training
    changes weights everywhere. A model or an adapter from a hub is known by its commit.

    Args:
        source: a folder, a Hugging Face id, or the `identity` of a builtin model's weights.
        adapter: what is merged, if anything is.
        commit: commit of a source from a hub.
    """
    digest = hashlib.sha256()
    _add_place(digest, source, commit)
    if adapter is None:
        digest.update(b"None None")
    elif adapter.commit is not None:
        digest.update(f"{adapter.name} {adapter.commit}".encode())
    else:
        _add_place(digest, str(adapter.folder), None)
        # The same weights with another scale are another adapter.
        digest.update(scaling(adapter.folder).encode())
    return digest.hexdigest()[:12]


def _add_place(digest: Any, place: str, commit: str | None) -> None:
    folder = Path(place)
    if not folder.is_dir():
        digest.update(f"{place} {commit}".encode())
        return
    for path in sorted(folder.iterdir()):
        if path.suffix in WEIGHTS:
            _add_file(digest, path)


def _add_file(digest: Any, path: Path) -> None:
    size = path.stat().st_size
    digest.update(f"{path.name} {size}".encode())
    with path.open("rb") as file:
        for block in range(_BLOCKS):
            file.seek(block * max(0, size - _BLOCK_BYTES) // max(1, _BLOCKS - 1))
            digest.update(file.read(_BLOCK_BYTES))
