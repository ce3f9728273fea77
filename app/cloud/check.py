"""`foggate cloud check`: a few easy questions to each endpoint, and what it answered, for people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.cloud.call import Attempt
from app.cloud.client import CloudClient
from app.cloud.endpoint import Endpoint
from app.cloud.probe import find_formats
from app.cloud.reply import text_of
from app.cloud.usage import shown_usage
from app.core.deadline import Deadline
from app.core.errors import CloudError
from app.core.question import Question
from app.demo.bank import SHIPPED_BANK, load_rows

# Questions of the shipped bank that any useful model answers correctly.
_EASY = ("math-11", "science-08", "math-02", "science-17", "coding-06", "medical-07", "law-04", "finance-10", "math-20", "coding-15")
MAX_QUESTIONS = len(_EASY)
# These failures do not pass by themselves: the other questions would be refused as well.
_LASTING = frozenset({"401", "3xx", "4xx", "certificate", "misconfigured", "connection", "proxy"})
_MAX_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to one endpoint: the letter that was read (None where none could be) and the correct one."""

    status: int | None
    outcome: str
    seconds: float
    answer_format: str
    usage: dict[str, int]
    read: str | None
    correct: str
    reply: str
    problem: str | None


@dataclass(slots=True)
class Checked:
    """One endpoint. `works` says whether a letter was read in every reply."""

    name: str
    url: str
    model: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def works(self) -> bool:
        return bool(self.asked) and all(one.read is not None for one in self.asked)

    @property
    def problems(self) -> list[str]:
        """Each problem once, in the order in which they were found."""
        return list(dict.fromkeys(one.problem for one in self.asked if one.problem))


class Free:
    """A purse for calls that are neither bounded nor counted."""

    async def left(self) -> bool:
        return True

    async def take(self) -> bool:
        return True

    async def used(self, model: str, usage: Any) -> float:  # noqa: ARG002  # a Purse's
        return 0.0


async def check(client_of: Callable[[Callable[[Attempt], None]], CloudClient], *, questions: int, timeout_s: float, probe: bool) -> Checked:
    """Ask one endpoint.

    Args:
        client_of: makes the client of this endpoint alone; gets what is called with each attempt when it has ended.
        questions: number of questions; at most `MAX_QUESTIONS`.
        timeout_s: seconds that one question may take.
        probe: whether to ask first which answer format the endpoint takes.
    """
    seen: list[Attempt] = []
    client = client_of(seen.append)
    endpoint = client.endpoints[0]
    checked = Checked(endpoint.name, endpoint.place, endpoint.model)
    try:
        if probe:
            await find_formats(client, Free(), waits_s=())
        rows = {row["id"]: row for row in load_rows([SHIPPED_BANK])}
        for row in [rows[name] for name in _EASY[:questions]]:
            seen.clear()
            read = None
            try:
                read = (await client.answer(Question(row["question"], tuple(row["options"])), Deadline.after(timeout_s))).answer
            except CloudError as error:
                failure = error
            problem = None if read is not None else problem_of(endpoint, seen, failure, timeout_s)
            checked.asked.append(_asked(seen[-1], read, row["answer"], problem))
            if seen[-1].outcome in _LASTING:
                break
    finally:
        await client.close()
    return checked


def _asked(last: Attempt, read: str | None, correct: str, problem: str | None) -> Asked:
    reply = " ".join(text_of(last.payload).split())
    shown = reply if len(reply) <= _MAX_SHOWN else reply[: _MAX_SHOWN - 1] + "…"
    return Asked(last.status, last.outcome, last.seconds, last.label, shown_usage(last.payload), read, correct, shown, problem)


def problem_of(endpoint: Endpoint, seen: Sequence[Attempt], error: CloudError, timeout_s: float) -> str:
    """What is wrong and where to look, in one sentence; what the endpoint says about it follows."""
    last = seen[-1] if seen else Attempt(endpoint.name, 1, endpoint.form.in_use.value)
    sentence = _sentence(endpoint, last, error, timeout_s)
    if last.outcome == "certificate":
        return (
            f"{sentence} ({last.said}): set SSL_CERT_FILE to a file with the certificates of your own authorities"
            if last.said
            else sentence
        )
    return f"{sentence}. The endpoint says: {last.said}" if last.said else sentence


def _sentence(endpoint: Endpoint, last: Attempt, error: CloudError, timeout_s: float) -> str:
    variable = "FOGGATE_CLOUD__API_KEY" if endpoint.name == "default" else f"FOGGATE_CLOUD__ENDPOINTS__{endpoint.name.upper()}__API_KEY"
    by_status = {
        401: f"the endpoint refuses the key (401): look at {variable}"
        if endpoint.api_key
        else f"the endpoint wants a key (401): set {variable}",
        402: "the account has no credit (402)",
        403: f"the key may not do this (403): look at {variable} and at what it is allowed",
        404: f"nothing answers at {endpoint.place}, or the model '{endpoint.model}' is not known there (404): look at the base_url and the model",
        400: "the endpoint refuses the request (400): a field that it does not know is taken out by a null in cloud.extra_body",
        422: "the endpoint refuses the request (422): a field that it does not know is taken out by a null in cloud.extra_body",
        **{
            status: f"{endpoint.place} redirects ({status}), which is not followed: look at the base_url (http or https, the host, the path)"
            for status in (301, 302, 303, 307, 308)
        },
        429: "the endpoint is over its rate, or the account over its quota (429)",
    }
    if last.status in by_status:
        return by_status[last.status]
    if last.outcome == "timeout":
        return f"no answer within {timeout_s:g} s (cloud.timeout_s)"
    if last.outcome == "unreadable" and _was_cut(last.payload):
        return "the reply was cut before it came to an answer: raise cloud.max_tokens"
    return error.message


def _was_cut(payload: Any) -> bool:
    try:
        return bool(payload["choices"][0]["finish_reason"] == "length")
    except (KeyError, IndexError, TypeError):
        return False
