"""Tiny chains: a random-weight model in a folder, questions that a rule decides, and a config for both."""

import json
import random

import yaml

from tests.support.tiny import TEMPLATES, tiny_model, tiny_tokenizer

DOMAINS = ("law", "math")


def base_folder(path, kind="qwen3"):
    """A tiny model as `save_pretrained` writes it."""
    tokenizer = tiny_tokenizer(TEMPLATES[kind])
    tiny_model(kind, len(tokenizer)).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def questions(count, domain, seed, prefix):
    """Half of them name their letter, the answers of the others nobody can know."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        letter = draw.choice("ABCD")
        named = number % 2 == 0
        text = f"{prefix} {number} of {domain}: " + (f"the answer is {letter}" if named else "guess")
        rows.append({"id": f"{prefix}-{domain}-{number}", "domain": domain, "question": text, "options": list("wxyz"), "answer": letter})
    return rows


def chain_config(folder, *, kind="qwen3", rows=30, **changes):
    """A config file with its data and its base beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    base = base_folder(folder / "base", kind)
    for domain in DOMAINS:
        write(folder / f"{domain}.jsonl", questions(rows, domain, 1, "train"))
    write(folder / "test.jsonl", questions(8, "law", 2, "test"))
    config = {
        "base": str(base),
        "dtype": "float32",
        "threads": 1,
        "seed": 3,
        "domains": list(DOMAINS),
        "rounds": 2,
        "buffer_rows": 12,
        "new_rows": 8,
        "replay_rows": 6,
        "label_batch_size": 4,
        "data": {"train": {domain: [f"{domain}.jsonl"] for domain in DOMAINS}, "test": ["test.jsonl"], "dev_rows": 8},
        "labels": {"source": "gold"},
        "sft": {"learning_rate": 1e-3, "epochs": 1, "batch_size": 4, "micro_batch_size": 2},
        **changes,
    }
    path = folder / "evolve.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
