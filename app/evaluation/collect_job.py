"""One collecting run: asks each side for the answers that a record lacks, and writes every answer at once."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from app.core.cascade import Cloud
from app.core.deadline import Deadline
from app.core.edge import Edge
from app.core.errors import CloudError, EdgeError, FogGateError, InvalidQuestion
from app.core.permutation import aligned, in_order, mean_of, orders
from app.core.question import Question
from app.core.verdict import EdgeReply, Verdict
from app.data.dataset import Item
from app.data.records import Record, append
from app.evaluation.failures import Failures
from app.evaluation.fields import CLOUD_KEYS, EdgeIdentity, cloud_fields, edge_fields, empty_record, generated_fields, permuted_fields
from app.evaluation.order import reversed_fields, reversed_question

_FOREVER = Deadline(float("inf"))


class Generator(Protocol):
    """Free generation, FogGen's published protocol. Called from a thread, one batch at a time."""

    def texts(self, questions: Sequence[Question]) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Turns:
    """How many questions each side is asked at a time."""

    edge: asyncio.Semaphore
    cloud: asyncio.Semaphore


@dataclass(slots=True)
class Job:
    """The sides that are asked, the answers known before, and what the run has done so far."""

    edge: Edge
    identity: EdgeIdentity
    cloud: Cloud | None
    cloud_name: str | None
    known_cloud: Mapping[str, Record]
    generator: Generator | None
    records: dict[str, Record]
    turns: Turns
    cloud_timeout_s: float
    checked: frozenset[str]
    reads: int = 1
    failures: Failures = field(default_factory=Failures)
    failed: set[str] = field(default_factory=set)
    edge_asked: int = 0
    reversed_asked: int = 0
    permuted_asked: int = 0
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
            and (record.get("reversed_answer") is not None or item.id not in self.checked)
            and not self._reads_wanted(record)
            and (self.generator is None or record.get("generated_text") is not None)
        )

    def _reads_wanted(self, record: Record) -> bool:
        """Whether a record with an edge answer lacks its other orders."""
        known = record.get("permuted")
        return self.reads > 1 and (known is None or known["reads"] != self.reads)

    def _cloud_wanted(self, item: Item) -> bool:
        return self.cloud is not None or self._known(item) is not None

    def _known(self, item: Item) -> Record | None:
        known = self.known_cloud.get(item.id)
        return known if known is not None and known.get("cloud_answer") is not None else None

    def _record(self, item: Item) -> Record:
        return dict(self.records.get(item.id) or empty_record(item, self.identity))

    async def answer(self, item: Item, file: IO[str]) -> bool:
        """Ask for the missing answers of one question; False if the run was stopped before all were asked."""
        record = self._record(item)
        if record["edge_answer"] is None:
            if (found := await self._ask_edge(item, item.question, "edge_error", edge_fields)) is None:
                return False
            self.edge_asked += 1
            record.update(found)
            # The edge's answer is written before the cloud is asked, which costs money and may take long.
            self._keep(record, file)
        if item.id in self.checked and record["edge_answer"] is not None and record.get("reversed_answer") is None:
            letters, turned = item.question.letters, reversed_question(item.question)
            found = await self._ask_edge(item, turned, "reversed_error", lambda reply: reversed_fields(reply, letters))
            if found is None:
                return False
            self.reversed_asked += 1
            record.update(found)
            self._keep(record, file)
        if record["edge_answer"] is not None and self._reads_wanted(record):
            if (found := await self._ask_permuted(item)) is None:
                return False
            record.update(found)
            self._keep(record, file)
        if record["cloud_answer"] is None and (known := self._known(item)):
            record.update({key: known.get(key) for key in CLOUD_KEYS}, cloud_error=None)
            self._keep(record, file)
        elif record["cloud_answer"] is None and self.cloud is not None:
            async with self.turns.cloud:
                if self.failures.stopped:
                    return False
                self.cloud_asked += 1
                record.update(await self._ask_cloud(item))
            self._keep(record, file)
        return True

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
            self._keep({**self._record(item), **generated_fields(text, item.question.letters, took_ms)}, file)

    async def _ask_edge(
        self, item: Item, question: Question, error_key: str, fields: Callable[[EdgeReply], dict[str, Any]]
    ) -> Record | None:
        """Fields of the verdict for the record, or the type of the failure under `error_key`; None if the run was stopped before."""
        async with self.turns.edge:
            if self.failures.stopped:
                return None
            self.edge_started = self.edge_started or time.monotonic()
            try:
                return {**fields(await self.edge.verdict(question, _FOREVER)), error_key: None}
            except (EdgeError, InvalidQuestion) as error:
                return {error_key: self._failed(item, error)}
            finally:
                self.edge_ended = time.monotonic()

    async def _ask_permuted(self, item: Item) -> Record | None:
        """The field of the mean over all orders, or the type of the failure; None if the run was stopped before.

        The original order is asked again with the others: a record does not hold the whole verdict.
        """
        shown: list[Verdict] = []
        verdicts: list[Verdict | None] = []
        for order in orders(len(item.question.options), self.reads):
            found = await self._ask_edge(item, in_order(item.question, order), "permuted_error", lambda reply: {"verdict": reply.verdict})
            if found is None or found["permuted_error"] is not None:
                return found
            shown.append(found["verdict"])
            verdicts.append(aligned(found["verdict"], order))
        self.permuted_asked += len(verdicts)
        whole = [verdict for verdict in verdicts if verdict is not None]
        return {**permuted_fields(mean_of(whole) if len(whole) == len(verdicts) else None, self.reads, shown), "permuted_error": None}

    async def _ask_cloud(self, item: Item) -> Record:
        assert self.cloud is not None  # noqa: S101  # for mypy
        started = time.monotonic()
        try:
            reply = await self.cloud.answer(item.question, Deadline.after(self.cloud_timeout_s))
        except CloudError as error:
            return {"cloud_error": self._failed(item, error)}
        self.failures.answered()
        return {**cloud_fields(reply, time.monotonic() - started), "cloud_asked": self.cloud_name}

    def _failed(self, item: Item, error: FogGateError) -> str:
        self.failed.add(item.id)
        return self.failures.failed(error).kind

    def _keep(self, record: Record, file: IO[str]) -> None:
        # The same failure again adds nothing.
        if self.records.get(record["id"]) != record:
            self.records[record["id"]] = dict(record)
            append(file, record)
