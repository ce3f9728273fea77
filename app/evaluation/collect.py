"""Ask the edge and the cloud every question once and keep what they said; thresholds are swept over it for ever after."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from app.api.errors import type_name
from app.cascade import Cloud, Edge
from app.deadline import Deadline
from app.domain import CloudReply, EdgeReply, Signal
from app.errors import CloudError, ConfigError, EdgeError, InvalidQuestion
from app.evaluation.dataset import Item
from app.evaluation.records import Record, append, compact, open_for_append, read_records
from app.prompt import PROMPT_VERSION

_FOREVER = Deadline(float("inf"))


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run did: questions asked of each side in this run, and failures that a next run will try again."""

    total: int
    edge_asked: int
    cloud_asked: int
    failed: int


async def collect(
    items: Sequence[Item],
    out: Path,
    *,
    edge: Edge,
    edge_model: str,
    cloud: Cloud | None,
    known_cloud: Mapping[str, Record] | None = None,
    in_flight: int = 64,
    cloud_concurrency: int = 16,
    cloud_timeout_s: float = 60.0,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Collected:
    """Fill the records file; what it holds already is not asked again.

    Args:
        items: the questions; ids are unique.
        out: the records file, made or resumed.
        edge: asked about every question that has no edge record.
        edge_model: name that the records must carry; a file of another model is refused.
        cloud: asked about every question that has no cloud answer; None asks nobody.
        known_cloud: records of another run whose cloud answers are taken over by id.
        in_flight: questions under way at a time (several batches of the edge).
        cloud_concurrency: cloud calls under way at a time.
        cloud_timeout_s: one cloud question with all its attempts.
        on_progress: told how many questions are finished.

    Raises:
        ConfigError: the file belongs to another model, prompt or data.
    """
    records = read_records(out, missing_ok=True)
    _check(records, items, edge_model)
    job = _Job(edge, edge_model, cloud, known_cloud or {}, records, asyncio.Semaphore(cloud_concurrency), cloud_timeout_s)
    # Similar lengths next to each other: less padding in a batch.
    todo = sorted((item for item in items if not job.is_done(item)), key=lambda item: len(item.question.question))
    finished = len(items) - len(todo)
    on_progress(finished)
    with open_for_append(out) as file:
        turn = asyncio.Semaphore(in_flight)

        async def one(item: Item) -> None:
            nonlocal finished
            async with turn:
                await job.answer(item, file)
            finished += 1
            on_progress(finished)

        async with asyncio.TaskGroup() as group:
            for item in todo:
                group.create_task(one(item))
    compact(out, [item.id for item in items])
    failed = sum(not job.is_done(item) for item in items)
    return Collected(len(items), job.edge_asked, job.cloud_asked, failed)


@dataclass(slots=True)
class _Job:
    edge: Edge
    edge_model: str
    cloud: Cloud | None
    known_cloud: Mapping[str, Record]
    records: dict[str, Record]
    cloud_turn: asyncio.Semaphore
    cloud_timeout_s: float
    edge_asked: int = 0
    cloud_asked: int = 0

    def is_done(self, item: Item) -> bool:
        record = self.records.get(item.id)
        return (
            record is not None
            and record["edge_answer"] is not None
            and (record["cloud_answer"] is not None or not self._cloud_wanted(item))
        )

    def _cloud_wanted(self, item: Item) -> bool:
        return self.cloud is not None or self._known(item) is not None

    def _known(self, item: Item) -> Record | None:
        known = self.known_cloud.get(item.id)
        return known if known is not None and known.get("cloud_answer") is not None else None

    async def answer(self, item: Item, file: IO[str]) -> None:
        record = dict(self.records.get(item.id) or _empty(item, self.edge_model))
        if record["edge_answer"] is None:
            self.edge_asked += 1
            try:
                record.update(_edge_fields(await self.edge.verdict(item.question, _FOREVER)), edge_error=None)
            except (EdgeError, InvalidQuestion) as error:
                record["edge_error"] = type_name(error)
            # The edge's say is safe before the cloud, which costs money and may take long, is asked.
            self._keep(record, file)
        if record["cloud_answer"] is None and (known := self._known(item)):
            record.update({key: known.get(key) for key in ("cloud_answer", "cloud_model", "cloud_tokens", "cloud_ms")}, cloud_error=None)
            self._keep(record, file)
        elif record["cloud_answer"] is None and self.cloud is not None:
            async with self.cloud_turn:
                self.cloud_asked += 1
                record.update(await self._ask_cloud(item))
            self._keep(record, file)

    async def _ask_cloud(self, item: Item) -> Record:
        assert self.cloud is not None  # noqa: S101  # for mypy
        started = asyncio.get_running_loop().time()
        try:
            reply = await self.cloud.answer(item.question, Deadline.after(self.cloud_timeout_s))
        except CloudError as error:
            return {"cloud_error": type_name(error)}
        return _cloud_fields(reply, asyncio.get_running_loop().time() - started)

    def _keep(self, record: Record, file: IO[str]) -> None:
        self.records[record["id"]] = dict(record)
        append(file, record)


def _empty(item: Item, edge_model: str) -> Record:
    return {
        "id": item.id,
        "domain": item.question.domain,
        "gold": item.gold,
        "options": len(item.question.options),
        "edge_answer": None,
        "confidence": None,
        "expected_confidence": None,
        "answer_probabilities": None,
        "confidence_probabilities": None,
        "cloud_answer": None,
        "cloud_tokens": None,
        "edge_ms": None,
        "cloud_ms": None,
        "cloud_model": None,
        "edge_error": None,
        "cloud_error": None,
        "edge_model": edge_model,
        "prompt_version": PROMPT_VERSION,
        "fingerprint": item.fingerprint,
    }


def _edge_fields(reply: EdgeReply) -> dict[str, Any]:
    """`edge_answer` is the reference protocol's; the other signal's is the argmax of `answer_probabilities`."""
    verdict = reply.verdict
    return {
        "edge_answer": verdict.answer(Signal.VERBALIZED),
        "confidence": verdict.confidence,
        "expected_confidence": verdict.expected_confidence,
        "answer_probabilities": dict(verdict.answer_probabilities),
        "confidence_probabilities": dict(verdict.confidence_probabilities),
        "edge_ms": round(reply.inference_s * 1000, 3),
    }


def _cloud_fields(reply: CloudReply, seconds: float) -> dict[str, Any]:
    return {
        "cloud_answer": reply.answer,
        "cloud_model": reply.model,
        "cloud_tokens": sum(reply.usage.get(kind, 0) for kind in ("prompt_tokens", "completion_tokens")),
        "cloud_ms": round(seconds * 1000, 3),
        "cloud_error": None,
    }


def _check(records: Mapping[str, Record], items: Iterable[Item], edge_model: str) -> None:
    for record in records.values():
        made_by = (record.get("edge_model"), record.get("prompt_version"))
        if made_by != (edge_model, PROMPT_VERSION):
            raise ConfigError(
                f"the records were made with {made_by[0]}, prompt {made_by[1]}, not with {edge_model}, prompt {PROMPT_VERSION}"
            )
    for item in items:
        record = records.get(item.id) or {}
        if record and record.get("fingerprint") != item.fingerprint:
            raise ConfigError(f"the question '{item.id}' is not the one that was recorded; choose another --out")
