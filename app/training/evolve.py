"""The chain R0 … Rn: label with the current checkpoint, fine-tune, merge, measure, gate. The file to read first here.

A round is four steps, and each leaves a file under its final name only when it is whole; so a killed run goes on from the
last finished step, and what it ends with is what it would have ended with. Nothing is random but by seed.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from app.domain import BUCKET_LABELS
from app.edge.engine import VerdictEngine
from app.edge.loader import compute_dtype
from app.edge.rendering import Renderer
from app.errors import ConfigError
from app.evaluation.collect import EdgeIdentity
from app.evaluation.dataset import Item
from app.prompt import PROMPT_VERSION
from app.training.checkpoint import Checkpoint, load_base, sign
from app.training.config import EvolveConfig
from app.training.label import Labelled, label_rows, read_labels, to_labelled
from app.training.measure import dev_records, gate, metrics_of
from app.training.pools import Pools, data_fingerprint, make_pools
from app.training.sft import balanced, to_example, train
from app.training.teacher import Teacher, ask_teacher

CHAIN, TEACHER = "chain.json", "teacher.jsonl"
Progress = Callable[[str, int, int], None]


def no_progress(_step: str, _done: int, _of: int) -> None:
    """For whoever does not watch."""


@dataclass(slots=True)
class Chain:
    """A run under way.

    Attributes:
        state: what `chain.json` holds.
        checkpoint: the weights after the last round, in float32.
        engine: the one-pass engine of the checkpoint.
    """

    config: EvolveConfig
    out: Path
    pools: Pools
    state: dict[str, Any]
    checkpoint: Checkpoint
    cache_dir: Path
    teacher: Teacher | None
    progress: Progress = no_progress
    _engine: VerdictEngine | None = field(default=None)

    @property
    def engine(self) -> VerdictEngine:
        """Built when it is first asked for: a resumed run merges several adapters before it needs one."""
        if self._engine is None:
            dtype = compute_dtype(self.config.dtype, self.checkpoint.loaded.model.device)
            self._engine = self.checkpoint.engine(dtype, max_prompt_tokens=self.config.max_prompt_tokens)
        return self._engine

    def folder(self, number: int) -> Path:
        """Of a round."""
        return self.out / f"R{number:02d}"

    def merge(self, number: int) -> None:
        """Merge a round's adapter into the checkpoint."""
        self.checkpoint.merge(self.folder(number) / "adapter", self._probe())
        self._engine = None

    def reload(self, until: int | None = None) -> None:
        """The base with the adapters of all rounds that count, up to one of them."""
        config = self.config
        self.checkpoint = load_base(config.base, cache_dir=self.cache_dir, family=config.family, device=config.device)
        self._engine = None
        for entry in self.state["rounds"]:
            if entry["kept"] and (until is None or entry["round"] <= until):
                self.merge(entry["round"])

    def save(self) -> None:
        """Write `chain.json`."""
        write_json(self.out / CHAIN, self.state)

    def _probe(self) -> Sequence[int]:
        loaded = self.checkpoint.loaded
        return Renderer(loaded.tokenizer, loaded.family).prompt(self.pools.dev[0].question).ids


def open_chain(
    config: EvolveConfig,
    out: Path,
    *,
    resume: bool,
    cache_dir: Path,
    teacher: Teacher | None,
    progress: Progress = no_progress,
) -> Chain:
    """A new run, or one that goes on.

    Raises:
        ConfigError: the folder holds a run and `resume` was not said, or a run of another config, base or data; data that
            cannot be used; a teacher is wanted and there is no cloud.
    """
    if config.labels.source == "teacher" and teacher is None:
        raise ConfigError("labels.source is teacher, but no cloud is configured (FOGGATE_CLOUD__BASE_URL); or set it to gold")
    known = _read_state(out / CHAIN)
    if known is not None and not resume:
        raise ConfigError(f"{out} holds a run already: say --resume to go on with it, or choose another --out")
    pools = make_pools(config)
    base = load_base(config.base, cache_dir=cache_dir, family=config.family, device=config.device)
    state: dict[str, Any] = {
        "version": 1,
        "config": config.model_dump(mode="json"),
        "base_fingerprint": base.fingerprint,
        "data_fingerprint": data_fingerprint(pools),
        "prompt_version": PROMPT_VERSION,
        "dev_rows": len(pools.dev),
        "rounds": [],
    }
    if known is not None:
        for key in ("config", "base_fingerprint", "data_fingerprint", "prompt_version"):
            if known[key] != state[key]:
                raise ConfigError(f"{out} was begun with another {key.replace('_', ' ')}; choose another --out")
        state = known
    chain = Chain(config, out, pools, state, base, cache_dir, teacher, progress)
    out.mkdir(parents=True, exist_ok=True)
    chain.save()
    for entry in state["rounds"]:
        if entry["kept"]:
            chain.merge(entry["round"])
    return chain


