"""Was an edge model trained to write its confidence? FogGen's checkpoints were, and so was everything that the recipe of this project made.

Only small files are read, and nothing is fetched: of a model or an adapter from a hub, what loading it has put into the hub's cache.
"""

import json
from pathlib import Path
from typing import Any

from app.data.files import read_text, write_json
from app.edge.builtin import find_builtin

# File beside an adapter's weights that names the base which they belong to (`{"base_fingerprint"}`). The recipe writes it; adapters from
# elsewhere have none.
ORIGIN = "foggate.json"
# Key in the `config.json` of a model that the recipe made.
MARK = "foggen"
_CONFIG = "config.json"
_HUB_IDS = "issai/foggen"


def writes_confidence(model: str, adapter: str | None) -> bool:
    """Whether a model was trained to write its confidence: by its Hugging Face id, by its mark, or by its adapter's origin.

    Args:
        model: value of `edge.model`.
        adapter: value of `edge.adapter`.
    """
    builtin = find_builtin(model)
    if adapter is None and builtin is not None and builtin.adapter is not None:
        adapter = str(builtin.adapter)
    if adapter is not None and "base_fingerprint" in _content(adapter, ORIGIN):
        return True
    return model.lower().startswith(_HUB_IDS) or _content(model, _CONFIG).get(MARK) is True


def mark(folder: Path) -> None:
    """Mark a model as one that was trained to write its confidence.

    Args:
        folder: folder that holds the model's `config.json`.

    Raises:
        ConfigError: the file cannot be written.
        OSError: the file cannot be read.
    """
    config = folder / _CONFIG
    write_json(config, {**json.loads(read_text(config)), MARK: True})


def _content(place: str, name: str) -> dict[str, Any]:
    """A JSON file of a model or an adapter; empty where it does not exist or cannot be read."""
    path = Path(place) / name if Path(place).is_dir() else _cached(place, name)
    if path is None:
        return {}
    try:
        content = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _cached(hub_id: str, name: str) -> Path | None:
    """A file of a hub id in the hub's cache; None where it is not there."""
    from huggingface_hub import try_to_load_from_cache  # slow, and needed for ids alone

    try:
        found = try_to_load_from_cache(hub_id, name)
    except ValueError:  # no possible id
        return None
    return Path(found) if isinstance(found, str) else None
