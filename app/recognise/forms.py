"""The form in which an answer is asked for: read from the instructions, the examples, and the words that wait for the answer."""

import re
from dataclasses import dataclass

from app.recognise.instructions import CUE
from app.recognise.recognised import OPTION, PLACE, Form

_MAX_TEMPLATE = 80
_JSON = re.compile(r"\{\s{0,20}[\"'](?P<key>\w{1,30})[\"']\s{0,4}:\s{0,4}[\"']?(?P<value>[^\"'{}\n]{0,60})[\"']?\s{0,20}(?P<more>,)?")
_JSON_KEY = re.compile(r"(?:field|key|property|поле\w*|ключ\w*|кілт\w*)(?: (?:named|called))? [\"'“`«](\w{1,30})[\"'”`»]", re.IGNORECASE)
_JSON_WORD = re.compile(r"\bjson\b", re.IGNORECASE)
_TAGS = re.compile(r"<(?P<tag>[A-Za-z_]{1,20})>\s{0,3}(?P<inside>[^<>\n]{0,40}?)\s{0,3}</(?P=tag)>")
_BOXED = re.compile(r"\\boxed\{[^{}\n]{0,40}\}")
_QUOTED = re.compile(
    r"(?<!\w)(?:'([^'\n]{1,80})'(?!\w)|\"([^\"\n]{1,80})\"|“([^”\n]{1,80})”|«([^»\n]{1,80})»|`{1,3}([^`\n]{1,80})`{1,3}|‘([^’\n]{1,80})’)"
)
# The place of the label in a form. Brackets around a name are part of it, those around a single X are part of the form.
_PLACE = re.compile(
    r"\$\{?(?:LETTER|letter|ANSWER|answer|OPTION|CHOICE)\}?|<[^<>\n]{1,40}>|\[[^\[\]\n]{2,40}\](?!\])|\{[A-Za-z_ ]{1,30}\}|"
    r"(?<=\()(?:insert|your|the|correct|letter|answer|option)[^()\n]{0,40}(?=\))|\b(?:YOUR[_ ])?(?:LETTER|ANSWER_LETTER|OPTION_LETTER|CHOICE)\b|\b[XХ]\b|\bletter\b|_{2,10}"
)
_INSERT = re.compile(r"\((?:insert|your|the)[^()\n]{1,40}\)")
_PREFIX = re.compile(r"(?:prefix|starts?|starting|begins?|beginning|preceded by|after)\b", re.IGNORECASE)
# A line of its own that shows the form: `Final answer: <letter>`, `Answer: X`.
_SHOWN = re.compile(
    r"(?:^|\n|: )[ \t>*\-]{0,6}(?P<form>(?:(?:the )?(?:final |correct |best )?answer(?: is)?|ответ|жауап)[ ]?[:：]?[ ]?\(?(?P<place><[^<>\n]{1,40}>|\[[^\[\]\n]{1,40}\]|\$\{?LETTER\}?|\bX\b)\)?)",
    re.IGNORECASE,
)
_PARENTHESES = re.compile(r"(?:in|inside|within) (?:parentheses|brackets)(?:[,:]? (?:e\.g\.,? |like |as )?\(X\))?", re.IGNORECASE)
_FOGGEN = re.compile(r"Confidence:[^\n]{0,60}\n\s{0,8}Final answer:", re.IGNORECASE)
_WITH_TEXT = re.compile(
    r"\bletter and (?:the )?(?:full |option )?text\b|\bletter (?:followed by|with) (?:the )?(?:full |option )?text|букв\w* и текст|әріп\w* мен мәтін",
    re.IGNORECASE,
)
_TEXT_ONLY = re.compile(
    r"\b(?:full |exact |only the )text of (?:the|your)|\b(?:the )?option text (?:only|exactly)|\bnot the letter\b|\bcopy the option\b|\btext of the (?:correct |chosen |right )?(?:answer|option|choice)\b|"
    r"текст\w* (?:правильн\w+ |верн\w+ |выбранн\w+ )?(?:ответ|вариант)\w*|нұсқаның мәтін\w*",
    re.IGNORECASE,
)
_LETTER_ONLY = re.compile(
    r"\b(?:only|just|single|one|a|simply|exactly one)\b[^.\n]{0,60}\b(?:letter|LETTER|label|number|character|option letter|digit)\b|\b(?:letter|label|number|character)\b[^.\n]{0,40}\b(?:only|alone|directly|nothing else)\b|\bonly\b[^.\n]{0,40}\b[A-Z]\b(?:,| or)|"
    r"\bwith the (?:correct |right )?(?:option'?s? |answer )?(?:letter|number)\b|\b(?:respond|reply|answer|return|output|give|write|print)\b[^.\n]{0,30}\b(?:letter|option letter|number)\b|\bthe letter (?:of|corresponding)\b|\b[A-E], [A-E],? [^.\n]{0,20}or [A-J]\b|"
    r"\bтолько\b[^.\n]{0,40}\b(?:букв|номер|цифр)\w*|\bодн\w+ букв\w+|\bбукв\w+[^.\n]{0,30}\bтолько|\b(?:укажи|напиши|выведи|верни|дай|ответь)\w*[^.\n]{0,30}\b(?:букв|номер|цифр)\w*|"
    r"\b(?:тек|бір)\b[^.\n]{0,40}\b(?:әріп|әрп|нөмір|сан)\w*|\b(?:әріп|әрп|нөмір)\w*[^.\n]{0,30}\b(?:ғана|жаз|көрсет|бер)\w*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A form of answer, and for `Form.TEXT` its template."""

    form: Form
    template: str | None = None

    @property
    def fixed(self) -> bool:
        return self.form is Form.TEXT


OPEN, LETTER = Asked(Form.OPEN), Asked(Form.LETTER)


def asked_form(instructions: str) -> Asked | None:
    """The form that instructions ask for, `OPEN` if they ask for none.

    Returns:
        None when they ask for a form that one label cannot fill: a JSON object with several keys, or with unknown ones.
    """
    if _FOGGEN.search(instructions):
        return OPEN
    if (found := _JSON.search(instructions)) is not None:
        return None if found["more"] else _json(found["key"])
    if _JSON_WORD.search(instructions):
        keys = _JSON_KEY.findall(instructions)
        return _json(keys[0]) if len(keys) == 1 else None
    for read in (_boxed, _tagged, _quoted, _shown, _fixed):
        if (template := read(instructions)) is not None:
            return Asked(Form.TEXT, template)
    return LETTER if _LETTER_ONLY.search(instructions) else OPEN


def _json(key: str) -> Asked:
    return Asked(Form.TEXT, f'{{"{key}": "{PLACE}"}}')


def _boxed(instructions: str) -> str | None:
    """A boxed answer with the words that belong to it, when both stand in quotes."""
    found = _BOXED.search(instructions)
    if found is None:
        return None
    filled = f"\\boxed{{{PLACE}}}"
    for quoted in _QUOTED.finditer(instructions):
        if quoted.start() < found.start() and found.end() <= quoted.end():
            return _inside(quoted).replace(found[0], filled)
    return filled


def _tagged(instructions: str) -> str | None:
    found = _TAGS.search(instructions)
    return None if found is None else f"<{found['tag']}>{PLACE}</{found['tag']}>"


def _shown(instructions: str) -> str | None:
    found = _SHOWN.search(instructions)
    if found is None:
        return None
    return instructions[found.start("form") : found.start("place")] + PLACE + instructions[found.end("place") : found.end("form")]


def _fixed(instructions: str) -> str | None:
    """Forms that are described and not shown."""
    forms = ((_WITH_TEXT, f"{PLACE}. {OPTION}"), (_PARENTHESES, f"({PLACE})"), (_TEXT_ONLY, OPTION))
    return next((form for pattern, form in forms if pattern.search(instructions)), None)


def _inside(quoted: re.Match[str]) -> str:
    return next(group for group in quoted.groups() if group)


def _quoted(instructions: str) -> str | None:
    """The first quoted text with a place for the label, or a quoted beginning after which the label is to stand."""
    for quoted in _QUOTED.finditer(instructions):
        inside = _inside(quoted).strip()
        place = _INSERT.search(inside) or _PLACE.search(inside)
        if place is not None and (len(inside) > len(place[0]) or len(place[0]) == 1):
            # `(insert answer here)` stands for the label together with its parentheses.
            return inside[: place.start()] + PLACE + inside[place.end() :]
        if inside.endswith((":", "is")) and _PREFIX.search(instructions[max(0, quoted.start() - 40) : quoted.start()]):
            return f"{inside} {PLACE}"
    return None


_REPLY = re.compile(
    r"(?P<before>.{0,80}?(?:\b(?:answer|option|choice|ответ|вариант|жауап|жауабы)\b(?: is)?[ ]?[:：—–-]?[ ]{0,2}|\\boxed\{)|)[*_$\"']{0,4}[(\[]{0,2}(?P<label>[A-Za-zА-Яа-яӘәҒғ]|\d{1,2})(?P<after>[)\]}]{0,2}[.)*_$\"']{0,4})(?P<text>[ \t].{1,2000})?",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"\b(?:the |correct |final |best )?answer is:?[ ]{0,2}[*_$]{0,3}\(?(?P<label>[A-Za-z]|\d{1,2})\)?[*_$]{0,3}\.?\s{0,4}$", re.IGNORECASE
)


def form_of_reply(reply: str, labels: tuple[str, ...], options: tuple[str, ...]) -> Asked | None:
    """The form of an example's answer, or None if the text is not the answer to a question with these labels.

    Args:
        reply: answer of an example; for one with reasoning in front, its last line counts.
        labels: labels of the example's options.
        options: texts of the example's options.
    """
    reply = reply.strip()
    last = reply.rsplit("\n", 1)[-1].strip()
    if len(reply) <= 2 * _MAX_TEMPLATE and reply in options:
        return Asked(Form.TEXT, OPTION)
    if (final := _FINAL.search(last[-_MAX_TEMPLATE:])) is not None and final["label"] in labels:
        shown = last[-_MAX_TEMPLATE:]
        at = final.start()
        return Asked(
            Form.TEXT,
            shown[at : final.start("label")].strip()
            + ("" if shown[final.start("label") - 1] in "([*" else " ")
            + PLACE
            + shown[final.end("label") :].strip(),
        )
    if (found := _REPLY.fullmatch(last)) is not None and found["label"] in labels:
        before, text = found["before"], found["text"]
        if text is not None:
            return Asked(Form.TEXT, f"{PLACE}. {OPTION}") if text.strip() in options else None
        head = last[: found.start("label")]
        # `Answer: B` behind the options is the word that waits for the answer, and the answer.
        if not before or CUE.fullmatch(head.strip() or "answer"):
            return LETTER
        return Asked(Form.TEXT, head + PLACE + found["after"])
    return None
