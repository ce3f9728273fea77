"""`make arms`: one chain for each way of training, on the same rows, and one table of their last checkpoints on test rows.

Each arm is a chain of its own in a folder of `--out`, made from one config; what the base measured and labelled is shared. A run that
is killed continues with the same command. The cloud is a perfect one, so the lift says how well a signal orders the edge's errors.
"""

import argparse
import shutil
import sys
from dataclasses import fields
from pathlib import Path

import torch

from app.core.verdict import Signal
from app.data.dataset import load_items, sample_items
from app.data.readers.mapping import parse_map
from app.data.records import load_records
from app.edge.builtin import default_cache_dir
from app.edge.engine import VerdictEngine
from app.edge.loader import LoadedModel
from app.edge.rendering import Renderer
from app.edge.threads import set_threads
from app.evaluation import statistics as st
from app.evaluation.cells import number, percent, signed, table
from app.evaluation.paired import paired
from app.evaluation.report import outcomes
from app.evaluation.table import to_table
from app.training.chain import open_chain
from app.training.config import JointConfig, LabelConfig, load_config
from app.training.evolve import run_rounds
from app.training.measure import dev_records, identity_of, write_records
from tests.runs.frozen import freeze

BASE = "base"
SOFT, HARD = {"target": "soft"}, {"target": "hard"}
# name: loss, labels, joint, whether options are shuffled
ARMS = {
    "tokens": ("tokens", HARD, None, True),  # the reference protocol
    "tokens-fixed": ("tokens", HARD, None, False),
    "joint": ("joint", SOFT, {"confidence_loss": "cross_entropy", "letters": "keep"}, True),
    "joint-fixed": ("joint", SOFT, {"confidence_loss": "cross_entropy", "letters": "keep"}, False),
    "brier": ("joint", HARD, {"confidence_loss": "brier", "letters": "keep"}, True),
    "brier-soft": ("joint", SOFT, {"confidence_loss": "brier", "letters": "keep"}, True),
    "joint-gold": ("joint", SOFT, {"confidence_loss": "cross_entropy", "letters": "gold"}, True),
}
DEFAULT = "tokens,tokens-fixed,joint,joint-fixed,brier"
# Files of R0 that follow from the base and the rows alone.
SHARED = (
    "base/metrics.json",
    "base/dev.jsonl",
    "R00/labels.jsonl",
    "R00/labels.jsonl.origin.json",
    "R00/letters.jsonl",
    "R00/letters.jsonl.origin.json",
)


def config_of(given, arm):
    """The config of an arm."""
    config = load_config(given.config)
    loss, labels, joint, shuffle = ARMS[arm]
    if given.rows:
        share = given.rows / config.buffer_rows
        sizes = {"buffer_rows": given.rows, **{key: max(1, round(getattr(config, key) * share)) for key in ("new_rows", "replay_rows")}}
        config = config.model_copy(update=sizes)
    if given.dev_rows:
        config = config.model_copy(update={"data": config.data.model_copy(update={"dev_rows": given.dev_rows})})
    if given.learning_rate:
        config = config.model_copy(update={"sft": config.sft.model_copy(update={"learning_rate": given.learning_rate})})
    return config.model_copy(
        update={
            "base": given.base or config.base,
            "rounds": config.rounds if given.rounds is None else given.rounds,
            "loss": loss,
            "labels": LabelConfig(**{**config.labels.model_dump(), **labels}),
            "joint": JointConfig() if joint is None else JointConfig(**{**config.joint.model_dump(), **joint}),
            # What is kept is kept of whole rows.
            "sft": config.sft.model_copy(update={"shuffle_options": shuffle, **({"share_prefix": False} if given.frozen else {})}),
        }
    )


def share(out, arm, arms):
    """Copy what another arm's base measured and labelled; the chain itself refuses it where it was made with anything else."""
    for name in SHARED:
        target = out / arm / name
        source = next((path for other in arms if (path := out / other / name).exists()), None)
        if source is not None and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def measure(chain, items, path):
    """Records of the checkpoint on test rows, unless they are there."""
    if not path.exists():
        size, engine = chain.config.label_batch_size, chain.engine
        write_records(
            path, dev_records(engine, items, None, identity=identity_of(engine), batch_size=size, on_progress=said(path.stem, len(items)))
        )


def said(name, of):
    return lambda done: sys.stderr.write(f"\r{name}: test rows {done} of {of}   ")


def progress(step, done, of):
    sys.stderr.write(f"\r{step}: {done} of {of}   ")


def run_arm(given, arm, arms):
    """Train an arm to its end, and measure the base and its last checkpoint."""
    config = config_of(given, arm)
    share(given.out, arm, [name for name in arms if name != arm])
    chain = open_chain(config, given.out / arm, resume=True, cache_dir=default_cache_dir(), teacher=None, progress=progress)
    chain.allow_uniform_labels = given.allow_uniform_labels
    if given.frozen:
        keep_frozen(chain, given.frozen)
    items = sample_items(load_items(config.data.test, columns=parse_map(config.data.map)), given.per_domain, config.seed)
    items = [item for item in items if len(chain.engine.renderer.prompt(item.question).ids) <= config.max_prompt_tokens]
    if not (given.out / f"{BASE}.jsonl").exists():
        chain.restart()
        measure(chain, items, given.out / f"{BASE}.jsonl")
        chain.reload()
    run_rounds(chain)
    measure(chain, items, given.out / f"{arm}.jsonl")
    chain.release()
    return sum(sum(entry.seconds.values()) for entry in chain.state.rounds)


