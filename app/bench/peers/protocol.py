"""What a peer is: another server of the same model that is measured beside FogGate, over HTTP and by the same client."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from app.core.question import Question

# What may go wrong when the reply of a server is read that is not what its endpoint should give.
UNREADABLE = (ValueError, KeyError, IndexError, TypeError)


class PeerUnavailable(Exception):
    """A peer cannot be measured here; the message is one sentence for a person."""


@dataclass(frozen=True)
class Asked:
    """One question as every server is asked it.

    Attributes:
        question: the question.
        messages: the conversation of FogGate's prompt, which the model's own chat template renders.
        answer_tokens: tokens of an answer in FogGate's format, up to the letter.
    """

    question: Question
    messages: Sequence[Mapping[str, Any]]
    answer_tokens: int


@dataclass(frozen=True)
class Way:
    """One way to ask a server.

    Attributes:
        name: what it is called in tables.
        path: path of the endpoint.
        body: makes the JSON body of a question.
        letter: the letter that a reply names; None where it names none. Raises an error of `UNREADABLE` of a reply that is not
            what this endpoint gives.
        joint: whether a reply has a distribution over confidences and options, as FogGate's has.
    """

    name: str
    path: str
    body: Callable[[Asked], Mapping[str, Any]]
    letter: Callable[[bytes], str | None]
    joint: bool = False


@dataclass(frozen=True)
class Place:
    """Where a peer may install itself, and what it serves.

    Attributes:
        environments: folder of throw-away environments; kept between runs.
        model: folder of the model as transformers saves it.
        gguf: the builtin model's GGUF file; None where the model did not come as one. Raises ConfigError where it cannot be fetched.
        scratch: empty folder, removed after the run.
        dtype: name of the dtype in torch that FogGate computes in and that the model's folder is saved in. A server that would choose
            another one by itself is told.
        threads: number of threads that a server computes with.
        gpu: whether FogGate computes on a GPU.
        say: told what takes long.
    """

    environments: Path
    model: Path
    gguf: Callable[[], Path] | None
    scratch: Path
    dtype: str
    threads: int
    gpu: bool
    say: Callable[[str], None]


@dataclass(frozen=True)
class BatchWay:
    """How a server is asked many questions in one request.

    Attributes:
        path: path of the endpoint.
        body: makes the JSON body of some questions.
        answered: number of questions that a reply answers. Raises an error of `UNREADABLE` of a reply that is not what this
            endpoint gives.
    """

    path: str
    body: Callable[[Sequence[Asked]], Mapping[str, Any]]
    answered: Callable[[bytes], int]


@dataclass(frozen=True)
class Start:
    """How a peer is started once it is installed.

    Attributes:
        command: gives the command line that serves on a port of 127.0.0.1.
        ready: path that answers with 2xx once the server is ready.
        ways: the ways to ask it.
        environment: variables that are added to those of this process.
        batch: how it is asked many questions in one request; None where it cannot be.
    """

    command: Callable[[int], Sequence[str]]
    ready: str
    ways: Sequence[Way]
    environment: Mapping[str, str] = field(default_factory=dict)
    batch: BatchWay | None = None


class Peer(Protocol):
    """Another server."""

    @property
    def name(self) -> str:
        """Its name on the command line and in tables."""
        ...

    @property
    def about(self) -> str:
        """What it is, for people."""
        ...

    def install(self, place: Place) -> Start:
        """Install it, unless it is installed already.

        Raises:
            PeerUnavailable: it cannot be measured here.
            InstallFailed: it cannot be installed.
            ConfigError: a file that it needs cannot be fetched.
        """
        ...


def threads_of(place: Place) -> dict[str, str]:
    """Variables that let every library compute with the same number of threads."""
    return {name: str(place.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}


def chat_ways(model: str, extra: Mapping[str, Any] | None = None) -> list[Way]:
    """The two ways to ask a chat endpoint: for the answer in FogGate's format, and for one token only, which holds no confidence.

    Args:
        model: name of the model in requests.
        extra: fields that are added to every body.
    """

    def body(asked: Asked, tokens: int) -> dict[str, Any]:
        return {"model": model, "messages": list(asked.messages), "max_tokens": tokens, "temperature": 0, **(extra or {})}

    return [
        Way("chat, whole answer", "/v1/chat/completions", lambda asked: body(asked, asked.answer_tokens), _chat_letter),
        Way("chat, one token", "/v1/chat/completions", lambda asked: body(asked, 1), _first_letter),
    ]


def _content(reply: bytes) -> str:
    return str(json.loads(reply)["choices"][0]["message"]["content"] or "")


def _chat_letter(reply: bytes) -> str | None:
    _, found, after = _content(reply).partition("Final answer:")
    return _letter(after) if found else None


def _first_letter(reply: bytes) -> str | None:
    return _letter(_content(reply))


def _letter(text: str) -> str | None:
    text = text.strip()
    return text if len(text) == 1 and "A" <= text <= "Z" else None
