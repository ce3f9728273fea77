"""Whether a sentence asks for something to be done: it begins with a verb and its object, or ends in one in Kazakh.

Verbs that questions of examinations begin with are exempt.
"""

import re

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
# A request stands at the end of a sentence in Kazakh.
_REQUEST_AT_END = re.compile(
    r"\b(?:хат|эссе|мәтін|өлең|шығарма)\w* (?:\w+ ){0,2}жаз(?:ыңыз|ып|шы)|\b(?:аудар|жаз|түсіндір|түзет|құрастыр|орналастыр|салыстыр|қысқарт|сипатта|тізімде|көмектес|айт|толықтыр|дайында|талда|аяқта|жалғастыр|жауап бер|сәйкестендір|ойлап тап)(?:ың|ің|ң)(?:ыз|із)[\s.:!]{0,4}$|"
    r"\w{4,}(?:лар|лер|дар|дер|тар|тер)(?:ды|ді|ға|ге|дың|дің)\s(?:\w+\s){0,3}(?:шеш|есепте|тап|анықта|дәлелде)(?:ың|ің|ң)(?:ыз|із)[\s.:!]{0,4}$",
    re.IGNORECASE,
)
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
    "define order tick arrange point observe decipher "
)
_EXAM_VERBS = frozenset(_LIST_EXAM_VERBS.split())
_LIST_OBJECTS = "the a an this these those each every all my your our his her its their any some it them me us two three "
_OBJECTS = frozenset(_LIST_OBJECTS.split())
_WORDS = re.compile(r"[A-Za-z'’]+|[^A-Za-z'’\s]+")
_NO_IMPERATIVE = ("ing", "ed", "ly", "s")

_KAZAKH = re.compile(r"(\w{2,}(?:ың|ің|ң)(?:ыз|із))[\s.:!]{0,4}$")
_KAZAKH_EXAM = re.compile(
    r"(?:таб|жаз|көрсет|белгіле|анықта|ата|айқында|ажырат|таңда|есепте|шеш|айт|сана|сәйкестендір|толықтыр|аш|түсір|бөл|тап|аңыз)\w*",
    re.IGNORECASE,
)
_RUSSIAN = re.compile(r"\W{0,4}(\w+(?:йте|ите|ьте))\b")
_RUSSIAN_EXAM = re.compile(
    r"(?:выбер|укаж|найд|определ|вычисл|реш|назов|отмет|установ|рассчита|сравн|дополн|продолж|упрост|подбер|выдел|прочита|рассмотр|ответь|выпиш)\w*",
    re.IGNORECASE,
)


# Verbs with which people tell a model what to do with a list. Most of them are nouns as well, so they count only in front of a list.
_LIST_TELLS = (
    "act add adapt adjust advise allocate analyze analyse annotate append apply archive arrange ask assemble assess assign attribute "
    "beautify book brainstorm break bring build buy call cancel capitalize carry cast categorize change check cite clean clear cluster code "
    "collect combine come comment compile compose condense configure conjugate connect continue copy correct count create "
    "critique cut debug debunk decorate delegate delete deploy diagnose discuss distribute divide do double draft draw duplicate edit "
    "elaborate email emphasize enter estimate examine execute expand explain export extend extract fill filter finish fix follow format "
    "forward generate get give go grade group guess guide handle help highlight illustrate implement import improve insert "
    "inspect integrate interpret invent invite keep label learn link list localize look make map mark memorize merge migrate mix motivate "
    "move note open optimize order organise organize outline pack paraphrase parse paste plan play plot polish port practise "
    "practice prepare present pretend prioritise prioritize print process produce promote proofread propose provide publish pull push put quiz "
    "quote randomise randomize rank rate read rearrange recommend record redo refactor refine reformat regroup remember remind remove rename "
    "reorder repeat rephrase replace reply report rescale research respond return reverse review revise rewrite role-play run save scale "
    "schedule score search send separate serve set share shorten show shuffle sing sketch skip sort spell split spot start stop store structure "
    "suggest sum summarise summarize swap take tell think time transcribe transform translate try turn underline "
    "unscramble update upgrade use validate verify visualise visualize walk watch weigh write zip"
)
_WORKS_OUT = re.compile(r"\b(?:determine|estimate|find|calculate|identify|decide)\b|\d.*\d|\bis\W*$|\bnumber of\b", re.IGNORECASE)
_TELLS = frozenset(_LIST_TELLS.split())


def is_imperative(sentence: str) -> bool:
    """Whether a sentence begins with a verb and its object, and the verb is none that examinations use."""
    words = [match[0] for _, match in zip(range(2), _WORDS.finditer(sentence[:80]), strict=False)]
    if len(words) == 2 and words[0].isalpha():  # noqa: PLR2004
        first = words[0].lower()
        if first not in _NO_VERB and first not in _EXAM_VERBS and not first.endswith(_NO_IMPERATIVE) and words[1] in _OBJECTS:
            return True
    if (kazakh := _KAZAKH.search(sentence[-80:])) is not None and not _KAZAKH_EXAM.fullmatch(kazakh[1]):
        return True
    russian = _RUSSIAN.match(sentence[:80])
    return russian is not None and not _RUSSIAN_EXAM.fullmatch(russian[1])


def requests(sentence: str) -> bool:
    """Whether a sentence is a request that no question of an examination makes."""
    return _REQUEST.match(sentence) is not None or _REQUEST_AT_END.search(sentence[-200:]) is not None or is_imperative(sentence)


def tells(sentence: str) -> bool:
    """Whether a sentence that is no question begins with a verb that tells somebody what to do."""
    first = _WORDS.search(sentence[:80])
    return first is not None and first[0].lower() in _TELLS and _WORKS_OUT.search(sentence) is None
