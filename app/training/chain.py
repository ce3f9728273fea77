"""A run under way: its config, its rows, its state on disk, and the checkpoint that its finished rounds make.

Files appear under their names when they are whole; `chain.json` says which rounds are done.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.core import interrupts
from app.core.errors import ConfigError
from app.core.prompt import PROMPT_VERSION
from app.data.dataset import Item
from app.edge.engine import VerdictEngine
from app.edge.rendering import Renderer
from app.training.checkpoint import Checkpoint, load_base
from app.training.config import EvolveConfig
from app.training.pools import Pools, data_fingerprint, make_pools, sources_of
from app.training.state import BindingEntry, ChainState, RoundEntry, check_same_run, read_state, round_name, write_state
from app.training.teacher import Teacher, ask_teacher

# Names in the folder of a run; the base and symbol binding have folders beside those of the rounds.
BASE, BINDING, TEACHER = "base", "binding", "teacher.jsonl"
# What the folder of symbol binding was called in runs of version 2 and before.
_BINDING_BEFORE = "warmup"
Progress = Callable[[str, int, int], None]


def no_progress(_step: str, _done: int, _of: int) -> None:
    """Report nothing."""


@dataclass(slots=True)
class Chain:
    """A run under way.

    Attributes:
        config: settings of the chain.
        out: folder of the run.
        pools: the rows and what each is used for.
        state: the content of `chain.json`.
        checkpoint: the weights after the last round that counts.
        cache_dir: folder of the converted builtin model.
        teacher: the large model that labels; None where the labels are gold answers.
        progress: called with a step's name, what is done, and of how much.
        allow_uniform_labels: whether confidence labels that are nearly all alike are trained on (`loss: joint`).
    """

    config: EvolveConfig
    out: Path
    pools: Pools
    state: ChainState
    checkpoint: Checkpoint
    cache_dir: Path
    teacher: Teacher | None
    progress: Progress = no_progress
    allow_uniform_labels: bool = False
    _engine: VerdictEngine | None = field(default=None)

    @property
    def engine(self) -> VerdictEngine:
        """One-pass engine of the checkpoint, built at its first use: a resumed run merges several adapters before it needs one."""
        if self._engine is None:
            self._engine = self.engine_of(self.checkpoint)
        return self._engine

    def engine_of(self, checkpoint: Checkpoint) -> VerdictEngine:
        """One-pass engine of any checkpoint; it shares the checkpoint's weights."""
        return checkpoint.engine(max_prompt_tokens=self.config.max_prompt_tokens)

    def folder(self, number: int) -> Path:
        """Folder of a round."""
        return self.out / round_name(number)

    def letters(self, items: Sequence[Item]) -> Mapping[str, str]:
        """Letters of the correct answers by id: the gold answers, or the teacher's, which lack the questions that it left open.

        Raises:
            ConfigError: the teacher fails, or names no option too often.
        """
        if self.config.labels.source == "gold":
            return {item.id: item.gold for item in items}
        assert self.teacher is not None  # noqa: S101  # open_chain refuses a teacher without a cloud
        return interrupts.run(
            ask_teacher(
                items,
                self.out / TEACHER,
                self.teacher,
                max_unlabelled=self.config.labels.max_unlabelled,
                on_progress=lambda done: self.progress("asking the teacher", done, len(items)),
            )
        )

    def merge(self, folder: Path) -> None:
        """Merge the adapter that a round, or symbol binding, has just trained into the checkpoint. Raises ConfigError."""
        probe = self._probe()
        self._engine = None
        self.checkpoint.merge(folder / "adapter", probe)

    def release(self) -> None:
        """Forget the weights, so that another model can be loaded; they are made anew at their next use."""
        self._engine = None
        self.checkpoint.release()

    def restart(self) -> None:
        """Make the checkpoint the base alone."""
        self.release()
        base = self.checkpoint.base_fingerprint
        self.checkpoint = Checkpoint(self.checkpoint.load, base, base)

    def reload(self, until: int | None = None) -> None:
        """Make the checkpoint the base with the adapters of symbol binding and of all rounds that count, up to one of them."""
        self.restart()
        self.add_kept(until)

    def go_to(self, number: int) -> None:
        """Make the checkpoint that of a finished round that counts."""
        made = next(entry.checkpoint for entry in self.state.rounds if entry.round == number)
        if self.checkpoint.fingerprint != made:
            self.reload(until=number)

    def add_kept(self, until: int | None = None) -> None:
        """Put symbol binding and the finished rounds that count on the base, which is the checkpoint.

        Args:
            until: number of the last round to put on; None puts on all.

        Raises:
            ConfigError: an adapter is not the one that `chain.json` describes.
        """
        made = [] if self.state.binding is None else [(self.out / BINDING, self.state.binding.checkpoint)]
        made += [(self.folder(entry.round), entry.checkpoint) for entry in self.state.kept if until is None or entry.round <= until]
        for folder, checkpoint in made:
            self.checkpoint.add(folder / "adapter")
            if self.checkpoint.fingerprint != checkpoint:
                raise ConfigError(f"{folder / 'adapter'} is not the adapter that this run trained there")

    def finish_binding(self, entry: BindingEntry) -> None:
        """Write to `chain.json` that symbol binding is done."""
        self._save(self.state.model_copy(update={"binding": entry}))

    def finish_round(self, entry: RoundEntry) -> None:
        """Write to `chain.json` that a round is done."""
        self.replace_rounds([*self.state.rounds, entry])

    def replace_rounds(self, rounds: Sequence[RoundEntry]) -> None:
        """Write other rounds to `chain.json`."""
        self._save(self.state.model_copy(update={"rounds": list(rounds)}))

    def _save(self, state: ChainState) -> None:
        write_state(self.out, state)
        self.state = state

    def _probe(self) -> Sequence[int]:
        loaded = self.checkpoint.loaded
        return Renderer(loaded.tokenizer, loaded.family).prompt(self.pools.dev[0].question).ids


