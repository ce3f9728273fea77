"""Text in front of a question that is no part of it: `Any typos?`, `Save this for later`, `JSON, please:`.

A question needs only what tells of its subject: sentences with a verb, in the third person. What stands in a line of its own, is short
and is none of this belongs to the person who asks, and says what is to be done with the question.
"""

import re

from app.recognise import statements
from app.recognise.asking import Asking, asking, count_words, without_quotations

_MOST_WORDS, _MOST_HEAD, _SHORT = 14, 7, 40
_CONTEXT = re.compile(
    r"\W{0,4}(?:consider|suppose|let|given|assume|imagine|refer|use the|using|answer|read|look at|study|for (?:the|each|this|question)|in (?:the|this|a|an)|according|based|directions|statements?|case|context|passage|text|table|figure|clause|facts?|situation|scenario|classify|determine|decide|рассмотрите|прочитайте|дано|пусть|известно|берілген|мәтінді|оқыңыз)\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|could|will|would|may|must|does|did|\w{3,}(?:ed|es))\b|[=<>≤≥$\\]|\b\w{3,}[^su\W]s\b|"
    r"\b\w{3,}(?:ет|ют|ит|ат|ят|ел|ла|ло|ли|ал|ил|ется|лся)\b|\b\w{2,}(?:ды|ді|ты|ті|ған|ген|қан|кен|ады|еді|йды|йді)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"\b(?:I|I'm|me|my|we|our|us|you|your|please|this (?:one|question|item|test|quiz|exam)|questions?|quiz|exam|test|item|typos?|wording|options?|distractors?|answers?|answered|answer key|hint|student|translate|version|"
    r"мне|мой|наш\w*|вопрос\w*|тест\w*|вариант\w*|ответ\w*|ученик\w*|пожалуйста|сұра\w*|тест\w*|нұсқа\w*|жауап\w*|оқушы\w*|маған|менің|өтінемін)\b",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"\W{0,4}(?!(?:is|its|has|was|this|as|us)\b)[A-Za-z]{2,}\s+(?:the|a|an|this|these|that|it|them|me|us|all|each|every|my|your|our|for|to|as|into|feedback|what|why|how)\b",
    re.IGNORECASE,
)
# A passage is spoken of by the question behind it; what belongs to the writer of a message is not.
_REFERS = re.compile(
    r"\b(?:above|statements?|arguments?|passages?|conclusions?|texts?|authors?|reasoning|clauses?|sentences?|excerpts?|contracts?|paragraphs?|described (?:above|in)|criticism|response|disagree|this|these|such|he|she|they|him|them|his|her|their|мәтін\w*|үзінді\w*|текст\w*|отрыв\w*)\b",
    re.IGNORECASE,
)
_SIGNS = re.compile(r"[=$\\{}\[\]|<>]|\d|^\s*(?:\(?[ivxIVXⅠ-Ⅻ]+[).]|[-*•°]|Statement|Argument|Case)", re.MULTILINE)
_WRITER = re.compile(
    r"\b(?:I|I['’]m|I['’]ve|my|me|we|we['’]re|our|us|please|you|your|мой|моя|моё|мои|мне|меня|я|мы|наш\w*|нам|нас|вы|вам|ваш\w*|ты|тебе|пожалуйста|менің|маған|біз|біздің|бізге|інім|өтінемін|берші|сіз|сен)\b",
    re.IGNORECASE,
)
_POINTS = re.compile(
    r"\b(?:quiz|worksheets?|flashcards?|mock (?:paper|exam)|examiners?|distractors?|podcasts?|(?:items?|questions?|cards?|lines?|entry|entries|texts?|tasks?) below|(?:next|following) (?:item|question|card|entry|lines?|task)|below is)\b",
    re.IGNORECASE,
)
_PROGRAM = re.compile(r"[=←{}<>\\]|\bStep \d")
_SUPPOSES = re.compile(r"\W{0,4}(?:consider|suppose|let|given|assume|imagine|рассмотрите|пусть|дано|известно|берілген)\b", re.IGNORECASE)
_TO_DO = re.compile(
    r"\W{0,3}(?:\d{1,3}[.)]\s+)?(?:solve|find|calculate|determine|simplify|evaluate|choose|identify|complete)\b", re.IGNORECASE
)
_LABELLED = re.compile(r"\w{1,12}:\s")
_WHOLE = re.compile(r"\W{0,3}[A-ZА-ЯӘҒҚҢӨҰҮІ]")
_PASSAGE, _STORY = 60, 120
# `Typo hunt: Which …`, `Is this clear? A patient …?` in one line.
_HEADED = re.compile(
    r"\W{0,3}(?P<head>[^:?.!\n]{1,60})(?::|\s[–—-])\s+(?:which|what|who|whom|whose|how|when|where|why)\b|\W{0,3}(?P<asked>[^?\n]{1,80})\?[ \t]+[A-ZА-ЯӘҒҚҢӨҰҮІ]",
    re.IGNORECASE,
)
_OF_A_TEXT = re.compile(
    r"\b(?:distractors?|misconceptions?|typos?|wording|worded|students?|hints?|answer key|version|flashcards?|quiz|test item|exam item|опечатк\w*|формулировк\w*|тұжырым\w*)\b",
    re.IGNORECASE,
)
_SENTENCES = re.compile(r"(?<![ .(]\w\.)(?<=[.!?])\s+")
_NO_BARE = re.compile(
    r"\W{0,4}(?:the|a|an|this|these|that|all|each|every|it|in|on|at|by|for|from|with|when|if|as|after|before|while|some|many|most|one|two|there|he|she|they|who|what|which|is|are|was|were|according|due|because)\b",
    re.IGNORECASE,
)


def stands_in_front(asked: Asking) -> bool:
    """Whether another text stands in front of a complete question, in a line of its own or as a short sentence with a colon."""
    lines = [line.strip() for line in asked.stem[:4_000].split("\n") if line.strip()]
    if len(lines) < 2:  # noqa: PLR2004
        return False
    first, second = lines[0], lines[1]
    if second[:1].islower() or count_words(first) > _MOST_WORDS or asked.last.startswith(first[:60]) or "```" in asked.stem:
        return False
    if asking(first).question:
        # Behind a question may stand the text that it is about, and no other question.
        return asked.question or asked.length < _SHORT
    if first.endswith(":") and (asked.question or asked.length < _SHORT):
        return _CONTEXT.match(first) is None
    return (asked.question or asked.last.rstrip().endswith(".")) and not _is_context(first)


def is_of_the_writer(asked: Asking) -> bool:
    """Whether prose stands in front of a whole question in a line of its own that does not speak of it."""
    lines = [line.strip() for line in asked.stem[-4_000:].split("\n") if line.strip()]
    if len(lines) < 2 or "```" in asked.stem:  # noqa: PLR2004
        return False
    last = lines[-1]
    if not (asked.question or last.endswith(":") or statements.ends_open(asked) or _TO_DO.match(last)):
        return False
    if (
        not (_WHOLE.match(last) or _TO_DO.match(last))
        or (_SIGNS.match(last) and not _TO_DO.match(last))
        or _LABELLED.match(last)
        or _REFERS.search(last)
    ):
        return False
    front = without_quotations("\n".join(lines[:-1]))
    length = count_words(front)
    if length < _STORY and not _PROGRAM.search(front) and (_WRITER.search(front) or _POINTS.search(front)):
        return True
    # A question or a colon in front of the question: two things are asked.
    if (
        length < _PASSAGE
        and asked.question
        and lines[-2].endswith(("?", ":"))
        and not _PROGRAM.search(front)
        and not _SUPPOSES.match(front)
    ):
        return True
    return length < _PASSAGE and _SIGNS.search(front) is None and _SUPPOSES.match(front) is None


def is_headed(asked: Asking) -> bool:
    """Whether a question stands behind another one, or behind a few words and a colon, in one line."""
    found = _HEADED.match(asked.stem[:200])
    if found is None or not asked.question or asked.length > _SHORT:
        return False
    if found["asked"] is not None:
        # `Is it solved by fission or fusion? From carbon?` goes on with the first one; a long text tells of something.
        return asked.stem[found.end() - 1].isupper() and count_words(found["asked"]) <= _MOST_WORDS and asked.last not in found[0]
    head = found["head"]
    return count_words(head) <= _MOST_HEAD and _CONTEXT.match(head) is None and asking(head).has_question_word is False


def _is_context(line: str) -> bool:
    spoken = without_quotations(line)
    if _OF_A_TEXT.search(spoken):
        return False
    if _CONTEXT.match(spoken):
        return True
    if _ABOUT.search(spoken) or _VERB.search(spoken) is None:
        return False
    return not any(_BARE.match(piece) and not _NO_BARE.match(piece) for piece in _SENTENCES.split(spoken))
