"""What the items of a list are, where they are no options: questions, parts of an exercise, steps, the inside of a sentence."""

import re
from collections.abc import Sequence

from app.recognise import statements
from app.recognise.asking import Asking
from app.recognise.instructions import sentences
from app.recognise.marks import Chain

_ASKED_QUESTION = re.compile(r"\?[\s\"'”’»)\]*_$]{0,6}(?:\([^()\n]{0,60}\)|\[[^\[\]\n]{0,60}\])?[\s*_:]{0,4}$")
# Options of its own behind the question of an item: on lines, or in one line without a sign.
_SUBLIST = re.compile(r"\n[ \t]*\(?[Aa1][.):][ \t][^\n]*\n[ \t]*\(?[Bb2][.):][ \t]")
_GOES_ON = re.compile(r"\?[\s\"”»]{1,3}\(?A[.):]? \S.{0,200}\sB[.):]? \S")
_WHICH_QUESTION = re.compile(
    r"\bquestion\W*$|\(\s*\)|\bquestions?\b.{0,80}\?|\bask\b.{0,80}\?|\bвопрос(?:е|ом)?\b|\bсұра(?:қ|қты|ғын|ққа|қтар\w*)\b|\b(?:choose|select|pick) the (?:\w+ ){0,2}question\b",
    re.IGNORECASE,
)
_WHICH = re.compile(r"\bwhich\b[^?\n]{0,150}\?\s{0,3}$", re.IGNORECASE)
_EXERCISE = re.compile(
    r"\W{0,4}(?:exercise|problem|task|homework|worksheet|activity|test paper|упражнение|задача|контрольная|самостоятельная|жаттығу|бақылау)\b",
    re.IGNORECASE,
)
_DO_ITEM = re.compile(
    r"^(?:find|calculate|compute|show|prove|determine|sketch|solve|explain|describe|evaluate|найдите|докажите|постройте|вычислите|определите|опишите|draw)\b",
    re.IGNORECASE,
)
_EITHER = re.compile(r"\(\w{1,20} ?/ ?\w{1,20}\)|[а-яё]_[а-яё]|^_[а-яё]")
_ITEM_AT_END = re.compile(r"(?:ың|ің|ң)(?:ыз|із)[\s.!?]{0,4}$")
_FEW = 3
_JOINED = re.compile(r"\s(?:or|and|или|и|немесе|және|мен|пен|бен)$")
_JOINS = re.compile(r"(?:^|[\s,;])(?:or|and|или|и|немесе|және)$")
_CODE = re.compile(r"[=(){}]")
_STEP = re.compile(
    r"^[\s*_`]{0,4}(?:open|click|install|run|go to|go|add|mix|preheat|restart|press|check|create|write|read|call|buy|send|fix|update|review|make|prepare|finish|clean|pick up|book|set|use|try|remove|delete|download|upload|configure|build|test|deploy|login|log in|enter|navigate|connect|"
    r"translate|explain|describe|summarize|list|define|discuss|compare|meet|email|schedule|find|sketch|show|prove|compute|calculate|evaluate|determine|solve|choose|найдите|докажите|постройте|вычислите|wash|chop|bake|boil|stir|cook|serve|pour|heat|cut|drain|season|"
    r"открой\w*|нажми\w*|установи\w*|запусти\w*|добавь\w*|проверь\w*|напиши\w*|купи\w*|позвони\w*|отправь\w*|сделай\w*|аш\w{0,6}іңіз|бас\w{0,4}ыңыз|қос\w{0,4}ыңыз|тексеріңіз)\b(?! (?:is|was|are)\b)",
    re.IGNORECASE,
)
_ENTRY = re.compile(
    r"(?:\*\*[^*\n]{1,80}\*\*:?|`[^`\n]{1,60}`:|[A-ZА-ЯӘҒҚҢӨҰҮІ][^:\n.?]{1,40}:) \S|\[[^\]\n]{1,80}\]\(|https?://|\S{1,60} ?[–—-]{1,2} (?:the|a|an|to)\b"
)


