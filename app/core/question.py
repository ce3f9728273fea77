"""What a question is. Knows no framework, no model and no wire format."""

from dataclasses import dataclass

from app.core.errors import InvalidQuestion

# The labels of options, in order. Everything else derives its labels from here.
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MIN_OPTIONS, MAX_OPTIONS = 2, len(LETTERS)


def letters_of(options: int) -> str:
    """The labels of so many options, as in `"ABCD"`."""
    return LETTERS[:options]


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

    Raises:
        InvalidQuestion: blank question or option, too few or too many options, two equal options, text (that of id
            and domain too) that is not valid Unicode (a lone surrogate).
    """

    question: str
    options: tuple[str, ...]
    domain: str | None = None
    id: str | None = None

    def __post_init__(self) -> None:
        options = tuple(one_line(option) for option in self.options)
        object.__setattr__(self, "options", options)
        if not self.question.strip():
            raise InvalidQuestion("question is blank", param="question")
        if not MIN_OPTIONS <= len(options) <= MAX_OPTIONS:
            raise InvalidQuestion(f"options must be {MIN_OPTIONS} to {MAX_OPTIONS}, got {len(options)}", param="options")
        for index, option in enumerate(options):
            if not option:
                raise InvalidQuestion(f"option {LETTERS[index]} is blank", param=f"options.{index}")
            if (first := options.index(option)) != index:
                raise InvalidQuestion(f"options {LETTERS[first]} and {LETTERS[index]} are the same", param=f"options.{index}")
        if not is_unicode("\n".join((self.question, *options))):
            raise InvalidQuestion("the text is not valid Unicode", param="question")
        # Both are echoed, and a text that cannot be encoded would break the whole reply.
        for name, echoed in (("id", self.id), ("domain", self.domain)):
            if echoed is not None and not is_unicode(echoed):
                raise InvalidQuestion(f"{name} is not valid Unicode", param=name)

    @property
    def letters(self) -> str:
        """The offered letters, as in `"ABCD"`."""
        return letters_of(len(self.options))

    @property
    def length(self) -> int:
        """Characters of the question and its options."""
        return len(self.question) + sum(map(len, self.options))

    def text_of(self, letter: str) -> str:
        """The option behind an offered letter."""
        return self.options[self.letters.index(letter)]
