"""The verdict the slow way, for comparison: whole strings, the model's own forward pass and cache. No mask, cache or trie code of ours."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from app.core.errors import EdgeError
from app.core.prompt import answer_text
from app.core.verdict import BUCKET_LABELS


@dataclass(frozen=True, slots=True)
class PlainVerdict:
    """What format-constrained decoding gives for one question.

    Attributes:
        joint: five rows (buckets in the order of `BUCKET_LABELS`) of one probability per offered letter.
        greedy_gaps: for each bucket, how much less probable than the most probable token a token of its text is, at the worst place; 0
            for the bucket that greedy decoding writes.
    """

    joint: tuple[tuple[float, ...], ...]
    greedy_gaps: tuple[float, ...]


@torch.inference_mode()
def plain_verdict(model: Any, encode: Callable[[str], list[int]], prompt: str, letters: str) -> PlainVerdict:
    """Decode each answer string behind a prompt; the model reads the prompt once and keeps its keys and values itself.

    Args:
        model: a transformers causal language model in evaluation mode.
        encode: text → token ids, none added.
        prompt: rendered chat prompt.
        letters: the offered letters.

    Raises:
        EdgeError: the model is no decoder.
    """
    head = encode(prompt)
    answers = {(label, letter): encode(prompt + answer_text(label, letter))[len(head) :] for label in BUCKET_LABELS for letter in letters}
    logits = dict(zip(BUCKET_LABELS, _logits(model, head, [answers[label, letters[0]] for label in BUCKET_LABELS]), strict=True))

    def step(label: str, letter: str, at: int) -> Mapping[int, float]:
        """The logarithm of P of each token that the format allows after the first `at` tokens of an answer."""
        answer = answers[label, letter]
        allowed = sorted({other[at] for other in answers.values() if other[:at] == answer[:at]})
        return dict(zip(allowed, torch.log_softmax(logits[label][at][allowed], dim=0).tolist(), strict=True))

    joint, gaps = [], []
    for label in BUCKET_LABELS:
        stem = answers[label, letters[0]][:-1]
        steps = [step(label, letters[0], at) for at in range(len(stem))]
        log_bucket = math.fsum(choices[token] for choices, token in zip(steps, stem, strict=True))
        last = step(label, letters[0], len(stem))
        joint.append(tuple(math.exp(log_bucket + last[answers[label, letter][-1]]) for letter in letters))
        gaps.append(max(math.exp(max(choices.values())) - math.exp(choices[token]) for choices, token in zip(steps, stem, strict=True)))
    return PlainVerdict(tuple(joint), tuple(gaps))


def _logits(model: Any, head: list[int], answers: list[list[int]]) -> list[torch.Tensor]:
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
