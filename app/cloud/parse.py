"""Which letter the text of an answer names, read strictly.

Tolerant of form (`B`, `**B**`, `(b)`, `Final answer: B`, `\\\\boxed{B}`, the option's own text, several languages), strict in
substance: two different claims, a claim that is taken back, a letter that was not offered, a letter beside another option's
text, or prose that neither claims an option nor says the question back is `CloudUnparsable`, never a guess. Everything here takes time that grows with the length of
the text and no faster: quantifiers are possessive (`*+`) or bounded where they could begin again.
"""

import re
from collections.abc import Sequence

from app.cloud.claims import CLOSEST, DOUBTED, FINAL, LINE, NOTHING, PROSE, Claim, claims
from app.cloud.echo import echoed
from app.cloud.heads import TAKEN_BACK
from app.cloud.regions import regions, unfenced
from app.cloud.text import seen
from app.cloud.values import UNCLEAR, Values, letters_as_latin
from app.core.errors import CloudUnparsable
from app.core.question import Question

# A letter, and reasons if they must be. A longer text is not read at all: in a part of it another letter may be claimed than
# in the whole.
MAX_ANSWER_CHARS = 16_384

_PLAIN = re.compile(r"\s{0,4}Final answer: ([A-Z])\.?\s{0,4}")
# At most two letters, no digit, and any signs.
_LIKE_A_LETTER = re.compile(r"(?:[\W_]*+[^\W\d_]){0,2}[\W_]*+")
_ANSWER = re.compile("answer", re.IGNORECASE)
# A command of LaTeX, around what it shows: `\boxed{B}` is a letter to the reader.
_COMMAND = re.compile(r"\\[A-Za-z]+")

_NEGATED = re.compile(
    r"(?<![\w'’-])(?:option |choice |answer )?[*(]{0,3}([A-Z])[)*]{0,3} (?:is|was|cannot|can['’]t|isn['’]t)(?: clearly| definitely| also)? ?"
    r"(?:not correct|not right|not the|wrong\b|incorrect\b|be right|be correct|be the|the wrong)|"
    r"\b(?:not|isn['’]t|can['’]t be|cannot be|rule out|ruling out|exclude|eliminate|reject)s? (?:option )?[*(]{0,3}([A-Z])(?![\w'’-])"
)
_STRUCK_OUT = re.compile(r"~~[^~\n]{1,500}~~|<(del|strike)>[^<>]{0,500}</\1>", re.IGNORECASE)
# A line of courtesy before and behind the answer.
_COURTESY_FIRST = re.compile(
    r"\A(?:sure|certainly|of course|absolutely|great question|good question|okay|ok|alright|let me think|let['’]s think)\b[^.!:?\n]{0,60}[.!:]?[ \t]*\n",
    re.IGNORECASE,
)
_COURTESY_LAST = re.compile(
    r"\n\s{0,4}(?:(?:let me know|i hope|hope (?:this|that)|feel free|if you (?:have|need|want|would)|is there anything|thank)\b[^\n]{0,200}|[-*_]{3,})\s{0,8}\Z",
    re.IGNORECASE,
)
_NONE_FITS = re.compile(
    r"\bnone\s+of\s+the\b|\bno\s+(?:correct|right)\s+(?:answer|option)|\bnot\s+(?:an|among\s+the|one\s+of\s+the)\s+(?:given\s+)?options?",
    re.IGNORECASE,
)


def parse_letter(answer: str, question: Question, *, cut: bool = False) -> str:
    """The offered letter that the text of an answer names.

    Args:
        answer: the text without the model's thoughts.
        question: what was asked.
        cut: whether the text ends where it need not have ended; then only an explicit line is read (`Final answer: B`).

    Raises:
        CloudUnparsable: none, several, or one that was not offered; or an answer of over `MAX_ANSWER_CHARS` characters.
    """
    if len(answer) > MAX_ANSWER_CHARS:
        raise CloudUnparsable("the cloud's reply is too long to be an answer")
    if not cut and (plain := plain_letter(answer, question)):
        return plain
    letter = _read(seen(answer).strip(), Values(question), cut=cut)
    if letter is None or letter not in question.letters:
        raise CloudUnparsable("the cloud's reply names no single offered option" + (" before it was cut" if cut else ""))
    return letter


def plain_letter(answer: str, question: Question) -> str | None:
    """The offered letter of an answer that is in the very form that was asked for; None where it needs a reader.

    Most replies are, and then nothing else has to be looked at, unless an option could be taken for a letter, or for such an answer.
    """
    found = _PLAIN.fullmatch(answer)
    if found is None or found[1] not in question.letters:
        return None
    shown = (_COMMAND.sub("", option) if "\\" in option else option for option in question.options)
    return None if any(_LIKE_A_LETTER.fullmatch(option) or _ANSWER.search(option) for option in shown) else found[1]


def _read(text: str, values: Values, *, cut: bool) -> str | None:
    text = _COURTESY_LAST.sub("", _COURTESY_FIRST.sub("", text)).strip()
    if not cut and (whole := values.whole(text) or values.whole(unfenced(text))):
        return whole
    text = _STRUCK_OUT.sub(" ", text)
    found, prose = regions(text, values, cut=cut)
    latin = letters_as_latin(prose)
    found = sorted([*found, *claims(prose, latin, values)], key=lambda claim: claim.start)
    if not found and not cut:
        return echoed(prose, values)
    last = _settled(found, latin)
    if last is None or last.letter == UNCLEAR or TAKEN_BACK.search(latin, last.end):
        return None
    if cut and not any(claim.strength >= LINE for claim in found if claim.letter == last.letter):
        return None
    if not values.asked.for_wrong and last.letter in _negated(latin):
        return None
    return last.letter


def _settled(found: Sequence[Claim], latin: str) -> Claim | None:
    """The last claim, if no other one stands against it."""
    named = [claim for claim in found if claim.letter != NOTHING]
    firm = [claim for claim in named if claim.strength >= PROSE] or [claim for claim in named if claim.strength > DOUBTED]
    # A last word that names nothing, doubts, or names another letter than the firm claims do.
    if not firm or found[-1].strength == DOUBTED or found[-1].letter != firm[-1].letter:
        return None
    last = firm[-1]
    others = [claim for claim in firm if claim.letter != last.letter]
    letters = [claim for claim in others if claim.letter != UNCLEAR]
    # "The answer is A. Wait, … Final answer: B", and "The answer is A or C. … Final answer: B".
    overruled = last.strength == FINAL and all(claim.strength < FINAL for claim in others)
    overruled = overruled and (not letters or TAKEN_BACK.search(latin, letters[-1].end, last.start) is not None)
    if last.strength == CLOSEST and _NONE_FITS.search(latin):
        return None
    return last if overruled or not others else None


def _negated(latin: str) -> set[str]:
    return {match[1] or match[2] for match in _NEGATED.finditer(latin)}
