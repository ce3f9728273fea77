"""The teacher, a large model in the cloud, as the source of labels: it is asked each question once in a run, and each answer is kept at once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from app.core.cascade import Cloud
from app.core.deadline import Deadline
from app.core.errors import CloudError, CloudUnparsable, ConfigError
from app.data.dataset import Item
from app.data.records import Record, append, compact, open_for_append, read_records
from app.training.origin import claim, origin_of


@dataclass(frozen=True, slots=True)
class Teacher:
    """The large model.

    Attributes:
        connect: opens a connection to it as a context that closes it.
        identity: which models are asked, at which addresses and how; no key. Answers of another teacher are not used.
    """

    connect: Callable[[], AbstractAsyncContextManager[Cloud]]
    identity: Mapping[str, Any]


async def ask_teacher(
    items: Sequence[Item],
    out: Path,
    teacher: Teacher,
    *,
    concurrency: int = 16,
    timeout_s: float = 60.0,
    max_unlabelled: float = 0.1,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Mapping[str, str]:
    """Ask the teacher every question that it has not answered yet.

    `out` holds one `{"id", "fingerprint", "letter"}` a line, `letter` null where the reply named no option: that is an answer
    too, and the question is not asked again. `<out>.origin.json` holds the teacher's identity.

    Args:
        items: the questions.
        out: file of all answers so far, shared by the whole run.
        teacher: the teacher.
        concurrency: number of calls under way at a time; a kill may lose as many answers.
        timeout_s: time limit of one question with all its attempts, in seconds.
        max_unlabelled: share of `items` that may stay without a letter.
        on_progress: called with the number of questions that are answered.

    Returns:
        The letters by id, of the questions on which the teacher named one.

    Raises:
        ConfigError: the teacher cannot be reached (what was answered is kept), names no option too often, or the file
            holds another question under one of the ids, or answers of another teacher.
    """
    claim(out, teacher.identity, what="answers", hint=f"; if it is the same teacher at another address, correct {origin_of(out).name}")
    known = _known(out, items)
    todo = [item for item in items if item.id not in known]
    turn = asyncio.Semaphore(concurrency)
    answered = len(items) - len(todo)
    failure: list[CloudError] = []

    async def one(item: Item, cloud: Cloud, file: IO[str]) -> None:
        nonlocal answered
        async with turn:
            if failure:
                return
            try:
                letter: str | None = (await cloud.answer(item.question, Deadline.after(timeout_s))).answer
            except CloudUnparsable:
                letter = None
            except CloudError as error:
                failure.append(error)
                return
            known[item.id] = {"id": item.id, "fingerprint": item.fingerprint, "letter": letter}
            append(file, known[item.id])
        answered += 1
        on_progress(answered)

    if todo:
        with open_for_append(out) as file:
            async with teacher.connect() as cloud, asyncio.TaskGroup() as group:
                for item in todo:
                    group.create_task(one(item, cloud, file))
    if failure:
        raise ConfigError(
            f"the teacher failed: {failure[0].message}; {answered} of {len(items)} answers are kept, --resume continues from there"
        )
    compact(out, sorted(known))
    letters = {item.id: letter for item in items if (letter := known[item.id]["letter"]) is not None}
    if len(letters) < (1 - max_unlabelled) * len(items):
        raise ConfigError(
            f"the teacher named no option on {len(items) - len(letters)} of {len(items)} questions, more than labels.max_unlabelled allows"
        )
    return letters


def _known(out: Path, items: Sequence[Item]) -> dict[str, Record]:
    known = read_records(out, missing_ok=True)
    for item in items:
        if item.id in known and known[item.id]["fingerprint"] != item.fingerprint:
            raise ConfigError(f"{out} holds another question under the id '{item.id}'")
    return known
