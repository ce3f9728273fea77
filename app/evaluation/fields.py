"""The fields that each side adds to a record of the records file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.outcome import CloudReply
from app.core.prompt import PROMPT_VERSION
from app.core.verdict import EdgeReply, JointVerdict, Signal, Verdict
from app.data.dataset import Item
from app.data.records import Record
from app.evaluation.free_generation import is_on_format, parse_generation


@dataclass(frozen=True, slots=True)
class EdgeIdentity:
    """The edge model as records hold it; a file of another model or other weights is refused.

    `hardware` describes the machine in words, since latencies mean nothing without it. A run may continue on another machine.
    `writes_confidence` says whether the model was trained to write its confidence; None where that is not known.
    """

    model: str
    fingerprint: str
    parameters: int | None = None
    prompt_fingerprint: str | None = None
    hardware: str | None = None
    writes_confidence: bool | None = None


CLOUD_KEYS = ("cloud_answer", "cloud_model", "cloud_asked", "cloud_tokens", "cloud_prompt_tokens", "cloud_completion_tokens", "cloud_ms")
_EMPTY_KEYS = ("edge_answer", "confidence", "expected_confidence", "answer_probabilities", "confidence_probabilities", "bucket_paths")


def empty_record(item: Item, identity: EdgeIdentity) -> Record:
    """A record without any answer."""
    return {
        "id": item.id,
        "domain": item.question.domain,
        "gold": item.gold,
        "options": len(item.question.options),
        **dict.fromkeys(_EMPTY_KEYS),
        "edge_ms": None,
        "edge_batch": None,
        **dict.fromkeys(CLOUD_KEYS),
        "edge_error": None,
        "cloud_error": None,
        "edge_model": identity.model,
        "edge_fingerprint": identity.fingerprint,
        "edge_parameters": identity.parameters,
        "edge_hardware": identity.hardware,
        "edge_writes_confidence": identity.writes_confidence,
        "prompt_version": PROMPT_VERSION,
        "prompt_fingerprint": identity.prompt_fingerprint,
        "fingerprint": item.fingerprint,
    }


def edge_fields(reply: EdgeReply) -> dict[str, Any]:
    """Fields of a verdict for a record; null where the verdict does not have them.

    `edge_answer` is the letter of the verbalized signal; that of every other signal is the argmax of `answer_probabilities`.
    """
    return {**_verdict_fields(reply.verdict), "edge_ms": round(reply.inference_s * 1000, 3), "edge_batch": reply.batch}


def permuted_fields(mean: Verdict | None, reads: int, shown: Sequence[Verdict] = ()) -> dict[str, Any]:
    """Field of a mean over several orders of the options (`app.core.permutation`), with the keys of `edge_fields` that a verdict has.

    Args:
        mean: mean of the aligned verdicts; None where they cannot be averaged.
        reads: number of orders that were asked for.
        shown: verdicts on the orders as they were presented. A letter prior corrects each of their distributions before they are averaged.
    """
    if mean is None:
        return {"permuted": {"reads": reads}}
    each = [list((verdict.answer_probabilities or {}).values()) for verdict in shown]
    return {"permuted": {"reads": reads, **_verdict_fields(mean), **({"orders": each} if each else {})}}


def _verdict_fields(verdict: Verdict) -> dict[str, Any]:
    answers, confidences = verdict.answer_probabilities, verdict.confidence_probabilities
    return {
        "edge_answer": verdict.answer(Signal.VERBALIZED),
        "confidence": verdict.confidence,
        "expected_confidence": verdict.expected_confidence,
        "answer_probabilities": None if answers is None else dict(answers),
        "confidence_probabilities": None if confidences is None else dict(confidences),
        "bucket_paths": [[list(step) for step in path] for path in verdict.paths] if isinstance(verdict, JointVerdict) else None,
    }


def cloud_fields(reply: CloudReply, seconds: float) -> dict[str, Any]:
    """Fields of the cloud's reply; `seconds` is the duration of the whole call with its attempts."""
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


def generated_fields(text: str, letters: str, batch_ms: float) -> dict[str, Any]:
    """Fields of a generated text. `generated_answer` is None where no answer could be read; `generated_ms` is the time of the whole batch."""
    confidence, answer = parse_generation(text, letters) or (None, None)
    return {
        "generated_text": text,
        "generated_confidence": confidence,
        "generated_answer": answer,
        "generated_on_format": is_on_format(text, letters),
        "generated_ms": batch_ms,
    }
