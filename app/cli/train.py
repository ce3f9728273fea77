"""`foggate label`, `foggate evolve` and `foggate bench label`."""

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.console import Console

from app.cli.bars import bars, loading, working
from app.cli.data import Questions
from app.cloud.build import build_cloud
from app.cloud.formats import instruction
from app.config.settings import CloudSettings, Settings
from app.core import interrupts
from app.core.cascade import Cloud
from app.core.errors import ConfigError
from app.core.prompt import PROMPT_VERSION
from app.core.verdict import BUCKET_LABELS
from app.edge.build import build_engine, load_edge_model
from app.edge.builtin import default_cache_dir
from app.edge.threads import set_threads, set_wait_policy
from app.telemetry.logs import configure_logging
from app.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from app.training.config import EvolveConfig
    from app.training.teacher import Teacher


def run_evolve(settings: Settings, *, config: Path, out: Path, rounds: int | None, resume: bool, judge: bool, as_json: bool) -> None:
    """Run a chain, or judge its finished rounds again. Raises ConfigError."""
    from app.training.config import load_config

    configure_logging("error")
    chosen = load_config(config)
    if judge:
        # What was trained stays, so what is done with a refused round does too.
        began = _config_of(out)
        chosen = began.model_copy(update={"gate": chosen.gate.model_copy(update={"on_failure": began.gate.on_failure})})
    with working(f"loading the base model {chosen.base}", at_once=True), _training_installed():
        given = _prepare(settings, chosen)
        from app.training.chain import open_chain
        from app.training.evolve import run_rounds
        from app.training.promotion import decide_again
        from app.training.publish.report import binding_sentences
        from app.training.publish.results import write_results
        from app.training.trainer import refuse_launchers
    refuse_launchers(os.environ)
    try:
        with working(f"loading the base model {chosen.base}"):
            chain = open_chain(chosen, out, resume=resume or judge, trains=not judge, **given)
        for sentence in chain.pools.skipped:
            sys.stderr.write(sentence + "\n")
        with interrupts.resumable("--resume goes on from the last finished step"), bars() as progress:
            chain.progress = progress
            if judge:
                decide_again(chain)
            else:
                run_rounds(chain, until=rounds)
            said = write_results(chain)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}); --resume goes on from the last finished step") from None
    if as_json:
        sys.stdout.write(json.dumps(chain.state.model_dump(mode="json"), ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    for sentence in binding_sentences(chain.state):
        console.print(sentence)
    for entry in chain.state.rounds:
        console.print(f"{entry.name} {entry.domain or 'buffer'}: {entry.new_rows} new + {entry.replay_rows} replayed, {entry.decision}")
    for sentence in said:
        console.print(sentence)
    console.print(f"the report: {out / 'report.md'}")


def run_adapter(
    settings: Settings, *, run: Path, out: Path, round_number: int | None, agreement: float, max_mb: float, license_name: str | None
) -> None:
    """Compress a run's checkpoint into an adapter. Raises ConfigError."""
    configure_logging("error")
    chosen = _config_of(run)
    with working(f"loading the base model {chosen.base}", at_once=True), _training_installed():
        given = _prepare(settings, chosen)
        from app.training.chain import open_chain
        from app.training.publish.ship import ship
    try:
        with working(f"loading the base model {chosen.base}"):
            chain = open_chain(chosen, run, resume=True, trains=False, **given)
        with bars() as progress:
            chain.progress = progress
            said = ship(chain, out, round_number=round_number, agreement=agreement, max_mb=max_mb, license_name=license_name)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror})") from None
    console = Console(highlight=False, soft_wrap=True)
    for sentence in said:
        console.print(sentence)


def _config_of(run: Path) -> "EvolveConfig":
    """The config that a run was begun with. Raises ConfigError."""
    # Imported here: app.training is for the commands that train.
    from app.training.state import read_state

    state = read_state(run)
    if state is None:
        raise ConfigError(f"{run} holds no run of foggate evolve")
    return state.config


def _prepare(settings: Settings, config: "EvolveConfig") -> dict[str, Any]:
    """Threads, before torch is imported, which reads the wait policy then; and what `open_chain` takes from the settings."""
    set_wait_policy(settings.edge.wait_policy)
    set_threads(config.threads)
    teacher = connect_teacher(settings) if settings.cloud.base_url and config.labels.source == "teacher" else None
    return {"cache_dir": settings.edge.cache_dir or default_cache_dir(), "teacher": teacher}


