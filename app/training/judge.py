"""The gate of a run: each round against the last promoted one, while the run is under way and, with other bounds, again afterwards."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.core.errors import ConfigError
from app.data.records import load_records
from app.training.begun import read_json
from app.training.chain import WARMUP, Chain
from app.training.gate import gate
from app.training.steps import DEV_RECORDS, METRICS, dev_metrics

BASE = "base"


def judge_round(chain: Chain, folder: Path, metrics: Mapping[str, Any], *, against: int | None) -> tuple[list[str], dict[str, Any]]:
    """Why a round must not be promoted (nothing if it may), and what `chain.json` keeps of the comparison.

    Args:
        chain: its run.
        folder: of the round, measured.
        metrics: of the round.
        against: the last promoted round; None is the base.

    Raises:
        ConfigError: the records of one of the two are not there.
    """
    before = compared_with(chain, against)
    config = chain.config
    reasons, checks = gate(
        load_records(_records_in(folder)), load_records(_records_in(before)), config.gate, entropy=metrics["entropy"], seed=config.seed
    )
    return reasons, {"against": before.name, "checks": [check.entry for check in checks]}


def compared_with(chain: Chain, promoted: int | None) -> Path:
    """The folder of the last promoted round, or of the base, with its records.

    Raises:
        ConfigError: the records are not there.
    """
    folder = chain.out / BASE if promoted is None else chain.folder(promoted)
    _records_in(folder)
    return folder


def judge_again(chain: Chain) -> None:
    """Judge all finished rounds by the gate of the chain's config; nothing is trained. What was not measured row by row is now.

    Raises:
        ConfigError: with `on_failure: revert` a round's verdict changes: what was trained after it would be another chain.
    """
    _measure_missing(chain)
    rounds: Sequence[dict[str, Any]] = chain.state["rounds"]
    promoted: int | None = None
    judged = []
    for entry in rounds:
        folder = chain.folder(entry["round"])
        reasons, said = judge_round(chain, folder, read_json(folder / METRICS), against=promoted)
        if chain.config.gate.on_failure == "revert" and bool(reasons) == entry["promoted"]:
            was, now = ("promoted", "sent back") if entry["promoted"] else ("sent back", "promoted")
            raise ConfigError(
                f"{folder.name} was {was} and would now be {now}: with gate.on_failure = revert the rounds after it stand on that, "
                "so the chain must be run again"
            )
        if not reasons:
            promoted = entry["round"]
        judged.append({**entry, "promoted": not reasons, "reasons": reasons, "gate": said})
    chain.state["rounds"] = judged
    chain.save()


def _measure_missing(chain: Chain) -> None:
    """A run that was begun before records were kept: its checkpoints are made once more, one after the other, and measured."""
    folders = [chain.out / BASE, *(chain.folder(entry["round"]) for entry in chain.state["rounds"])]
    if all((folder / METRICS).exists() and (folder / DEV_RECORDS).exists() for folder in folders):
        return
    chain.restart()
    dev_metrics(chain, folders[0])
    if chain.state["warmup"] is not None:
        chain.merge(chain.out / WARMUP)
        dev_metrics(chain, chain.out / WARMUP)
    for entry, folder in zip(chain.state["rounds"], folders[1:], strict=True):
        chain.merge(folder)
        dev_metrics(chain, folder)
        if not entry["kept"]:
            chain.reload(until=entry["round"])


def _records_in(folder: Path) -> Path:
    path = folder / DEV_RECORDS
    if not path.exists():
        raise ConfigError(
            f"{path} is not there: the run was begun before the gate compared row by row; foggate evolve --judge measures its rounds again"
        )
    return path
