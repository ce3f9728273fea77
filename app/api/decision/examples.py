"""Examples of the replies to decision clients, made by the code that makes those of requests."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.api.decision import openai_form, systemone
from app.api.decision.openai_form import OpenAIRequest
from app.api.decision.systemone import SystemOneRequest
from app.api.decision.typed import Decided
from app.api.model_names import chosen_or_configured
from app.core.outcome import CloudReply, Decision, Outcome, Reason, Route
from app.core.verdict import EdgeReply, JointVerdict, Signal

_KEEP = Decision(Route.EDGE, Reason.CONFIDENT, 0.5, Signal.VERBALIZED)
_ESCALATE = Decision(Route.CLOUD, Reason.LOW_CONFIDENCE, 0.5, Signal.VERBALIZED)
_USAGE = {"prompt_tokens": 98, "completion_tokens": 1}
# P(letter) of the three answers, in hundredths; the cloud gives the last of them, and no probabilities.
_LETTERS = ((91, 9), (88, 9, 3), (20, 42, 38))


def _reply(asked: SystemOneRequest | OpenAIRequest, request_id: str, letters: Sequence[Sequence[int]]) -> Mapping[str, Any]:
    decided = []
    for at, (typed, weights) in enumerate(zip(asked.typed(), letters, strict=True)):
        is_last = at == len(letters) - 1
        confidence = (50, 30, 10, 6, 4) if is_last else (1, 2, 7, 20, 70)
        verdict = JointVerdict.from_weights([[bucket * letter for letter in weights] for bucket in confidence], 0 if is_last else 4)
        edge = EdgeReply(verdict, "issai/foggen", 0.0004, 0.0213, prompt_tokens=131)
        cloud = CloudReply("C", "Qwen/Qwen3-30B-A3B-Instruct-2507", 1, _USAGE) if is_last else None
        question = typed.ask(asked.about, chosen_or_configured(asked.model)).question
        outcome = Outcome(question, _ESCALATE if is_last else _KEEP, None, edge, cloud, 0.4 if cloud else None, 0.4)
        decided.append(Decided.of(typed, outcome, 0.8))
    return asked.reply(decided, request_id)


def system_one(request_id: str) -> Mapping[str, Any]:
    """The reply to System One's example."""
    return _reply(SystemOneRequest.model_validate(systemone.EXAMPLE), request_id, _LETTERS)


def decisions(request_id: str) -> Mapping[str, Any]:
    """The reply to OpenAI's example."""
    return _reply(OpenAIRequest.model_validate(openai_form.EXAMPLE), request_id, (_LETTERS[0], (88, 12), _LETTERS[2]))
