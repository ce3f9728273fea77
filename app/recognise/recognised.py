"""What the recogniser returns: the question, the author's labels, and the form in which they want the answer."""

from dataclasses import dataclass
from enum import StrEnum

from app.core.question import Question

# Where the label and the text of the chosen option stand in a template: characters that no form contains.
PLACE, OPTION = "\0", "\1"


class Form(StrEnum):
    """The form of answer that was asked for."""

    OPEN = "open"  # nothing was said: the gateway answers in its own form
    LETTER = "letter"  # the label and nothing else
    TEXT = "text"  # a text with the label in it, as in `The answer is (B)`; JSON is one of them


@dataclass(frozen=True, slots=True)
class Recognised:
    """A multiple-choice question that was found in a chat.

    Attributes:
        question: the question without the instructions around it, and its options.
        labels: the label of each option as the author wrote it, without punctuation: "A", "2", "б".
        layout: the layout of the options, as in `(A) lines` or `1. inline`; for logs and measurements.
        form: the form of answer that was asked for.
        template: the text that was asked for, with `PLACE` where the label stands and `OPTION` where the option's text stands; only
            for `Form.TEXT`.
    """

    question: Question
    labels: tuple[str, ...]
    layout: str
    form: Form = Form.OPEN
    template: str | None = None

    @property
    def bare(self) -> bool:
        """Whether the label only was asked for."""
        return self.form is Form.LETTER

    def label(self, letter: str) -> str:
        """The author's label of an option, by its letter in A…Z."""
        return self.labels[self.question.letters.index(letter)]

    def written(self, letter: str) -> str | None:
        """The answer in the form that was asked for, with the author's label, or None for `Form.OPEN`."""
        if self.form is Form.OPEN:
            return None
        parts = {PLACE: self.label(letter), OPTION: self.question.text_of(letter)}
        return "".join(parts.get(character, character) for character in self.template or PLACE)