def run_rounds(chain: Chain, *, until: int | None = None) -> None:
    """Run what is missing, R0 first, up to round `until` (or the last).

    Raises:
        ConfigError: the teacher fails or names no option too often; a round has no rows at all.
    """
    _base_metrics(chain)
    last = chain.config.rounds if until is None else min(until, chain.config.rounds)
    for number in range(len(chain.state["rounds"]), last + 1):
        run_round(chain, number)


def run_round(chain: Chain, number: int) -> None:
    """One round, from the current checkpoint to the next."""
    config, folder = chain.config, chain.folder(number)
    folder.mkdir(exist_ok=True)
    seconds: dict[str, float] = {}
    clock = _Clock(seconds)
    rows = _labelled(chain, number)
    clock.stop("label")
    entry_train = _train(chain, number, rows)
    clock.stop("train")
    base_before = chain.checkpoint.fingerprint
    chain.merge(number)
    metrics = _metrics(chain, folder / "metrics.json")
    clock.stop("measure")
    reasons = gate(metrics, _promoted_metrics(chain), config.gate)
    kept = not reasons or config.gate.on_failure == "continue"
    counts = [sum(row.bucket == bucket for row in rows.new) for bucket in range(len(BUCKET_LABELS))]
    chain.state["rounds"].append(
        {
            "round": number,
            "domain": chain.pools.domain[number],
            "new_rows": len(rows.new),
            "replay_rows": len(rows.replay),
            "buckets": dict(zip(BUCKET_LABELS, counts, strict=True)),
            "steps": entry_train["steps"],
            "trained_on": base_before,
            "checkpoint": chain.checkpoint.fingerprint,
            "promoted": not reasons,
            "reasons": reasons,
            "kept": kept,
            "seconds": seconds,
        }
    )
    chain.save()
    if not kept:
        chain.reload()


@dataclass(frozen=True, slots=True)
class _RoundRows:
    new: list[Labelled]
    replay: list[Labelled]


def _labelled(chain: Chain, number: int) -> _RoundRows:
    """The round's new rows, labelled by the current checkpoint, and its replayed ones."""
    config, folder = chain.config, chain.folder(number)
    new = _label(chain, chain.pools.new[number], folder / "labels.jsonl")
    wanted = chain.pools.replay(number, config.replay_rows, config.seed)
    if config.labels.relabel_replay:
        replay = _label(chain, wanted, folder / "replay_labels.jsonl")
    else:
        known = {}
        for earlier in range(number):
            known.update({row["id"]: row for row in read_labels(chain.folder(earlier) / "labels.jsonl")})
        # A row on which the teacher named no option has no label to replay.
        replay = to_labelled(wanted, [known[item.id] for item in wanted if item.id in known])
    if not new and not replay:
        raise ConfigError(f"round {number} has neither new rows nor rows to replay")
    return _RoundRows(new, replay)


def _label(chain: Chain, items: Sequence[Item], out: Path) -> list[Labelled]:
    labels = chain.config.labels
    rows = label_rows(
        chain.engine,
        items,
        letters_of(chain, items),
        out,
        source=labels.source,
        samples=labels.samples,
        temperature=labels.temperature,
        method=labels.method,
        table=labels.buckets,
        seed=chain.config.seed,
        batch_size=chain.config.label_batch_size,
        on_progress=lambda done: chain.progress(f"{out.parent.name} labelling", done, len(items)),
    )
    return to_labelled(items, rows)


