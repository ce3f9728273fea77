"""What makes a message something else than one multiple-choice question: a task about a text, several answers, an explanation wanted.

Every pattern is looked for in pieces of bounded length. A pattern that real questions contain would cost recognition: `make
recogniser` shows both sides.
"""

import re
from collections.abc import Sequence

_THIS = r"(?:this|these|those|the|that|following|above|below|my|each|all|both|any|our|given|every|next|a|an|some|\d{1,3}|two|three|four|five|ten|more|new|similar|such|of|following|entire|whole|multiple[- ]choice|mcq|exam|test|quiz|sample|draft|practice|original|first|second|last|same)"
_ITEM = r"(?:questions?|mcqs?|quiz(?:zes)?|exams?|tests?|items?|distractors?|stems?|sentences?|paragraphs?|passages?|texts?|emails?|lists?|cover letters?|essays?|codes?|functions?|snippets?|scripts?|quer(?:y|ies)|tables?|notes?|outline|slides?|words?|phrases?|terms?|titles?|headlines?|statements?|bullet points?|bullets|articles?|message|report|recipe|poem|story|song|lines?|steps|points|sections?|documents?|agenda|worksheet|flashcards?|survey|questionnaire|reviews?|tweets?|comments?|abstract|resume|cv|cover letter|contract|clauses?|equations|problems|requirements?|tasks?|tickets?|bugs?|errors?|logs?|names?|ideas?|items)"
_DO = r"(?:translate|rewrite|re-write|rephrase|paraphrase|summari[sz]e|proofread|proof-read|edit|improve|polish|shorten|expand|convert|reformat|format|generate|create|compose|draft|write|review|critique|evaluate|assess|grade|score|rate|rank|classify|categori[sz]e|label|tag|annotate|extract|list|count|sort|order|reorder|number|check|verify|fix|correct|debug|refactor|optimi[sz]e|explain|describe|analy[sz]e|discuss|compare|transcribe|simplify|adapt|turn|transform|make|add|remove|replace|change|split|merge|combine|tell me (?:what|why|which|how|whether)|comment on|go through|answer all|answer each|answer both|answer these|solve (?:all|each|these|both)|compute each|define|implement|design|come up with|brainstorm|suggest|complete each|fill in)"
_TASK = re.compile(
    rf"(?:^|[.!?:;\n)]\s{{0,4}}|\b(?:please|could you|can you|would you|you to|i want to|i need to|help me|want you|like you to|need you to|let's|and|then|task is to|task:)\s{{1,3}})"
    rf"{_DO}\b(?:\s{{1,3}}(?!{_ITEM}\b|(?:if|whether|of|in|on|by|is|are|was)\b)[\w'’\-]{{1,20}}){{0,2}}?\s{{1,3}}{_THIS}(?:\s{{1,3}}{_THIS}){{0,4}}(?:\s{{1,3}}[\w\-]{{1,20}}){{0,2}}?\s{{1,3}}{_ITEM}\b",
    re.IGNORECASE,
)
_OPTIONS_TASK = re.compile(
    r"\b(?:generate|create|write|make|rewrite|add|improve|translate|shuffle|reorder|invent|suggest) (?:\w+ ){0,3}?(?:options|choices|distractors|alternatives)\b|\b(?:grade|mark|score|correct) (?:this|these|the student'?s?|my|the following) answers?\b|\bin each (?:option|choice)\b",
    re.IGNORECASE,
)
# How to come to an answer is no task of its own.
_WEIGH = re.compile(
    r"\b(?:analy[sz]e|evaluate|review|consider|compare|check|assess|read|discuss|go through) (?:the|each|all|every|this)(?: of the)? (?:following |given |possible )?(?:question|option|choice|answer|alternative)s?\b",
    re.IGNORECASE,
)
_META = re.compile(
    r"badly worded|poorly worded|well[- ]worded|ambiguous(?:ly)? (?:question|worded)|wording of|good distractors?|plausible distractors?|which (?:of (?:these|the following|the) )?(?:two |three |four )?(?:exam |test |quiz |multiple[- ]choice )?questions? (?:is|are) (?:badly|poorly|better|best|worse|worst|well|more|too|ambiguous|harder|easier|the hardest|the easiest|wrong|flawed)|"
    r"\bfor my (?:students|class|pupils|quiz|exam)\b|answer key|my answer was|i (?:answered|chose|picked|got|put|said) \(?[A-Za-z]\b|the (?:correct )?answer is (?:supposedly |given as |listed as )?\(?[A-F]\b\)?|the (?:key|book|textbook|website|teacher|professor|answer sheet) says|why (?:is|isn't|is not) (?:it )?(?:the answer |option |answer |choice )?\(?[A-F]\)?[ ,?]|(?:difficulty|bloom'?s?) (?:level|taxonomy)|"
    r"same style|another (?:question|one) like|like this one|more like (?:this|it|these)\b|similar (?:question|mcq|item)s?|into (?:kazakh|russian|english|french|german|spanish|chinese|turkish|latex|json|html|markdown|a table|csv|yaml|xml|python)\b|"
    r"без перевода|перевед\w+|переформулиру\w+|перепиш\w+|сократи\w*|исправь\w*|проверь\w*|придума\w+|составь\w*|сформулиру\w+|отредактиру\w+|оцени (?:вопрос|качеств|сложност)\w*|похож\w+ (?:вопрос|задани)\w*|"
    r"аудар(?:ыңыз|шы|ып бер)\w*|аударма жаса\w*|қайта жаз\w*|түзет(?:іңіз|ші|іп бер)\w*|құрастыр(?:ыңыз|шы|ып бер)\w*|тексер(?:іңіз|ші|іп бер|іп шық)\w*|ұқсас сұрақ|ойлап тап|қысқарт(?:ыңыз|шы|ып бер)\w*",
    re.IGNORECASE,
)
# In the instructions only: a question's own text may well say `make it`.
_IT = re.compile(
    r"\b(?:write|make|turn|translate|convert|rewrite|put|format|rephrase|shorten|read|print|repeat|copy|send|improve|answer it|shuffle) (?:it|this|that|them)\b|\b(?:shuffle|reorder|swap) the (?:options|choices|answers)|\b(?:output|print|return|render|export) the (?:\w+ )?question|a hint\b|\b(?:and|then|also),? (?:then |also |please )?(?:tell|describe|say|list|suggest|show|name)\b|\b(?:и|затем|потом) (?:расскажи|опиши|назови|покажи)\w*|mnemonic|flashcard|true[- ]or[- ]false question|open question|another (?:topic|question|example)",
    re.IGNORECASE,
)
_THIS_QUESTION = re.compile(
    r"\b(?:this|these|my|our|that|the (?:above|below)) (?:exam |quiz |test |multiple[- ]choice |practice )?(?:questions?|mcqs?|quiz item|test item|quiz)\b|\bthe (?:options|distractors|wording) (?:in|of) (?:this|the)\b|\bэт\w+ вопрос\w*|\b(?:осы|мына|бұл) сұра\w+",
    re.IGNORECASE,
)
_ANSWER_THIS = re.compile(r"\b(?:answer|for|to|in|ответь\w*|жауап)\b[^.\n]{0,40}$", re.IGNORECASE)
_OTHER_FORM = re.compile(
    r"\b(?:table|columns?|rows?|comments?|paragraphs?|essay|bullets?|bullet points|sources?|links?|references|citations?|percentages?|probabilit\w+|poem|rhyme|diagram|chart|csv|xml|yaml|summary|ranking|feedback|dict|dictionary|html|latex|markdown|function|topic i should|reasoning behind|so (?:that )?i can|for my)\b|"
    r"\b(?:in|with|of) (?:a|one|two|three|\d|a few|full|complete|short) sentences?\b|таблиц\w*|источник\w*|ссылк\w*|абзац\w*|предложени\w* \w+|кесте\w*|дереккөз\w*",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"\bshould (?:i|we)\b|\bdo you (?:prefer|like|recommend|suggest|think (?:i|we))\b|\bwould you (?:recommend|suggest|prefer|pick|choose)\b|\bwhat do you think\b|\bwhich (?:one )?do you\b|help (?:me|us) (?:choose|decide|pick)|your (?:opinion|thoughts|favou?rite|preference)|\badvise me\b|"
    r"\b(?:мне|нам) (?:лучше )?(?:выбрать|купить|взять|поехать|пойти)|\bкак лучше\b|посоветуй\w*|что (?:ты )?думаешь|деп ойлайсы\w*|как (?:ты )?(?:думаешь|считаешь)|помоги\w* (?:мне )?(?:выбрать|решить)|кеңес бер|қайсысын ұнат|сен қалай ойлай",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"\b(?:select|choose|check|mark|tick|pick|identify|circle|indicate) (?:all (?:of the |the )?(?:that|correct|options|answers|choices|statements|which|true|right|apply)|all\s{0,2}[.):]|every (?:correct|option|answer|statement)|(?:the )?(?:best )?(?:correct )?(?:two|three|four|2|3|4)(?: best)?(?: (?:correct|right|best|of the (?:following|options|answers|statements|choices)|statements|options|answers|choices|statements|letters)\b|\s{0,2}[.):])|(?:one|1) or more|at least (?:one|two))|\b(?:all|as many as) (?:that )?apply\b|\bevery (?:right|correct|true) (?:answer|option|statement|box)|\ball (?:right|correct|true) (?:boxes|answers)|(?:^|[.?!]\s)\W{0,3}(?:two|three|four) of (?:these|the following|the options below|the statements below) (?:are|is)\b(?! [^.?]{0,80}which one)|(?:^|[.?!]\s)\W{0,3}(?:identify|name|give|list|state|mention|choose|select) (?:two|three|four|five) (?!of the five)\w+|назовите (?:два|две|три)\b|(?:^|\n)(?:екі|үш|төрт) \w+(?:ты|ті|ды|ді|ны|ні) (?:атаңыз|көрсетіңіз|таңдаңыз)|all (?:the )?(?:correct|right|true|applicable) (?:answers|options|choices|statements|letters)|"
    r"\b(?:determine|decide|say|state) (?:whether|if) (?:the|these|the following|each of the) statements (?:is|are)|\b(?:in|for|of) each of the (?:\w+ )?\w+s below|there (?:may|can|could|might) be (?:several|more than one|multiple)|more than one (?:may|can) (?:be|apply)|more than one (?:correct |right )?(?:answer|option|choice)|multiple (?:answers|options|choices|responses) (?:may|can|could|are|is)|one or more (?:answers|options|choices|letters|of)|(?:select|choose) several|"
    r"which (?:two|three) (?:of (?:the following|these)|statements|answers|options|are (?:correct|true|right))|\b(?:two|three) (?:correct|right) (?:answers|options)|\((?:two|three|2|3) (?:answers|options|choices)\)|both (?:correct )?answers|letters separated|comma[- ]separated|rank (?:the following|these) (?:options|items|answers|statements)|(?:following|these) in (?:the )?(?:correct|right|chronological) order:?\s{0,3}$|match (?:each|the following)|true or false (?:for each|:)|"
    r"(?:выбер|укаж|отметь|назов)\w* (?:все|два|две|три|нескольк|один или нескольк|не менее)\w*|все (?:правильные|верные|подходящие) (?:ответы|варианты)|нескольк\w+ (?:правильн|верн|вариант|ответ)\w*|два (?:правильн|верн)\w+|"
    r"барлық дұрыс|бірнеше (?:дұрыс )?(?:жауап|нұсқа)\w*|екі (?:дұрыс )?(?:жауап|нұсқа)\w*|үш (?:дұрыс )?(?:жауап|нұсқа)\w*|екеуін таңда|үшеуін таңда",
    re.IGNORECASE,
)
_EXPLAIN = re.compile(
    r"\b(?:explain|explains?|explanations?|justif(?:y|ication)\w*|rationale|elaborate|essay|discuss|why (?:it|your|each|the other|this|that|you)\b|and why|show (?:your|the|all|me) (?:work|working|steps|reasoning|solution|how)|walk me through|in detail|detailed (?:answer|solution|analysis)|cite|give (?:a |your )?reasons?|with reasons|teach me|help me understand|step[- ]by[- ]step (?:solution|explanation)|for each option|each (?:option|choice)|why not|"
    r"объясн\w*|поясн(?!ени)\w*|поясненi\w*|обосну\w*|обоснован\w*|аргумент\w*|почему|подробн\w*|покажи\w* решение|разбер\w*|с решением|развёрнут\w*|"
    r"түсіндір\w*|негізде\w*|дәлелде\w*|неге|неліктен|шешуін|толық жауап)\b",
    re.IGNORECASE,
)
_NO_EXPLAIN = re.compile(
    r"\b(?:no|not|n't|don't|without|never|avoid|omit|skip|nor|free of|rather than|any|other|additional|extra|further|instead of|не|без|никак\w*|ешқандай|қосымша)\s(?:[\w'’,\-]{1,20}\s){0,6}?(?=(?:explain|explan|justif|rational|elabor|reason|обосн|объясн|поясн|түсіндір))[\w\-]{1,20}(?:,? (?:or|and|или|и|и не) \w{1,20})?|\bтүсіндірме(?:сіз|йін)?(?: (?:жазба|берме|қоспа)\w*)?",
    re.IGNORECASE,
)
_REASON_FIRST = re.compile(
    r"\b(?:before|then|finally|last line|finish|end(?:s|ing)? with|conclude|at the end|after (?:your|the)|перед|затем|в конце|потом|соңында|содан кейін|алдымен)\b",
    re.IGNORECASE,
)
_STEM_EXPLAIN = re.compile(
    r"(?:^|[.?!\n]\s{0,4}|\bplease |\band )(?:explain (?:your|why|how|each|the (?:reason|answer|difference|correct|solution|steps?))|justify your|show your (?:work|reasoning|steps)|give reasons|discuss\b|объясни|объясните|поясни|поясните|обоснуй|обоснуйте|почему ты|подробно|түсіндір(?:іңіз|ші|іп)|негізде(?:ңіз|ші))",
    re.IGNORECASE,
)
_AND_WHY = re.compile(r"\b(?:and why|и почему|және неге|неге)\?\s{0,4}$", re.IGNORECASE)
_REASON_WORDS = 4
_IMAGE = re.compile(r"!\[[^\]\n]{0,300}\]\(|<image(?: \d{1,2})?>|<img\b", re.IGNORECASE)


