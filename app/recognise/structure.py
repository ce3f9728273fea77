"""Signs of another task that need no list of tasks: how a sentence is built, and how lines stand to each other.

A request begins with a verb and its object (`Map this item …`), is a short line that ends in a colon in front of a complete question, speaks
of the items as of several things (`these`, `each`), or heads a list with a few words and a colon. Verbs that questions of examinations
themselves begin with are exempt.
"""

import re

# Words that begin a statement or a question, and the verbs with which questions of examinations begin.
_LIST_NO_VERB = (
    "the a an this that these those in on at by for from with without of to under over after before during between among against about "
    "into through because since although though while when where which what who whom whose why how if unless until as is are was were "
    "be been being am do does did has have had can could will would shall should may might must not no all some any each every both "
    "either neither one two three four five many much few most more it they he she we you i his her its their our my your there here "
    "and or but nor so yet than then per via within upon toward towards throughout despite given according based compared due following "
    "regarding concerning considering excluding including using only just also even such same other another out off up down above below "
    "near beyond around inside outside unlike like once half twice therefore thus hence both today now almost quite "
)
_NO_VERB = frozenset(_LIST_NO_VERB.split())
_LIST_EXAM_VERBS = (
    "find determine calculate identify choose select consider let suppose evaluate solve simplify express complete use name state "
    "assume compare add round order compute pick estimate indicate mark give write divide multiply subtract classify match factor "
    "answer note imagine put convert approximate take read refer circle look differentiate integrate apply predict study fill recall "
    "define order tick arrange point "
)
_EXAM_VERBS = frozenset(_LIST_EXAM_VERBS.split())
_LIST_OBJECTS = "the a an this these those each every all my your our his her its their any some it them me us two three "
_OBJECTS = frozenset(_LIST_OBJECTS.split())
_WORDS = re.compile(r"[A-Za-z'’]+|[^A-Za-z'’\s]+")
_NO_IMPERATIVE = ("ing", "ed", "ly", "s")

_KAZAKH = re.compile(r"(\w{2,}(?:ың|ің|ң)(?:ыз|із))[\s.:!]{0,4}$")
_KAZAKH_EXAM = re.compile(
    r"(?:таб|көрсет|белгіле|анықта|ата|айқында|ажырат|таңда|есепте|шеш|айт|сана|сәйкестендір|толықтыр|аш|түсір|бөл|тап|аңыз)\w*",
    re.IGNORECASE,
)
_RUSSIAN = re.compile(r"\W{0,4}(\w+(?:йте|ите|ьте))\b")
_RUSSIAN_EXAM = re.compile(
    r"(?:выбер|укаж|найд|определ|вычисл|реш|назов|отмет|установ|рассчита|сравн|дополн|продолж|упрост|подбер|выдел|прочита|рассмотр|ответь|выпиш)\w*",
    re.IGNORECASE,
)

