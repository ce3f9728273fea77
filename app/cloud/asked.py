"""What a question asks, as far as a reply may say it back."""

import re

# Such a question asks for what is wrong.
_FOR_WRONG = re.compile(r"\b(?:not|except|false|incorrect|wrong|least|never|untrue|cannot)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_STEM_CHARS = 5


def _stems(text: str) -> set[str]:
    """The beginnings of a text's words, by which forms of one word are taken for the same."""
    return {word[:_STEM_CHARS] for word in _WORD.findall(text.casefold())}


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

    def repeats(self, words: str) -> bool:
        """Whether these words say no more than the question does, negated as it is, and what is said of any answer."""
        stems = _stems(words) - (_NEGATIONS if self.for_wrong else set())
        if stems <= _OF_ANY_ANSWER:
            return True
        return stems <= self._stems and (_FOR_WRONG.search(words) is not None) is self.for_wrong

    def holds(self, words: str) -> bool:
        """Whether the question has these words in a row, in a script that puts no blanks between them."""
        return not words.isascii() and len(words) > _STEM_CHARS and "".join(words.split()) in self._joined

    def is_echoed(self, words: str) -> bool:
        """Whether these words say what the question does, in words of its own."""
        return self.repeats(words) and not _stems(words) - _NEGATIONS <= _OF_ANY_ANSWER
