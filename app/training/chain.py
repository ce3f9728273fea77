"""A run under way: its config, its rows, its state on disk, and the checkpoint that its finished rounds make.

Files appear under their names when they are whole; `chain.json` says which rounds are done.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.errors import ConfigError
from app.core.prompt import PROMPT_VERSION
from app.data.files import write_json
from app.edge.engine import VerdictEngine
from app.edge.rendering import Renderer
from app.training.begun import CHAIN, VERSION, check_begun, read_run
from app.training.checkpoint import Checkpoint, load_base
from app.training.config import EvolveConfig
from app.training.pools import Pools, data_fingerprint, licenses_of, make_pools
from app.training.teacher import Teacher

TEACHER, WARMUP = "teacher.jsonl", "warmup"
Progress = Callable[[str, int, int], None]


def no_progress(_step: str, _done: int, _of: int) -> None:
    """For whoever does not watch."""


@dataclass(slots=True)
class Chain:
    """A run under way.

    Attributes:
        state: what `chain.json` holds.
        checkpoint: the weights after the last round.
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
            self._engine = self.engine_of(self.checkpoint)
        return self._engine

    def engine_of(self, checkpoint: Checkpoint) -> VerdictEngine:
        """The one-pass engine of any checkpoint; it shares the checkpoint's weights."""
        return checkpoint.engine(max_prompt_tokens=self.config.max_prompt_tokens)

    def folder(self, number: int) -> Path:
        """Of a round."""
        return self.out / f"R{number:02d}"

    def merge(self, folder: Path) -> None:
        """Merge the adapter that a round, or the warm-up, has just trained into the checkpoint."""
        probe = self._probe()
        self._engine = None
        self.checkpoint.merge(folder / "adapter", probe)

    def release(self) -> None:
        """Forget the weights, where another model is to be loaded; who asks for them next has them made anew."""
        self._engine = None
        self.checkpoint.release()

    def restart(self) -> None:
        """The base alone."""
        self.release()
        base = self.checkpoint.base_fingerprint
        self.checkpoint = Checkpoint(self.checkpoint.load, base, base)

    def reload(self, until: int | None = None) -> None:
        """The base with the adapters of the warm-up and of all rounds that count, up to one of them."""
        self.restart()
        self.add_kept(until)

    def go_to(self, number: int) -> None:
        """Make the checkpoint that of a finished round that counts."""
        made = next(entry["checkpoint"] for entry in self.state["rounds"] if entry["round"] == number)
        if self.checkpoint.fingerprint != made:
            self.reload(until=number)

    def add_kept(self, until: int | None = None) -> None:
        """Put the warm-up and the finished rounds that count on the base, which is the checkpoint.

        Raises:
            ConfigError: an adapter is not the one that `chain.json` tells of.
        """
        kept = [entry for entry in self.state["rounds"] if entry["kept"] and (until is None or entry["round"] <= until)]
        made = [(self.folder(entry["round"]), entry["checkpoint"]) for entry in kept]
        if self.state["warmup"] is not None:
            made.insert(0, (self.out / WARMUP, self.state["warmup"]["checkpoint"]))
        for folder, checkpoint in made:
            self.checkpoint.add(folder / "adapter")
            if self.checkpoint.fingerprint != checkpoint:
                raise ConfigError(f"{folder / 'adapter'} is not the adapter that this run trained there")

    @property
    def promoted(self) -> int | None:
        """The last round that passed the gate."""
        return next((entry["round"] for entry in reversed(self.state["rounds"]) if entry["promoted"]), None)

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
    trains: bool = True,
) -> Chain:
    """A new run, or one that goes on.

    Args:
        config: what to train on what.
        out: the run's folder.
        resume: go on with the run that is there.
        cache_dir: of the builtin model.
        teacher: whom to ask, where the labels are the teacher's.
        progress: told what is under way.
        trains: rounds are to be added; if not, the gate and the dtype may be others than the run's.

    Raises:
        ConfigError: the folder holds a run and `resume` was not said, or a run of another config, base or data; data that
            cannot be used; a teacher is wanted and there is no cloud.
    """
    if config.labels.source == "teacher" and teacher is None:
        raise ConfigError("labels.source is teacher, but no cloud is configured (FOGGATE_CLOUD__BASE_URL); or set it to gold")
    known = read_run(out)
    if known is not None and not resume:
        raise ConfigError(f"{out} holds a run already: say --resume to go on with it, or choose another --out")
    base = load_base(config.base, cache_dir=cache_dir, family=config.family, device=config.device, dtype=config.dtype)
    renderer = Renderer(base.loaded.tokenizer, base.loaded.family)
    pools = make_pools(config, lambda question: len(renderer.prompt(question).ids) <= config.max_prompt_tokens)
    state: dict[str, Any] = {
        "version": VERSION,
        "config": config.model_dump(mode="json"),
        "base_fingerprint": base.fingerprint,
        "data_fingerprint": data_fingerprint(pools),
        "prompt_version": PROMPT_VERSION,
        "dtype": str(base.loaded.model.dtype).removeprefix("torch."),
        "dev_rows": len(pools.dev),
        "left_out": pools.left_out,
        "sources": sources_of(pools),
        "warmup": None,
        "rounds": [],
    }
    if known is not None:
        check_begun(out, known, state, trains=trains)
        state = {**known, "config": state["config"], "dtype": known["dtype"] or state["dtype"]}
    chain = Chain(config, out, pools, state, base, cache_dir, teacher, progress)
    out.mkdir(parents=True, exist_ok=True)
    chain.save()
    chain.add_kept()
    return chain


def sources_of(pools: Pools) -> list[dict[str, Any]]:
    """Where the rows that are trained on come from: `{"domain", "source", "license", "rows"}`, as far as the rows say.

    Of a source `repository@commit path/of/a/file` the first word counts.
    """
    items = [item for part in pools.new for item in part]
    named = [" / ".join(licenses_of(item.license)) for item in items]
    # Files of one source spell it in several ways (CC BY 4.0, CC By 4.0): capitals win, which sort first.
    spelling = {text.casefold(): text for text in sorted(named, reverse=True)}
    counts = Counter(
        (item.question.domain or "", (item.source or "").split(" ")[0], spelling[text.casefold()])
        for item, text in zip(items, named, strict=True)
    )
    return [
        {"domain": domain, "source": source, "license": license_text, "rows": rows}
        for (domain, source, license_text), rows in sorted(counts.items())
    ]
