"""Questions whose options must keep their order, because an option or the question refers to options by letter or by place.

When the options move, `all of the above` is no longer true, and `A and C` is another answer. The detector would rather keep too
many questions: one that is kept by mistake is only not shuffled. Texts are English, Russian and Kazakh.
"""

import re
import unicodedata

from app.core.question import Question

# Words that point at other options, wherever they stand in an option. Texts are folded to lower case first.
_POINTING = (
    r"above|below|both|neither|either|former|latter|previous|preceding|foregoing|following|afore\w+|all|none|others?",
    r"of (?:these|those|them)|any of|the rest|more than one|at least two|two of|correct (?:answers?|options?|choices?)",
    r"(?:in)?correct|(?:right|wrong|true|false) (?:answers?|options?|choices?)",
    r"выше\w*|ниже\w*|\w*перечисл[её]нн\w*|\w*указанн\w*|\w*привед[её]нн\w*|предыдущ\w*|последующ\w*|следующ\w*|оба|обе|обоих",
    r"вс[её]|ничего|ничто|ни од(?:ин|на|но|ного|ной)|никак\w+|ни то|нет (?:верн|правильн)\w*|остальн\w*|(?:не)?верн\w*|(?:не)?правильн\w*",
    r"барлы[қғ]\w*|бәрі\w*|жоғарыда\w*|төменде\w*|аталған\w*|көрсетілген\w*|келтірілген\w*|алдыңғы\w*|келесі\w*|екеуі\w*|үшеуі\w*",
    r"ешқайсы\w*|ешбір\w*|ештеңе\w*|қалған\w*|дұрыс\w*|бұрыс\w*",
)
_NOUN = r"(?:options?|choices?|answers?|alternatives?|statements?|вариант\w*|ответ\w*|пункт\w*|утвержден\w*|нұсқа\w*|жауап\w*|тұжырым\w*)"
_ORDINAL = (
    r"(?:first|second|third|fourth|fifth|sixth|last|next|middle|\d+(?:st|nd|rd|th|-?й|-?я|-?е|-?ші|-?шы)|перв\w+|втор\w+|трет\w+|четв[её]рт\w+|последн\w+"
    r"|бірінші|екінші|үшінші|төртінші|бесінші|соңғы)"
)
# One letter by itself, Latin or Cyrillic, or a small Roman number, with or without brackets.
_LETTER = r"[(\[]?(?:[a-jа-е]|i{1,3}|iv|vi{0,3})[)\].]?"
_NUMBER = r"[(\[]?\d{1,2}[)\].]?"
_AND = r"(?:and|or|nor|и|или|либо|және|мен|бен|пен|немесе|әрі)"
_LIST = re.compile(rf"(?<!\w)(?:{_LETTER} ?[,;/&+] ?{_LETTER}|{_LETTER} {_AND} {_LETTER}|{_NUMBER} (?:&|{_AND}) {_NUMBER})(?!\w)")
_WORDS = re.compile(rf"(?<!\w)(?:{'|'.join(_POINTING)})(?!\w)")
# An option named by its noun: `option B`, `the second choice`, `все варианты`, `вариант 2`.
_NAMED = re.compile(
    rf"(?<!\w)(?:{_NOUN} ?(?:is|are|:|№|#|-)? ?(?:{_LETTER}|{_NUMBER})|{_ORDINAL} (?:{_NOUN}|two|three|one)|{_ORDINAL} {_AND} {_ORDINAL})(?!\w)"
)
# Words of an option that names others and says nothing else: `Only B`, `A, not C`, `тек A`.
_NAME_WORD = re.compile(
    rf"{_LETTER}|{_NUMBER}|{_AND}|{_NOUN}|only|just|not|but|except|alone|same|as|is|are|true|только|лишь|кроме|не|тек|ғана|емес|басқа"
)
# Not behind a word: f(a) is a function.
_BRACKETED = re.compile(r"(?<!\w)[(\[] ?(?:[a-j]|[абвгде]|i{1,3}|iv|v|\d) ?[)\]]")
# Not 90 °C.
_CAPITAL = re.compile(r"(?<![\w'’°])[A-Z](?![\w'’])")
# `A` before a Latin word is the English article, unless it is said to be something.
_ARTICLE = re.compile(r" +(?!(?:is|are|was|has|alone|only|not|and|or|nor)\b)[a-z]{2,}", re.IGNORECASE)


def keeps_order(question: Question) -> bool:
    """Whether the options must not be moved: any of them, or the question, refers to options by letter, number or place."""
    asked = _folded(question.question)
    return bool(_NAMED.search(asked) or _BRACKETED.search(asked)) or any(_points(option, question.letters) for option in question.options)


def _points(option: str, letters: str) -> bool:
    text = _folded(option)
    return (
        any(pattern.search(text) for pattern in (_WORDS, _NAMED, _BRACKETED, _LIST)) or _is_names_only(text) or _has_letter(option, letters)
    )


def _is_names_only(text: str) -> bool:
    """`B`, `Only B`, `A, B`: but a number by itself is an answer."""
    words = re.findall(r"[\w°]+", text)
    return all(_NAME_WORD.fullmatch(word) for word in words) and any(re.fullmatch(_LETTER, word) for word in words)


def _has_letter(option: str, letters: str) -> bool:
    """Whether an offered letter stands by itself, in capitals."""
    return any(found[0] in letters and not (found[0] == "A" and _ARTICLE.match(option, found.end())) for found in _CAPITAL.finditer(option))


def _folded(text: str) -> str:
    """Lower case, NFKC, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
