"""The verdict the slow way, for comparison: whole strings, the model's own forward pass and cache. No mask, cache or trie code of ours."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from app.core.buckets import BUCKET_LABELS
from app.core.errors import EdgeError
from app.core.prompt import answer_text

# As many as there are buckets: all answers with single letters are decoded at once. More would need memory for whole vocabularies.
_AT_A_TIME = len(BUCKET_LABELS)


@dataclass(frozen=True, slots=True)
class PlainVerdict:
    """What format-constrained decoding gives for one question.

    Attributes:
        joint: five rows (buckets in the order of `BUCKET_LABELS`) of one probability per offered label.
        greedy_gaps: for each bucket, how much less probable than the most probable token a token of its text is, at the worst place; 0
            for the bucket that greedy decoding writes.
    """

    joint: tuple[tuple[float, ...], ...]
    greedy_gaps: tuple[float, ...]


@torch.inference_mode()
def plain_verdict(model: Any, encode: Callable[[str], list[int]], prompt: str, labels: Sequence[str]) -> PlainVerdict:
    """Decode each answer string behind a prompt; the model reads the prompt once for five strings and keeps its keys and values itself.

    Args:
        model: a transformers causal language model in evaluation mode.
        encode: text → token ids, none added.
        prompt: rendered chat prompt.
        labels: the offered labels of the options.

    Raises:
        EdgeError: the model is no decoder.
    """
    head = encode(prompt)
    answers = {
        (bucket, label): tuple(encode(prompt + answer_text(bucket, label))[len(head) :]) for bucket in BUCKET_LABELS for label in labels
    }
    # Answers that differ in their last token only share all logits that are read.
    strings = list({answer[:-1]: answer for answer in reversed(answers.values())}.values())[::-1]
    logits: dict[tuple[int, ...], torch.Tensor] = {}
    for start in range(0, len(strings), _AT_A_TIME):
        chunk = strings[start : start + _AT_A_TIME]
        logits.update(zip((answer[:-1] for answer in chunk), _logits(model, head, chunk), strict=True))
    known: dict[tuple[int, ...], Mapping[int, float]] = {}

    def step(answer: tuple[int, ...], at: int) -> Mapping[int, float]:
        """The logarithm of P of each token that the format allows after the first `at` tokens of an answer."""
        start = answer[:at]
        if start not in known:
            allowed = sorted({other[at] for other in answers.values() if other[:at] == start})
            known[start] = dict(zip(allowed, torch.log_softmax(logits[answer[:-1]][at][allowed], dim=0).tolist(), strict=True))
        return known[start]

    joint, gaps = [], []
    for bucket in BUCKET_LABELS:
        rows = [answers[bucket, label] for label in labels]
        joint.append(tuple(math.exp(math.fsum(step(row, at)[token] for at, token in enumerate(row))) for row in rows))
        stem = next(at for at, tokens in enumerate(zip(*rows, strict=False)) if len(set(tokens)) > 1)
        steps = [(step(rows[0], at), rows[0][at]) for at in range(stem)]
        gaps.append(max(math.exp(max(choices.values())) - math.exp(choices[token]) for choices, token in steps))
    return PlainVerdict(tuple(joint), tuple(gaps))


def _logits(model: Any, head: list[int], answers: Sequence[tuple[int, ...]]) -> list[torch.Tensor]:
    """Logits `[tokens of the answer, vocabulary]` in float64, before each token of each answer.

    The answers are one batch. The shorter ones are filled up at their end, where a causal model does not look back from; a model that
    does is one that this comparison refuses.
    """
    device = model.device
    cache = model(input_ids=torch.tensor([head[:-1]], device=device), use_cache=True).past_key_values
    if cache is None:
        raise EdgeError("it keeps no keys and values of what it has read, as a decoder does")
    cache.batch_repeat_interleave(len(answers))
    width = max(map(len, answers))
    rows = [[head[-1], *answer[:-1]] + [answer[-1]] * (width - len(answer)) for answer in answers]
    logits = model(input_ids=torch.tensor(rows, device=device), past_key_values=cache, use_cache=True).logits
    return [row[: len(answer)].double() for row, answer in zip(logits, answers, strict=True)]
