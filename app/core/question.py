"""What a question is. Knows no framework, no model and no wire format."""

from dataclasses import dataclass
from typing import ClassVar

from app.core.errors import InvalidQuestion

# The labels of options, in order. Everything else derives its labels from here.
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MIN_OPTIONS, MAX_OPTIONS = 2, len(LETTERS)
# Labels of questions with more options than there are letters. All have two letters, so that none is the beginning of another.
LONG_LABELS = tuple(first + second for first in LETTERS for second in LETTERS)[:255]
MAX_LONG_OPTIONS = len(LONG_LABELS)


def letters_of(options: int) -> str:
    """The labels of so many options, as in `"ABCD"`; for up to `MAX_OPTIONS` options, whose labels are single letters."""
    return LETTERS[:options]


def labels_of(options: int) -> tuple[str, ...]:
    """The labels of so many options: single letters for up to `MAX_OPTIONS`, for more `"AA", "AB", …`, up to `MAX_LONG_OPTIONS`."""
    return tuple(LETTERS[:options]) if options <= MAX_OPTIONS else LONG_LABELS[:options]


def one_line(text: str) -> str:
    """Fold every line break (and the blanks around it) into one space, so that an option cannot forge another option line."""
    # Not a pattern such as `\s*[breaks]\s*`: that needs time that grows with the square of a run of blanks.
    pieces = (piece.strip() for piece in text.splitlines())
    return " ".join(piece for piece in pieces if piece)


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded: a lone surrogate cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Question:
    """One multiple-choice question: the text as the caller wrote it, `MIN_OPTIONS` to `MAX_OPTIONS` distinct options, each on one line.

    Attributes:
        max_options: most options that a question of this class may have.

    Raises:
        InvalidQuestion: blank question or option, too few or too many options, two equal options, text (that of id
            and domain too) that is not valid Unicode (a lone surrogate).
    """

    max_options: ClassVar[int] = MAX_OPTIONS

    question: str
    options: tuple[str, ...]
    domain: str | None = None
    id: str | None = None

    def __post_init__(self) -> None:
        options = tuple(one_line(option) for option in self.options)
        object.__setattr__(self, "options", options)
        if not self.question.strip():
            raise InvalidQuestion("question is blank", param="question")
        if not MIN_OPTIONS <= len(options) <= self.max_options:
            raise InvalidQuestion(f"options must be {MIN_OPTIONS} to {self.max_options}, got {len(options)}", param="options")
        labels = self.labels
        for index, option in enumerate(options):
            if not option:
                raise InvalidQuestion(f"option {labels[index]} is blank", param=f"options.{index}")
            if (first := options.index(option)) != index:
                raise InvalidQuestion(f"options {labels[first]} and {labels[index]} are the same", param=f"options.{index}")
        if not is_unicode("\n".join((self.question, *options))):
            raise InvalidQuestion("the text is not valid Unicode", param="question")
        # Both are echoed, and a text that cannot be encoded would break the whole reply.
        for name, echoed in (("id", self.id), ("domain", self.domain)):
            if echoed is not None and not is_unicode(echoed):
                raise InvalidQuestion(f"{name} is not valid Unicode", param=name)

    @property
    def labels(self) -> tuple[str, ...]:
        """The offered labels, in order."""
        return labels_of(len(self.options))

    @property
    def letters(self) -> str:
        """The offered letters, as in `"ABCD"`: the labels of a question that has single letters. See `is_long`."""
        return letters_of(len(self.options))

    @property
    def is_long(self) -> bool:
        """Whether it has more options than there are letters, so that its labels are not letters."""
        return len(self.options) > MAX_OPTIONS

    @property
    def length(self) -> int:
        """Characters of the question and its options."""
        return len(self.question) + sum(map(len, self.options))

    def text_of(self, label: str) -> str:
        """The option behind an offered label."""
        return self.options[self.labels.index(label)]


@dataclass(frozen=True, slots=True)
class LongQuestion(Question):
    """A question that may have up to `MAX_LONG_OPTIONS` options; up to `MAX_OPTIONS` of them it is labelled as every question is."""

    max_options: ClassVar[int] = MAX_LONG_OPTIONS
