"""Whether a text that is no question leaves a gap that one option fills: `The capital of Peru is`, `Find x.`, `… дегеніміз –`.

What is missing from such a text is seen in its grammar: a blank, a verb or a preposition at its end, a superlative, a verb of
examinations. A few words without a verb are the heading of a list, and so is a plural.
"""

import re

from app.recognise import kinds
from app.recognise.asking import Asking, without_quotations

_BLANK = re.compile(
    r"_{2,}|-{4,}|~{3,}|\\_\\_|\\uline|\.{3}|…|\(\s{0,6}\)|（\s{0,6}）|\.\.\s*$|\b(?:is|be|are|of|in) ?(?:,|\.$)|\s\.\s*$|\?\s?\?"
)
_LINE_TO_FILL = re.compile(r"_{2,}")
_GIVES = re.compile(r"\b(?:is|are) given\W*$|^\W*(?:given|дано|дана функция|берілген):?\s(?!that\b|a\b|the\b).{0,40}$", re.IGNORECASE)
_ENDS_IN_ARE = re.compile(r"\bare\W{0,4}$", re.IGNORECASE)
_USUAL = {4, 5}
_LETTERS = re.compile(r"[^\W\d_]")
_CYRILLIC = re.compile(r"[а-яёәғқңөұүһі]", re.IGNORECASE)
_KAZAKH = re.compile(r"[әғқңөұүһі]", re.IGNORECASE)
_WH = re.compile(r"\b(?:which|what|who|whom|whose|where|when|why|how)\b", re.IGNORECASE)
_COPULA = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|could|will|would|may|might|must|should|does|do|did|is/are|cannot|be|been)\b", re.IGNORECASE
)
_ENDS_OPEN = re.compile(
    r"\b(?:is|are|was|were|be|been|of|to|by|in|on|at|for|with|from|as|that|than|because|called|named|known|the|a|an|and|or|except|into|"
    r"through|between|due|when|if|while|where|about|not|its|their|his|her|become|becomes|during|after|before|under|over|usually|always|most|"
    r"likely|primarily|mainly|mostly|via|using|upon|within|without|against|toward|towards|like|whether|so|equals?|must|should|can|will|may|would|both|then)\W{0,5}$|=\s*$",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(r"\b(?:the|a|an|than|because|its|their|when|where|while|if|by|at|to|on)\W{0,4}$", re.IGNORECASE)
_IF = re.compile(r"\W{0,4}(?:if|when|whenever|as|because|since|after|before)\b", re.IGNORECASE)
_EXTREME = re.compile(
    r"\b(?:most|least|best|except|not|incorrect|false|likely|main|primary|only|commonest|wrong|appropriate|correct|true|odd|minimum|maximum|probable|preferred|ideal|normal|characteristic|false)\b|\b\w{3,}est\b|\b(?:gold standard|drug of choice|treatment of choice)\b",
    re.IGNORECASE,
)
_EXAM = re.compile(
    r"(?:^|[,;.:!?] |\b(?:then|and|to) )\W{0,4}(?:find|determine|calculate|identify|choose|select|evaluate|solve|simplify|express|complete|name|state|compute|estimate|pick|indicate|mark|factor|differentiate|integrate|multiply|divide|subtract|round|approximate|point out|derive|work out|predict|expand|reduce|decipher|convert|classify|decide)\b",
    re.IGNORECASE,
)
# Verbs with which textbooks state facts; together with another word they make a sentence of a few words one.
_LIST_VERBS = (
    "absorb accept act affect aid allow appear apply arise attach attack attract balance begin belong bind bring build burn carry cause change "
    "circulate collect combine come compare compose conduct connect consist contain contract contribute control convert correspond cover create "
    "decrease define depend derive describe design determine develop differ disappear discover drain drive emit enable end enter establish "
    "evaluate evolve exist expand experience explain expose express feed feel fill flow follow form found gain generate get give go grow "
    "happen help hold hunt imply improve increase indicate induce infect inhibit inject innervate introduce invent involve join keep lack lead "
    "become focus orbit break dine eat encircle exceed undergo yank leave lessen lie live located locate lose maintain make manifest mean measure mediate migrate move multiply need obtain occur open operate "
    "originate pass perform persist play prefer presence present prevent process produce propose protect prove provide pull push radiate reach "
    "react receive recommend record reduce refer reflect regulate relate release remain remove replace represent reproduce require respond "
    "result reveal rise rotate run secrete see seen select separate serve share show signify slow speed spread start state stimulate store "
    "strike struggle suggest supply support survive take tear tend test transfer transmit transport travel treat turn use vary work write "
)
_VERB = re.compile(r"\b(?:" + "|".join(verb.rstrip("e") for verb in _LIST_VERBS.split()) + r")(?:e?s|e?d|ing|e)?\b", re.IGNORECASE)
_LISTS = re.compile(
    r"\b(?:as follows|the following(?: \w+){0,2}|includes?|offers?|features|comprises?|provides?|covers|says?|said|reports?|reported|agree that|learned that|say that|found that|do this)\W{0,4}$|(?<!which of the )(?<!one of the )\b(?:following|these)\W{0,3}$",
    re.IGNORECASE,
)
_PLURAL_HEAD = re.compile(
    r"\W*(?:(?:the|all|some|these|those|common|five|three|four|two|known|current|top|main|new|draft|key|other|more)\s+)*(?:[\w'’-]+\s+){0,3}?(?!is\b|was\b|this\b|has\b|does\b|its\b|as\b|us\b)[A-Za-z]{3,}(?<![suio])s\b(?!['’])",
    re.IGNORECASE,
)
_DOCUMENT = re.compile(
    r"\b(?:problem|agenda|list|plan|menu|schedule|recipe|log|playlist|program(?:me)?|outline|draft|notes?|minutes|summary|version|chapter|exercise|worksheet|homework|quiz|lesson|section|appendix|invoice|ticket|backlog|sprint|release|update|feedback|checklist|routine|itinerary|syllabus|email|memo|meeting|workshop|conference|poem|song|scene|guide|tutorial|faq|glossary|vocabulary|contents|budget|roadmap|lease)\b",
    re.IGNORECASE,
)
_ENDS_VERB = re.compile(
    r"\b(?:is|was|will|has|causes|means|indicates|measures|contains?|requires?|involves?|orbits?|uses?|have|eats|produces|affects|secretes|prevents|shows|is done|is seen|are seen|is caused|depends on|refers to|arises from|derives from|acts on)\W{0,5}$",
    re.IGNORECASE,
)
_PERSONS = ("patient", "she ", "he ", "they ", "this ", "the patient", "people ", "who ", "it ")
_TITLE = re.compile(
    r"\W*(?:how to\b|(?:(?:the|my) )?(?:two|three|four|five|six|seven|ten|\d{1,2}) (?:\w+ )?(?:things|facts|ways|reasons|tips|ideas|points|steps|rules|tasks|topics|notes|lessons)\b)",
    re.IGNORECASE,
)
_WHICH_OF = re.compile(
    r"\b(?:in|by|of|to|on|from|with|at|for|encircles|is|are) which (?:of the following|\w+)|\bwhich of the following\b", re.IGNORECASE
)
_EXAM_OBJECT = re.compile(
    r"(?i:find|determine|calculate|identify|choose|select|evaluate|solve|simplify|express|complete|name|state|compute|estimate|pick|indicate|mark|factor|differentiate|integrate|predict|expand|reduce) (?:(?:the|an?|which|what|whether|how|its|one|for|correct|best|odd|true|false) |[a-z]\b|\$|\\|\d)"
)
_GIVEN = re.compile(r"[=<>≤≥^\\]|\d")
_CODE_LINE = re.compile(r"^\W*(?:def|class|function|const|let|var|for|while) [\w.]+ ?(?:\(.*\)|=.*)?[:;{(]\s*$|^\W*\w+\.\w+$")

_RU_OPEN = re.compile(
    r"\b(?:это|является|являются|называ\w+|равн[аоы]?|равен|составля\w+|относ\w+ся|был[аио]?|находится|состоит|означает|служит|входит|происходит|образу\w+ся|использу\w+ся|характер\w+|предназначен\w*|измеря\w+ся|принадлеж\w+|написал\w*|открыл\w*|основал\w*|изобрёл|изобрел|получил\w*|начал\w+|произош\w+|\w{4,}(?:ется|ются|ится|ятся))\b|[—–-]\s*(?:это)?\W*$|\b(?:в|на|с|из|от|к|для|за|по|при|о|об|у|без)\W*$",
    re.IGNORECASE,
)
_RU_LISTS = re.compile(
    r"\b(?:потребу|понадоб|требу|необходим|нужн|включа|содерж|входят|предлага)\w*\W*$|^\W*(?:как|чтобы) (?:\w+ )?\w+(?:ть|ти|чь|ться)\b|^\W*если\b.*:\s*$",
    re.IGNORECASE,
)
_RU_EXTREME = re.compile(
    r"\b(?:сам(?:ый|ая|ое|ым|ой|ого)|кроме|не(?:верн|правильн)\w+|наибол\w+|наимен\w+|верно|правильн\w+|лишн\w+|главн\w+|основн\w+|перв\w+|последн\w+)\b",
    re.IGNORECASE,
)
_RU_EXAM = re.compile(
    r"\b(?:выберите|укажите|найдите|определите|вычислите|назовите|отметьте|установите|рассчитайте|дополните|продолжите|упростите|подберите|выделите)\b",
    re.IGNORECASE,
)
_KK_EXAM = re.compile(
    r"\b(?:таб|көрсет|белгіле|анықта|ата|айқында|ажырат|таңда|есепте|шеш|айт|сана|толықтыр|тап|біл|түсір|аш)\w*(?:ыңыз|іңіз|ңыз|ңіз)\b",
    re.IGNORECASE,
)
_KK_PLURAL = re.compile(r"\w+(?:лар|лер|дар|дер|тар|тер)(?:ы|і|ымыз|іміз)?[\s:.–-]{0,4}$", re.IGNORECASE)
_KK_HEADING = re.compile(
    r"(?:\w{2,}(?:дық|дік|тық|тік|(?<!дегені)мыз|(?<!дегені)міз|йық|йік)|\w{3,}у|керек|қажет|\w{0,3}(?:бер|қой|тап|жаз|айт|қара|сал|жібер)|\w*жұмыс\w*|\w*нұсқа\w*|\w*тәртіб\w*|\w*кесте\w*|\w*тізім\w*|\w*жоспар\w*|\w*құрам\w*|\w*бағыт\w*|\w*хаттама\w*|мынаны|мыналар\w*)[\s:.–-]{0,4}$",
    re.IGNORECASE,
)
_SPEAKER = re.compile(
    r"\bI (?:am|was|have|had|need|want|will|would|think|like|got|did|take|live|work|study|tried|made|wrote|found|bought|must|plan)\b|\bI['’](?:m|ve|d|ll)\b|\b[Mm]y\b|\b[Ww]e (?:are|have|need|want|were|plan|decided|agreed|discussed|found|learned|met|must|bought)\b|\b[Oo]ur (?:team|company|trip|plan|project|office|report|meeting|goal|class|school|next|new)\b|\b(?:я|мой|моя|мои|наш\w*|менің|біздің)\b"
)
_MANY_KK, _FEW, _SOME, _CONTEXT, _NEAR = 7, 3, 5, 8, 60


def leaves_a_gap(asking: Asking, options: tuple[str, ...]) -> bool:
    """Whether one option completes what stands in front of the list.

    Args:
        asking: last sentence in front of the list; not a question.
        options: texts of the options.
    """
    last, spoken = asking.last, asking.spoken
    if asking.stem.rstrip().endswith("．"):
        return True
    if asking.takes_every_item or _CODE_LINE.search(last[-200:]) or _GIVES.search(last):
        return False
    if _BLANK.search(last[-300:]) or _BLANK.search(last[:80]) or (asking.length < _NEAR and _BLANK.search(asking.stem[-600:])):
        # Several blanks need several words each.
        return len(_LINE_TO_FILL.findall(last)) < _FEW - 1 or kinds.combine(options) or kinds.phrases(options)
    if len(_CYRILLIC.findall(spoken)) * 2 > len(_LETTERS.findall(spoken)):
        return _kazakh(asking, options) if _KAZAKH.search(asking.stem[-400:]) else _russian(asking)
    return _english(asking, options)


def _english(asking: Asking, options: tuple[str, ...]) -> bool:
    spoken, usual = asking.spoken, len(options) in _USUAL
    if not asking.alone:
        return not _LISTS.search(spoken[-80:]) or _EXTREME.search(spoken) is not None or usual
    if _EXAM.search(spoken):
        return _EXAM_OBJECT.search(spoken) is not None or asking.words > _SOME or _GIVEN.search(spoken) is not None
    equation = "=" in spoken and asking.last.rstrip()[-1:] not in ".:"
    if kinds.complete(options) or equation:
        return True
    if _TITLE.match(spoken):
        return False
    return _WHICH_OF.search(spoken) is not None or (not _lists(asking) and (_breaks_off(asking) or _is_long_enough(asking, options)))


def _lists(asking: Asking) -> bool:
    """Whether a sentence announces a list, or is the heading of a document."""
    spoken = asking.spoken
    if _LISTS.search(spoken[-80:]) and _EXTREME.search(spoken) is None:
        return True
    return asking.words < _SOME and (_ENDS_IN_ARE.search(spoken) is not None or _is_document(spoken))


def _breaks_off(asking: Asking) -> bool:
    """Whether a sentence with a verb ends where an object has to follow."""
    spoken, words = asking.spoken, asking.words
    if words < _FEW - 1 or not _is_clause(spoken):
        return False
    if _ENDS_VERB.search(spoken[-40:]) and not spoken.strip().lower().startswith(_PERSONS):
        return True
    # The sentences in front of it tell what it is about.
    return asking.length - words >= _CONTEXT and _EXTREME.search(spoken) is None


def _is_long_enough(asking: Asking, options: tuple[str, ...]) -> bool:
    """Whether a text of some words has a question word, a superlative, an open end, or, with the usual number of options, one subject."""
    spoken, words, document, clause = asking.spoken, asking.words, _is_document(asking.spoken), _is_clause(asking.spoken)
    if words > _FEW:
        if _UNFINISHED.search(spoken):
            return True
        if _WH.search(spoken):
            return clause
        if _EXTREME.search(spoken) and not document:
            return True
    if words >= _FEW and clause and (words > _SOME or _ENDS_OPEN.search(asking.last)):
        return not document or words > _SOME * 2
    named = words >= _SOME or (words >= _FEW and kinds.figures(options))
    return named and len(options) in _USUAL and not _PLURAL_HEAD.match(spoken) and not document


def _is_clause(spoken: str) -> bool:
    return _COPULA.search(spoken) is not None or _IF.match(spoken) is not None or _VERB.search(" ".join(spoken.split()[1:])) is not None


def _is_document(spoken: str) -> bool:
    return _DOCUMENT.search(" ".join(spoken.split()[:_FEW])) is not None


def _russian(asking: Asking) -> bool:
    spoken = asking.spoken
    if _RU_LISTS.search(spoken):
        return False
    if _RU_EXAM.search(spoken):
        return asking.words >= _FEW
    if not asking.alone:
        return True
    return asking.words >= _FEW and (
        asking.has_question_word or _RU_OPEN.search(spoken) is not None or _RU_EXTREME.search(spoken) is not None
    )


def _kazakh(asking: Asking, options: tuple[str, ...]) -> bool:
    spoken = asking.spoken.strip()
    if _KK_EXAM.search(spoken) or asking.has_question_word:
        return asking.words >= _FEW - 1
    if _KK_PLURAL.search(spoken[-60:]):
        return len(options) in _USUAL and (asking.words > _FEW or kinds.combine(options))
    if _KK_HEADING.search(spoken[-60:]):
        return asking.words >= _MANY_KK and len(options) in _USUAL
    return asking.words >= _FEW - 1 and len(options) > _FEW


def has_blank(asking: Asking) -> bool:
    """Whether there is a place for the option."""
    return _BLANK.search(asking.last[-300:]) is not None


def ends_open(asking: Asking) -> bool:
    """Whether the sentence breaks off behind a verb, a preposition or an article."""
    return _ENDS_OPEN.search(asking.last[-80:]) is not None


def tells_of_the_speaker(stem: str) -> bool:
    """Whether a text tells of the person who writes it, or of a group that they belong to."""
    return _SPEAKER.search(without_quotations(stem[:1_500])) is not None
