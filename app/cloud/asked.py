"""What a question asks, as far as a reply may say it back."""

import re

# Such a question asks for what is wrong.
_FOR_WRONG = re.compile(
    r"\b(?:not|except|false|incorrect|wrong|least|never|untrue|cannot|не|неверн\w+|ложн\w+|nicht|kein\w*|falsch\w*|n['’]est|fausse?|incorrect[ao]|falsa|não|değil\w*|емес)\b|不是|不属于|不正确|错误|않는|아닌|틀린|ない|ليس",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_STEM_CHARS = 5
# `In which year did it fall?` is answered with `It fell in …`.
_PAST = re.compile(r"\b(?:did|does|do)\b", re.IGNORECASE)
_VOWELS = re.compile(r"[aeiouy]")


def _stems(text: str) -> set[str]:
    """The beginnings of a text's words, by which forms of one word are taken for the same."""
    return {word[:_STEM_CHARS] for word in _WORD.findall(text.casefold())}


def _skeletons(text: str) -> set[str]:
    """The words without their vowels, by which `fell` is taken for `fall`; a word of one consonant stands for itself."""
    words = _WORD.findall(text.casefold())
    return {bones if len(bones := _VOWELS.sub("", word)) > 1 else word for word in words}


_OF_ANY_ANSWER = _stems(
    "a an the is are was of to in this that which best correctly correct most accurately describes matches fits answers question represents "
    "explains completes satisfies given conditions above following statement option answer it as be by and"
)
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
        self._skeletons = _skeletons(question) if _PAST.search(question) else set()

    def repeats(self, words: str) -> bool:
        """Whether these words say no more than the question does, negated as it is, and what is said of any answer."""
        stems = _stems(words) - (_NEGATIONS if self.for_wrong else set())
        if stems <= _OF_ANY_ANSWER:
            return True
        unknown = stems - self._stems
        if unknown and not _skeletons(" ".join(word for word in words.split() if _stems(word) <= unknown)) <= self._skeletons:
            return False
        return (_FOR_WRONG.search(words) is not None) is self.for_wrong

    def has(self, word: str) -> bool:
        """Whether this word is one of the question's."""
        return _stems(word) <= self._stems

    def holds(self, words: str) -> bool:
        """Whether the question has these words in a row, in a script that puts no blanks between them."""
        return not words.isascii() and len(words) > _STEM_CHARS and "".join(words.split()) in self._joined

    def is_echoed(self, words: str) -> bool:
        """Whether these words say what the question does, in words of its own."""
        return self.repeats(words) and not _stems(words) - _NEGATIONS <= _OF_ANY_ANSWER
