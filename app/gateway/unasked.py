"""The questions of a batch that the edge was not asked yet. They are tokenised together, in pieces, short texts first."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.core.ask import Ask
from app.core.cascade import edge_bug, is_callers
from app.core.edge import Edge, Prepared
from app.core.errors import EdgeError, FogGateError

# Questions that are tokenised in one call, and characters beyond which no further one joins them: single questions wait meanwhile.
_PIECE, _PIECE_CHARS = 32, 50_000
# Prepared questions beyond which no more are prepared: they may never be asked.
_AHEAD = 64


@dataclass(eq=False, slots=True)
class BatchQuestion:
    """One question of a batch.

    Attributes:
        index: its place in the batch.
        ask: what is asked.
        late: whether its deadline passed before the edge replied.
    """

    index: int
    ask: Ask
    late: bool = False


class Unasked:
    """The questions that were not asked yet, those that are ready to be asked among them.

    Args:
        asks: the questions of a batch.
        on_ready: called when more of them are ready.
        on_failed: called with a question that the edge refuses, and the error.

    Attributes:
        ready: questions with what the edge reads, the cheapest first.
        unreadable: questions that the edge failed to prepare, and how.
    """

    def __init__(self, asks: Iterable[Ask], on_ready: Callable[[], None], on_failed: Callable[[BatchQuestion, FogGateError], None]) -> None:
        self._all = dict.fromkeys(BatchQuestion(index, ask) for index, ask in enumerate(asks))
        self._on_ready, self._on_failed = on_ready, on_failed
        self._few_ready = asyncio.Event()
        self.ready: deque[tuple[BatchQuestion, Prepared]] = deque()
        self.unreadable: deque[tuple[BatchQuestion, EdgeError]] = deque()

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[BatchQuestion]:
        return iter([*self._all])

    def __contains__(self, question: BatchQuestion) -> bool:
        return question in self._all

    async def prepare(self, edge: Edge) -> None:
        """Let an edge prepare the questions. Raises nothing: whatever the edge does wrong is a failure of the edge."""
        for whole in _pieces(sorted(self._all, key=lambda question: question.ask.question.length)):
            while len(self.ready) >= _AHEAD:
                self._few_ready.clear()
                await self._few_ready.wait()
            # Some may have been refused meanwhile.
            piece = [question for question in whole if question in self._all]
            found: Sequence[Prepared | FogGateError]
            failed: list[tuple[BatchQuestion, FogGateError]] = []
            readable: list[tuple[BatchQuestion, Prepared]] = []
            try:
                found = await edge.prepare([question.ask.question for question in piece])
                for question, one in zip(piece, found, strict=True):
                    if isinstance(one, FogGateError):
                        failed.append((question, one))
                    else:
                        readable.append((question, one))
                readable.sort(key=lambda pair: pair[1].columns)
            except (Exception, asyncio.CancelledError) as error:
                if is_callers(error):
                    raise
                readable = []
                failed = [(question, error if isinstance(error, FogGateError) else edge_bug(error)) for question in piece]
            for question, failure in failed:
                if isinstance(failure, EdgeError):
                    self.unreadable.append((question, failure))
                else:
                    self._on_failed(question, failure)
            self.ready.extend(pair for pair in readable if pair[0] in self._all)
            self._on_ready()

    def remove(self, question: BatchQuestion) -> None:
        """Take out a question that is not ready."""
        del self._all[question]

    def take(self) -> tuple[BatchQuestion, Prepared]:
        """Take out the first question that is ready."""
        question, prepared = self.ready.popleft()
        del self._all[question]
        if len(self.ready) < _AHEAD:
            self._few_ready.set()
        return question, prepared

    def put_back(self, question: BatchQuestion, prepared: Prepared) -> None:
        """Put a question first that was taken out."""
        self._all[question] = None
        self.ready.appendleft((question, prepared))

    def clear(self) -> list[BatchQuestion]:
        """Take out all questions."""
        left = [*self._all]
        self._all.clear()
        self.ready.clear()
        self.unreadable.clear()
        return left


def _pieces(questions: Iterable[BatchQuestion]) -> Iterator[list[BatchQuestion]]:
    """The questions in the pieces in which they are tokenised."""
    piece: list[BatchQuestion] = []
    chars = 0
    for question in questions:
        piece.append(question)
        chars += question.ask.question.length
        if len(piece) == _PIECE or chars > _PIECE_CHARS:
            yield piece
            piece, chars = [], 0
    if piece:
        yield piece
