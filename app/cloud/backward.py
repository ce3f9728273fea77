"""Options that are called the answer by the words behind them: `B is the correct answer`, `Paris is correct`, `选项B正确`."""

import itertools
import re
from collections.abc import Iterator

from app.cloud.behind import is_doubted
from app.cloud.heads import is_denied
from app.cloud.values import UNCLEAR, Values
from app.core.errors import CloudUnparsable

# `B is the correct answer.`
_BACKWARD = re.compile(
    r"(?:(?<=[\s*(\[\"'“])|^)(?i:option |choice |answer |letter |antwort |opción |alternativa |respuesta |réponse |вариант |ответ )?[*(\[]{0,3}([A-Z])[*)\]]{0,3} (?:is|must be|should be|would be|ist|est|es|является)"
    r"(?: therefore| thus| clearly| indeed| definitely)? (?:(?:the |la |die )?(?:(?:most |only |single )?(?:correct|right|best|accurate|appropriate|suitable|"
    r"likely|richtig|korrekt|correcta?|правильным)(?: and |, )?){1,3}(?: (?:answer|option|choice|one|response|ответом))?|the answer)(?=[*]{0,2}(?:[.!,;:]|\s*(?:\Z|\n)| because| since| as ))",
    re.MULTILINE,
)
# What calls an option the answer, and where the option may begin.
_CORRECT = re.compile(
    r",? (?:(?:is|was|are|must be|should be|would be)(?: therefore| thus| clearly| indeed)? ((?:the )?(?:only )?(?:correct|right|best) (?:answer|option|choice|one)|the answer)|(?<=[A-Z] )(the (?:correct|right|best) (?:answer|option|choice|one))|"
    r"(?:is |(?<=[A-Z] ))(?:the )?(?:correct|right|best))[*]{0,2}(?=[.!,;:]|\s*(?:\Z|\n)| because| since| as )"
)
_BEGINS = re.compile(
    r"(?<!\b[A-Z])[.!:;,]\s+(?=\S)|\b(?:only|so|therefore|thus|hence|that|making|makes|leaving)[,:]?\s+(?=\S)", re.IGNORECASE
)
_NEITHER = re.compile(r"\W*(?:neither|none|not|no|both)\b", re.IGNORECASE)
_MAX_BEFORE, _MAX_STARTS = 400, 3
_BACKWARD_ZH = re.compile(r"(?:选项|選項)?\s?([A-Z])\s?(?:选项|選項)?(?:是|为)?(?:正确|正確)(?:答案|的|选项)?(?=[。，,.\s]|\Z)")
# `Statement C is false`, where that is asked for.
_JUDGED = re.compile(
    r"(?:^|(?<=[.!,] )|(?<=\bso )|(?<=\bonly )|(?<=\bOnly ))[*(]{0,3}(?i:(?:option|statement|only) )*[*(]{0,3}([A-Z])[*)]{0,3} is (?:true|(false|untrue))(?=[*]{0,2}(?:[.!,;:]|\s*(?:\Z|\n)| because| since))",
    re.MULTILINE,
)
_JUDGED_RU = re.compile(r"([A-Z]) (?:является )?()(неверн|ложн)(?:о|ое|ым)\b", re.IGNORECASE)
_EXCEPTION = re.compile(
    r"(?:^|(?<=[.!] ))[*(]{0,3}(?i:option )?[*(]{0,3}([A-Z])[*)]{0,3} is the (?:exception|odd one out)(?=[*]{0,2}(?:[.!,;:]|\s*(?:\Z|\n)| because| since))",
    re.MULTILINE,
)
_BACKWARD_MORE = re.compile(
    r"([A-Z])(?:번|선택지)?[이가] (?:정답|맞)(?![^\n.]{0,8}아[니닙닌냐]|지\s?않)|([A-Z])が(?:正解|正答|正しい)(?!で(?:は|も)|と(?:は|も))|([A-Z]) (?:нұсқасы )?дұрыс(?: жауап)?(?=[.!]|\s*(?:\Z|\n))|([A-Z]) (?:şıkkı|seçeneği) doğru(?:dur)?(?=[.!]|\s*(?:\Z|\n))|([A-Z]) (?:richtig|korrekt)(?=[.!]|\s*(?:\Z|\n))"
)
_BACKWARD_BEFORE = re.compile(
    r"(?:^|[.!?:;\n*(\[]\s*|[,–—]\s*|\b(?:so|therefore|thus|hence|that|then|means|also|somit ist|damit ist|선택지|選択肢|вариант)[,:]?\s*)\Z",
    re.IGNORECASE,
)
_AS_ANSWER = re.compile(r"answer|option|choice|one\b|response|ответ|opción|antwort|the \w+\Z", re.IGNORECASE)
_MAX_CALLED = 20


def named_before(text: str, latin: str, values: Values) -> Iterator[tuple[int, int, str]]:
    """Where each of them begins and ends, and the letter, or `UNCLEAR` for one that is not offered."""
    for pattern in (_BACKWARD, _BACKWARD_ZH, _BACKWARD_MORE):
        for match in pattern.finditer(latin):
            start = match.start()
            before = _BACKWARD_BEFORE.search(latin[max(0, start - 20) : start])
            # `A is correct` may say that it is not what is asked for.
            if values.asked.for_wrong and pattern is _BACKWARD and not _AS_ANSWER.search(match[0]):
                continue
            if before and not is_doubted(latin, match.end()) and _is_asserted(latin, start):
                letter = next(filter(None, match.groups()))
                yield start, match.end(), letter if letter in values.letters else UNCLEAR
    for match in itertools.chain(_JUDGED.finditer(latin), _JUDGED_RU.finditer(latin)):
        word = match[3] if match.re is _JUDGED_RU else "false" if match[2] else "true"
        asked = (word != "true") is values.asked.for_wrong and values.asked.has(word)
        # `Statement I` is the first.
        if asked and match[1] in values.letters and match[1] != "I" and _is_asserted(latin, match.start()):
            yield match.start(), match.end(), match[1]
    if values.asked.for_wrong:
        for match in _EXCEPTION.finditer(latin):
            if match[1] in values.letters and _is_asserted(latin, match.start()):
                yield match.start(), match.end(), match[1]
    yield from _called_correct(text, latin, values)


def _called_correct(text: str, latin: str, values: Values) -> Iterator[tuple[int, int, str]]:
    """An option that is called the answer with its text: `B. Paris is correct`, `Paris is the right answer`, `making option B correct`."""
    for number, match in enumerate(_CORRECT.finditer(latin)):
        if number == _MAX_CALLED:
            raise CloudUnparsable("the cloud's reply claims too often to be an answer")
        # `Paris is correct` may say that it is not what is asked for.
        if is_doubted(latin, match.end()) or (values.asked.for_wrong and not (match[1] or match[2])):
            continue
        line = latin.rfind("\n", 0, match.start()) + 1
        begins = max(line, match.start() - _MAX_BEFORE)
        starts = [begins + begin.end() for begin in _BEGINS.finditer(latin[begins : match.start()])][-_MAX_STARTS:]
        for start in [line, *starts] if begins == line else starts:
            letter = values.whole(text[start : match.start()])
            if letter and not _NEITHER.match(latin, start) and _is_asserted(latin, start):
                yield start, match.end(), letter
            if letter:
                break


def _is_asserted(latin: str, start: int) -> bool:
    """Whether nothing before it in the sentence supposes or denies what begins here."""
    before = re.split(r"[.!?\n]", latin[max(0, start - 200) : start])[-1]
    return not is_denied(before)
