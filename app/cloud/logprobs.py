"""The cloud's own distribution over the offered letters, where the endpoint gives log-probabilities. Never guessed.

It is read at the one token that holds the letter of the answer. Where that token cannot be told for certain, or the numbers there
are no log-probabilities, there is no distribution.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from app.cloud.reply import text_of
from app.core.question import Question

_MAX_TOKENS = 20_000
# Rounding of an endpoint that works in half precision.
_ABOVE_ZERO = 1e-2
_AROUND = " \t\r\n()[]{}*\"'`:.,"
_CLAIM = re.compile(r"final\s+answer", re.IGNORECASE)
# What stands before a letter that is named, and not a word of the reply: `Answer: B`, and not `Vitamin B`.
_NAMES = re.compile(r"(?:\b(?:answer|option|choice|жауап|ответ)\b(?:\s+is\b)?(?:\s+option\b)?|\\boxed)[\s(\[{*\"'`:.=–—-]*$", re.IGNORECASE)
_MAX_BEFORE = 64
_LISTED = 2


def answer_probabilities(payload: Any, question: Question, answer: str) -> dict[str, float] | None:
    """P(letter) over the offered letters that the endpoint lists at the answer's token; sums to 1.

    A letter that is not among the alternatives is left out. Several tokens of one letter (with and without a blank) are added.

    Args:
        payload: the decoded reply.
        question: what was asked.
        answer: the letter that was read in the reply.
    """
    tokens = _tokens(payload)
    at = _place(tokens, text_of(payload), answer)
    if at is None:
        return None
    listed = tokens[at].get("top_logprobs")
    # One alternative alone would be no more than the answer itself.
    if not isinstance(listed, list) or len(listed) < _LISTED:
        return None
    by_text: dict[str, float] = {}
    for alternative in (*listed, tokens[at]):
        if not isinstance(alternative, Mapping) or not isinstance(text := alternative.get("token"), str):
            return None
        letter = text.strip(_AROUND)
        if len(letter) != 1 or letter not in question.letters:
            continue
        if (logprob := _logprob(alternative)) is None:
            return None
        # The answer's own token is one of the alternatives, as a rule, if written a little differently: it counts once.
        if alternative is not tokens[at] or (text not in by_text and math.exp(logprob) not in by_text.values()):
            by_text[text] = math.exp(logprob)
    masses: dict[str, float] = {}
    for text, p in by_text.items():
        masses[text.strip(_AROUND)] = masses.get(text.strip(_AROUND), 0.0) + p
    total = math.fsum(masses.values())
    return {letter: masses[letter] / total for letter in sorted(masses)} if total > 0 else None


def _tokens(payload: Any) -> list[Mapping[str, Any]]:
    try:
        tokens = payload["choices"][0]["logprobs"]["content"]
    except (KeyError, IndexError, TypeError):
        return []
    if not isinstance(tokens, list) or len(tokens) > _MAX_TOKENS:
        return []
    return tokens if all(isinstance(token, Mapping) and isinstance(token.get("token"), str) for token in tokens) else []


def _place(tokens: list[Mapping[str, Any]], content: str, answer: str) -> int | None:
    """Index of the token that holds the answer: the only one where the reply names its letter, in its last line of that kind."""
    text = "".join(token["token"] for token in tokens)
    # Thoughts come before the content, and an end token behind it.
    begin = text.rfind(content) if content else -1
    if begin < 0:
        return None
    end = begin + len(content)
    claims = [found.end() for found in _CLAIM.finditer(text, begin, end)]
    places, at = [], 0
    for index, token in enumerate(tokens):
        if begin <= at < end and at >= (claims[-1] if claims else begin) and token["token"].strip(_AROUND) == answer:
            before = text[max(begin, at - _MAX_BEFORE) : at]
            if (not before.strip(_AROUND) and at - begin < _MAX_BEFORE) or _NAMES.search(before):
                places.append(index)
        at += len(token["token"])
    return places[0] if len(places) == 1 else None


def _logprob(alternative: Mapping[str, Any]) -> float | None:
    value = alternative.get("logprob")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value) or value > _ABOVE_ZERO:
        return None
    return min(0.0, float(value))