def are_questions(question: str, options: tuple[str, ...]) -> bool:
    """Whether most items are questions, though the text in front does not ask for one, or several have options of their own."""
    if sum(_SUBLIST.search(option[:600]) is not None for option in options) > 1:
        return True
    questions = sum(_ASKED_QUESTION.search(option[-40:]) is not None or _GOES_ON.search(option[:400]) is not None for option in options)
    return questions * 2 > len(options) and _WHICH_QUESTION.search(question[-400:]) is None and _WHICH.search(question[-200:]) is None


def are_tasks(question: str, options: tuple[str, ...]) -> bool:
    """Whether the items are parts of an exercise: each of them is to be done, or has a choice or a gap inside."""
    if _most(_ITEM_AT_END, [option[-20:] for option in options]):
        return True
    if question.rstrip().endswith("."):
        if _most(_DO_ITEM, options):
            return True
        if _EXERCISE.match(question):
            return True
    return sum(_EITHER.search(option[:200]) is not None for option in options) * 2 > len(options) or sum(
        "__" in option for option in options
    ) * 2 > len(options)


def are_steps(asking: Asking, options: tuple[str, ...]) -> bool:
    """Whether the items are steps or entries of a list, and no question asks for one."""
    if asking.question or asking.has_question_word or statements.has_blank(asking) or statements.ends_open(asking):
        return False
    return _most(_STEP, options) or sum(_ENTRY.match(option) is not None for option in options) * 2 > len(options)


def make_up_a_sentence(asking: Asking, options: tuple[str, ...]) -> bool:
    """Whether the items are parts of one sentence: `…; and` in front of the last one, or each ends in a comma or a semicolon."""
    others = [option.rstrip() for option in options[:-1]]
    if _JOINS.search(others[-1][-12:]):
        return True
    return not asking.question and all(option.endswith((",", ";")) and not _CODE.search(option) for option in others)


def are_inside_of_a_sentence(asking: Asking, options: tuple[str, ...], *, listed: bool) -> bool:
    """Whether labels in running text belong to a list inside of a sentence, or of a text that goes on behind it.

    Args:
        asking: last sentence in front of the first label.
        options: texts behind the labels.
        listed: whether a comma or a semicolon stands behind an item.
    """
    *others, last = (option.rstrip() for option in options)
    if any(_JOINED.search(option[-12:]) for option in options[:-1]):
        return True
    # A sentence behind the last option, or a question mark that ends the sentence of which the list is a part.
    behind = len(sentences(last)) > 1 and not any(len(sentences(option)) > 1 or option.endswith(".") for option in others)
    if behind or (last.endswith("?") and not any(option.endswith("?") for option in others)):
        return True
    before = _before(asking)
    # The options stand inside of a quotation that began in front of them.
    quotes = before.count('"') % 2 and last.count('"') % 2 and not before.rstrip().endswith('"')
    if quotes or (before.count("“") > before.count("”") and "”" in last) or (before.count("«") > before.count("»") and "»" in last):
        return True
    return listed and not asking.question and not statements.has_blank(asking)


def begin_behind_a_sentence(asking: Asking, options: tuple[str, ...], chain: Chain) -> bool:
    """Whether the first label in running text stands behind a sentence, or is surely one."""
    style = chain.style.removeprefix("inline ")
    certain = style[0] in "([*" or (style[:1] == "A" and style[-1] in ")*")
    ends = _before(asking).rstrip()[-1:] in set('?:._)]…>`~．=$"”»')
    return ends or (certain and chain.marks[0].label.isupper() and len(options) > _FEW)


def _before(asking: Asking) -> str:
    return asking.stem[-400:].rsplit("\n", 1)[-1]


def _most(pattern: re.Pattern[str], texts: Sequence[str]) -> bool:
    return sum(pattern.search(text) is not None for text in texts) * 2 >= len(texts)
