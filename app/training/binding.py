"""Symbol binding, before R0: teach a small base to bind an option's content to its letter, on generated questions.

What a checkpoint knows is not asked here: the confidence of a row is drawn at random, and read but not learned. When it was
learned too, its noise hid the letter (docs/experiments.md).
"""

import random

from app.core.buckets import BUCKETS
from app.core.verdict import Signal
from app.evaluation.table import to_table
from app.training.binding_questions import binding_items
from app.training.chain import BINDING, Chain, Clock
from app.training.config import BindingConfig
from app.training.label_file import Labelled
from app.training.measure import dev_metrics, dev_records, identity_of
from app.training.sft import fine_tune
from app.training.state import BindingEntry, HeldOut

_HELD_OUT = 80


def learn_binding(chain: Chain, config: BindingConfig) -> None:
    """Train and merge, and measure on the dev rows and on held-out generated questions, whose words training never shows.

    Args:
        chain: the run; its checkpoint is the base, and the base with binding afterwards.
        config: number of questions, and how they are trained on.

    Raises:
        ConfigError: the adapter cannot be trained or merged.
    """
    folder, seed = chain.out / BINDING, chain.config.seed
    folder.mkdir(exist_ok=True)
    clock = Clock()
    before = _accuracy(chain)
    # The seed's text is that of the first version, so that a chain of that version can be run again.
    draw = random.Random(f"{seed}|warmup")  # noqa: S311  # targets, not secrets
    rows = [Labelled(item, item.gold, draw.randrange(len(BUCKETS))) for item in binding_items(config.rows, seed)]
    done = fine_tune(chain, folder, rows, sft=config.sft, lora=config.lora, seed=seed, learn_confidence=False)
    clock.stop("train")
    chain.merge(folder)
    after = _accuracy(chain)
    dev_metrics(chain, folder)
    clock.stop("measure")
    chain.finish_binding(
        BindingEntry(
            new_rows=len(rows),
            replay_rows=0,
            domain="generated",
            steps=done.steps,
            held_out=HeldOut(rows=_HELD_OUT, correct_before=before, correct_after=after),
            checkpoint=chain.checkpoint.fingerprint,
            seconds=clock.seconds,
        )
    )


def _accuracy(chain: Chain) -> float:
    """Share of correct answers to held-out generated questions, by the most probable letter."""
    items = binding_items(_HELD_OUT, chain.config.seed, unseen=True)
    records = dev_records(
        chain.engine,
        items,
        None,
        identity=identity_of(chain.engine),
        batch_size=chain.config.label_batch_size,
        on_progress=lambda done: chain.progress("measuring binding", done, len(items)),
    )
    return float(to_table(records).edge_correct[Signal.EXPECTED.value].mean())
