"""A reply that claims nothing in the usual words and says the question back with its answer: `The capital of Australia is Canberra (B).`

Looked at only where nothing else in the reply claims an option. A sentence counts that ends with an option's text, with its letter or
without, and whose other words are the question's own; what denies, supposes, doubts or asks does not.
"""

import re

from app.cloud.heads import TAKEN_BACK
from app.cloud.values import ARTICLE, Values

_MAX_CHARS, _MAX_SENTENCES, _MAX_WORDS = 1_500, 12, 40
_SENTENCE = re.compile(r"(?<=[^\W\d_]{2}[.!])\s+(?=[^\W\d_a-z])|(?<=[)\d%*°][.!])\s+(?=[A-Z][a-z])|\n+|(?<=[。！])")
_BLANK = re.compile(r"(?<=\s)(?=\S)")
# A letter may be a part of what is said (`Vitamin B`).
_BARE = re.compile(r"\W*[A-Z]\W*\Z")
_CLAIMS = re.compile(r"\b(?:is|are|was|were|equals|ist|est|es|é|è)\b|[=:：≈是为—–]|\s-\s")
_WORD = re.compile(r"[^\W\d_]{2,}")
_ANY_ONE = re.compile(r"\W*an?\s", re.IGNORECASE)
_FEW = 5
_VARIABLE = re.compile(r"\W{0,4}[A-Za-z]\s*=\s*\Z")
# `, as it may do harm`
_REASONS = re.compile(r",? (?:because|since|as)\b[^.!?\n]*")
# A calculation alone, with its result.
_EQUATION = re.compile(
    r"(?=[^=\n]{0,200}(?:\d|=[^=\n]{0,200}\d)[^\n]*=)[^=\n]{1,200}(?:=[^=\n]{1,200}){0,5}=([^=\n]{0,100}\d[^=\n]{0,100}?)[.\s]*"
)
_REFUSES = re.compile(
    r"[?？]|\b(?:if|whether|would|could|might|may|maybe|perhaps|possibly|probably|likely|wait|hmm|actually|however|but|although|though|some|many|"
    r"people|students?|says?|said|claim\w*|think|thought|believe\w*|guess|assum\w+|suppos\w+|unless|often|commonly|mistak\w+|wrong\w*|incorrect\w*|"
    r"false\w*|or|sorry|unsure|unclear|если|или|возможно|может|но|однако|si|ou|oder|wenn|aber|mais|pero|mas|sino|veya|ama|belki)\b|或|吗|か[。？]",
    re.IGNORECASE,
)
_NEGATIONS = re.compile(
    r"\b(?:not|no|never|neither|nor|none|except|cannot|without|least|isn|aren|wasn|don|doesn|didn|can['’]t|не|нет|ні|nicht|kein\w*|pas|não|değil\w*|емес)\b|不|没|非|ない|ません|아니|아닙|않|ليس|لا\s",
    re.IGNORECASE,
)
_LETTERED = re.compile(r"(?<![\w'’])(?:\(([A-Z])\)|([A-Z])[.):](?=\s))|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+\W{0,3}([A-Z])(?!\w)")
_END = re.compile(r"[\s*_`.!。]*\Z")
_IS_CJK = re.compile(r"([^\x00-\x7f]{3,80}?)(?:是|为|は)(?=[^是为は]*\Z)")
# `鲨鱼不是哺乳动物`, `选项C（鲨鱼）不是哺乳动物`
_SUBJECT_CJK = re.compile(r"([^，。\n]{1,40}?)((?:不?是|不?属于|は).{2,80})\Z")


def echoed(text: str, values: Values) -> str | None:
    """The option that a short text names by saying the question back."""
    if len(text) > _MAX_CHARS:
        return None
    text = _REASONS.sub("", text)
    if _refuses(text, values):
        return None
    if (equation := _EQUATION.fullmatch(text.strip())) is not None:
        letter = values.texts.equal(equation[1].strip("* "))
        return letter if letter and not values.asks_with(letter) else None
    sentences = [sentence.strip() for sentence in _SENTENCE.split(text) if sentence.strip()]
    if not 0 < len(sentences) <= _MAX_SENTENCES:
        return None
    named = {letter for sentence in (sentences[0], sentences[-1]) if (letter := _named(sentence, values))}
    lettered = {found[1] or found[2] or found[3] for found in _LETTERED.finditer(text)} & set(values.letters)
    if values.compounds - named and not lettered:
        return None
    return named.pop() if len(named) == 1 and lettered <= named else None


def _refuses(text: str, values: Values) -> bool:
    """Whether words of doubt, of others, or of denial are there that are neither the question's nor an option's."""
    for letter in values.letters:
        text = text.replace(values.texts_of(letter), " ")
    if TAKEN_BACK.search(text) or (_NEGATIONS.search(text) and not values.asked.for_wrong):
        return True
    return any(not found[0].isalpha() or not values.asked.has(found[0]) for found in _REFUSES.finditer(text))


def _named(sentence: str, values: Values) -> str | None:
    """The option with which a sentence ends or begins, if its other words are the question's."""
    line = _END.sub("", sentence)
    blanks = [match.start() for match in _BLANK.finditer(line)]
    ends = [(line[at:], line[:at]) for at in blanks[-_MAX_WORDS:]]
    begins = [(line[:at], line[at:]) for at in blanks[:_MAX_WORDS]][::-1]
    if (verb := _IS_CJK.match(line)) is not None:
        ends.append((line[verb.end() :], line[: verb.end()]))
    if (verb := _SUBJECT_CJK.match(line)) is not None:
        ends.append((verb[1], verb[2]))
    for number, (value, words) in enumerate([*ends, *begins]):
        letter = values.whole(ARTICLE.sub("", value.strip("*_` ")))
        if letter is not None and letter in values.letters and not _BARE.match(value):
            said = (
                _repeats(words, values, mostly=values.texts.equal(value) is not None)
                if number >= len(ends)
                else _claims(words, value, values)
            )
            return letter if said and (_VARIABLE.match(words) or not values.asks_with(letter)) else None
    return None


def _claims(words: str, value: str, values: Values) -> bool:
    """Whether these words claim the option behind them: `The pH is`, and not `pH`, `A river is`, or the `x² =` of the question."""
    if _ANY_ONE.match(words) or words.rstrip().endswith(",") or (words.rstrip().endswith("=") and values.asked.holds(words)):
        return False
    says = values.texts.equal(value) is None or _CLAIMS.search(words) or len(_WORD.findall(words)) > 1
    return bool(says) and _repeats(words, values, mostly=False)


def _repeats(words: str, values: Values, *, mostly: bool) -> bool:
    """Whether these are words of the question, negated as it is."""
    return values.asked.is_echoed(words, mostly=mostly) or (not words.isascii() and len(words) > _FEW and values.asked.holds(words))
