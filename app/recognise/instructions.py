"""Sentences that tell how to answer a multiple-choice question, in English, Russian and Kazakh, and the words around a question.

Only what is recognised here is taken off a question; everything else is part of it, or a reason not to answer it.
"""

import re

from app.recognise.vocabulary import is_closed

MAX_SENTENCE = 600

# `Answer:`, `**Final answer:**`, `### Ответ`, `A:`, `The answer is`: what a model is to continue.
_ANSWER_WORD = (
    r"answer|final answer|correct answer|correct option|your answer|the answer is|the correct answer is|the best answer is|answer is|"
    r"your choice|response|solution|ответ|правильный ответ|верный ответ|твой ответ|ваш ответ|жауап|жауабы|дұрыс жауап|дұрыс жауабы|"
    r"antwort|réponse|respuesta|resposta|risposta|cevap|jawaban|답|정답|答案|答え|回答|javob"
)
_THINK = r"(?:let'?s think step by step|думай(?:те)? шаг за шагом|давай(?:те)? подумаем шаг за шагом|қадам-қадаммен ойлан\w*)[.:…]{0,3}"
CUE = re.compile(
    rf"[\s#*_>\-\[(]{{0,8}}(?:(?:{_ANSWER_WORD}|a|ans|assistant)[*_ )\]]{{0,4}}[:：.?=]?[*_ ]{{0,4}}(?:\(|\[|\$\\boxed\{{|option)?(?P<think>\s{{0,3}}{_THINK})?|(?P<alone>{_THINK}))[\s*_]{{0,4}}",
    re.IGNORECASE,
)
SEPARATOR = re.compile(r"[\s\-=_*#~.]{0,80}|<\/?(?:question|options?|choices|mcq|quiz)>", re.IGNORECASE)
OPTIONS_HEADER = re.compile(
    r"[\s#*_>\-\[<(]{0,8}(?:(?:here are |these are )?(?:the |your |possible |available )*(?:answer |multiple )?(?:options?|choices|alternatives|candidate answers|candidates|possible answers|answers)"
    r"(?: are| list)?|варианты(?: ответов| ответа)?|ответы|возможные ответы|(?:жауап )?нұсқалары|нұсқалар|жауап нұсқалары|жауаптар|жауаптары)"
    r"[\s*_\])>]{0,4}[:：]?[\s*_]{0,4}",
    re.IGNORECASE,
)
QUESTION_HEADER = re.compile(
    r"[ \t#*_>\[<(]{0,8}(?P<word>(?:multiple[- ]choice |test |exam |input |the |next |new )*question|q|problem|сұрақ|вопрос|задача|задание|тест сұрағы)"
    r"(?P<number>[ \t]{0,2}(?:no\.?|№|#)?[ \t]{0,2}[0-9]{1,4})?(?:[ \t*_\])>]{0,4}[:：][ \t*_]{0,4}|[ \t*_\])>]{0,4}$|(?<=\d)[.)][ \t])",
    re.IGNORECASE,
)
_SECTION = re.compile(
    r"[\s#*_>\-\[<(]{0,8}(?:instructions?|task|rules|output format|response format|format|note|requirements|указания|инструкция|формат ответа|нұсқаулық|"
    r"example(?: \d{1,3})?|пример(?: \d{1,3})?|мысал(?: \d{1,3})?)[\s*_\])>]{0,4}[:：]?[\s*_]{0,4}",
    re.IGNORECASE,
)

