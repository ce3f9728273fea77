"""Ask the edge and the cloud every question once and record their answers, on which any threshold can be evaluated later."""

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
    """What a run did: questions asked of each side, and questions that the next run will try again.

    Attributes:
        total: number of questions of the data.
        failed: number of questions that were asked and lack an answer.
        edge_s: wall time in seconds from the first edge question to the last verdict.
        reversed_asked: number of questions that the edge was asked with their options reversed, not counted in `edge_asked`.
        permuted_asked: number of orders of options that the edge was asked for `permuted`, not counted in `edge_asked`.
        unasked: number of questions that were not asked because the run was stopped.
        failures: `kind`, `status`, `message` and `n` of what failed in this run, the most frequent first.
        stopped: sentence that says why the run was stopped; None if it was not.
    """

    total: int
    edge_asked: int
    cloud_asked: int
    generated: int
    failed: int
    edge_s: float
    reversed_asked: int = 0
    permuted_asked: int = 0
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
    reads: int = 1,
    seed: int = 0,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Collected:
    """Fill the records file; questions that it answers already are not asked again.

    The run stops if the cloud fails several times in a row in a way that repeating does not change (`Failures`); what was recorded
    stays, and the same call continues from there.

    Args:
        items: questions with unique ids.
        out: path of the records file, which is made or resumed.
        edge: edge that is asked every question without an edge answer.
        identity: identity of this edge; a file with records of another one is refused.
        cloud: cloud that is asked every question without a cloud answer; None if no cloud is asked.
        cloud_asked: name of the model that the cloud is asked for; a file with answers of another one is refused. None skips this check.
        known_cloud: records of another run by id; their cloud answers are copied.
        generator: generator for every question without a generated text; None if nothing is generated.
        in_flight: number of questions that wait for the edge at a time (several batches).
        generate_batch: number of questions in a batch of the generator.
        cloud_concurrency: number of cloud calls at a time.
        cloud_timeout_s: time for one cloud question with all its attempts, in seconds.
        order_check: number of questions that the edge, but not the cloud, is asked with their options reversed too.
        reads: number of cyclic orders of its options in which each question is asked, for `edge.permute`; 1 asks the original order only.
        seed: seed of the draw of the questions of `order_check`.
        on_progress: called with the number of finished questions.

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
    job = Job(edge, identity, cloud, cloud_asked, known_cloud or {}, generator, records, turns, cloud_timeout_s, checked, reads)
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
        # After the verdicts and not at the same time: two heavy computations slow each other down.
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
        job.permuted_asked,
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
    """Refuse answers of two clouds in one file, which would be counted as those of one. Raises ConfigError."""
    others = sorted({str(record["cloud_asked"]) for record in records.values() if record.get("cloud_asked") not in {None, asked}})
    if others:
        raise ConfigError(f"the records hold answers of the cloud model {', '.join(others)}, not of {asked}; choose another --out")


def _said(made_by: tuple[str | None, str | None, str | None]) -> str:
    model, weights, prompt = made_by
    return f"{model} (weights {weights}), prompt {prompt}"