_THESE = re.compile(
    r"\b(?<!of )(?:these|each)(?: \w+)?\s{0,2}[?:]\s{0,3}$|\b(?:do|does|did|are|were|was|have|would you \w+) (?:these|each|the following|they)\b[^?\n]{0,80}[?:]\s{0,3}$|\bthese in \w+\?\s{0,3}$|\b(?:have|did) you\b[^?\n]{0,100}\?\s{0,3}$|\bthe \w+ below\?\s{0,3}$|\bin your (?:view|opinion)\b|\bэт(?:и|их|им|ими) \w+\?\s{0,3}$|^\W{0,4}(?:бұл|мына|осы) \w+(?:лар|лер|дар|дер|тар|тер)\b",
    re.IGNORECASE,
)
_OF_EACH = re.compile(r"\bof each(?: \w+)?\?\s{0,3}$", re.IGNORECASE)
_FOLLOWING = re.compile(
    r"(?<!of )\bthe following \w+(?: \w+){0,3}\?\s{0,3}$|\b(?:what|who|when|where|how many)\b[^?\n]{0,120}\bof the following \w+\?\s{0,3}$",
    re.IGNORECASE,
)
_CHOICE_OF = re.compile(
    r"\bwhich\b|\b(?:one|all|none|any|most|best|each) of the following|following (?:is|are|was|were|would|will|does|best|can|could|may|describes)\b",
    re.IGNORECASE,
)
_WH_OF = re.compile(r"\W{0,4}(?:what|who) (?:\w+ )?(?:is|are|was|were)\b[^?\n]{0,80}\b(?:of|in|for):?\s{0,3}$", re.IGNORECASE)
_I = re.compile(r"\b(?:i|we|my|me|i'm|i've|i'd|я|мы|мне|маған)\b[^?\n]{0,200}:\s{0,3}$", re.IGNORECASE)
_ITEM = re.compile(
    r"\b(?:the following|test|quiz|exam) item\b|\b(?:item|question|quiz) below\b|\bdistractors?\b|\bquiz (?:item|question|night)|\boption \(?[A-Z]\)? (?:here|below|above)|\bexam question\b",
    re.IGNORECASE,
)
_COURTESY = re.compile(r"\b(?:please|kindly|пожалуйста|өтінемін)\b(?! (?:refer|read|choose|select|answer|consider)\b)", re.IGNORECASE)
_SAYS_I = re.compile(r"\W{0,4}(?:i|i'm|i’m|i've|we|we're)\b[^?]{0,60}$", re.IGNORECASE)
_NUMBERED_HEADING = re.compile(
    r"\W{0,4}(?:two|three|four|five|six|seven|две|два|три|четыре|пять)\b[^.?\n]{0,100}:\s{0,3}$|\b(?:two|three|four|five|six) \w{1,30}:\s{0,3}$",
    re.IGNORECASE,
)
_THEIR_LABELS = re.compile(r"\([ab]\)[^\n]{0,200}\([ab]\)")
_BOOLEAN = re.compile(
    r"\b(?:yes|no|true|false|in?correct|(?:dis)?agree|(?:in)?valid|(?:ir)?relevant|positive|negative|male|female|(?:in|de)creases?|(?:un)?supported|(?:not )?guilty|иә|ия|жоқ|да|нет|верно|неверно|дұрыс|бұрыс)\b|entailment|contradiction",
    re.IGNORECASE,
)
_ITEM_AT_END = re.compile(r"(?:ың|ің|ң)(?:ыз|із)[\s.!?]{0,4}$")
_PERSON = re.compile(
    r"\b(?:i need|i want|i'd like|i would like|help me|мне нужн\w+|помоги\w*|маған керек)\b|^\W{0,4}(?:can|could|would|will) you\b|^\W{0,4}please\b(?! (?:refer|read|choose|select|answer|consider)\b)",
    re.IGNORECASE,
)
_GIVES = re.compile(
    r"\b(?:following|above|given|below|refer|assum\w*|according|consider|shown|if|let|suppose|use|uses|read)\b|[\d=$]", re.IGNORECASE
)
_EXERCISE = re.compile(
    r"\W{0,4}(?:exercise|problem|task|homework|worksheet|activity|test paper|упражнение|задача|контрольная|самостоятельная|жаттығу|бақылау)\b",
    re.IGNORECASE,
)
_DO_ITEM = re.compile(
    r"(?:find|calculate|compute|show|prove|determine|sketch|solve|explain|describe|evaluate|найдите|докажите|постройте|вычислите|определите|опишите|draw)\b",
    re.IGNORECASE,
)
_EITHER = re.compile(r"\(\w{1,20} ?/ ?\w{1,20}\)|[а-яё]_[а-яё]|^_[а-яё]")
_COPULA = re.compile(
    r"\b(?:is|are|was|were|has|have|had|includes?|contains?|causes?|means?|except|by|of|in|to|for|with|from|at|on|will|lies?|can|may|must|should|occurs?)\s{0,2}:\s{0,3}$",
    re.IGNORECASE,
)
_KAZAKH_LETTERS = re.compile("[әғқңөұүһі]", re.IGNORECASE)
_HEADING_WORDS, _HEADING_LINE, _CONTEXT, _ALONE = 4, 200, 20, 50


