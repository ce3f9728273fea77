"""Do more generated questions teach a small model to bind an option's content to its letter? `python -m tests.mechanism.binding --rows 1200`.

Generated questions whose correct option repeats a word of the question, all with the same confidence, before any round of the
recipe. Prints the accuracy on held-out questions before and after.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from app.edge.builtin import default_cache_dir
from app.training.checkpoint import load_base, sign
from app.training.config import LoraConfig, SftConfig
from app.training.label_file import Labelled
from app.training.rows import TrainingRows
from app.training.sft import train
from tests.support.graded import graded, measure

BUCKET = 2  # 0.5: the confidence does not matter here


def accuracy(checkpoint, items):
    """Share of correct answers by the marginal."""
    engine = checkpoint.engine(max_prompt_tokens=512)
    return measure(engine, items, ("bind",)).accuracy["bind"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    given = parser.parse_args()
    base = load_base("builtin-base", cache_dir=default_cache_dir(), family="auto", device="cpu")
    rows, held_out = graded(given.rows, 11, ("bind",)), graded(160, 12, ("bind",))
    print(f"before: {accuracy(base, held_out):.3f} correct of 160", flush=True)
    renderer = base.engine(max_prompt_tokens=512).renderer
    sft = SftConfig(learning_rate=given.learning_rate, epochs=given.epochs, batch_size=8, micro_batch_size=8)
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "adapter"
        done = train(
            base.loaded.model,
            TrainingRows(renderer, [Labelled(item, item.gold, BUCKET) for item in rows], seed=0),
            out,
            base_name="builtin-base",
            sft=sft,
            lora=LoraConfig(),
            seed=0,
            on_step=lambda step, of: sys.stderr.write(f"\r{step} of {of}"),
        )
        sign(out, base.fingerprint)
        base.merge(out, renderer.prompt(held_out[0].question).ids)
    tenth = max(1, len(done.loss) // 10)
    print(
        "loss by tenths:", " ".join(f"{sum(done.loss[at : at + tenth]) / tenth:.3f}" for at in range(0, len(done.loss) - tenth + 1, tenth))
    )
    print(f"after {done.steps} steps: {accuracy(base, held_out):.3f} correct of 160")


if __name__ == "__main__":
    main()
