"""Which letter a reply's answer names, read strictly.

Tolerant of form (`B`, `**B**`, `(b)`, `Final answer: B`, `\\boxed{B}`, the option's own text, Cyrillic look-alikes), strict
in substance: two different claims, a letter that was not offered or prose without a claim is `CloudUnparsable`, never
a guess. Every pattern here takes time that grows with the length of the reply and no faster: quantifiers are possessive
(`*+`) where what follows cannot begin with what they take.
"""

import re

from app.domain import Question, one_line
from app.errors import CloudUnparsable

# What is left of a reply without its thoughts: a letter, and reasons if they must be. A longer one is not read at all: in a part
# of it another letter may be claimed than in the whole.
MAX_ANSWER_CHARS = 16_384
# A model thinks once before it answers, or a few times.
_MAX_THOUGHTS = 100

# Cyrillic letters that a model writing Kazakh or Russian uses where a Latin letter is meant: those whose capital looks
# the same. Б or Д names no option.
_LOOK_ALIKES = dict(zip("АВСЕНІЈКМОРЅТХУ", "ABCEHIJKMOPSTXY", strict=True))
_LOOK_ALIKES |= {cyrillic.lower(): latin.lower() for cyrillic, latin in _LOOK_ALIKES.items()}
_ALONE = re.compile(rf"(?<!\w)[{''.join(_LOOK_ALIKES)}](?!\w)")

_THINK, _THOUGHT = re.compile("<think>", re.IGNORECASE), re.compile("</think>", re.IGNORECASE)
_MARKUP = re.compile(r"[*_`#$]|\\(?:boxed|text|mathrm|textbf)\b")
_BLANKS, _OTHER_ENDS = re.compile(r"\s{2,}"), re.compile(r"[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# What may stand around a letter, and what must follow one in running text.
_OPEN, _CLOSE = r"[\s(\[{<\"'“«]*+", r"[\s)\]}>\"'”».,;:!]*+"
_END = r"(?=[)\]}>\"'”».,;:!]|\s*(?:$|\n|[-–—(]|because\b|since\b|as\b|and not\b))"
_ONLY = re.compile(rf"^{_OPEN}(?:option\s++|answer\s++)?{_OPEN}([A-Za-z]){_CLOSE}$", re.IGNORECASE)
_LEADING = re.compile(r"^[\s(\[]*+([A-Za-z])\s*+[.):\]]++\s*+(.+)$", re.DOTALL)
_CLAIMS = (
    re.compile(rf"\bfinal\s++answer\s*+(?:is\s*+:?|[:=\-–—])\s*+(?:option\s++)?{_OPEN}([A-Za-z]){_END}", re.IGNORECASE),
    re.compile(
        rf"\b(?:(?:correct|right|best)\s++)?(?:answer|option|choice)\s*+(?:is\s*+:?|[:=])\s*+(?:option\s++)?{_OPEN}([A-Za-z]){_END}",
        re.IGNORECASE,
    ),
    re.compile(rf"^[^\S\n]*+(?:жауап|дұрыс жауап|ответ|правильный ответ)\s*+[:\-–—]\s*+{_OPEN}(\w){_END}", re.IGNORECASE | re.MULTILINE),
)


def parse_letter(reply: str, question: Question) -> str:
    """The offered letter that the reply names.

    Raises:
        CloudUnparsable: none, several, or one that was not offered; or an answer of over `MAX_ANSWER_CHARS` characters.
    """
    answer = _without_thoughts(reply).strip()
    if len(answer) > MAX_ANSWER_CHARS:
        raise CloudUnparsable("the cloud's reply is too long to be an answer")
    claimed = {letter.upper() for letter in _claims(_MARKUP.sub("", answer).strip(), question)}
    if len(claimed) == 1 and (letter := claimed.pop()) in question.letters:
        return letter
    raise CloudUnparsable("the cloud's reply names no single offered option")


def _without_thoughts(reply: str) -> str:
    """The reply without its closed `<think>` blocks; one that is never closed stays, and is no answer by itself."""
    kept: list[str] = []
    at = 0
    for _ in range(_MAX_THOUGHTS):
        begins = _THINK.search(reply, at)
        ends = begins and _THOUGHT.search(reply, begins.end())
        if not begins or not ends:
            return "".join((*kept, reply[at:]))
        kept.append(reply[at : begins.start()])
        at = ends.end()
    raise CloudUnparsable("the cloud's reply thinks too often to be an answer")


def _claims(text: str, question: Question) -> list[str]:
    """Every letter that the most explicit kind of claim found in the text names."""
    # The look-alikes are translated and blanks shortened for matching letters only; option texts are compared as they are.
    latin = _letters_as_latin(_BLANKS.sub(_one_blank, text))
    if only := _ONLY.match(latin):
        return [only[1]]
    for pattern in _CLAIMS:
        if found := pattern.findall(latin):
            return list(found)
    folded = one_line(text).casefold().rstrip(".")
    same = [letter for letter in question.letters if question.text_of(letter).casefold().rstrip(".") == folded]
    if same:
        return same
    if (lead := _LEADING.match(_letters_as_latin(text))) and (upper := lead[1].upper()) in question.letters:
        # `B. Paris` repeats the option; `A. Lincoln was …` only looks as if it did.
        rest = one_line(lead[2]).casefold()
        option = _letters_as_latin(question.text_of(upper)).casefold().rstrip(".")
        if rest.rstrip(".") == option or rest.startswith((option + "\n", option + ".", option + " because", option + ",")):
            return [upper]
    # A letter alone on the first or the last line, prose elsewhere; with both, both must agree.
    lines = [line for line in latin.splitlines() if line.strip()]
    ends = [match[1] for line in {lines[0], lines[-1]} if (match := _ONLY.match(line))] if lines else []
    return [letter for letter in ends if letter.isupper()]


def _letters_as_latin(text: str) -> str:
    """Translate look-alikes that stand alone (a letter between non-letters), leaving words as they are."""
    return _ALONE.sub(lambda letter: _LOOK_ALIKES[letter[0]], text)


def _one_blank(run: re.Match[str]) -> str:
    """What a run of blanks is to the patterns and to `splitlines`: the end of a line, if one is in it."""
    if "\n" in run[0]:
        return "\n"
    ends = _OTHER_ENDS.search(run[0])
    return ends[0] if ends else " "
