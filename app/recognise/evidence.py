"""Whether a text in front of a list asks for one of its items, where no instruction says so.

Real questions are of every form: they end in a question mark, in a blank, in a colon, or in the middle of a sentence. So the rules look for
what shows that a list is something else: a request to do something, a person who speaks of themselves, a heading of a list, steps.
Lists with numbers, small letters and bullets are more common outside of questions, and more is held against them.
"""

import re
from dataclasses import dataclass

from app.recognise import refusals, structure
from app.recognise.instructions import sentences
from app.recognise.marks import Chain
from app.recognise.stem import Stem

_ASKED_QUESTION = re.compile(r"\?[\s\"'”’»)\]*_$]{0,6}(?:\([^()\n]{0,60}\)|\[[^\[\]\n]{0,60}\])?[\s*_:]{0,4}$")
_WHICH_QUESTION = re.compile(r"\bquestions?\b.{0,80}\?|\bask\b.{0,80}\?|\bвопрос(?:е|ом)?\b|\bсұра(?:қ|қты|ғын|ққа)\b", re.IGNORECASE)
_WH = re.compile(r"\b(?:which|what|who|where|when|why|how)\b", re.IGNORECASE)
_WHICH = re.compile(r"\bwhich\b[^?\n]{0,150}\?\s{0,3}$", re.IGNORECASE)
# A request stands at the end of a sentence in Kazakh.
_REQUEST_AT_END = re.compile(
    r"\b(?:хат|эссе|мәтін|өлең|шығарма)\w* (?:\w+ ){0,2}жаз(?:ыңыз|ып|шы)|\b(?:аудар|жаз|түсіндір|түзет|құрастыр|орналастыр|салыстыр|қысқарт|сипатта|тізімде|көмектес|айт|толықтыр|дайында|талда|аяқта|жалғастыр|жауап бер|сәйкестендір|ойлап тап)(?:ың|ің|ң)(?:ыз|із)[\s.:!]{0,4}$|"
    r"\w{4,}(?:лар|лер|дар|дер|тар|тер)(?:ды|ді|ға|ге|дың|дің)\s(?:\w+\s){0,3}(?:шеш|есепте|тап|анықта|дәлелде)(?:ың|ің|ң)(?:ыз|із)[\s.:!]{0,4}$",
    re.IGNORECASE,
)
# The items of the list as things that something is to be done with: all of them, not one.
_ITEMS = re.compile(r"\b(?<!of )(?:these|each|every|the following)\b(?! (?:is|are|except|one)\b)", re.IGNORECASE)
_NOT_ITEMS = re.compile(
    r"\b(?:which|what|who|where|when|why|how|except|not|true|false|correct|incorrect|best|most|least|choose|select|pick|identify|one)\b|\bof (?:these|the following|each)\b|following,? (?:is|are|which)|following:?\s{0,3}$|[=$\\]|\d",
    re.IGNORECASE,
)
_ABOUT_ITEMS = re.compile(
    r"\b(?:do|drawn|made|done|say|write|used?|find|cook|happen)\b[^?\n]{0,40}\b(?:with|from|in|about|for|on) (?:the following|these|each(?: of (?:these|the following))?) (?:\w+ )?\w+\?\s{0,3}$",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(
    r"[\s*_>]{0,4}(?:i|we|my|our|yesterday|today|here|у меня|мы|я|мой|мои|наш\w*|менің|біз\w*)\b[^?\n]{0,200}:[\s*_]{0,4}$|.{0,80}\b(?:says?|said|reads?|write|wrote|reported|findings|points):[\s*_]{0,4}$",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\s(?:or|and|или|и|немесе|және|мен|пен|бен)$")
_BLANK = re.compile(r"_{2,}|\.{3}|…|\(\s{0,3}\)")

_DO = (
    r"write(?! (?:\S{0,20}\d|\$|\\|and solve|an? (?:expression|equation|inequality)|the (?:prime|ratio|number|equation|expression|fraction|decimal|set|sum|product)))|create|generate|make|translate|rewrite|rephrase|paraphrase|summari[sz]e|fix|explain|describe|tell|show|list|implement|build|draft|help|suggest|recommend|design|review|proofread|edit|improve|turn|transform|analy[sz]e|"
    r"discuss|prove|outline|prepare|organi[sz]e|remind|send|format|debug|refactor|run|install|plan|brainstorm|expand|shorten|merge|combine|split|group|cluster|tag|annotate|compose|reply|respond|walk|think of|use these|use the following (?!\w+ (?:responses|information|data|table))|"
    r"remember|save|schedule|book|add (?:a|these|this|my|an)|give (?:me|us|one|two|three|feedback|a short|an? \w+ for|an example|examples)|convert (?:the following|these|this|my|all|each)|check (?:the|these|this|my|if|whether|each)|sort (?:the|these|this|my)|rank (?:the following|these|my)|order (?:these|my|me)|compare (?:the following|these (?!fractions|numbers)|my|and)|"
    r"define (?:the following|these|each)|name (?:the following|each)|solve (?:the following|these|each|all)|simplify (?:these|each)|calculate (?:each|these)|compute (?:each|these)|evaluate (?:each|these|the following (?:expressions|integrals|limits)|my)|find (?:me|all the|each|\w+s for\b)|estimate (?:how|what|these|each)|pack|shuffle|draw|sketch|retell|rate|for each of|shorten|fill in (?:the|all) (?:blanks|gaps)|use each|tell|delegate|"
    r"answer (?:the following|these|all|each|my)|complete (?:these|the following (?:tasks|steps|sentences|exercises))|classify (?:these|the following|each)|extract (?:all|the following|these|each)|count (?:the|how|all|each)|go through|look at|take a look|have a look|read (?:these|this|my|the following)|let's|let me|here (?:is|are|'s)|below (?:is|are)|these are (?:my|our|the|some|all)|this is (?:my|our|a list)|"
    r"the following (?:is|are) (?:my|our|a list|some|notes|steps)|keep|update|delete|remove|replace|change (?:the|this|these|my|all)|set up|deploy|act as|pretend|play|continue|finish|polish|simulate|document|comment|test|verify|validate|optimi[sz]e|minimi[sz]e the|cite|quote|"
    r"напиши\w*|создай\w*|сделай\w*|переведи\w*|перепиши\w*|исправь\w*|объясни\w*|опиши\w*|расскажи\w*|покажи\w*|перечисли\w*|придумай\w*|составь\w*|помоги\w*|предложи\w*|проверь\w*|отредактируй\w*|сократи\w*|проанализируй\w*|сравни\w*|подготовь\w*|реализуй\w*|"
    r"дополни\w*|оформи\w*|разбери\w*|докажи\w*|напомни\w*|расположи\w*|соотнеси\w*|расставь\w*|заполни\w*|ответь\w* на (?:следующие |эти |все )?вопросы|реши\w* (?:следующие |эти |все )?(?:уравнения|задачи|примеры)|добавь\w*|удали\w*|замени\w*|вот|ниже|"
    r"аудар(?:ыңыз|шы|ып)\w*|жаз(?:ыңыз|ып бер|шы)\w*|түсіндір(?:ші|іңіз|іп)\w*|сипатта(?:ңыз|шы|п бер)\w*|құрастыр(?:ыңыз|шы|ып)|түзет(?:іңіз|ші|іп)|тексер(?:іңіз|ші|іп)|көмектес(?:ші|іңіз|іп)\w*|ұсын(?:ыңыз|шы)|салыстыр(?:ыңыз|шы|ып)|дайында(?:ңыз|шы|п бер)|айтып бер\w*|тізімде(?:ңіз|ші|п)|талда(?:ңыз|шы|п бер)|міне|төменде"
)
_REQUEST = re.compile(
    rf"[\s#*_>\"'-]{{0,6}}(?:(?:please|kindly|now|so|also|ok|okay|hi|hello|hey|пожалуйста|өтінемін|привет|сәлем)[,!.]? ){{0,2}}(?:{_DO})\b",
    re.IGNORECASE,
)
_PLEA = re.compile(
    r"(?:^|[,.:;] )(?:(?:hi|hello|hey|so|and|then),? )?(?:can|could|would|will) you\b|\bplease\b(?! (?:choose|select|pick|identify|answer|indicate|determine|find|note|ignore|consider|circle|calculate|complete)\b)|\bhelp (?:me|us)\b|\bi (?:need|want|would like) (?:you|to|help|a|an|the|some)\b|\bi'd like\b|\bmy (?:essay|code|email|report|paper|thesis|agenda|plan|notes|list|outline|homework|draft|talk|presentation|article|blog|script|students|class|quiz|exam|team|boss|course)\b|\bour (?:meeting|plan|agenda|team|project|api|product|website|course|roadmap)\b|"
    r"\b(?:можешь|можете|пожалуйста|помоги\w*|мне нужно|я хочу)\b|\b(?:өтінемін|көмектесіңіз|көмектесші)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"\n]{0,300}\"?|“[^”\n]{0,300}”?|«[^»\n]{0,300}»?|(?<!\w)'[^'\n]{0,300}'(?!\w)")
_ADDRESSED = re.compile(
    r"(?:^|[,.:;] )(?:can|could|would|will) you\b|\bplease\b|\bhelp (?:me|us)\b|\bi(?:'m| am| need| want|'d like|'ve| have| would like| will| wrote| think| tried| plan| got| was)\b|\bwe(?:'re| need| want| have| will| plan| discussed| agreed| should| must)\b|\bmy\b|\bmine\b|\bour (?:team|company|app|project|meeting|website|product|goals?|plan|api|class|school|office|trip)\b|"
    r"\b(?:давай|можешь|можете|пожалуйста|помоги\w*|мне нужно|я хочу|мой|моя|моё|мои|моего|моей|моих|наша команда|нам нужно|нужно)\b|\b(?:маған|менің|бізге|біздің команда|өтінемін|көмектес(?:ші|іңіз|іп))\b",
    re.IGNORECASE,
)
_TERMS = re.compile(
    r"\bwhat (?:do|does|are|is) (?:these|the following|each)\b.{0,80}\b(?:mean|differ|do|stand for)\b|\bdifferences? between(?: the following| these)?\s{0,3}:?\s{0,3}$|\bhow (?:do|can|should|would|could) i\b|\b(?:these|the following) (?:correct|right|ok|valid|true|good)\b|"
    r"\b(?:in|about) the following (?:areas|topics|order|steps|cases|format|sections|points|questions)\b|(?<!of )\bthe following (?:questions|tasks|topics|requirements|sections|commands|sentences|words|phrases|problems|exercises|urls|links|files|people|emails|issues|errors|bugs)\b(?! (?:is|are|would|does|do|best|apply)\b.{0,60}\?)",
    re.IGNORECASE,
)
_LIST_INTRO = re.compile(
    r"\b(?:agenda|outline|todo|to-do|to do|meeting notes|notes|meeting minutes|minutes:|ingredients?|menu|schedule|itinerary|features|tasks|goals|objectives|sections|chapters|table of contents|contents|checklist|(?<!following )list|lists|topics|milestones|deliverables|steps to|"
    r"changelog|release notes|tickets|issues|bugs|comments|feedback|facts|ideas|names|items|paragraphs|sentences|examples|attendees|participants|priorities|recipe|workflow|playlist|roadmap|summary|draft|shopping|groceries|plan for|plan:|our plan|the plan|schedule for|exercises|homework|requirements|acceptance criteria|"
    r"directions|instructions|reminders?|questions|rules:|house rules|terms|links|sources|references|bibliography|glossary|appendix|proposal|options considered|pros|cons|advantages:|disadvantages:|benefits:|reasons:|symptoms i|log|history:|tips|routine|"
    r"план|повестка\w*|список|заметки|шаги|ингредиенты|рецепт|задачи|пункты|темы|требования|разделы|оглавление|содержание|инструкция|участники|предложения|тезисы|вопросы|покупки|расписание|правила:|идеи|примеры:|замечания|"
    r"жоспар|жоспары|тізім|тізімі|қадамдар|қадамдары|тақырыптар|міндеттер|талаптар|бөлімдер|ережелер|сұрақтар|мазмұны|рецепті)\b",
    re.IGNORECASE,
)
_OPEN_END = re.compile(
    r"\b(?:is|are|was|were|be|includes?|included|except(?: for)?|not|by|of|as|following|in|on|for|when|that|to|at|with|from|because|has|have|called|was:?|болып табылады|это|является)\s{0,3}[:.–—-]{0,2}\s{0,3}$",
    re.IGNORECASE,
)
_HEADING = re.compile(r"\s{0,3}#{1,6} |\s{0,3}\*\*[^*\n]{1,80}\*\*:?\s{0,3}$")
_HEADING_WORDS = 5
_SENTENCE_END = re.compile(r"(?<=[.!?:]) ")
# A question of fewer characters that begins with a request is one.
_SHORT = 200
# A longer sentence tells something; it is no request in front of a list.
_LONG = 150
# Two marks in the middle of a sentence are more often a list than options.
_FEW = 2
_STEP = re.compile(
    r"[\s*_`]{0,4}(?:open|click|install|run|go to|go|add|mix|preheat|restart|press|check|create|write|read|call|buy|send|fix|update|review|make|prepare|finish|clean|pick up|book|set|use|try|remove|delete|download|upload|configure|build|test|deploy|login|log in|enter|navigate|connect|"
    r"translate|explain|describe|summarize|list|define|discuss|compare|meet|email|schedule|find|sketch|show|prove|compute|calculate|evaluate|determine|solve|choose|найдите|докажите|постройте|вычислите|wash|chop|bake|boil|stir|cook|serve|pour|heat|cut|drain|season|"
    r"открой\w*|нажми\w*|установи\w*|запусти\w*|добавь\w*|проверь\w*|напиши\w*|купи\w*|позвони\w*|отправь\w*|сделай\w*|аш\w{0,6}іңіз|бас\w{0,4}ыңыз|қос\w{0,4}ыңыз|тексеріңіз)\b(?! (?:is|was|are)\b)",
    re.IGNORECASE,
)
_ENTRY = re.compile(
    r"(?:\*\*[^*\n]{1,80}\*\*:?|`[^`\n]{1,60}`:|[A-ZА-ЯӘҒҚҢӨҰҮІ][^:\n.?]{1,40}:) \S|\[[^\]\n]{1,80}\]\(|https?://|\S{1,60} ?[–—-]{1,2} (?:the|a|an|to)\b"
)


def is_list_of_questions(stem: Stem, options: tuple[str, ...]) -> bool:
    """Whether most items are questions, though the text in front does not ask for one."""
    questions = sum(_ASKED_QUESTION.search(option[-40:]) is not None for option in options)
    return (
        questions * 2 > len(options)
        and _WHICH_QUESTION.search(stem.question[-400:]) is None
        and _WHICH.search(stem.question[-200:]) is None
    )


def is_asked(stem: Stem, options: tuple[str, ...], chain: Chain, *, inline: bool, listed: bool) -> bool:
    """Whether the text in front of the options asks for one of them.

    Args:
        stem: text in front of the options.
        options: texts of the options.
        chain: marks of the options.
        inline: whether the options stand in one line.
        listed: whether a comma or a semicolon stands behind an option.
    """
    ending = _ending(stem, chain)
    if structure.leads_elsewhere(stem.question) or structure.is_exercise(stem.question, options):
        return False
    if _requests(ending) or sum("__" in option for option in options) * 2 > len(options):
        return False
    if inline and not _inline_list(ending, options, chain, listed=listed):
        return False
    if stem.marked:
        return True
    if structure.is_pair(options) or _speaks(ending) or (not ending.question and _takes_all(ending)):
        return False
    return ending.question or _BLANK.search(ending.last[-60:]) is not None or not _is_list(ending, options, inline=inline)


@dataclass(frozen=True, slots=True)
class _Ending:
    """The end of the text in front of the options: its last line, its last sentence, and the latter without quotations."""

    first: str
    line: str
    last: str
    spoken: str
    short: bool
    question: bool
    weak: bool
    marked: bool


def _ending(stem: Stem, chain: Chain) -> _Ending:
    line = stem.question[-400:].rsplit("\n", 1)[-1]
    last = _SENTENCE_END.split(line.rstrip())[-1]
    label = chain.marks[0].label
    return _Ending(
        first=stem.question[:_SHORT],
        line=line,
        last=last,
        spoken=_QUOTED.sub(" ", last),
        short=len(stem.question) < _SHORT,
        question=_ASKED_QUESTION.search(line[-120:]) is not None,
        weak=label.isdigit() or label.islower() or chain.style[0] in "-*•‣◦·–—+[|",
        marked=stem.marked,
    )


def _requests(ending: _Ending) -> bool:
    """Whether something is to be done, or an opinion is wanted."""
    return (
        refusals.wants_advice(_QUOTED.sub(" ", ending.line[-200:]))
        or _REQUEST.match(ending.last) is not None
        or (_REQUEST.match(ending.first) is not None and (ending.weak or ending.short))
        or _REQUEST_AT_END.search(ending.last) is not None
        or structure.imperative(ending.last)
    )


def _speaks(ending: _Ending) -> bool:
    """Whether a person speaks to another one, or asks about all items of the list."""
    return (
        _TERMS.search(ending.spoken) is not None
        or structure.names_items(ending.last)
        or structure.asks_of_all(ending.first, ending.spoken)
        or (not ending.question and structure.heads_a_list(ending.first, ending.spoken))
        or _ABOUT_ITEMS.search(ending.spoken) is not None
        or _PLEA.search(ending.spoken) is not None
        or (ending.weak and not ending.question and _ADDRESSED.search(ending.spoken) is not None)
    )


def _takes_all(ending: _Ending) -> bool:
    """Whether a sentence that is no question takes all items (`Use each word in a sentence:`) or tells of them (`I found this:`)."""
    last, spoken = ending.last, ending.spoken
    if len(last) > _LONG or last.rstrip()[-1:] not in set(":.!") or _BLANK.search(last) or _OPEN_END.search(last):
        return False
    return (_ITEMS.search(spoken) is not None and _NOT_ITEMS.search(spoken) is None) or _FIRST_PERSON.match(spoken) is not None


def _is_list(ending: _Ending, options: tuple[str, ...], *, inline: bool) -> bool:
    """Whether the text in front is the heading of a list, or the items are steps or entries."""
    last = ending.last
    if _HEADING.match(ending.line) or (_LIST_INTRO.search(last) and _introduces(last)):
        return True
    if inline and _ADDRESSED.search(ending.spoken):
        return True
    if ending.weak and sum(_ENTRY.match(option) is not None for option in options) * 2 > len(options):
        return True
    closed = last.rstrip().endswith(":") or (ending.weak and last.rstrip().endswith((".", "!")))
    steps = sum(_STEP.match(option) is not None for option in options)
    return closed and steps * 2 >= len(options) and not _WH.search(last) and not _OPEN_END.search(last)


def _inline_list(ending: _Ending, options: tuple[str, ...], chain: Chain, *, listed: bool) -> bool:
    """Whether options that stand in running text can be options, and are not a list inside of a sentence."""
    if any(_JOINED.search(option[-12:]) for option in options[:-1]):
        return False
    # A sentence behind the last option, or a question mark that ends the sentence of which the list is a part.
    others = [option.rstrip() for option in options[:-1]]
    last = options[-1].rstrip()
    if len(sentences(last)) > 1 and not any(len(sentences(option)) > 1 or option.endswith(".") for option in others):
        return False
    # The options stand inside of a quotation that began in front of them.
    if last.count('"') % 2 or last.count("”") > last.count("“") or last.count("»") > last.count("«"):
        return False
    if last.endswith("?") and not any(option.endswith("?") for option in others):
        return False
    if listed and not (ending.question or ending.marked):
        return False
    style = chain.style.removeprefix("inline ")
    certain = style[0] in "([*" or (style[:1] == "A" and style[-1] in ")*")
    ends = ending.line.rstrip()[-1:] in set("?:._)]>…`")
    return ends or ending.marked or (certain and chain.marks[0].label.isupper() and len(options) > _FEW)


def _introduces(sentence: str) -> bool:
    """Whether a sentence with a word such as `tasks` is the heading of a list and not the beginning of a statement."""
    return (sentence.rstrip().endswith(":") or len(sentence.split()) <= _HEADING_WORDS) and _OPEN_END.search(sentence) is None
