"""What a question asks, as far as a reply may say it back."""

import re

# Such a question asks for what is wrong.
_FOR_WRONG = re.compile(
    r"\b(?:not|except|false|incorrect|wrong|least|never|untrue|cannot|не|неверн\w+|ложн\w+|nicht|kein\w*|falsch\w*|n['’]est|fausse?|incorrect[ao]|falsa|"
    r"não|değil\w*|емес)\b|不是|不属于|不正确|错误|않는|아닌|틀린|ない|ليس",
    re.IGNORECASE,
)
# What sets one thing above others of its kind.
_RANKS = re.compile(
    r"\b(?:(?!best|rest|test|west|guest|request|forest|interest|suggest)\w{3,}est|first|second|third|last|most(?! (?:likely|accurate|appropriate|suitable)))\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)")
_STEM_CHARS = 5
_VOWELS = re.compile(r"[aeiouy]")
# `In which year did it fall?` is answered with `It fell in …`, `Who wrote it?` with `It was written by …`.
_ENDINGS = ("", "tn", "n", "s", "d", "t")
_MOST = 0.6


def _stems(text: str) -> set[str]:
    """The beginnings of a text's words, by which forms of one word are taken for the same."""
    return {word[:_STEM_CHARS] for word in _WORD.findall(text.casefold())}


def _bones(word: str) -> set[str]:
    """A word without its vowels, by which `fell` is taken for `fall`, with the endings of a verb or without; none of one consonant."""
    bones = _VOWELS.sub("", word)
    return {found for end in _ENDINGS if len(found := bones.removesuffix(end)) > (1 if found == bones else 2)}


_OF_ANY_ANSWER = _stems(
    "a an the is are was of to in this that which best correctly correct most accurately describes matches fits answers question represents "
    "explains completes satisfies given conditions above following statement option answer it as be by and equals equal"
)
_ASKING = _stems("who what when where how many much does do did at from for on with its their if these those among between one")
_NEGATIONS = _stems("not no except never isn aren t doesn")


class Asked:
    """The words of one question.

    Attributes:
        for_wrong: whether the question asks for what is wrong.
    """

    def __init__(self, question: str) -> None:
        self.for_wrong = _FOR_WRONG.search(question) is not None
        self._joined = "".join(question.split())
        self._stems = _stems(question) | _OF_ANY_ANSWER
        self._bones = {_VOWELS.sub("", word) for word in _WORD.findall(question.casefold())}
        self._last = _SENTENCE.split(question.strip())[-1]

    def repeats(self, words: str) -> bool:
        """Whether these words say no more than the question does, negated as it is, and what is said of any answer."""
        stems = _stems(words) - (_NEGATIONS if self.for_wrong else set())
        if stems <= _OF_ANY_ANSWER:
            return True
        unknown = [word for word in _WORD.findall(words.casefold()) if word[:_STEM_CHARS] in stems - self._stems]
        return all(_bones(word) & self._bones for word in unknown) and (_FOR_WRONG.search(words) is not None) is self.for_wrong

    def is_echoed(self, words: str, *, mostly: bool = False) -> bool:
        """Whether these words say what the question does, in words of its own.

        Args:
            words: a sentence without the option that it names.
            mostly: whether most words of the question must be among them.
        """
        if not self.repeats(words) or _stems(words) - _NEGATIONS <= _OF_ANY_ANSWER:
            return False
        ranks = {rank[0].casefold() for rank in _RANKS.finditer(self._last)}
        return ranks <= set(_WORD.findall(words.casefold())) and (not mostly or self._is_covered(words))

    def _is_covered(self, words: str) -> bool:
        own = [word for word in _WORD.findall(self._last.casefold()) if not _stems(word) <= _OF_ANY_ANSWER | _ASKING | _NEGATIONS]
        said, bones = _stems(words), {_VOWELS.sub("", word) for word in _WORD.findall(words.casefold())}
        return sum(_stems(word) <= said or bool(_bones(word) & bones) for word in own) >= _MOST * len(own)

    def has(self, word: str) -> bool:
        """Whether this word is one of the question's."""
        return _stems(word) <= self._stems

    def holds(self, words: str) -> bool:
        """Whether the question has these words in a row, blanks aside."""
        return "".join(words.split()) in self._joined
