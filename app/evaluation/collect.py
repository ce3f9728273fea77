"""Ask the edge and the cloud every question once and keep what they said; thresholds are swept over it for ever after."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from app.api.errors import type_name
from app.cascade import Cloud, Edge
from app.deadline import Deadline
from app.domain import CloudReply, EdgeReply, Question, Signal
from app.errors import CloudError, ConfigError, EdgeError, InvalidQuestion
from app.evaluation.dataset import Item
from app.evaluation.records import Record, append, compact, open_for_append, read_records
from app.evaluation.reference import is_on_format, parse
from app.prompt import PROMPT_VERSION

_FOREVER = Deadline(float("inf"))


class Generator(Protocol):
    """The reference protocol: writes freely. Called from a thread, one batch at a time."""

    def texts(self, questions: Sequence[Question]) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class EdgeIdentity:
    """What the records say of the edge model; a file of another identity is refused."""

    model: str
    fingerprint: str
    parameters: int | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run did: questions asked of each side in this run, and failures that a next run will try again.

    `edge_s` is the wall time from the first edge question to the last verdict.
    """

    total: int
    edge_asked: int
    cloud_asked: int
    generated: int
    failed: int
    edge_s: float


async def collect(
    items: Sequence[Item],
    out: Path,
    *,
    edge: Edge,
    identity: EdgeIdentity,
    cloud: Cloud | None,
    known_cloud: Mapping[str, Record] | None = None,
    generator: Generator | None = None,
    in_flight: int = 64,
    generate_batch: int = 16,
    cloud_concurrency: int = 16,
    cloud_timeout_s: float = 60.0,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Collected:
    """Fill the records file; what it holds already is not asked again.

    Args:
        items: the questions; ids are unique.
        out: the records file, made or resumed.
        edge: asked about every question that has no edge record.
        identity: what the records must carry; a file of another model is refused.
        cloud: asked about every question that has no cloud answer; None asks nobody.
        known_cloud: records of another run whose cloud answers are taken over by id.
        generator: asked about every question that has no generated text; None leaves the reference protocol out.
        in_flight: questions waiting for the edge at a time (several batches).
        generate_batch: questions that are generated together.
        cloud_concurrency: cloud calls under way at a time.
        cloud_timeout_s: one cloud question with all its attempts.
        on_progress: told how many questions are finished.

    Raises:
        ConfigError: the file belongs to another model, prompt or data, or cannot be written.
    """
    records = read_records(out, missing_ok=True)
    _check(records, items, identity)
    _check_cloud(known_cloud or {}, items)
    turns = _Turns(asyncio.Semaphore(in_flight), asyncio.Semaphore(cloud_concurrency))
    job = _Job(edge, identity, cloud, known_cloud or {}, generator, records, turns, cloud_timeout_s)
    # Similar lengths next to each other: less padding in a batch.
    todo = sorted((item for item in items if not job.is_done(item)), key=lambda item: item.length)
    finished = len(items) - len(todo)
    on_progress(finished)
    with open_for_append(out) as file:

        async def one(item: Item) -> None:
            nonlocal finished
            await job.answer(item, file)
            if generator is None:
                finished += 1
                on_progress(finished)

        async with asyncio.TaskGroup() as group:
            for item in todo:
                group.create_task(one(item))
        # After the verdicts, not beside them: two heavy things at once slow each other down.
        if generator is not None:
            for start in range(0, len(todo), generate_batch):
                batch = todo[start : start + generate_batch]
                await job.generate(batch, file)
                finished += len(batch)
                on_progress(finished)
    compact(out, [item.id for item in items])
    failed = sum(not job.is_done(item) for item in items)
    edge_s = job.edge_ended - job.edge_started if job.edge_asked else 0.0
    return Collected(len(items), job.edge_asked, job.cloud_asked, job.generated, failed, edge_s)


@dataclass(frozen=True, slots=True)
class _Turns:
    edge: asyncio.Semaphore
    cloud: asyncio.Semaphore


@dataclass(slots=True)
class _Job:
    edge: Edge
    identity: EdgeIdentity
    cloud: Cloud | None
    known_cloud: Mapping[str, Record]
    generator: Generator | None
    records: dict[str, Record]
    turns: _Turns
    cloud_timeout_s: float
    edge_asked: int = 0
    cloud_asked: int = 0
    generated: int = 0
    edge_started: float = 0.0
    edge_ended: float = 0.0

    def is_done(self, item: Item) -> bool:
        record = self.records.get(item.id)
        return (
            record is not None
            and record["edge_answer"] is not None
            and (record["cloud_answer"] is not None or not self._cloud_wanted(item))
            and (self.generator is None or record.get("generated_text") is not None)
        )

    def _cloud_wanted(self, item: Item) -> bool:
        return self.cloud is not None or self._known(item) is not None

    def _known(self, item: Item) -> Record | None:
        known = self.known_cloud.get(item.id)
        return known if known is not None and known.get("cloud_answer") is not None else None

    def _record(self, item: Item) -> Record:
        return dict(self.records.get(item.id) or empty_record(item, self.identity))

    async def answer(self, item: Item, file: IO[str]) -> None:
        record = self._record(item)
        if record["edge_answer"] is None:
            async with self.turns.edge:
                record.update(await self._ask_edge(item))
            # The edge's say is safe before the cloud, which costs money and may take long, is asked.
            self._keep(record, file)
        if record["cloud_answer"] is None and (known := self._known(item)):
            record.update({key: known.get(key) for key in _CLOUD_KEYS}, cloud_error=None)
            self._keep(record, file)
        elif record["cloud_answer"] is None and self.cloud is not None:
            async with self.turns.cloud:
                self.cloud_asked += 1
                record.update(await self._ask_cloud(item))
            self._keep(record, file)

    async def generate(self, batch: Sequence[Item], file: IO[str]) -> None:
        todo = [item for item in batch if self._record(item).get("generated_text") is None]
        if not todo:
            return
        assert self.generator is not None  # noqa: S101  # for mypy
        started = time.monotonic()
        texts = await asyncio.to_thread(self.generator.texts, [item.question for item in todo])
        took_ms = round((time.monotonic() - started) * 1000, 3)
        self.generated += len(todo)
        for item, text in zip(todo, texts, strict=True):
            self._keep({**self._record(item), **_generated_fields(text, item.question.letters, took_ms)}, file)

    async def _ask_edge(self, item: Item) -> Record:
        self.edge_started = self.edge_started or time.monotonic()
        self.edge_asked += 1
        try:
            return {**edge_fields(await self.edge.verdict(item.question, _FOREVER)), "edge_error": None}
        except (EdgeError, InvalidQuestion) as error:
            return {"edge_error": type_name(error)}
        finally:
            self.edge_ended = time.monotonic()

    async def _ask_cloud(self, item: Item) -> Record:
        assert self.cloud is not None  # noqa: S101  # for mypy
        started = time.monotonic()
        try:
            reply = await self.cloud.answer(item.question, Deadline.after(self.cloud_timeout_s))
        except CloudError as error:
            return {"cloud_error": type_name(error)}
        return _cloud_fields(reply, time.monotonic() - started)

    def _keep(self, record: Record, file: IO[str]) -> None:
        self.records[record["id"]] = dict(record)
        append(file, record)


_CLOUD_KEYS = ("cloud_answer", "cloud_model", "cloud_tokens", "cloud_prompt_tokens", "cloud_completion_tokens", "cloud_ms")
_EMPTY_KEYS = ("edge_answer", "confidence", "expected_confidence", "answer_probabilities", "confidence_probabilities", "bucket_paths")


def empty_record(item: Item, identity: EdgeIdentity) -> Record:
    """A record in which nobody has been asked yet."""
    return {
        "id": item.id,
        "domain": item.question.domain,
        "gold": item.gold,
        "options": len(item.question.options),
        **dict.fromkeys(_EMPTY_KEYS),
        "edge_ms": None,
        "edge_batch": None,
        **dict.fromkeys(_CLOUD_KEYS),
        "edge_error": None,
        "cloud_error": None,
        "edge_model": identity.model,
        "edge_fingerprint": identity.fingerprint,
        "edge_parameters": identity.parameters,
        "prompt_version": PROMPT_VERSION,
        "fingerprint": item.fingerprint,
    }


def edge_fields(reply: EdgeReply) -> dict[str, Any]:
    """What a verdict adds to a record. `edge_answer` is the reference protocol's; the other signal's is the argmax of `answer_probabilities`."""
    verdict = reply.verdict
    return {
        "edge_answer": verdict.answer(Signal.VERBALIZED),
        "confidence": verdict.confidence,
        "expected_confidence": verdict.expected_confidence,
        "answer_probabilities": dict(verdict.answer_probabilities),
        "confidence_probabilities": dict(verdict.confidence_probabilities),
        "bucket_paths": [[list(step) for step in path] for path in verdict.paths],
        "edge_ms": round(reply.inference_s * 1000, 3),
        "edge_batch": reply.batch,
    }


def _cloud_fields(reply: CloudReply, seconds: float) -> dict[str, Any]:
    prompt, completion = (reply.usage.get(kind, 0) for kind in ("prompt_tokens", "completion_tokens"))
    return {
        "cloud_answer": reply.answer,
        "cloud_model": reply.model,
        "cloud_tokens": prompt + completion,
        "cloud_prompt_tokens": prompt,
        "cloud_completion_tokens": completion,
        "cloud_ms": round(seconds * 1000, 3),
        "cloud_error": None,
    }


def _generated_fields(text: str, letters: str, batch_ms: float) -> dict[str, Any]:
    """`generated_answer` is None where the reference protocol has no answer; `generated_ms` is the whole batch's time."""
    confidence, answer = parse(text, letters) or (None, None)
    return {
        "generated_text": text,
        "generated_confidence": confidence,
        "generated_answer": answer,
        "generated_on_format": is_on_format(text, letters),
        "generated_ms": batch_ms,
    }


def _check(records: Mapping[str, Record], items: Iterable[Item], identity: EdgeIdentity) -> None:
    ours = (identity.model, identity.fingerprint, PROMPT_VERSION)
    for record in records.values():
        made_by = (record.get("edge_model"), record.get("edge_fingerprint"), record.get("prompt_version"))
        if made_by != ours:
            raise ConfigError(f"the records were made with {_said(made_by)}, not with {_said(ours)}; choose another --out")
    for item in items:
        record = records.get(item.id) or {}
        if record and record.get("fingerprint") != item.fingerprint:
            raise ConfigError(f"the question '{item.id}' is not the one that was recorded; choose another --out")


def _check_cloud(known: Mapping[str, Record], items: Iterable[Item]) -> None:
    for item in items:
        if (other := (known.get(item.id) or {}).get("fingerprint")) and other != item.fingerprint:
            raise ConfigError(f"the cloud records answer another question under the id '{item.id}'")


def _said(made_by: tuple[str | None, str | None, str | None]) -> str:
    model, weights, prompt = made_by
    return f"{model} (weights {weights}), prompt {prompt}"