class WholeRows(LoadedModel):
    """A model whose engine reads every row as training does, whole and with one mask, so that both find the same kept numbers."""

    def engine(self, *, max_prompt_tokens=2048, **_how):
        renderer = Renderer(self.tokenizer, self.family)
        return VerdictEngine(
            self.model,
            renderer,
            name=self.name,
            fingerprint=self.fingerprint,
            max_prompt_tokens=max_prompt_tokens,
            share_prefix=False,
            split=False,
        )


def keep_frozen(chain, folder):
    """Keep on disk what the layers give that are not trained, for all arms; of every model that the chain loads from now on."""
    trained, load = chain.config.lora.last_layers, chain.checkpoint.load
    if trained is None or chain.config.binding is not None:
        raise SystemExit("--frozen needs lora.last_layers in the configuration, and no symbol binding")

    def loading(adapters):
        loaded = load(adapters)
        if loaded.model.device.type != "cpu" or loaded.model.dtype is not torch.float32:
            raise SystemExit("--frozen keeps float32 numbers of a CPU: set device to cpu and dtype to float32, or leave it out")
        freeze(loaded.model, trained, folder / f"{loaded.fingerprint}-{trained}")
        return WholeRows(**{field.name: getattr(loaded, field.name) for field in fields(loaded)})

    chain.checkpoint.load = loading
    # What was loaded already is loaded anew.
    chain.reload()


def row_of(name, records, base, seconds):
    """A line of the table; differences are those to the base on the same questions, with 95 % intervals."""
    columns = to_table(records)
    cells, first = [name, str(len(columns))], name == BASE
    cells.append(percent(float(columns.edge_correct[Signal.EXPECTED.value].mean())))
    for signal in (Signal.VERBALIZED, Signal.EXPECTED, Signal.TOP_PROBABILITY):
        sides = [{row["id"]: row for row in outcomes(part, tau=0.5, signal=signal)} for part in (to_table(base), columns)]
        against = paired(*sides, cloud_rate=0.4, resamples=2000, seed=0)
        auroc, lift = against["signals"]["auroc"], against["signals"]["lift_at_rate"]
        if signal is Signal.EXPECTED:
            cells.insert(3, "" if first else signed(against["edge"], against["edge_ci"]))
        cells.append(
            number(auroc["other"], auroc["other_ci"])
            if first
            else f"{number(auroc['other'])} ({number(auroc['difference'], auroc['difference_ci'])})"
        )
        cells.append(signed(lift["other"], lift["other_ci"]))
    expected = Signal.EXPECTED.value
    cells.append(f"{st.ece_fixed(columns.signal[expected], columns.edge_correct[expected]):.3f}")
    return [*cells, "" if seconds is None else f"{seconds:.0f}"]


def rate(text):
    """A learning rate of an option."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"a learning rate is above 0 and at most 1, and not {text}")
    return value


def count(text):
    """A number of rows of an option."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"at least 1 is needed, and not {text}")
    return value


def measured(out, arms):
    """Records of the base and of those arms that are measured, by name; the others are named on standard error."""
    paths = {name: out / f"{name}.jsonl" for name in (BASE, *arms)}
    if missing := [name for name, path in paths.items() if not path.exists()]:
        sys.stderr.write(f"not measured in {out}: {', '.join(missing)}\n")
        if BASE in missing:
            raise SystemExit("differences are those to the base, so there is no table without it; leave out --only-table")
    return {name: load_records(path) for name, path in paths.items() if path.exists()}


HEAD = (
    *("arm", "test rows", "correct", "less the base"),
    *(f"{what} {name}" for name in ("verbalized", "expected", "top probability") for what in ("AUROC (less the base)", "lift at 40 %")),
    *("ECE expected", "seconds"),
)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", default=DEFAULT, help=f"of {', '.join(ARMS)}")
    parser.add_argument("--base", help="the base instead of the config's: a folder, for example")
    parser.add_argument("--rows", type=count, help="rows of R0; those of the other rounds in proportion")
    parser.add_argument("--dev-rows", type=count, help="dev rows of each domain")
    parser.add_argument("--learning-rate", type=rate, help="the rate instead of the config's: arms may need different ones")
    parser.add_argument("--rounds", type=int, help="the last round; 0 is R0 alone")
    parser.add_argument("--per-domain", type=count, default=30, help="test rows of each domain")
    parser.add_argument("--allow-uniform-labels", action="store_true")
    parser.add_argument("--frozen", type=Path, help="folder in which what untrained layers give is kept (needs lora.last_layers)")
    parser.add_argument("--only-table", action="store_true", help="train nothing, print what is measured")
    given = parser.parse_args(arguments)
    arms = given.arms.split(",")
    if unknown := [name for name in arms if name not in ARMS]:
        parser.error(f"unknown arm {unknown[0]}: choose of {', '.join(ARMS)}")
    if not given.only_table:
        given.out.mkdir(parents=True, exist_ok=True)
        set_threads(load_config(given.config).threads)
    seconds = {}
    for arm in [] if given.only_table else arms:
        seconds[arm] = run_arm(given, arm, list(ARMS))
    sys.stderr.write("\n")
    records = measured(given.out, arms)
    print(table(HEAD, [row_of(name, rows, records[BASE], seconds.get(name)) for name, rows in records.items()]))


if __name__ == "__main__":
    main()