def letters_of(chain: Chain, items: Sequence[Item]) -> Mapping[str, str]:
    """What is right, by id: the gold answers, or the teacher's."""
    if chain.config.labels.source == "gold":
        return {item.id: item.gold for item in items}
    assert chain.teacher is not None  # noqa: S101  # open_chain refuses a teacher without a cloud
    return asyncio.run(
        ask_teacher(
            items,
            chain.out / TEACHER,
            chain.teacher,
            max_unlabelled=chain.config.labels.max_unlabelled,
            on_progress=lambda done: chain.progress("asking the teacher", done, len(items)),
        )
    )


def _train(chain: Chain, number: int, rows: _RoundRows) -> dict[str, Any]:
    """Fine-tune; `train.json` first, then the adapter under its name, so that where the adapter is, all is."""
    config, folder = chain.config, chain.folder(number)
    adapter, summary = folder / "adapter", folder / "train.json"
    if adapter.is_dir():
        return _read_json(summary)
    seed = config.seed * 1000 + number
    labelled = [*rows.new, *rows.replay]
    if config.labels.balance:
        labelled = balanced(labelled, seed)
    renderer = chain.engine.renderer
    scratch = folder / "adapter.partial"
    bf16 = compute_dtype(config.dtype, chain.checkpoint.loaded.model.device) is torch.bfloat16
    done = train(
        chain.checkpoint.loaded.model,
        [to_example(renderer, row) for row in labelled],
        scratch,
        base_name=config.base,
        sft=config.sft,
        lora=config.lora,
        seed=seed,
        bf16=bf16,
        on_step=lambda step, of: chain.progress(f"{folder.name} training", step, of),
    )
    sign(scratch, chain.checkpoint.fingerprint)
    write_json(summary, {"steps": done.steps, "rows": done.rows, "new": len(rows.new), "replay": len(rows.replay), "loss": list(done.loss)})
    scratch.replace(adapter)
    return _read_json(summary)


def _metrics(chain: Chain, path: Path) -> dict[str, Any]:
    if path.exists():
        return _read_json(path)
    records = measured(chain, EdgeIdentity(chain.engine.name, chain.engine.fingerprint))
    metrics = metrics_of(records, tau=chain.config.tau, seed=chain.config.seed)
    write_json(path, metrics)
    return metrics


def measured(chain: Chain, identity: EdgeIdentity) -> list[dict[str, Any]]:
    """Records of the current checkpoint on the dev rows."""
    dev = chain.pools.dev
    cloud = None if chain.config.labels.source == "gold" else letters_of(chain, dev)
    return dev_records(
        chain.engine,
        dev,
        cloud,
        identity=identity,
        batch_size=chain.config.label_batch_size,
        on_progress=lambda done: chain.progress("measuring", done, len(dev)),
    )


def _base_metrics(chain: Chain) -> None:
    """What the base can do before anything is taught; measured once, while the base is the checkpoint."""
    path = chain.out / "base" / "metrics.json"
    if not path.exists() and not chain.state["rounds"]:
        path.parent.mkdir(exist_ok=True)
        _metrics(chain, path)


def _promoted_metrics(chain: Chain) -> dict[str, Any]:
    promoted = [entry["round"] for entry in chain.state["rounds"] if entry["promoted"]]
    return _read_json((chain.folder(promoted[-1]) if promoted else chain.out / "base") / "metrics.json")


def write_json(path: Path, content: Any) -> None:
    """Under its name only when it is whole."""
    scratch = path.with_name(path.name + ".partial")
    scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _read_state(path: Path) -> dict[str, Any] | None:
    try:
        return _read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error})") from None


class _Clock:
    """Seconds since the last stop, by name."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._since = time.monotonic()

    def stop(self, name: str) -> None:
        now = time.monotonic()
        self._seconds[name] = round(now - self._since, 1)
        self._since = now