def imperative(sentence: str) -> bool:
    """Whether a sentence begins with a verb and its object, and the verb is none that examinations use."""
    words = [match[0] for _, match in zip(range(2), _WORDS.finditer(sentence[:80]), strict=False)]
    if len(words) == 2 and words[0].isalpha():  # noqa: PLR2004
        first = words[0].lower()
        if first not in _NO_VERB and first not in _EXAM_VERBS and not first.endswith(_NO_IMPERATIVE) and words[1].lower() in _OBJECTS:
            return True
    if (kazakh := _KAZAKH.search(sentence[-80:])) is not None and not _KAZAKH_EXAM.fullmatch(kazakh[1]):
        return True
    russian = _RUSSIAN.match(sentence[:80])
    return russian is not None and not _RUSSIAN_EXAM.fullmatch(russian[1])


def asks_of_all(question: str, sentence: str) -> bool:
    """Whether a sentence asks about every item of the list; with text in front of it, `these` may be what that text tells of."""
    if len(question) - len(sentence) > _CONTEXT:
        return False
    if len(question) <= _ALONE and _OF_EACH.search(sentence):
        return True
    if _THESE.search(sentence) or _WH_OF.match(sentence):
        return True
    return _FOLLOWING.search(sentence) is not None and _CHOICE_OF.search(sentence) is None


def leads_elsewhere(question: str) -> bool:
    """Whether the first line sets a task for the question behind it (`Find the flaw in this item:`), or a person asks for something."""
    lines = [line for line in question[:2_000].split("\n") if line.strip()]
    first = lines[0] if lines else ""
    if len(first) > _HEADING_LINE:
        return False
    if len(lines) > 1 and _COURTESY.search(first):
        return True
    if _ITEM.search(first) or _PERSON.search(first) or (imperative(first) and len(lines) > 1):
        return True
    if len(lines) == 1:
        return False
    asked = question.rstrip().endswith("?")
    return (first.rstrip().endswith(":") and _GIVES.search(first) is None) or (
        asked and first.rstrip().endswith("?") and "\n\n" in question
    )


def heads_a_list(question: str, sentence: str) -> bool:
    """Whether a few words with a colon, or a sentence of a person, stand in front of the list."""
    if _SAYS_I.match(sentence) or _I.search(sentence) or _NUMBERED_HEADING.search(sentence):
        return True
    if not sentence.rstrip().endswith(":") or _COPULA.search(sentence):
        return False
    # Kazakh questions put the verb last: `… астанасы:` is one.
    return len(question.split()) <= (_HEADING_WORDS // 2 if _KAZAKH_LETTERS.search(sentence) else _HEADING_WORDS)


def is_pair(options: tuple[str, ...]) -> bool:
    """Whether there are two items that are no yes and no: questions of examinations with two options nearly always offer a yes and a no."""
    return len(options) == 2 and not any(_BOOLEAN.search(option[:40]) for option in options)  # noqa: PLR2004


def names_items(sentence: str) -> bool:
    """Whether a sentence names the items by their labels, `(a)` and `(b)`, as one does with clauses."""
    return _THEIR_LABELS.search(sentence) is not None


def is_exercise(question: str, options: tuple[str, ...]) -> bool:
    """Whether the items are parts of an exercise: each of them is to be done."""
    if sum(_ITEM_AT_END.search(option[-20:]) is not None for option in options) * 2 >= len(options):
        return True
    if question.rstrip().endswith("."):
        if sum(_DO_ITEM.match(option) is not None for option in options) * 2 >= len(options):
            return True
        if _EXERCISE.match(question):
            return True
    return sum(_EITHER.search(option[:200]) is not None for option in options) * 2 > len(options)