_VERB = (
    r"answer|choose|select|pick|respond|reply|give|output|provide|return|write|print|state|indicate|think|reason|finish|end|conclude|use|"
    r"only|just|do not|don't|never|no|without|your (?:final )?(?:answer|response|output|reply)|the (?:last|final|entire|first|whole|answer|correct|best|output|response)|"
    r"there is|there's|exactly one|make sure|format|put|mark|enter|type|solve|read|consider|work|take|be|explain|determine|identify|find|which|based|when|after|before|first|then|"
    r"now|given|for (?:the|each|this)|in your|you|the following|here is|here's|below is|this is|i will|i'll|complete|what is the|remember|respond"
)
_RU_VERB = (
    r"выбер\w+|выбрать|ответь\w*|ответить|отвеча\w+|ответ\w*|укажи\w*|указать|напиши\w*|написать|дай\w*|верни\w*|выведи\w*|подума\w+|думай\w*|рассужда\w+|только|одн\w+|в ответе|"
    r"заверши\w*|закончи\w*|в конце|не |без |реши\w*|отметь\w*|прочита\w+|правильн\w+|верн\w+|ниже|следующ\w+|вот|формат|последн\w+|твой|ваш|сначала|затем|это тест\w*|перед"
)
_KK_VERB = r"таңда\w*|жауап\w*|көрсет\w*|жаз\w*|бер\w*|белгіле\w*|ойлан\w*|тек|бір|дұрыс\w*|төменде\w*|келесі|соңында|соңғы|қосымша|түсіндірме\w*|сұрақ\w*|берілген|алдымен"
_START = re.compile(
    rf"[\s#*_>\-•–—\d.)(\"'«]{{0,12}}(?:please,? |kindly |also |and |then |finally,? |so,? |note:? |important:? |reminder:? |пожалуйста,? |өтінемін,? )?(?:{_VERB}|{_RU_VERB}|{_KK_VERB})\b",
    re.IGNORECASE,
)
_PLEA = re.compile(
    r"[\s*_]{0,4}(?:please|пожалуйста|thanks?|thank you|спасибо|рақмет|рахмет|өтінемін|go|good luck|let's begin|begin)[\s.!*_]{0,4}",
    re.IGNORECASE,
)
# What an instruction is about. A sentence of the question itself seldom speaks of these, and never of several.
_ABOUT = re.compile(
    r"\b(?:letters?|option(?:s|'s|’s)?|choices?|answers?|responses?|step[- ]by[- ]step|steps|multiple[- ]choice|questions?|format|LETTER|explanations?|reasoning|json|boxed|"
    r"candidate|alternatives?|label|number of|single|concise|brief|knowledge|quotes|texts?|words?|punctuation|anything|nothing|else|carefully|"
    r"букв\w*|вариант\w*|ответ\w*|номер\w*|шаг\w*|вопрос\w*|формат\w*|пояснени\w*|объяснени\w*|комментари\w*|слов\w*|символ\w*|"
    r"әріп\w*|әрпі\w*|нұсқа\w*|жауап\w*|жауаб\w*|сұра\w*|қадам\w*|түсіндірме\w*|нөмір\w*)",
    re.IGNORECASE,
)
# What only instructions speak of: a line of such sentences in front of a question is taken off it.
_CERTAIN = re.compile(
    r"multiple[- ]choice|\bmcqs?\b|\b(?:the|a|one|single|correct|only|option'?s?|choice|capital|uppercase|right|corresponding) letters?\b|letter only|"
    r"\$?LETTER\b|step[- ]by[- ]step|last line|your (?:final )?(?:answer|response|reply)|in the format|following format|without quotes|"
    r"(?:from|among|of|given) the (?:following |given |provided |available |below |listed )*(?:options|choices|alternatives|candidates|answers)\b.{0,20}$|"
    r"\b(?:one|only) (?:option|answer|choice) is correct|only one (?:option|answer|choice)|(?:answer|option|choice) (?:letter|number|label)|"
    r"answer the (?:following |given |next |above |exam |test )*questions?(?:[.:!]?\s*$| (?:by|with|using) (?:choosing|selecting|picking|giving|the|one|only|just|a single)\b)|(?:choose|select|pick|give|indicate|mark|identify) (?:only |just )?(?:the |one )?(?:single |most )?(?:best|correct|right|appropriate) (?:answer|option|choice|alternative)s?[.!:]?\s*$|"
    r"(?:now|please|now,|then) answer|candidate answers|"
    r"одн\w+ букв\w+|только букв\w+|букв\w+ (?:правильн\w+|верн\w+|ответ\w+|вариант\w+)|номер (?:правильн\w+|верн\w+|ответ\w*|вариант\w*)|шаг за шагом|пошагово|вопрос\w* с (?:вариант|выбор)\w+|"
    r"(?:выбер\w+|укаж\w+|отметь\w*) (?:только |один )?(?:правильн|верн)\w+ (?:ответ|вариант)\w*(?: ответа)?[.!:]?\s*$|ответь\w* на (?:следующий |этот )?(?:вопрос|тест)|ниже (?:приведен|дан)\w* вопрос|"
    r"дұрыс (?:жауап|нұсқа)\w* (?:ғана )?(?:таңда|көрсет|белгіле|жаз)\w*[.!:]?\s*$|тек (?:бір )?(?:әріп|әрпі|жауап|нөмір)\w*|әрпін|сұраққа жауап|келесі (?:тест )?сұра\w+|қадам-қадам",
    re.IGNORECASE,
)
_PERSONA = re.compile(
    r"[\s#*_]{0,4}(?:you are |you're |act as |assume the role |ты |вы |сен |сіз |a |an )(?!given|going|presented|to )", re.IGNORECASE
)
_SENTENCES = re.compile(r"(?<=[.!?。！？])[\s*_]+(?=[^\s.!?…])")


