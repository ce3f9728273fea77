"""Ask the edge and the cloud every question once and keep what they said; thresholds are swept over it for ever after."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.cascade import Cloud
from app.core.edge import Edge
from app.core.errors import ConfigError
from app.core.prompt import PROMPT_VERSION
from app.data.dataset import Item
from app.data.records import Record, compact, open_for_append, read_records
from app.evaluation.collect_job import Generator, Job, Turns
from app.evaluation.fields import EdgeIdentity, edge_fields, empty_record
from app.evaluation.order import checked_ids
from app.evaluation.table import UNPARSABLE

__all__ = ["Collected", "EdgeIdentity", "Generator", "collect", "edge_fields", "empty_record"]


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run did: questions asked of each side in this run, and what a next run will try again.

    Attributes:
        total: questions of the data.
        failed: questions that were asked and lack an answer.
        edge_s: wall time from the first edge question to the last verdict.
        reversed_asked: questions that the edge was asked with their options reversed, beside `edge_asked`.
        unasked: questions that were not asked, since the run was stopped.
        failures: `kind`, `status`, `message` and `n` of what failed in this run, the most frequent first.
        stopped: why the run was stopped, a sentence; None if it went through.
    """

    total: int
    edge_asked: int
    cloud_asked: int
    generated: int
    failed: int
    edge_s: float
    reversed_asked: int = 0
    unasked: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    stopped: str | None = None

    @property
    def incomplete(self) -> bool:
        """Whether a question lacks an answer. A reply in which no option could be read is one: it counts as wrong."""
        return self.unasked > 0 or any(failure["kind"] != UNPARSABLE for failure in self.failures)


async def collect(
    items: Sequence[Item],
    out: Path,
    *,
    edge: Edge,
    identity: EdgeIdentity,
    cloud: Cloud | None,
    cloud_asked: str | None = None,
    known_cloud: Mapping[str, Record] | None = None,
    generator: Generator | None = None,
    in_flight: int = 64,
    generate_batch: int = 16,
    cloud_concurrency: int = 16,
    cloud_timeout_s: float = 60.0,
    order_check: int = 0,
    seed: int = 0,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Collected:
    """Fill the records file; what it holds already is not asked again.

    The run stops where the cloud fails in a row in a way that does not pass (`Failures`); what was recorded stays, and the same
    call goes on from there.

    Args:
        items: the questions; ids are unique.
        out: the records file, made or resumed.
        edge: asked about every question that has no edge record.
        identity: what the records must carry; a file of another model is refused.
        cloud: asked about every question that has no cloud answer; None asks nobody.
        cloud_asked: name of the model that the cloud is asked for; a file with answers of another one is refused. None looks at none.
        known_cloud: records of another run whose cloud answers are taken over by id.
        generator: asked about every question that has no generated text; None leaves the reference protocol out.
        in_flight: questions waiting for the edge at a time (several batches).
        generate_batch: questions that are generated together.
        cloud_concurrency: cloud calls under way at a time.
        cloud_timeout_s: one cloud question with all its attempts.
        order_check: how many questions the edge is asked with their options reversed as well; the cloud never is.
        seed: of the draw of these questions.
        on_progress: told how many questions are finished.

    Raises:
        ConfigError: the file belongs to another model, prompt or data, or cannot be written; or a negative `order_check`.
    """
    checked = checked_ids(items, order_check, seed)
    records = read_records(out, missing_ok=True)
    _check(records, items, identity)
    _check_cloud(known_cloud or {}, items)
    if cloud is not None and cloud_asked is not None:
        _check_asked(records, cloud_asked)
    turns = Turns(asyncio.Semaphore(in_flight), asyncio.Semaphore(cloud_concurrency))
    job = Job(edge, identity, cloud, cloud_asked, known_cloud or {}, generator, records, turns, cloud_timeout_s, checked)
    # Similar lengths next to each other: less padding in a batch.
    todo = sorted((item for item in items if not job.is_done(item)), key=lambda item: item.length)
    finished = len(items) - len(todo)
    on_progress(finished)
    with open_for_append(out) as file:

        async def one(item: Item) -> None:
            nonlocal finished
            if not await job.answer(item, file):
                return
            if generator is None:
                finished += 1
                on_progress(finished)

        async with asyncio.TaskGroup() as group:
            for item in todo:
                group.create_task(one(item))
        # After the verdicts, not beside them: two heavy things at once slow each other down.
        if generator is not None:
            for start in range(0, len(todo), generate_batch):
                if job.failures.stopped:
                    break
                batch = todo[start : start + generate_batch]
                await job.generate(batch, file)
                finished += len(batch)
                on_progress(finished)
    compact(out, [item.id for item in items])
    left = [item for item in items if not job.is_done(item)]
    failed = sum(item.id in job.failed for item in left)
    edge_s = job.edge_ended - job.edge_started
    return Collected(
        len(items),
        job.edge_asked,
        job.cloud_asked,
        job.generated,
        failed,
        edge_s,
        job.reversed_asked,
        len(left) - failed,
        job.failures.listed(),
        job.failures.stopped,
    )


def _check(records: Mapping[str, Record], items: Iterable[Item], identity: EdgeIdentity) -> None:
    ours = (identity.model, identity.fingerprint, PROMPT_VERSION)
    for record in records.values():
        made_by = (record.get("edge_model"), record.get("edge_fingerprint"), record.get("prompt_version"))
        if made_by != ours:
            raise ConfigError(f"the records were made with {_said(made_by)}, not with {_said(ours)}; choose another --out")
        rendered = record.get("prompt_fingerprint")
        if rendered and identity.prompt_fingerprint and rendered != identity.prompt_fingerprint:
            raise ConfigError(
                "the records were made with another rendering of the prompt (chat template or tokenizer); choose another --out"
            )
    for item in items:
        record = records.get(item.id) or {}
        if record and record.get("fingerprint") != item.fingerprint:
            raise ConfigError(f"the question '{item.id}' is not the one that was recorded; choose another --out")


def _check_cloud(known: Mapping[str, Record], items: Iterable[Item]) -> None:
    for item in items:
        if (other := (known.get(item.id) or {}).get("fingerprint")) and other != item.fingerprint:
            raise ConfigError(f"the cloud records answer another question under the id '{item.id}'")


def _check_asked(records: Mapping[str, Record], asked: str) -> None:
    """Answers of two clouds in one file would be counted as those of one."""
    others = sorted({str(record["cloud_asked"]) for record in records.values() if record.get("cloud_asked") not in {None, asked}})
    if others:
        raise ConfigError(f"the records hold answers of the cloud model {', '.join(others)}, not of {asked}; choose another --out")


def _said(made_by: tuple[str | None, str | None, str | None]) -> str:
    model, weights, prompt = made_by
    return f"{model} (weights {weights}), prompt {prompt}"
