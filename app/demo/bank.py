"""The mock cloud's knowledge: a bank of questions, and which letter to say for a prompt. Deterministic by seed."""

import json
import random
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.errors import ConfigError
from app.core.question import LETTERS, MAX_OPTIONS, MIN_OPTIONS, one_line
from app.data.files import NotText, read_text

SHIPPED_BANK = Path(__file__).with_name("bank.jsonl")
# No word is longer; and Python's normalisation needs time that grows with the square of a run of combining marks.
_LONGEST_WORD = 64
_QUOTES = str.maketrans("‘’“”", "''\"\"")


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question as read back from a chat prompt: its text and its options in the order in which they were offered."""

    question: str
    options: tuple[str, ...]

    @property
    def key(self) -> str:
        """The same for any order of the options, and for what changes no meaning: the first letter's case, blanks, the last mark."""
        question = _normal(self.question).rstrip("?.: ")
        return "\n".join([question[:1].casefold() + question[1:], *sorted(_normal(option) for option in self.options)])


def read_prompt(text: str) -> AskedQuestion | None:
    """Find the last block of lines `A. …`, `B. …` in a user turn; None if there is none."""
    lines = text.splitlines()
    found = [_option(line) for line in lines]
    end = len(lines)
    while end and not found[end - 1]:
        end -= 1
    start = end
    while start and found[start - 1]:
        start -= 1
    # A question may itself end with such lines: the block is the last run of lines that begins with A.
    block = [option for option in found[start:end] if option]
    letters = [letter for letter, _ in block]
    first = len(letters) - 1 - letters[::-1].index(LETTERS[0]) if LETTERS[0] in letters else -1
    options = [option for _, option in block[first:]]
    if first < 0 or not MIN_OPTIONS <= len(options) <= MAX_OPTIONS or letters[first:] != list(LETTERS[: len(options)]):
        return None
    return AskedQuestion("\n".join(lines[: start + first]), tuple(options))


def _option(line: str) -> tuple[str, str] | None:
    """Letter and text of a line `A. text` or `A) text`; None of any other."""
    line = line.strip()
    text = line[2:].strip()
    is_option = line[:1] in LETTERS and line[1:2] in {".", ")"} and line[2:3].isspace() and text
    return (line[0], text) if is_option else None


class Bank:
    """Answers from question rows: correct with a chosen accuracy, or as a recorded model answered.

    Args:
        rows: objects with `question`, `options`, `answer`, and for `recorded` a `recorded` object by model name.
        accuracy: share of the bank's questions that get the correct letter.
        domain_accuracy: the same for the questions of some domains, by name of the domain.
        recorded: replay this model's letters instead.
        seed: decides which questions are answered wrongly, and how.
        guess: answer a question outside the bank with a random offered letter instead of saying that it is unknown.

    Raises:
        ConfigError: no row has answers recorded under that name, or no row is of a domain with a separate accuracy.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        accuracy: float = 1.0,
        domain_accuracy: Mapping[str, float] | None = None,
        recorded: str | None = None,
        seed: int = 0,
        guess: bool = False,
    ) -> None:
        of_domain = domain_accuracy or {}
        # Of the questions whose accuracy is not the common one.
        self._accuracies: dict[str, float] = {}
        self._accuracy = accuracy
        self._seed = seed
        self._guess = guess
        # Per question the text of the option to name; None where the recorded model named none.
        self._answers: dict[str, str | None] = {}
        names: set[str] = set()
        domains: set[str] = set()
        for row in rows:
            options = tuple(one_line(str(option)) for option in row["options"])
            asked = AskedQuestion(str(row["question"]), options)
            domains.add(str(row.get("domain")))
            if row.get("domain") in of_domain:
                self._accuracies[asked.key] = of_domain[row["domain"]]
            letter = row["answer"]
            if recorded is not None:
                replies = row.get("recorded") or {}
                names.update(replies)
                if recorded not in replies:
                    continue
                letter = replies[recorded]
            text = options[LETTERS.index(str(letter))] if letter is not None else None
            # Where rows contradict each other, no answer is known.
            self._answers[asked.key] = text if self._answers.get(asked.key, text) == text else None
        if absent := of_domain.keys() - domains:
            raise ConfigError(f"no question of the domain '{min(absent)}' in the bank (domains: {', '.join(sorted(domains))})")
        self._is_recorded = recorded is not None
        if recorded is not None and not self._answers:
            known = f"recorded are: {', '.join(sorted(names))}" if names else "the bank holds no recorded answers"
            raise ConfigError(f"no answers of '{recorded}' in the bank ({known})")

    def __len__(self) -> int:
        return len(self._answers)

    def letter(self, asked: AskedQuestion) -> str | None:
        """The letter to say, or None: the recorded model said none, or the question is not in the bank.

        A question is in the bank if its words and its options, in any order, are. Blanks, the kind of quotation marks, the case of
        the first letter and a last full stop or question mark do not matter. Everything else may change the answer (`mW` and
        `MW`, `x²` and `x2`), so it is unknown; with `guess` it gets a random offered letter.
        """
        key = asked.key
        draw = random.Random(f"{self._seed}|{key}")  # noqa: S311  # a simulation, not a secret
        if key not in self._answers:
            return LETTERS[draw.randrange(len(asked.options))] if self._guess else None
        text = self._answers[key]
        if text is None:
            return None
        same = [i for i, option in enumerate(asked.options) if option == text]
        same = same or [i for i, option in enumerate(asked.options) if _normal(option) == _normal(text)]
        if len(same) != 1:
            # Options that differ in blanks only, none of them written as in the bank.
            return None
        correct = same[0]
        if self._is_recorded or draw.random() < self._accuracies.get(key, self._accuracy):
            return LETTERS[correct]
        return LETTERS[draw.choice([index for index in range(len(asked.options)) if index != correct])]


def load_rows(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Read JSONL banks.

    Raises:
        ConfigError: a file that cannot be read, or a line that is no question, named by its number.
    """
    rows = []
    for path in paths:
        try:
            # Not splitlines(): U+2028 may stand inside a JSON string.
            lines = read_text(path).split("\n")
        except (OSError, NotText) as error:
            raise ConfigError(f"the question bank {path} cannot be read ({error})") from None
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not _is_question(row):
                raise ConfigError(f"{path}, line {number}: not a question (needs question, options, answer)")
            rows.append(row)
    return rows


def _is_question(row: Any) -> bool:
    """Whether a row has a question, options, one of their letters, and under `recorded` letters of theirs or null."""
    if not isinstance(row, dict):
        return False
    question, options, answer, recorded = (row.get(name) for name in ("question", "options", "answer", "recorded"))
    if not isinstance(question, str) or not question or not isinstance(options, list) or not isinstance(recorded, dict | None):
        return False
    # A list, since a letter is one member of it: `in` a text is true of "" and of "AB" too.
    letters = list(LETTERS[: len(options)])
    return answer in letters and all(letter is None or letter in letters for letter in (recorded or {}).values())


def _normal(text: str) -> str:
    words = (unicodedata.normalize("NFC", word) if len(word) <= _LONGEST_WORD else word for word in text.split())
    return " ".join(words).translate(_QUOTES)