def sentences(line: str) -> list[str]:
    """The sentences of a line; an abbreviation ends one too."""
    return [piece for piece in _SENTENCES.split(line) if piece.strip()]


def instructs(sentence: str) -> bool:
    """Whether a sentence can be an instruction how to answer: it begins like one and speaks of an answer."""
    if len(sentence) > MAX_SENTENCE:
        return False
    return _PLEA.fullmatch(sentence) is not None or (_START.match(sentence) is not None and _ABOUT.search(sentence) is not None)


def certainly_instructs(sentence: str) -> bool:
    """Whether a sentence in front of a question is surely no part of it."""
    return instructs(sentence) and _CERTAIN.search(sentence) is not None


def persona(sentence: str) -> bool:
    """Whether a sentence tells the model who it is."""
    return len(sentence) <= MAX_SENTENCE and _PERSONA.match(sentence) is not None


def leading_instruction(line: str) -> bool:
    """Whether a line in front of a question consists of instructions, so that it is no part of the question."""
    if _SECTION.fullmatch(line) or SEPARATOR.fullmatch(line):
        return True
    pieces = sentences(line)
    if any(piece.rstrip(" *_").endswith("?") and _ASKS_ONE.fullmatch(piece) is None for piece in pieces):
        return False
    return any(map(certainly_instructs, pieces)) and all(instructs(piece) or persona(piece) for piece in pieces)


_ASKS_ONE = re.compile(
    r"\W{0,4}(?:which|what|какой|какая|қай\w*)\b[^?]{0,60}(?<!wrong )\b(?:answer|option|choice|one|correct|right|best|letter|ответ|вариант|жауап|нұсқа)\w*[^?]{0,20}\?[\s*_]{0,4}",
    re.IGNORECASE,
)
_NOT_ONE = re.compile(r"\b(?:options|answers|choices|ones|are|not|false|варианты|ответы|нұсқалар|жауаптар)\b", re.IGNORECASE)
_PLAIN = re.compile(
    r"[\s*_]{0,4}(?:please )?(?:think|reason|work|answer|reply|respond|отвечай|ответь|подумай|жауап бер\w*|be|keep)\b[^.\n]{0,40}\b(?:step by step|carefully|step-by-step|in (?:english|russian|kazakh)|quickly|short|brief|briefly|concise|на \w+ языке|по-русски|шаг за шагом|қазақша|орысша)[.!]?[\s*_]{0,4}",
    re.IGNORECASE,
)


def trailing_instruction(line: str) -> bool:
    """Whether a line behind the options tells how to answer, or waits for the answer."""
    if SEPARATOR.fullmatch(line) or _SECTION.fullmatch(line) or CUE.fullmatch(line):
        return True
    return all(_tells_how(piece) for piece in sentences(line))


def _tells_how(sentence: str) -> bool:
    if len(sentence) > MAX_SENTENCE:
        return False
    if sentence.rstrip(" *_").endswith("?"):
        return is_closed(sentence) and _ASKS_ONE.fullmatch(sentence) is not None and _NOT_ONE.search(sentence) is None
    return is_closed(sentence) and (instructs(sentence) or _PLAIN.fullmatch(sentence) is not None)


_CHOICE = re.compile(
    r"multiple[- ]choice|\bmcqs?\b|(?:answer|given|following|provided|these|the|listed|available) (?:choices|options|alternatives)|(?:correct|best|right) (?:answer|option|choice|letter|alternative|number)\b|\b(?:option|answer|choice)(?:'s)? (?:letter|number|label)|\bthe letter\b|\b(?:letter|number) (?:only|alone)\b|(?:single|one|only a|only one|just a|just the|only the|capital|uppercase) letter|\$LETTER|"
    r"вариант\w* ответ|тестов\w+ (?:вопрос|задан)|правильн\w+ (?:ответ|вариант)|верн\w+ (?:ответ|вариант)|букв\w+|номер\w* (?:ответ|вариант|правильн|верн)|тест сұра|дұрыс (?:жауап|нұсқа)|әріп\w*|әрпі\w*|нұсқаны\w*",
    re.IGNORECASE,
)


def speaks_of_choice(text: str) -> bool:
    """Whether instructions speak of choosing one of several answers."""
    return _CHOICE.search(text) is not None
