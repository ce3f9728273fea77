"""Questions and ordinary prompts that the weights of `app/recognise/register.py` are fitted on, beside files of questions.

`ordinary.txt` holds ordinary prompts with a list, `technical.txt` patterns of ordinary prompts about the subjects of examinations,
`fronts.txt` what people write in front of a question if they want something else than its answer, and `general.txt` questions of subjects and of a language that the question files lack. They were written for this project.
"""

import random
import re
from collections.abc import Sequence
from pathlib import Path

Row = tuple[str, tuple[str, ...]]


def fronts() -> list[str]:
    """What people write in front of a question if they want something else than its answer."""
    return [line for line in _lines("fronts") if not line.startswith("[")]


def technical(draw: random.Random, options: Sequence[tuple[str, ...]], each: int) -> list[Row]:
    """Every pattern of `technical.txt` with `each` subjects, and with options of examinations.

    Args:
        draw: source of the chances.
        options: options to draw from.
        each: number of rows of each pattern.
    """
    patterns: list[str] = []
    found = []
    for line in _lines("technical"):
        if re.fullmatch(r"\[(?:en|ru|kk)\]", line):
            patterns = []
        elif "{}" in line:
            patterns.append(line)
        elif not line.startswith("["):
            subjects = line.split("; ")
            found += [(pattern.format(subject), draw.choice(options)) for pattern in patterns for subject in draw.sample(subjects, each)]
    return found


def _lines(name: str) -> list[str]:
    lines = (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def rows(name: str) -> list[Row]:
    """The texts of a file with their items."""
    parts = (line.partition("|") for line in _lines(name))
    return [(text.strip(), tuple(item.strip() for item in items.split(";"))) for text, _, items in parts]
