"""Fit the weights of the register (`app/recognise/register.py`): what tells a question of an examination from an ordinary prompt.

    python -m tests.runs.register_fit QUESTIONS.jsonl … [--out app/recognise/register.b85]

Positive rows are the questions of the files, the shipped ones and `tests/support/register/general.txt`. Negative rows are
`ordinary.txt`, `technical.txt` and `fronts.txt` beside it, and every trap and prompt of the tests that is taken apart like a question.
Both sides have the same weight together. Half of the lists are made longer with items of other rows, so that the number of options alone
decides little. Fit on training files only, and measure on others: `make recogniser`. `tests/prompts/blind.jsonl` is left out, so that it
measures.
"""

import argparse
import base64
import random
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression

from app.demo.bank import SHIPPED_BANK
from app.recognise import register
from app.recognise.message import Found, read
from tests.runs.recogniser import PROMPTS, prompts_of, questions_of
from tests.support import traps
from tests.support.register import Row, fronts, rows, technical

OUT = Path(register.__file__).with_name("register.b85")


def positives(sources: Sequence[str]) -> list[Row]:
    """Questions with their options."""
    found = [(one.question.strip(), one.options) for source in (*sources, SHIPPED_BANK) for one in questions_of(str(source))]
    # The few of other subjects and languages stand for many.
    return [*found, *(rows("general") * 6)]


def negatives(without: Sequence[str], questions: Sequence[Row]) -> list[Row]:
    """Ordinary prompts, as far as they can be taken apart like a question, each text once, and a longer form of each.

    Args:
        without: families of traps and names of prompt files that are left out, so that they can be measured.
        questions: questions whose options the technical prompts get; a prompt that is one of them is left out.
    """
    chats = [chat for name, family in traps.FAMILIES.items() if name not in without for chat in family()]
    chats += [chat for path in sorted(PROMPTS.glob("*.jsonl")) if path.stem not in without for chat in prompts_of(path)]
    known, found = {text for text, _ in questions}, dict(rows("ordinary"))
    for chat in chats:
        # The last message of a conversation may be an ordinary question, which is passed through for what stands in front of it.
        part = read(chat[0][1]) if len(chat) == 1 else None
        if isinstance(part, Found) and not known & {part.question.question, part.question.question.rsplit("\n", 1)[-1]}:
            found.setdefault(part.question.question, part.question.options)
    draw = random.Random(3)  # a sample, not a secret
    return [*_longer(list(found.items()), draw), *technical(draw, [options for _, options in questions], 8)]


def _longer(found: list[Row], draw: random.Random) -> list[Row]:
    """Each row, and once more with items of a row near it, which is likely to be of its kind."""
    more = []
    for at, (text, items) in enumerate(found):
        others = found[(at + draw.choice((1, 2, 3))) % len(found)][1]
        more.append((text, tuple(dict.fromkeys((*items, *others)))[: draw.choice((4, 4, 5))]))
    return [*found, *more]


def matrix(given: Sequence[register.Features]) -> csr_matrix:
    """Features as a sparse matrix."""
    values = [value for found in given for value in found.values()]
    places = [place for found in given for place in found]
    ends = np.cumsum([0, *map(len, given)])
    return csr_matrix((values, places, ends), shape=(len(given), register.BUCKETS))


def fitted(positive: Sequence[register.Features], negative: Sequence[register.Features]) -> LogisticRegression:
    """A linear model; both sides have the same weight."""
    counts = (len(positive), len(negative))
    weights = np.concatenate([np.full(count, sum(counts) / 2 / count) for count in counts])
    given = vstack([matrix(positive), matrix(negative)])
    return LogisticRegression(C=10.0, max_iter=500).fit(given, np.repeat([1, 0], counts), sample_weight=weights)


def fitted_to_fronts(positive: Sequence[Row], negative: Sequence[Row]) -> LogisticRegression:
    """The model of what stands in front of a question."""
    wishes = [register.features_of_front(f"{text}\nWhat?") for text in fronts()]
    return fitted(
        [found for text, _ in positive if (found := register.features_of_front(text)) is not None],
        [found for found in (*wishes, *(register.features_of_front(text) for text, _ in negative)) if found is not None],
    )


def packed(weights: NDArray[np.float64], bias: float) -> str:
    """A line of the file of weights: the step of one whole number, the bias, and the numbers."""
    step = float(np.abs(weights).max()) / 127 or 1.0
    whole = np.round(weights / step).astype(np.int8)
    return f"{step:.6g} {bias:.6g} {base64.b85encode(zlib.compress(whole.tobytes(), 9)).decode()}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", help="files of questions to train on")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--without", nargs="*", default=["blind"], help="families of ordinary prompts to leave out")
    given = parser.parse_args()
    if not OUT.exists():
        OUT.write_text(packed(np.zeros(register.BUCKETS), 0.0) * 2, encoding="ascii")
    good = positives(given.sources)
    bad = negatives(given.without, good)
    print(f"{len(good)} questions, {len(bad)} ordinary rows", flush=True)
    # What stands behind a wish may be a question of an examination, whose words are no sign of an ordinary prompt.
    text = fitted([register.features(*row) for row in good], [register.features(*row) for row in bad if "\n" not in row[0]])
    models = [text, fitted_to_fronts(good, bad)]
    given.out.write_text("".join(packed(model.coef_[0], float(model.intercept_[0])) for model in models), encoding="ascii")
    print(f"wrote {given.out}, {given.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