@contextlib.contextmanager
def _training_installed() -> Iterator[None]:
    """Around imports of what only the extra `train` brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(f"training needs {error.name}: pip install 'foggate[train]'") from None


def run_label(
    settings: Settings, *, data: Questions, out: Path, source: str, samples: int, temperature: float, method: str, seed: int, as_json: bool
) -> None:
    """Label a file of questions with the configured edge model. Raises ConfigError."""
    configure_logging("error")
    items = data.load()
    if source == "teacher" and settings.cloud.base_url is None:
        raise ConfigError("no cloud is configured: set cloud.base_url (FOGGATE_CLOUD__BASE_URL), or say --labels gold")
    if out.exists():
        raise ConfigError(f"{out} is there already; choose another --out")
    with working(loading(settings), at_once=True):
        loaded = load_edge_model(settings)
        engine = build_engine(settings, loaded)
    from app.training.label import label_rows, parameters_of, partial_of
    from app.training.origin import check
    from app.training.teacher import ask_teacher

    given: dict[str, Any] = {"source": source, "samples": samples, "temperature": temperature, "method": method, "seed": seed}
    given["dtype"] = str(loaded.model.dtype).removeprefix("torch.")
    # Before the teacher is asked, who may cost money.
    check(out, parameters_of(engine, **given), what="labels", partial=partial_of(out), some=True)
    try:
        with interrupts.resumable("the same command goes on from what was done"), bars() as progress:
            letters = {item.id: item.gold for item in items}
            if source == "teacher":
                asked = out.with_name(out.name + ".teacher.jsonl")
                counted = _counted(progress, "asking the teacher", len(items))
                letters = dict(
                    interrupts.run(ask_teacher(items, asked, connect_teacher(settings), max_unlabelled=1.0, on_progress=counted))
                )
            out.parent.mkdir(parents=True, exist_ok=True)
            started = time.monotonic()
            rows = label_rows(
                engine,
                items,
                letters,
                out,
                batch_size=settings.edge.max_batch_size,
                **given,
                on_progress=_counted(progress, "labelling", len(items)),
            )
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}); the same command goes on from what was done") from None
    seconds = time.monotonic() - started
    buckets = {label: sum(row.bucket == label for row in rows) for label in BUCKET_LABELS}
    summary = {"labelled": len(rows), "without_label": len(items) - len(rows), "buckets": buckets, "seconds": round(seconds, 1)}
    if as_json:
        sys.stdout.write(json.dumps(summary) + "\n")
        return
    listed = ", ".join(f"{label}: {count}" for label, count in buckets.items())
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{len(rows)} of {len(items)} questions labelled in {out} ({len(rows) / max(seconds, 1e-9):.1f} a second)")
    console.print(f"buckets {listed}")


def connect_teacher(settings: Settings) -> "Teacher":
    """The configured cloud as a teacher."""
    # Imported here: app.training is for the commands that train.
    from app.training.teacher import Teacher

    @contextlib.asynccontextmanager
    async def connect() -> AsyncIterator[Cloud]:
        client = build_cloud(settings, Metrics(), offline=True)
        assert client is not None  # noqa: S101  # asked for only where a cloud is configured
        try:
            yield client
        finally:
            await client.close()

    return Teacher(connect, _teacher_identity(settings.cloud))


def _teacher_identity(cloud: CloudSettings) -> dict[str, Any]:
    """Which models are asked, where, and with what: all that decides on an answer, and no secret."""
    spare = sorted(cloud.endpoints.items(), key=lambda pair: pair[1].priority)
    fields = cloud.extra_body if cloud.max_tokens is None else {"max_tokens": cloud.max_tokens, **cloud.extra_body}
    asked = [(cloud.model, cloud.base_url), *((endpoint.model or cloud.model, endpoint.base_url) for _, endpoint in spare)]
    return {
        "model": [model for model, _ in asked],
        "endpoint": [_without_credentials(url) for _, url in asked],
        "prompt_version": PROMPT_VERSION,
        # `auto` asks nobody here: it is text.
        "instruction": hashlib.sha256(instruction(cloud.answer_format if cloud.answer_format != "auto" else "text").encode()).hexdigest()[
            :12
        ],
        # Not as it is: what a provider wants there may be secret.
        "extra_body": hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12],
    }


def _without_credentials(url: object) -> str:
    """Host, port and path: names, passwords and queries may be keys."""
    parts = urlsplit(str(url))
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path.rstrip('/')}"


def _counted(progress: Any, step: str, of: int) -> Any:
    return lambda done: progress(step, done, of)
