"""The rows of one fine-tuning as tokens, anew in every epoch: the options of a question, and with them the letters, are shuffled.

A model that sees each question with its answer under one letter learns which letters are likely before it learns anything else
(Zheng et al. 2024, "Large language models are not robust multiple choice selectors"); under letters that change it cannot.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.core.question import LETTERS
from app.edge.rendering import Renderer
from app.edge.trie import ROOT
from app.training.fixed_order import keeps_order
from app.training.label_file import Labelled


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of one row.

    Attributes:
        prompt: the chat prompt as it is served.
        completion: what the model learns to write, end of turn included.
        given: places in the completion whose tokens are read, not learned.
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    given: frozenset[int] = frozenset()


class TrainingRows:
    """Labelled questions as a training reads them. The same seed gives the same orders.

    Args:
        renderer: renderer of the tokenizer that is trained.
        rows: questions with the confidence and the letter to learn.
        seed: seed of the orders; None leaves the options where they are.
        learn_confidence: whether the confidence is learned; see `to_example`.

    Attributes:
        fixed: number of rows that keep their order because an option or the question refers to options by letter or place.
    """

    def __init__(self, renderer: Renderer, rows: Sequence[Labelled], *, seed: int | None, learn_confidence: bool = True) -> None:
        self._renderer = renderer
        self._rows = rows
        self._seed = seed
        self._learn_confidence = learn_confidence
        self._fixed = [keeps_order(row.item.question) for row in rows]
        self.fixed = sum(self._fixed)
        # A repeated row gets another order each time.
        seen: Counter[str] = Counter()
        self._copy: list[int] = []
        for row in rows:
            self._copy.append(seen[row.item.id])
            seen[row.item.id] += 1

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, index: int, epoch: int) -> Labelled:
        """A row with its options in the order of an epoch, which counts from 0."""
        row = self._rows[index]
        if self._seed is None or self._fixed[index]:
            return row
        return shuffled(row, f"{self._seed}|{row.item.id}|{self._copy[index]}", epoch)

    def example(self, index: int, epoch: int) -> Example:
        """A row of an epoch as tokens."""
        return to_example(self._renderer, self.row(index, epoch), learn_confidence=self._learn_confidence)

    def prefix(self, epochs: int) -> tuple[int, ...]:
        """The tokens with which the prompts of all epochs begin."""
        found: tuple[int, ...] = ()
        for epoch in range(1 if self._seed is None else epochs):
            # One epoch's prompts at a time, to save memory: only what they have in common is kept.
            prompts = [self._renderer.prompt(self.row(index, epoch).item.question).ids for index in range(len(self))]
            shared = common_prefix(prompts)
            found = shared if epoch == 0 else common_prefix([(*found, -1), (*shared, -2)])
        return found


def shuffled(row: Labelled, key: str, epoch: int) -> Labelled:
    """The row with its options in another order, and the letters that go with it; so does a distribution over the options.

    The letter that is learned goes through all letters, one an epoch, from a random first one; the other options are shuffled.
    So a row's letter differs from each epoch to the next, and over as many epochs as there are options each letter comes once.
    """
    question = row.item.question
    size = len(question.options)
    learned = LETTERS.index(row.letter)
    place = (random.Random(f"{key}|letter").randrange(size) + epoch) % size  # noqa: S311  # an order, not a secret
    order = [index for index in range(size) if index != learned]
    random.Random(f"{key}|{epoch}").shuffle(order)  # noqa: S311
    order.insert(place, learned)
    moved = replace(question, options=tuple(question.options[index] for index in order))
    gold = LETTERS[order.index(LETTERS.index(row.item.gold))]
    kept = None if row.kept is None else tuple(row.kept[index] for index in order)
    return replace(row, item=replace(row.item, question=moved, gold=gold), letter=LETTERS[place], kept=kept)


def to_example(renderer: Renderer, row: Labelled, *, learn_confidence: bool = True) -> Example:
    """The bucket's path of the trie, the letter's token behind it, and the end of turn if the tokenizer has one.

    Without `learn_confidence` the tokens that distinguish the buckets are given; the format and the letter are learned.
    """
    trie = renderer.trie
    letter = trie.letters[row.bucket][row.item.question.letters.index(row.letter)]
    end = () if renderer.end_of_turn is None else (renderer.end_of_turn,)
    choices = [trie.branchings[index].node for index, _ in trie.choices[row.bucket]]
    given = [] if learn_confidence else [0 if node == ROOT else trie.depths[node] for node in choices]
    return Example(renderer.prompt(row.item.question).ids, (*trie.path(row.bucket), letter, *end), frozenset(given))


def common_prefix(prompts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The tokens that all prompts begin with; each prompt keeps at least one token behind them, from which its answer is read."""
    first, last = min(prompts), max(prompts)
    most = min(len(prompt) for prompt in prompts) - 1
    shared = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), most)
    return first[: min(shared, most)]


def balanced(rows: Sequence[Labelled], seed: int) -> list[Labelled]:
    """The rows with every bucket that occurs as often as the most frequent one: rows of the others are repeated at random.

    Args:
        rows: labelled questions.
        seed: seed of the repeated rows.
    """
    by_bucket: dict[int, list[Labelled]] = defaultdict(list)
    for row in rows:
        by_bucket[row.bucket].append(row)
    draw = random.Random(f"{seed}|balance")  # noqa: S311  # a sample, not a secret
    largest = max(map(len, by_bucket.values()), default=0)
    return [row for _, same in sorted(by_bucket.items()) for row in [*same, *draw.choices(same, k=largest - len(same))]]
