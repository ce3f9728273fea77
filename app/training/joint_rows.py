"""The rows of a training through the one pass: prompts with their targets, anew in every epoch, and which rows make a batch."""

import random
from collections.abc import Sequence

from app.core.question import LETTERS
from app.edge.rendering import Prompt, Renderer
from app.training.config import EvolveConfig
from app.training.joint_loss import Target
from app.training.label import bucket_distribution
from app.training.label_file import Labelled
from app.training.rows import TrainingRows

# Rows of similar length are put together among so many batches.
_SORTED_BATCHES = 50
_BUCKETS = 5


class JointRows:
    """Labelled questions as prompts and targets. The same seed gives the same orders.

    Args:
        renderer: renderer of the tokenizer that is trained.
        rows: the questions; with `kept` where the letters are kept, or where hard labels say whether the answer is correct.
        config: settings of the chain.
        seed: seed of the order of rows and of their options.

    Attributes:
        fixed: number of rows that keep the order of their options.
        targets: targets of the rows in their own order of options.
    """

    def __init__(self, renderer: Renderer, rows: Sequence[Labelled], config: EvolveConfig, *, seed: int) -> None:
        self.renderer = renderer
        self._config = config
        self._seed = seed
        self._rows = TrainingRows(renderer, rows, seed=seed if config.sft.shuffle_options else None)
        self.fixed = self._rows.fixed
        self.targets = [target_of(row, config) for row in rows]
        self._lengths = [len(renderer.prompt(row.item.question).ids) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, index: int, epoch: int) -> tuple[Prompt, Target]:
        """A row with its options in the order of an epoch, which counts from 0."""
        row = self._rows.row(index, epoch)
        return self.renderer.prompt(row.item.question), target_of(row, self._config)

    def batches(self, epoch: int) -> list[list[int]]:
        """The rows of each optimiser step of an epoch; as many in every epoch."""
        size = self._config.sft.batch_size
        draw = random.Random(f"{self._seed}|rows|{epoch}")  # noqa: S311  # an order, not a secret
        order = list(range(len(self)))
        draw.shuffle(order)
        span = size * _SORTED_BATCHES
        found = []
        for start in range(0, len(order), span):
            near = sorted(order[start : start + span], key=self._lengths.__getitem__)
            found += [near[at : at + size] for at in range(0, len(near), size)]
        draw.shuffle(found)
        return found


def target_of(row: Labelled, config: EvolveConfig) -> Target:
    """What a labelled row is to learn.

    Soft: the exact distribution of the bucket that the recipe would draw, and the probability that a draw is correct. Hard: one bucket,
    and whether the checkpoint's most probable option is the correct one.
    """
    assert row.p_correct is not None  # noqa: S101  # rows of a round are labelled
    labels, letter = config.labels, LETTERS.index(row.letter)
    kept = row.kept if config.joint.letters == "keep" else None
    if labels.target == "soft":
        return Target(bucket_distribution(row.p_correct, labels.samples, labels.buckets), row.p_correct, letter, kept)
    # Only the Brier score reads whether the answer is correct, and then the checkpoint's letters are known.
    correct = 0.0 if row.kept is None else float(max(range(len(row.kept)), key=row.kept.__getitem__) == letter)
    return Target(tuple(float(bucket == row.bucket) for bucket in range(_BUCKETS)), correct, letter, kept)