class Clock:
    """Durations of the steps of a round, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def stop(self, name: str) -> None:
        """Note the time since the last stop under a step's name."""
        now = time.monotonic()
        self.seconds[name] = round(now - self._since, 1)
        self._since = now


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
    """Begin a run, or continue one. A run of an earlier version is brought to this version.

    Args:
        config: settings of the chain.
        out: folder of the run.
        resume: whether to continue the run in the folder.
        cache_dir: folder of the converted builtin model.
        teacher: the large model to ask; needed where the labels are the teacher's.
        progress: called with a step's name, what is done, and of how much.
        trains: whether rounds are to be added; if not, the gate and the dtype may be others than the run's.

    Raises:
        ConfigError: the folder holds a run and `resume` is false, or a run of another config, base or data; the data cannot be
            used; a teacher is wanted and there is no cloud.
    """
    if config.labels.source == "teacher" and teacher is None:
        raise ConfigError("labels.source is teacher, but no cloud is configured (FOGGATE_CLOUD__BASE_URL); or set it to gold")
    known = read_state(out)
    if known is not None and not resume:
        raise ConfigError(f"{out} holds a run already: give --resume to continue it, or choose another --out")
    base = load_base(config.base, cache_dir=cache_dir, family=config.family, device=config.device, dtype=config.dtype)
    renderer = Renderer(base.loaded.tokenizer, base.loaded.family)
    pools = make_pools(config, lambda question: len(renderer.prompt(question).ids) <= config.max_prompt_tokens)
    state = ChainState(
        config=config,
        base_fingerprint=base.fingerprint,
        data_fingerprint=data_fingerprint(pools),
        prompt_version=PROMPT_VERSION,
        dtype=str(base.loaded.model.dtype).removeprefix("torch."),
        dev_rows=len(pools.dev),
        left_out=dict(pools.left_out),
        sources=sources_of(pools),
    )
    if known is not None:
        check_same_run(out, known, state, trains=trains)
        state = known.model_copy(update={"config": config, "dtype": known.dtype or state.dtype})
        if (out / _BINDING_BEFORE).is_dir() and not (out / BINDING).exists():
            (out / _BINDING_BEFORE).rename(out / BINDING)
    chain = Chain(config, out, pools, state, base, cache_dir, teacher, progress)
    out.mkdir(parents=True, exist_ok=True)
    write_state(out, state)
    chain.add_kept()
    return chain
