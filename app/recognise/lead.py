"""Text in front of a question that is no part of it: `Any typos?`, `Save this for later`, `JSON, please:`.

A question needs only what tells of its subject: sentences with a verb, in the third person. What stands in a line of its own, is short
and is none of this belongs to the person who asks, and says what is to be done with the question.
"""

import re

from app.recognise.asking import Asking, asking, count_words, without_quotations

_MOST_WORDS, _SHORT = 14, 40
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


def _is_context(line: str) -> bool:
    spoken = without_quotations(line)
    if _CONTEXT.match(spoken):
        return True
    if _ABOUT.search(spoken) or _VERB.search(spoken) is None:
        return False
    return not any(_BARE.match(piece) and not _NO_BARE.match(piece) for piece in _SENTENCES.split(spoken))
