"""The sentence that asks: the last one in front of the options, and what can be seen in it in English, Russian and Kazakh.

The signs are words of the closed classes (question words, pronouns, forms of `be`), never of a subject.
"""

import re
from dataclasses import dataclass

_SENTENCE_END = re.compile(r"(?<![ .(]\w\.)(?<=[.!?])[\s*_]+(?=\S)")
_QUESTION_MARK = re.compile(
    r"\?[\s\"'”’»)\]*_$`.]{0,6}(?:\([^()\n]{0,80}\)|\[[^\[\]\n]{0,60}\]|（[^（）\n]{0,60}）)?(?:\$ \$)?[\s*_:.\"'”’»]{0,6}$"
)
_QUOTED = re.compile(r"\"[^\"\n]{0,300}\"?|“[^”\n]{0,300}”?|«[^»\n]{0,300}»?|(?<!\w)'[^'\n]{0,300}'(?!\w)|‘[^’\n]{0,300}’|`[^`\n]{0,300}`")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\$[^$\n]{1,80}\$|\d[\d.,]*")
_FIGURES = re.compile(r"[\d\s.,;:$%/+=^*()|\\{}×÷–-]+")
_LONG = 25  # words: a text of this length tells what the question is about

_WH = re.compile(
    r"\b(?:which|what|who|whom|whose|where|when|why|how|what's|who's)\b|"
    r"\b(?:как(?:ой|ая|ое|ие|их|ого|ую|им|ом|ому|ими|ою|овы?|ова|ово)|кто|что|кем|чем|чему|кого|кому|чего|где|когда|сколько|скольких|почему|зачем|куда|откуда|как|чей|чья|чьё)\b|"
    r"\b(?:қай\w*|қандай\w*|кім\w*|не|нені|неге|неліктен|неден|немен|неде|несі|қашан|қанша\w*|неше\w*|қалай\w*)\b",
    re.IGNORECASE,
)
_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had|may|must|isn't|aren't|doesn't)\b|\b(?:ли|ма|ме|ба|бе|па|пе)\b",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    r"\b(?:except|not|incorrect|false|least|odd|cannot|never|кроме|не|неверн\w+|неправильн\w+|лишн\w+|емес|бұрыс|жоқ|қате)\b", re.IGNORECASE
)
_I = re.compile(
    r"\b(?-i:(?<![Ii]f )(?<!class )(?<!Class )(?<!type )(?<!Type )(?<!stage )(?<![&/(])I (?!st\b)(?=[a-z]{2,})|I['’](?:m|ve|d|ll)\b)|\b(?:me|my|mine|let's|please|мне|меня|мной|мой|моя|моё|мои|моего|моей|моих|моему|пожалуйста|маған|мені|менің|өтінемін)\b",
    re.IGNORECASE,
)
# `We` and `you` of a word problem (`how many can we make`) speak to nobody.
_YOU = re.compile(
    r"\b(?:would|could|can|do|did|are|were|have) you\b(?! (?:see|find|expect|observe|get|need|use)\b)|\byou(?:'d|['’]re|['’]ve|'ll)?\s(?:recommend|think|like|prefer|suggest|get|know|rather|free)\b|"
    r"\b(?:do|are|have|shall|must|should) we\b(?! (?:call|live|see|refer|know|speak of|define|measure|breathe|use to)\b)|\bwe(?:['’](?:re|ve|ll))? (?:have|need|want|are|discussed|agreed|found|measured|plan|must|decided|learned|took|fix|got|hire|watch|buy|use the notation)\b|"
    r"\bour (?:team|company|trip|plan|project|office|report|meeting|goals?|class|school|next|new|website|product|app|api|shop|branch\w*|seminar|teacher|customers|users|town|group)\b|\b(?:help|give|tell|show|send|suits?|let|for) (?-i:us)\b|"
    r"\b(?:мы|нам|нас|наш(?:а|е|и|ей|их|им|ими|у|ему|его)?|ты|тебе|тебя|твой|твоя|вы|вам|вас|ваш(?:а|е|и|ей|их|им|ими|у|ему|его)?|біз|біздің|бізде|сен|саған|сені|сенің|сіз|сізге|сіздің)\b",
    re.IGNORECASE,
)
# What belongs to the speaker, or is told by the day on which they speak. `Our solar system` is everybody's.
_OWN = re.compile(
    r"\b(?:our|my)\b(?! (?:own )?(?:solar|planet|galaxy|milky|sun\b|moon|earth|universe|star|genetic|bod|eyes|ears|brain|blood|ancestors|lives|atmosphere|current|lungs|skin|bones|species|cells|world|senses|exports|imports|economy|tastes))|"
    r"^\W*a (?:friend|colleague|neighbou?r|cousin|buddy)\b|(?<!if )(?<!when )\bwe (?:signed|bought|ordered|chose|sent|received|paid|hired|launched|built|installed|booked|tried|shipped|visited|met|wrote|sold)\b|"
    r"\b(?:tonight|yesterday|this (?:week|term|weekend|afternoon|evening|morning|friday|monday)|next (?:weekend|week|monday|friday)|last (?:night|monday|friday)|right now|at the moment)\b",
    re.IGNORECASE,
)
_THESE = re.compile(
    r"\b(?:these|those)\b|\b(?:all this|all that|эти|этих|этим|этими)\b|"
    r"\b(?:бұлар\w*|осылар\w*|мыналар\w*)\b|\b(?:бұл|осы|мына|мұндай|осындай) (?:\w+ )?\w+(?:лар|лер|дар|дер|тар|тер)",
    re.IGNORECASE,
)
_EVERY = re.compile(
    r"\b(?:each|every|they|(?<!among )(?<!of )them|each of these|each of the following|каждый|каждого|каждом|каждому|каждую|каждой|каждое|них|ними|они|олар\w*|әр|әрбір|әрқайсы\w*|бәрі\w*|екеуі\w*)\b",
    re.IGNORECASE,
)
_ONE_OF = re.compile(r"\b(?:which|one|none|any|most|best|least|worst|\w+est) (?:\w+ )?of (?:these|those|the following)\b", re.IGNORECASE)
_FOLLOWING_ONES = re.compile(
    r"(?<!of )(?<!among )(?<!in )\bthe following (?:\w+ )?(?!is\b|was\b|has\b|does\b)\w+(?<![sui])s\b|\bof the following\?|(?<!of )\bthe \w+s below\b",
    re.IGNORECASE,
)
_BARE_VERB = "are|were|have|do|need|require|won|lay|block|sound|worry|contain|use|belong|exist|lie|live|make|take|come|go|get|work|look|appear|raise|mean|say|show|give|help|share|begin|end|start|eat|cost|suit|fit|match|sell|fail|pass|apply|speak|play"
_PLURAL = re.compile(
    rf"(?:^|[,:;] )\W*(?:which|what) of (?:these|those|the following|them) (?:(?!\w+ly\b|is\b|was\b|has\b|does\b|will\b|would\b|must\b|can\b|could\b|may\b|might\b|should\b|did\b)\w+ )?(?:{_BARE_VERB})\b|(?:^|[,:;] )\W*(?:which|what) (?!is\b|was\b|does\b|has\b|did\b)(?:[\w-]+ )?(?!is\b|was\b|does\b|has\b|this\b)\w{{3,}}(?<![sui])s (?:\w+ly )?(?:{_BARE_VERB})\b|"
    rf"^\W*which (?:ones|two|three|{_BARE_VERB})\b|\b(?:what are|what were|who are) the (?:\w+ ){{1,3}}(?:of|for|to|in|between)\W*$|^\W*(?:what are|what were|who are) the (?:\w+ )?\w+s\W*$|"
    r"\b(?:какие|каких|каковы)\b|\bқай(?:лар|сылар)\w*|\bқай (?!қатар|жылдар)\w+(?:лар|лер|дар|дер|тар|тер)\w*",
    re.IGNORECASE,
)
_STATEMENTS = re.compile(
    r"^\W*(?:which|what) (?:of the )?(?:following |these |two |above )*statements?\b[^?]{0,80}\bare (?:true|correct|false|incorrect|right|wrong)",
    re.IGNORECASE,
)
_ALL_OF = re.compile(
    r"^\W*(?:identify|name|list|pick|find|choose|select|state|give|underline|circle) (?:the|all|all the) (?:\w+ ){0,2}\w{3,}(?<![sui])s(?: (?:in|from|of|among|below)\b[^.?]{0,40})?[.:\s]*$|"
    r"^\W*which (?:of (?:the following|these) )?(?:would|could|can|may|might|should) be (?:considered |called |classified as |regarded as )?(?:\w+ )?\w{3,}(?<![sui])s\?|"
    r"^\W*what (?:are|were) (?:the |some )?(?:\w+ ){0,3}?\w+s (?:of|for|in|that)\b[^?]{0,80}\?",
    re.IGNORECASE,
)
_OF_FOLLOWING = re.compile(r"\bthe following (?:\w+ ){0,3}\w+\?", re.IGNORECASE)
_WHICH = re.compile(
    r"\bwhich\b|\b(?:one|all|none|any|most|best) of the following\b|\bfollowing (?:is|was|would|will|does|best|can|could|may)\b",
    re.IGNORECASE,
)
_IN_PARENTHESES = re.compile(r"\(([a-h])\)")
_RIGHT_ONE = re.compile(r"\b(?:in)?correct\b|\b(?:true|false|wrong)\b", re.IGNORECASE)
# `It is calculated for each by` has a gap for one item.
_EACH = re.compile(r"\b(?:each|every|all of|ones)\b(?!.*\bby\W*$)", re.IGNORECASE)
_NUMBERS = re.compile(r"\bwhich (?:two|three|four|ones)\b|\bodd ones\b", re.IGNORECASE)
# `What is the distance to` is asked of every item that follows.
_OPEN_QUESTION = re.compile(
    r"^\W*(?:what|who|where|how|(?:find|calculate|determine|give|state|name|write|work out|compute) the)\b.*\b(?:to|of|in|from|for|between|about|with|by)\W*$",
    re.IGNORECASE,
)
_TWO_WORDS = re.compile(r"^\W*(?:who|which|when (?:would|do|should))\b.*\b(?:what|whom|which|where|when)\W*$", re.IGNORECASE)
_AND_WHY = re.compile(r"\W*(?:also|and|but|so)?,? ?(?:why|how|how so|why not|почему|неге)\W*", re.IGNORECASE)
_WHY_TOO = re.compile(r"\b(?:and why|и почему|және неге)\W*$", re.IGNORECASE)
_SHORT_YOU = re.compile(r"(?<!if )(?<!when )\b(?:you|your)\b(?! (?:body|eyes?|blood|skin|heart)\b)", re.IGNORECASE)
# What one should do is asked in the infinitive in Russian, and in the first person in Kazakh.
_ADVISE = re.compile(
    r"\b(?:что|кого|куда|где|как|чего|чем|чему|кому|какой|какую|какое)\b(?: \w+){0,3}? \w{2,}(?:ть|ться|ти|чь)\b|\w+(?:айын|ейін|йын|йін|аймын|еймін|амын|емін|ймын|ймін)\b",
    re.IGNORECASE,
)
_ONE_MOST = re.compile(r"\b(?:most|least|best|\w{3,}(?:est|iest))\b", re.IGNORECASE)
_HERE = re.compile(r"\b(?:here|today|tonight|this|сегодня|здесь|тут|это|этого|там|бүгін|мұнда|осы|бұл)\b", re.IGNORECASE)
_IT = re.compile(r"\bit\b", re.IGNORECASE)
_ORDER = re.compile(
    r"\b(?:in (?:what|which) order|(?:right|correct|best|proper) order|order of (?:the )?(?:steps|events)|в каком порядке|по порядку|chronological(?:ly)?|alphabetical(?:ly)?|from (?:\w+est|first) to (?:\w+est|last)|қандай ретпен|рет-ретімен)\b",
    re.IGNORECASE,
)
_DIFFER = re.compile(
    r"\b(?:differ\W*$|differences|(?:these|they|do) .{0,20}in common|pros|cons|(?:is|are|what's|anything) missing|missing (?:from|here)|missed|forgotten|went wrong|go wrong|stand for these|не хватает|забыл\w*|общего|жетпей|жетіспей\w*)\b|\bdifferences? between(?: these| the following)?\W*$",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?:^|\b(?i:is|are|does|do|of|between|and|or|with|than|over|from|to|in|why|if|item|option|choice|letter|how|can|по|и|или|чем|с|у|мен|пен)\s)\W?([A-HА-ЕӘ])(?![\w'’.(:+*/^=)-]|\s*[=+*/^×∩∪<>$\\)])"
)
# Labels that are words of the sentence: `A` in front of another word, the Russian `В` that begins it (`В каком году`, but not `В и Г`, `В лучше`).
_A_WORD = re.compile(r"[AА] \w|^В (?!и\b|или\b|не\b|лучше\b|хуже\b|верн|правильн)[а-яёәғқңөұүһі]")
_ONE_OF_THE = re.compile(r"\W*one of the \w+s\b.*\bis\b", re.IGNORECASE)  # one item, of however many
_DEFINED = 12  # words in which a letter or a `they` can have been defined
_APART, _VERY_SHORT, _TINY, _CLOSE = 3, 8, 5, 15
_FORMULA = re.compile(r"\$[^$\n]{1,200}\$|\\[a-z]{2,}\b")


@dataclass(frozen=True, slots=True)
class Asking:
    """The sentence that asks.

    Attributes:
        stem: text in front of the options.
        last: last sentence, with lines that were wrapped put together, and without a source in parentheses behind a question mark.
        spoken: the same without quotations and code.
        words: number of words of the last sentence.
        length: number of words of the stem.
        question: whether the sentence ends in a question mark.
    """

    stem: str
    last: str
    spoken: str
    words: int
    length: int
    question: bool

    @property
    def alone(self) -> bool:
        """Whether nothing but a short text says what the question is about."""
        return self.length < _LONG

    @property
    def asks(self) -> bool:
        """Whether there is a question word, or a verb in the place of one."""
        return _WH.search(self.spoken) is not None or _AUXILIARY.search(self.spoken) is not None

    @property
    def has_question_word(self) -> bool:
        return _WH.search(self.spoken) is not None

    @property
    def excludes(self) -> bool:
        """Whether the one is asked for that does not fit (`except`, `not`)."""
        return _CONTRAST.search(self.spoken) is not None

    @property
    def is_personal(self) -> bool:
        """Whether the speaker, or in a short text the listener, is spoken of."""
        if self.length >= _VERY_SHORT and self.has_formula:
            return False
        if self.question and self.length < _DEFINED and (_SHORT_YOU.search(self.spoken) or _ADVISE.search(self.spoken)):
            return True
        return _I.search(self.spoken) is not None or (self.alone and _YOU.search(self.spoken) is not None)

    @property
    def is_of_own_life(self) -> bool:
        """Whether a short text speaks of what only the speaker knows: `our contract`, `tonight`."""
        return self.alone and not self.has_formula and _OWN.search(without_quotations(self.stem)) is not None

    @property
    def has_number(self) -> bool:
        return re.search(r"\d", self.stem) is not None

    @property
    def has_formula(self) -> bool:
        return _FORMULA.search(self.stem[-1_000:]) is not None

    @property
    def takes_every_item(self) -> bool:
        """Whether a short text asks about each item, or about several of them.

        In a longer text `they` and `each` can be what its other words tell of.
        """
        if not self.alone or self.excludes:
            return False
        if self.question:
            of_all = _OF_FOLLOWING.search(self.spoken) is not None and _WHICH.search(self.spoken) is None
        else:
            of_all = _OPEN_QUESTION.search(self.last) is not None or (
                self.length < _VERY_SHORT and _EACH.search(self.spoken) is not None and _RIGHT_ONE.search(self.spoken) is None
            )
        if of_all or (not self.question and _RIGHT_ONE.search(self.spoken)):
            return of_all
        rest = _ONE_OF.sub(" ", self.spoken)
        if _FOLLOWING_ONES.search(rest) is not None:
            return True
        return self.length - self.words <= _APART and (
            (self.length < _CLOSE and _THESE.search(rest) is not None)
            or (self.question and self.length < _DEFINED and _EVERY.search(rest) is not None)
        )

    @property
    def wants_several(self) -> bool:
        """Whether a question word in the plural asks for several items."""
        if not self.alone:
            return False
        if _NUMBERS.search(self.spoken) or (self.words <= _VERY_SHORT and _TWO_WORDS.search(self.spoken)):
            return True
        if self.excludes:
            return False
        if _STATEMENTS.match(self.spoken):
            return True
        return _PLURAL.search(self.spoken) is not None and _ONE_MOST.search(self.spoken) is None

    @property
    def wants_all(self) -> bool:
        """Whether a plural asks what all of them are: `What are the products of photosynthesis?`."""
        return self.alone and _ALL_OF.match(self.spoken) is not None

    @property
    def points_at_the_list(self) -> bool:
        """Whether a very short question speaks of what stands below as of a thing, or of what it lacks."""
        return (
            (self.question and self.length < _VERY_SHORT and _HERE.search(self.spoken) is not None)
            or (self.question and self.length <= _TINY and _IT.search(self.spoken) is not None)
            or (self.alone and _DIFFER.search(self.spoken) is not None and _ONE_OF_THE.match(self.spoken) is None)
        )

    @property
    def wants_reasons(self) -> bool:
        """Whether the last sentence is no more than `And why?`."""
        return self.question and _AND_WHY.fullmatch(self.last) is not None

    @property
    def wants_reasons_too(self) -> bool:
        """Whether the question ends in `…, and why?`."""
        return self.question and _WHY_TOO.search(self.last) is not None

    @property
    def names_the_speaker(self) -> bool:
        """Whether `I` or `my` stands in a short text."""
        return self.alone and _I.search(without_quotations(self.stem)) is not None

    @property
    def speaks_of_order(self) -> bool:
        return self.alone and _ORDER.search(self.spoken) is not None

    def names(self, labels: tuple[str, ...]) -> bool:
        """Whether the items are spoken of by their labels, where nothing else can be meant."""
        if self.length > _DEFINED:
            return False
        if any(match[1] in labels for match in _IN_PARENTHESES.finditer(self.spoken)):
            return True
        found = [match for match in _NAMED.finditer(self.spoken) if match[1] in labels]
        return any(_A_WORD.match(self.spoken, match.start(1)) is None for match in found)


def asking(stem: str) -> Asking:
    """Find the sentence that asks; code behind it is left out."""
    text = stem[-6_000:].rstrip(" \n．$~")
    while text.endswith("```") and (start := text.rfind("```", 0, -3)) > 0 and text[:start].strip():
        text = text[:start].rstrip()
    line = _last_line(text)
    found = _QUESTION_MARK.search(line[-160:])
    if found is not None:
        line = line[: len(line) - len(line[-160:]) + found.start() + 1]
    last = _SENTENCE_END.split(line[-1_200:])[-1]
    if found is None and _FIGURES.fullmatch(last) and (before := text.rfind("?")) >= 0:
        # Figures behind a question are what it speaks of.
        found, last = _FIGURES.match(last), _SENTENCE_END.split(text[max(0, before - 600) : before + 1])[-1]
    return Asking(stem, last, _QUOTED.sub(" ", last), count_words(last), count_words(stem[-2_000:]), found is not None)


def count_words(text: str) -> int:
    return sum(1 for _ in _WORD.finditer(text))


def without_quotations(text: str) -> str:
    return _QUOTED.sub(" ", text)


def _last_line(text: str) -> str:
    """The last line together with those in front of it that were only wrapped: the next one goes on with a small letter."""
    lines = [line.strip() for line in text.replace("\t", " ").split("\n") if line.strip()][-12:]
    joined = lines.pop() if lines else ""
    while lines and joined[:1].islower() and lines[-1][-1:] not in {".", "?", "!", ":"}:
        joined = f"{lines.pop()} {joined}"
    return joined
