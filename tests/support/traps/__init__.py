"""Ordinary prompts that are easy to take for a multiple-choice question, written by kinds: lists, questions, tasks, prose.

Each family was written before the recogniser was tried on it. What it took at the first reading stands in docs/recogniser.md.
"""

import random
import re
from collections.abc import Callable

from app.data.dataset import load_items
from app.demo.bank import SHIPPED_BANK
from tests.support.register import rows
from tests.support.traps import fresh, lists, prose, questions, tasks
from tests.support.traps.words import POOLS as _WORDS
from tests.support.traps.words import listed, some

_POOLS = _WORDS | fresh.POOLS

Prompt = list[tuple[str, str]]


def _rows(text: str) -> list[list[str]]:
    return [[cell.strip().replace("\\n", "\n") for cell in line.split("|")] for line in text.strip().split("\n") if line]


def _with_lists(text: str, seed: int, each: int) -> list[Prompt]:
    """The heads and tails of a table of kinds, each with several lists."""
    generator, found = random.Random(seed), []
    for language, pool, head, *tail in _rows(text):
        for _ in range(each):
            parts = [head, listed(generator, some(generator, _POOLS[pool]), language, inline=None if head else False), "".join(tail)]
            between = generator.choice(("\n", "\n", "\n\n"))
            found.append([("user", between.join(part for part in parts if part))])
    return found


def _questions() -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    banks: dict[str, list[tuple[str, tuple[str, ...]]]] = {"en": [], "ru": [], "kk": []}
    for item in load_items([str(SHIPPED_BANK)]):
        kazakh = re.search("[әғқңөұүһі]", item.question.question) is not None
        banks["kk" if kazakh else "en"].append((item.question.question, item.question.options))
    banks["ru"] = [(head, tuple(options.split("; "))) for head, options in (line.split(" | ") for line in tasks.RUSSIAN)]
    return banks


def _with_questions(seed: int, each: int) -> list[Prompt]:
    generator, banks, found = random.Random(seed), _questions(), []
    for language, head, *tail in _rows(tasks.TASKS):
        for _ in range(each):
            question, options = generator.choice(banks[language] or banks["en"])
            asked = f"{question}\n{listed(generator, options, language, inline=False)}"
            between = generator.choice(("\n\n", "\n\n", "\n"))
            found.append([("user", between.join(part for part in (head, asked, "".join(tail)) if part))])
    for form in tasks.COMPOUND:
        for _ in range(each):
            pair = generator.sample(banks["en"], 2)
            found.append(
                [("user", form.format(*(f"{question}\n{listed(generator, options, inline=False)}" for question, options in pair)))]
            )
    return found


def _filled(text: str, seed: int, each: int) -> list[Prompt]:
    """Lines with places `<pool>`, each filled several times."""
    generator, found = random.Random(seed), []
    for line in text.strip().split("\n"):
        for _ in range(each if re.search(r"<\w+_?>", line) else 1):
            drawn: dict[str, list[str]] = {}

            def item(place: re.Match[str], drawn: dict[str, list[str]] = drawn) -> str:
                left = drawn.setdefault(place[1], generator.sample(_POOLS[place[1]], len(_POOLS[place[1]])))
                return left.pop()

            found.append([("user", re.sub(r"<((?!li)\w+)>", item, line.replace("\\n", "\n")))])
    return found


def _chats(seed: int, each: int) -> list[Prompt]:
    """Conversations around a question."""
    generator, bank, found = random.Random(seed), _questions()["en"], []
    for chat in fresh.CHATS:
        for _ in range(each):
            turns: Prompt = []
            for turn in chat.split(" || "):
                question, options = generator.choice(bank)
                text = turn.replace("<q>", f"{question}\n{listed(generator, options, inline=False)}")
                system = text.startswith("system: ")
                spoken = sum(role != "system" for role, _ in turns)
                turns.append(("system" if system else ("user", "assistant")[spoken % 2], text.removeprefix("system: ")))
            found.append(turns)
    return found


def _everyday(seed: int) -> list[Prompt]:
    """The prompts that the weights of the register are fitted on."""
    generator = random.Random(seed)
    return [[("user", f"{text}\n{listed(generator, items, _language(text))}")] for text, items in rows("ordinary")]


def _language(text: str) -> str:
    if re.search("[әғқңөұүһі]", text):
        return "kk"
    return "ru" if re.search("[а-яё]", text) else "en"


FAMILIES: dict[str, Callable[[], list[Prompt]]] = {
    "lists pasted": lambda: _with_lists(lists.PASTED, 1, 4),
    "lists with a request": lambda: _with_lists(lists.REQUESTED, 2, 3),
    "questions about all items": lambda: _with_lists(questions.OVER_ALL, 3, 5),
    "questions of a person, orders": lambda: _with_lists(questions.PERSONAL + questions.ORDERS, 4, 4),
    "tasks about a question": lambda: _with_questions(5, 4),
    "prose, code, tables": lambda: _filled(prose.PROSE, 6, 4),
    "everyday": lambda: _everyday(10),
    "fresh": lambda: _with_lists(fresh.LISTED, 7, 4) + _filled(fresh.PROSE, 8, 4) + _chats(9, 4),
}