def _anywhere(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.search(text) is not None


def wants_several(text: str) -> bool:
    """Whether several answers are asked for."""
    return _anywhere(_SEVERAL, text)


def is_task(text: str) -> bool:
    """Whether a text asks for something to be done with a text, a list or a question, other than to answer it."""
    text = _WEIGH.sub(" ", text)
    return _anywhere(_TASK, text) or _anywhere(_META, text) or _anywhere(_OPTIONS_TASK, text)


def wants_other_form(instructions: str) -> bool:
    """Whether the instructions want a form that one label does not fill: a table, sentences, sources."""
    return _anywhere(_OTHER_FORM, _NO_EXPLAIN.sub(" ", instructions))


def transforms(instructions: str) -> bool:
    """Whether the instructions around a question want it to be changed, hinted at or copied."""
    return _anywhere(_IT, instructions)


def is_about_a_question(question: str) -> bool:
    """Whether the text speaks of a question as of a thing (`this question is confusing`), other than to have it answered."""
    return any(
        not _ANSWER_THIS.search(question[max(0, found.start() - 60) : found.start()]) for found in _THIS_QUESTION.finditer(question[:1_000])
    )


def wants_advice(text: str) -> bool:
    """Whether a person asks for an opinion or a recommendation."""
    return _anywhere(_ADVICE, text)


def wants_explanation(instructions: str, *, fixed_end: bool) -> bool:
    """Whether the instructions ask for an explanation that is read by a person.

    Args:
        instructions: sentences that tell how to answer.
        fixed_end: whether they also fix a form in which the answer ends; reasoning in front of it is then allowed to be absent.
    """
    without = _NO_EXPLAIN.sub(" ", instructions)
    return _anywhere(_EXPLAIN, without) and not (fixed_end and _anywhere(_REASON_FIRST, without))


def question_wants_explanation(question: str, options: Sequence[str]) -> bool:
    """Whether the question itself demands an explanation; where it ends in `and why?`, long options hold the reasons."""
    if _anywhere(_STEM_EXPLAIN, question[-600:]):
        return True
    short = sum(len(option.split()) < _REASON_WORDS for option in options)
    return _anywhere(_AND_WHY, question[-40:]) and short * 2 > len(options)


def has_image(text: str) -> bool:
    """Whether a text refers to a picture that is a part of it."""
    return _anywhere(_IMAGE, text)
