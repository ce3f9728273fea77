"""Which checkpoints of a run are promoted: each round is compared with the last promoted one, during the run or, by other bounds, afterwards."""

from pathlib import Path

from app.core.errors import ConfigError
from app.data.records import load_records
from app.training.chain import BASE, BINDING, Chain
from app.training.gate import decide
from app.training.measure import DEV_RECORDS, dev_metrics, is_measured
from app.training.metrics import Metrics, read_metrics
from app.training.state import Comparison, RoundEntry


def decide_round(chain: Chain, folder: Path, metrics: Metrics, *, against: int | None) -> tuple[list[str], Comparison]:
    """Decide whether a round is promoted.

    Args:
        chain: the run.
        folder: folder of the round, which holds its dev records.
        metrics: metrics of the round.
        against: number of the last promoted round; None is the base.

    Returns:
        Why the round must not be promoted (nothing if it may), and what `chain.json` keeps of the comparison.

    Raises:
        ConfigError: the records of one of the two are missing.
    """
    before = compared_with(chain, against)
    config = chain.config
    decision = decide(
        load_records(_records_in(folder)), load_records(_records_in(before)), config.gate, entropy=metrics.entropy, seed=config.seed
    )
    return list(decision.reasons), Comparison(against=before.name, checks=[check.entry for check in decision.checks])


def compared_with(chain: Chain, promoted: int | None) -> Path:
    """Folder of the last promoted round, or of the base (None), which holds its dev records.

    Raises:
        ConfigError: the records are missing.
    """
    folder = chain.out / BASE if promoted is None else chain.folder(promoted)
    _records_in(folder)
    return folder


def decide_again(chain: Chain) -> None:
    """Decide about all finished rounds by the gate of the chain's config; nothing is trained.

    A checkpoint whose dev records are missing is made once more and measured.

    Raises:
        ConfigError: with `on_failure: revert` the decision about a round changes: what was trained after it would be another chain.
    """
    _measure_missing(chain)
    promoted: int | None = None
    decided: list[RoundEntry] = []
    for entry in chain.state.rounds:
        folder = chain.folder(entry.round)
        reasons, comparison = decide_round(chain, folder, read_metrics(folder), against=promoted)
        if chain.config.gate.on_failure == "revert" and bool(reasons) == entry.promoted:
            was, now = ("promoted", "sent back") if entry.promoted else ("sent back", "promoted")
            raise ConfigError(
                f"{folder.name} was {was} and would now be {now}: with gate.on_failure = revert the rounds after it were trained "
                "on that decision, so the chain must be run again"
            )
        if not reasons:
            promoted = entry.round
        decided.append(entry.model_copy(update={"promoted": not reasons, "reasons": reasons, "gate": comparison}))
    chain.replace_rounds(decided)


def _measure_missing(chain: Chain) -> None:
    """Measure a run that was begun before dev records were kept: its checkpoints are made once more, one after the other."""
    folders = [chain.out / BASE, *(chain.folder(entry.round) for entry in chain.state.rounds)]
    if all(is_measured(folder) for folder in folders):
        return
    chain.restart()
    dev_metrics(chain, folders[0])
    if chain.state.binding is not None:
        chain.merge(chain.out / BINDING)
        dev_metrics(chain, chain.out / BINDING)
    for entry, folder in zip(chain.state.rounds, folders[1:], strict=True):
        chain.merge(folder)
        dev_metrics(chain, folder)
        if not entry.kept:
            chain.reload(until=entry.round)


def _records_in(folder: Path) -> Path:
    path = folder / DEV_RECORDS
    if not path.exists():
        raise ConfigError(
            f"{path} is missing: the run was begun before the gate compared row by row; foggate evolve --judge measures its rounds again"
        )
    return path
