"""Chat completions as OpenAI's clients read them: whole, and as a stream of chunks.

What clients break on is kept: every chunk has the same id and every choice of a chunk a `finish_reason`, null until the last one,
which holds no text; the role comes once; the usage comes in a chunk without choices, and only to those who asked for it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.api.openai.form import Piece, text_of
from app.core.outcome import Outcome
from app.core.strict_json import dumps

# What OpenAI says in place of the logarithm of nothing, which JSON cannot hold.
VERY_UNLIKELY = -9999.0
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as a chat completion.

    Attributes:
        id: id of the completion.
        created: when it was made, in seconds since 1970.
        model: name of the model, as the request sent it.
        pieces: text of the answer.
        usage: tokens that the cloud counted.
        foggate: the routing.
        top_logprobs: how many alternatives are wanted at each token; None where no log-probabilities are, or none are known.
    """

    id: str
    created: int
    model: str
    pieces: Sequence[Piece]
    usage: Mapping[str, int]
    foggate: Mapping[str, Any]
    top_logprobs: int | None = None

    def whole(self) -> dict[str, Any]:
        """The completion in one body."""
        message = {"role": "assistant", "content": text_of(self.pieces), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": self._logprobs(self.pieces), "finish_reason": "stop"}
        return {**self._head("chat.completion"), "choices": [choice], "usage": dict(self.usage), "foggate": self.foggate}

    def events(self, *, with_usage: bool) -> bytes:
        """The completion as server-sent events, a piece each.

        Args:
            with_usage: whether a chunk with the usage comes before the end.
        """
        first: dict[str, Any] = {"role": "assistant", "content": ""}
        chunks = [self._chunk(first)]
        chunks += [self._chunk({"content": piece.text}, [piece]) for piece in self.pieces]
        chunks.append({**self._chunk({}, reason="stop"), "foggate": self.foggate})
        if with_usage:
            chunks = [{**chunk, "usage": None} for chunk in chunks]
            chunks.append({**self._head("chat.completion.chunk"), "choices": [], "usage": dict(self.usage)})
        return b"".join(event(chunk) for chunk in chunks) + DONE

    def _chunk(self, delta: Mapping[str, Any], pieces: Sequence[Piece] = (), *, reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": self._logprobs(pieces) if pieces else None, "finish_reason": reason}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _logprobs(self, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        if self.top_logprobs is None:
            return None
        return {"content": [_token(piece, self.top_logprobs) for piece in pieces], "refusal": None}


def knows_probabilities(pieces: Sequence[Piece]) -> bool:
    """Whether the probability of everything that was chosen is known: nothing else has log-probabilities."""
    return all(piece.probabilities is not None for piece in pieces if piece.is_choice)


def usage_of(outcome: Outcome) -> dict[str, int]:
    """The tokens that the cloud counted for an answer; none where the edge model answered, which costs none."""
    counted = outcome.cloud.usage if outcome.cloud else {}
    read, written = counted.get("prompt_tokens", 0), counted.get("completion_tokens", 0)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def event(payload: Mapping[str, Any]) -> bytes:
    """A server-sent event with this payload."""
    return b"data: " + dumps(payload) + b"\n\n"


def _token(piece: Piece, top: int) -> dict[str, Any]:
    """One token with its alternatives. What stands there by the form of the answer could not be anything else."""
    given = piece.probabilities if piece.probabilities is not None else {piece.text: 1.0}
    best = sorted(given.items(), key=lambda pair: -pair[1])[:top]
    return {**_valued(piece.text, given.get(piece.text, 0.0)), "top_logprobs": [_valued(text, value) for text, value in best]}


def _valued(text: str, probability: float) -> dict[str, Any]:
    value = max(VERY_UNLIKELY, math.log(probability)) if probability > 0 else VERY_UNLIKELY
    return {"token": text, "bytes": list(text.encode()), "logprob": min(0.0, value)}
