"""The cloud's side of the wire as text: the prompt that asks for a letter, and a strict reading of the reply.

Tolerant of form (`B`, `**B**`, `(b)`, `Final answer: B`, `\\boxed{B}`, the option's own text, Cyrillic look-alikes), strict
in substance: two different claims, a letter that was not offered or prose without a claim is `CloudUnparsable`, never
a guess.
"""

import re

from app.domain import Question, one_line
from app.errors import CloudUnparsable
from app.prompt import user_prompt

SYSTEM = (
    "You answer multiple-choice questions. Reply with the letter of the correct option and nothing else, "
    "in the form 'Final answer: <letter>'."
)

# Cyrillic letters that a model writing Kazakh or Russian uses where a Latin letter is meant: those whose capital looks
# the same. Б or Д names no option.
_LOOK_ALIKES = dict(zip("АВСЕНІЈКМОРЅТХУ", "ABCEHIJKMOPSTXY", strict=True))

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"[*_`#$]|\\(?:boxed|text|mathrm|textbf)\b")
# What may stand around a letter, and what must follow one in running text.
_OPEN, _CLOSE = r"[\s(\[{<\"'“«]*", r"[\s)\]}>\"'”».,;:!]*"
_END = r"(?=[)\]}>\"'”».,;:!]|\s*(?:$|\n|[-–—(]|because\b|since\b|as\b|and not\b))"
_ONLY = re.compile(rf"^{_OPEN}(?:option\s+|answer\s+)?{_OPEN}([A-Za-z]){_CLOSE}$", re.IGNORECASE)
_LEADING = re.compile(r"^[\s(\[]*([A-Za-z])\s*[.):\]]+\s*(.+)$", re.DOTALL)
_CLAIMS = (
    re.compile(rf"\bfinal\s+answer\s*(?:is\s*:?|[:=\-–—])\s*(?:option\s+)?{_OPEN}([A-Za-z]){_END}", re.IGNORECASE),
    re.compile(
        rf"\b(?:(?:correct|right|best)\s+)?(?:answer|option|choice)\s*(?:is\s*:?|[:=])\s*(?:option\s+)?{_OPEN}([A-Za-z]){_END}",
        re.IGNORECASE,
    ),
    re.compile(rf"(?:^|\n)\s*(?:жауап|дұрыс жауап|ответ|правильный ответ)\s*[:\-–—]\s*{_OPEN}(\w){_END}", re.IGNORECASE),
)


def cloud_messages(question: Question) -> list[dict[str, str]]:
    """Chat messages that ask for one letter; the options are laid out as for the edge."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user_prompt(question)}]


def parse_letter(reply: str, question: Question) -> str:
    """The offered letter that the reply names.

    Raises:
        CloudUnparsable: none, several, or one that was not offered.
    """
    text = _MARKUP.sub("", _THINKING.sub("", reply)).strip()
    claimed = {letter.upper() for letter in _claims(text, question)}
    if len(claimed) == 1 and (letter := claimed.pop()) in question.letters:
        return letter
    raise CloudUnparsable("the cloud's reply names no single offered option")


def _claims(text: str, question: Question) -> list[str]:
    """Every letter that the most explicit kind of claim found in the text names."""
    # The look-alikes are translated for matching letters only; option texts are compared as they are.
    latin = _letters_as_latin(text)
    if only := _ONLY.match(latin):
        return [only[1]]
    for pattern in _CLAIMS:
        if found := pattern.findall(latin):
            return list(found)
    folded = one_line(text).casefold().rstrip(".")
    same = [letter for letter in question.letters if question.text_of(letter).casefold().rstrip(".") == folded]
    if same:
        return same
    if (lead := _LEADING.match(latin)) and (upper := lead[1].upper()) in question.letters:
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

    def latin(match: re.Match[str]) -> str:
        letter = match[0]
        twin = _LOOK_ALIKES.get(letter.upper(), letter)
        return twin if letter.isupper() else twin.lower()

    return re.sub(r"(?<!\w)\w(?!\w)", latin, text)
