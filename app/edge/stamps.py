"""Stamps of proofs that were made: what was proven once with the same weights, code and libraries is not proven again.

A stamp is a small file in the cache folder, named by the digest of everything that it vouches for. Any number of processes may write
and read stamps at once. Without a writable folder there are no stamps, and each start makes its proof.
"""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import transformers

from app.edge.engine import VerdictEngine

logger = logging.getLogger(__name__)

FOLDER = "proofs"
# What a proof speaks of: a change of any of these files makes every stamp void.
_PROVEN = (
    "architecture",
    "bucketed",
    "buckets",
    "columns",
    "engine",
    "full_precision",
    "layout",
    "masks",
    "packed",
    "pass_threads",
    "passes",
    "plain_decoding",
    "proof",
    "reading",
    "readout",
    "slots",
    "split_attention",
    "trie",
)


def facts_of(model: Any, engine: VerdictEngine) -> dict[str, str]:
    """Everything that the outcome of a proof depends on, as text."""
    config = {key: value for key, value in model.config.to_dict().items() if key not in {"_name_or_path", "transformers_version"}}
    return {
        "weights": engine.fingerprint,
        "prompts": engine.prompt_fingerprint,
        "config": _digest(json.dumps(config, sort_keys=True, default=str).encode()),
        "dtype": str(model.dtype),
        "device": model.device.type,
        "attention": str(model.config._attn_implementation),  # noqa: SLF001
        "split": str(engine.splits_attention),
        "buckets": str(engine.uses_buckets),
        "side_by_side": str(engine.side_by_side > 1),
        "max_prompt_tokens": str(engine.max_prompt_tokens),
        "prefix_tokens": str(engine.prefix_tokens),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "code": _digest(*(Path(__file__).with_name(f"{name}.py").read_bytes() for name in _PROVEN)),
    }


def is_stamped(folder: Path, facts: Mapping[str, str]) -> bool:
    """Whether a proof with these facts was made before. A file that is damaged or cannot be read is no stamp."""
    try:
        return bool(json.loads(_path(folder, facts).read_bytes())["facts"] == facts)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_stamp(folder: Path, facts: Mapping[str, str], found: str) -> None:
    """Note that a proof was made. Where that cannot be written, the next start makes its proof again.

    Args:
        folder: folder of the stamps; it is made where it does not exist.
        facts: what the proof depends on.
        found: what it found, for people who read the file.
    """
    scratch = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A name of its own for each writer; the file has its final name only when it is complete.
        handle, scratch = tempfile.mkstemp(dir=folder, prefix="writing-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"facts": facts, "found": found}, file, indent=1)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(_path(folder, facts))
    except OSError as error:
        logger.info("the proof cannot be noted in %s (%s); the next start makes it again", folder, error.strerror)
        if scratch is not None:
            with suppress(OSError):
                Path(scratch).unlink()


def _path(folder: Path, facts: Mapping[str, str]) -> Path:
    return folder / (_digest(json.dumps(facts, sort_keys=True).encode()) + ".json")


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:24]
