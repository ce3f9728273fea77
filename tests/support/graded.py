"""The proof of the recipe where the answer is known: questions of graded learnability, made by seed.

- named: the letter stands in the question;
- keyword: one word of the question decides the letter;
- pair: two words together decide it, neither does alone;
- bind: the option that repeats a word of the question is correct, so its content must be bound to its letter;
- random: the letter is drawn at random and cannot be known.

A model that learns all but the last should end up sure of them and unsure of the last, although it is never told which is which.
"""

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import yaml
from transformers import Qwen3Config, Qwen3ForCausalLM

from app.core.question import Question
from app.core.verdict import Signal
from app.data.dataset import Item
from app.evaluation import statistics as st
from app.evaluation.collect import EdgeIdentity
from app.evaluation.table import to_table
from app.training.chain import open_chain
from app.training.config import load_config
from app.training.evolve import run_rounds
from app.training.measure import dev_records
from tests.support.tiny import tiny_tokenizer

LETTERS = "ABCD"
KEYWORDS = {"river": "A", "stone": "B", "cloud": "C", "grass": "D"}
FIRST, SECOND = ("red", "blue"), ("north", "south")
WORDS = ("lamp", "chair", "apple", "horse", "piano", "glove", "train", "candle", "mirror", "basket", "hammer", "pillow")
NOUNS = ("case", "item", "sample", "entry", "record", "sheet")
CLOUD_RATE = 0.4


def graded(count, seed, kinds):
    """`count` questions, the kinds in turn. The id begins with the kind; a serial number keeps all texts apart."""
    draw = random.Random(f"graded|{seed}")
    return [_question(kinds[number % len(kinds)], f"{seed}{number:05d}", draw) for number in range(count)]


def _question(kind, serial, draw):
    letter = draw.choice(LETTERS)
    options = draw.sample(WORDS, 4)
    index = LETTERS.index(letter)
    seen = {
        "named": f"the answer is {letter}",
        "keyword": f"we see a {list(KEYWORDS)[index]}",
        "pair": f"a {FIRST[index // 2]} flag points {SECOND[index % 2]}",
        "bind": f"look for the {options[index]}",
        "random": "nothing is known",
    }[kind]
    return Item(Question(f"In this {draw.choice(NOUNS)} {serial} {seen}.", tuple(options), "graded", f"{kind}-{serial}"), letter)


@dataclass(frozen=True)
class Proof:
    """What held-out rows show about a chain's last checkpoint; `share` is its share of the oracle's lift over random at a cloud rate of 40 %."""

    accuracy: dict
    confidence: dict
    auroc: float
    ece: float
    share: float

    def failures(self):
        """The targets that are missed."""
        # Kinds whose accuracies are much the same may come in either order.
        order = [
            f"{one} ({self.accuracy[one]:.2f} correct, {self.confidence[one]:.2f} sure) against {other} ({self.accuracy[other]:.2f}, {self.confidence[other]:.2f})"
            for one in self.accuracy
            for other in self.accuracy
            if self.accuracy[one] > self.accuracy[other] + 0.15 and self.confidence[one] <= self.confidence[other]
        ]
        missed = [f"AUROC {self.auroc:.3f}"] if self.auroc < 0.85 else []
        missed += [f"ECE {self.ece:.3f}"] if self.ece >= 0.1 else []
        missed += [f"share {self.share:.2f}"] if self.share < 0.8 else []
        return missed + order


def prove(base, folder: Path, *, kinds, rows, test_rows, progress=lambda *_: None, **config) -> list[Proof]:
    """Run R0–R3 on graded questions through the real chain; the proof after each round. Train, dev and test are disjoint."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in (("train", graded(4 * rows + 40, 1, kinds)), ("test", graded(test_rows, 3, kinds))):
        lines = [
            {"id": i.id, "domain": "graded", "question": i.question.question, "options": i.question.options, "answer": i.gold}
            for i in items
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = {
        "base": str(base),
        "domains": ["graded"],
        "rounds": 3,
        "buffer_rows": rows,
        "new_rows": rows,
        "replay_rows": 0,
        "data": {"train": {"graded": ["train.jsonl"]}, "test": ["test.jsonl"], "dev_rows": 40},
        **config,
        # These questions ask for a letter: under another one the same words would be the wrong answer.
        "sft": {"shuffle_options": False, **config.get("sft", {})},
        "labels": {"source": "gold", **config.get("labels", {})},
    }
    (folder / "evolve.yaml").write_text(yaml.safe_dump(settings))
    from app.edge.builtin import default_cache_dir

    chain = open_chain(
        load_config(folder / "evolve.yaml"), folder / "run", resume=True, cache_dir=default_cache_dir(), teacher=None, progress=progress
    )
    proofs = []
    for number in range(4):
        run_rounds(chain, until=number)
        proofs.append(measure(chain.engine, graded(test_rows, 3, kinds), kinds))
        (folder / f"proof{number}.json").write_text(json.dumps(asdict(proofs[-1])))
    return proofs


def measure(engine, items, kinds):
    records = dev_records(engine, items, None, identity=EdgeIdentity("graded", ""), batch_size=16)
    for record in records:
        record["domain"] = record["id"].split("-")[0]
    table = to_table(records)
    signal, correct = table.signal[Signal.EXPECTED.value], table.edge_correct[Signal.EXPECTED.value]
    at_random = st.random_baseline(CLOUD_RATE, 1.0, float(correct.mean()))
    routed = st.accuracy_at(st.routing_curve(signal, correct, table.cloud_correct), CLOUD_RATE)
    best = st.accuracy_at(st.oracle_curve(correct, table.cloud_correct), CLOUD_RATE)
    parts = {kind: table.of(kind) for kind in kinds}
    return Proof(
        accuracy={kind: float(part.edge_correct[Signal.EXPECTED.value].mean()) for kind, part in parts.items()},
        confidence={kind: float(part.signal[Signal.EXPECTED.value].mean()) for kind, part in parts.items()},
        auroc=st.auroc(signal, correct) or 0.5,
        ece=st.ece_fixed(signal, correct),
        share=(routed - at_random) / (best - at_random) if best > at_random else 0.0,
    )


def learnable_base(path):
    """A small random model that LoRA can teach: embeddings large against its layers, and every word of the questions one token."""
    words = [*KEYWORDS, *FIRST, *SECOND, *WORDS, *NOUNS, "flag", "points", "see", "nothing", "known", "look", "answer"]
    tokenizer = tiny_tokenizer(corpus=[f"user\nIn this {noun} {word} {word} {word}" for noun in NOUNS for word in words] * 2)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
        initializer_range=0.1,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = Qwen3ForCausalLM(config)
    with torch.no_grad():
        for weight in (model.model.embed_tokens.weight, model.lm_head.weight):
            weight.normal_(0, 0.5)
    model.eval().save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
