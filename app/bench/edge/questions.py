"""Questions for a measurement: of the shipped bank, made longer or given more options until they have what is wanted."""

import random
from typing import Any

from app.core.errors import ConfigError
from app.core.question import MAX_OPTIONS, MIN_OPTIONS, Question
from app.demo.bank import SHIPPED_BANK, load_rows
from app.edge.rendering import Renderer


def bank() -> list[Question]:
    """The questions of the shipped bank as they are, in an order without meaning and always the same."""
    questions = [Question(row["question"], tuple(row["options"])) for row in load_rows([SHIPPED_BANK])]
    random.Random(0).shuffle(questions)  # noqa: S311  # the same order each time
    return questions


def questions_of_length(renderer: Renderer, tokens: int, count: int, *, options: int | None = None) -> list[Question]:
    """Different questions whose prompts have nearly a wanted length.

    Each is a question of the bank behind words of others. A question that is longer than wanted is returned as it is: the system prompt
    alone has about a hundred tokens, and many options have more.

    Args:
        renderer: renders the prompts.
        tokens: wanted length of a prompt in tokens.
        count: number of questions.
        options: number of options of each; None keeps those of the bank.

    Raises:
        ConfigError: the bank has fewer questions, or a question cannot have so many options.
    """
    maker = _Maker(renderer)
    if count > len(maker.rows):
        raise ConfigError(f"the shipped bank has {len(maker.rows)} questions, and {count} are wanted")
    return [maker.lengthened(row["question"], maker.options(row, options), tokens) for row in maker.rows[:count]]


def many_of_length(renderer: Renderer, tokens: int, count: int) -> list[Question]:
    """Any number of questions whose prompts have nearly a wanted length, with the options that they have in the bank.

    Beyond the size of the bank its questions come again behind other words.
    """
    maker = _Maker(renderer)
    rows = [maker.rows[number % len(maker.rows)] for number in range(count)]
    return [maker.lengthened(row["question"], maker.options(row, None), tokens) for row in rows]


class _Maker:
    """The bank, short questions first, because they come near to any length; and one sequence of random numbers for all questions."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._draw = random.Random(0)  # noqa: S311  # the same prompts each time
        self.rows = sorted(load_rows([SHIPPED_BANK]), key=lambda row: len(row["question"]) + sum(map(len, row["options"])))

    def options(self, row: dict[str, Any], count: int | None) -> tuple[str, ...]:
        """So many different options: those of the question, and those of others behind them. Raises ConfigError."""
        own = list(dict.fromkeys(row["options"]))
        if count is None:
            return tuple(own)
        if not MIN_OPTIONS <= count <= MAX_OPTIONS:
            raise ConfigError(f"a question has {MIN_OPTIONS} to {MAX_OPTIONS} options here, and not {count}")
        more = list(dict.fromkeys(option for other in self.rows for option in other["options"] if option not in own))
        self._draw.shuffle(more)
        return tuple((own + more)[:count])

    def lengthened(self, text: str, options: tuple[str, ...], tokens: int) -> Question:
        """The question behind as many words of other questions as bring its prompt nearest to so many tokens."""
        nearest = Question(text, options)
        off = self._length(nearest) - tokens
        words: list[str] = []
        # A word has one token at least, so that these are enough.
        while len(words) < -off:
            words += self._draw.choice(self.rows)["question"].split()
        # The length grows with the number of words.
        low, high = 1, len(words)
        while low <= high:
            middle = (low + high) // 2
            question = Question(" ".join(words[:middle]) + "\n" + text, options)
            difference = self._length(question) - tokens
            if abs(difference) < abs(off):
                nearest, off = question, difference
            low, high = (middle + 1, high) if difference < 0 else (low, middle - 1)
        return nearest

    def _length(self, question: Question) -> int:
        return len(self._renderer.prompt(question).ids)
