"""Before R0: teach the base to bind an option's content to its letter, on generated questions.

What a checkpoint knows is not asked here: a row's confidence is drawn by lot, and read but not learned. The noise of a drawn
confidence, when it was learned too, hid the letter (docs/experiments.md).
"""

import random

from app.core.verdict import BUCKETS, Signal
from app.evaluation.collect import EdgeIdentity
from app.evaluation.table import to_table
from app.training.binding import binding_items
from app.training.chain import WARMUP, Chain
from app.training.config import WarmupConfig
from app.training.label import Labelled
from app.training.measure import dev_records
from app.training.steps import Clock, dev_metrics, fine_tune

_HELD_OUT = 80


def warm_up(chain: Chain, config: WarmupConfig) -> None:
    """Train and merge; measured on held-out generated questions of words that training never shows, and on the dev rows."""
    folder, seed = chain.out / WARMUP, chain.config.seed
    folder.mkdir(exist_ok=True)
    clock = Clock()
    before = _binding_accuracy(chain)
    draw = random.Random(f"{seed}|warmup")  # noqa: S311  # targets, not secrets
    rows = [Labelled(item, item.gold, draw.randrange(len(BUCKETS))) for item in binding_items(config.rows, seed)]
    done = fine_tune(chain, folder, rows, sft=config.sft, lora=config.lora, seed=seed, note={}, learn_confidence=False)
    clock.stop("train")
    chain.merge(folder)
    after = _binding_accuracy(chain)
    dev_metrics(chain, folder)
    clock.stop("measure")
    chain.state["warmup"] = {
        "new_rows": len(rows),
        "replay_rows": 0,
        "domain": "generated",
        "steps": done["steps"],
        "held_out": {"rows": _HELD_OUT, "right_before": before, "right_after": after},
        "checkpoint": chain.checkpoint.fingerprint,
        "seconds": clock.seconds,
    }
    chain.save()


def _binding_accuracy(chain: Chain) -> float:
    """Share of right answers of the checkpoint, by the marginal."""
    items = binding_items(_HELD_OUT, chain.config.seed, unseen=True)
    engine = chain.engine
    records = dev_records(
        engine,
        items,
        None,
        identity=EdgeIdentity(engine.name, engine.fingerprint, prompt_fingerprint=engine.prompt_fingerprint),
        batch_size=chain.config.label_batch_size,
        on_progress=lambda done: chain.progress("measuring what is bound", done, len(items)),
    )
    return float(to_table(records).edge_correct[Signal.EXPECTED.value].mean())
