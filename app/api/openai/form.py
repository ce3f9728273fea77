"""The text of an answer: the form that the chat asks for, in pieces, so that each can say with which probability it was written.

A confidence is written where the edge model answers and states one. An answer of the cloud has none: the edge model's confidence is
about another answer.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.api.openai.json_form import filled
from app.api.openai.wishes import Wishes
from app.core.buckets import BUCKET_LABELS, BUCKETS
from app.core.errors import Unsupported
from app.core.outcome import Outcome
from app.recognise import Form, Recognised
from app.recognise.recognised import PLACE

# `Confidence: 0.75\nFinal answer: B` takes a dozen tokens. Whoever asks for fewer wants the letter.
LONG_FORM_TOKENS = 16
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the text.

    Attributes:
        text: the part.
        probabilities: probability of each text that could stand here; None where only this one could, or nothing is known.
        is_choice: whether another text could stand here.
    """

    text: str
    probabilities: Mapping[str, float] | None = None
    is_choice: bool = False


def check_form(found: Recognised, wishes: Wishes) -> None:
    """See whether an answer can have the form that is asked for, before anybody is asked and paid.

    Raises:
        Unsupported: a schema that an answer cannot fill, or fewer tokens than an answer in this form has words.
    """
    wanted = wishes.response_format
    if wanted is not None and wanted["type"] == "json_schema":
        schema = wanted["json_schema"]["schema"]
        samples = [json.dumps(filled(schema, found, letter=letter)) for letter in found.question.letters]
        sample = max(samples, key=lambda text: len(text.split()))
    elif wanted is not None and not _takes_template(found):
        sample = json.dumps({"answer": found.labels[0], "confidence": BUCKETS[0]})
    else:
        sample = PLACE if found.form is Form.OPEN else found.template or PLACE
    if wishes.most_tokens is not None and len(sample.split()) > wishes.most_tokens:
        raise Unsupported(f"{wishes.most_tokens} tokens are too few for an answer in this form", param=wishes.most_tokens_name)


def pieces_of(found: Recognised, outcome: Outcome, wishes: Wishes) -> list[Piece]:
    """The text of an answer.

    Args:
        found: the question as the chat asked it.
        outcome: its answer.
        wishes: what else the request asks for; `check_form` has accepted it.
    """
    label = Piece(found.label(outcome.answer), _by_label(found, outcome), is_choice=True)
    pieces = _form(found, outcome, wishes, label)
    text = text_of(pieces)
    return _until(pieces, [at for stop in wishes.stop if (at := text.find(stop)) >= 0])


def text_of(pieces: Sequence[Piece]) -> str:
    """The whole text."""
    return "".join(piece.text for piece in pieces)


def tokens_in(text: str) -> int:
    """Words and marks of a text: about as many as its tokens."""
    return len(_WORD.findall(text))


def _form(found: Recognised, outcome: Outcome, wishes: Wishes, label: Piece) -> list[Piece]:
    wanted = wishes.response_format
    if wanted is not None and wanted["type"] == "json_schema":
        return _around(label, json.dumps(filled(wanted["json_schema"]["schema"], found, outcome), ensure_ascii=False), label.text)
    if wanted is not None and not _takes_template(found):
        confidence = _confidence(outcome)
        stated = {} if confidence is None else {"confidence": float(confidence)}
        return _around(label, json.dumps({"answer": label.text, **stated}, ensure_ascii=False), label.text)
    if found.form is not Form.OPEN:
        return _around(label, found.template or PLACE, PLACE)
    if wishes.most_tokens is not None and wishes.most_tokens < LONG_FORM_TOKENS:
        return [label]
    confidence, final = _confidence(outcome), Piece("Final answer: ")
    if confidence is None:
        return [final, label]
    stated_by = outcome.edge.verdict.confidence_probabilities if outcome.edge else None
    return [Piece("Confidence: "), Piece(confidence, stated_by, is_choice=True), Piece("\n"), final, label]


def _around(label: Piece, text: str, place: str) -> list[Piece]:
    """The text with the label as a piece of its own, where it stands in it exactly once."""
    quoted = place if place == PLACE else json.dumps(place, ensure_ascii=False)
    before, found, behind = text.partition(quoted)
    if not found:
        # The choice is somewhere in it, under another name.
        return [Piece(text, is_choice=True)]
    if place != PLACE:
        before, behind = before + '"', '"' + behind
    return [piece for piece in (Piece(before), label, Piece(behind.replace(PLACE, label.text))) if piece.text]


def _until(pieces: Sequence[Piece], ends: Sequence[int]) -> list[Piece]:
    """The pieces up to the first of these places in their text."""
    left = min(ends, default=None)
    kept: list[Piece] = []
    if left is None:
        return list(pieces)
    for piece in pieces:
        if len(piece.text) > left:
            # A part of a label is no label.
            return [*kept, Piece(piece.text[:left])] if left else kept
        kept.append(piece)
        left -= len(piece.text)
    return kept


def _by_label(found: Recognised, outcome: Outcome) -> Mapping[str, float] | None:
    """P(label) of whoever answered; None where they give none."""
    given = outcome.cloud.answer_probabilities if outcome.cloud else outcome.edge.verdict.answer_probabilities if outcome.edge else None
    return None if given is None else {found.label(letter): probability for letter, probability in given.items()}


def _confidence(outcome: Outcome) -> str | None:
    """The confidence in the words of the edge model; None where the cloud answered, or the edge model states none."""
    stated = outcome.edge.verdict.confidence if outcome.edge and outcome.cloud is None else None
    return None if stated is None else BUCKET_LABELS[BUCKETS.index(stated)]


def _takes_template(found: Recognised) -> bool:
    """Whether the chat itself says which JSON object it wants."""
    if found.form is not Form.TEXT or found.template is None:
        return False
    try:
        return isinstance(json.loads(found.template.replace(PLACE, "A")), dict)
    except (ValueError, RecursionError):
        return False
