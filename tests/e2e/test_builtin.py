"""The builtin model itself, in float32: one pass against free generation, and batches against single questions."""

import json
import os
import random
from pathlib import Path

import pytest
import torch

from app.core.buckets import BUCKET_LABELS
from app.core.prompt import answer_text, chat_messages
from app.core.question import LETTERS, Question
from app.core.verdict import Signal
from app.demo.bank import SHIPPED_BANK, load_rows
from app.edge.builtin import default_cache_dir, ensure_builtin
from app.edge.loader import load_model
from app.edge.rendering import Prompt
from tests.support.reference import largest_difference, reference_joint

MCQ = Path(__file__).parents[3] / "shared" / "mcq"
MCQ_QUESTIONS = int(os.environ.get("MCQ_QUESTIONS", "18"))
BANK = [Question(row["question"], tuple(row["options"]), row["domain"]) for row in load_rows([SHIPPED_BANK])]


@pytest.fixture(scope="module")
def loaded():
    return load_model("builtin", cache_dir=default_cache_dir(), dtype="float32")


@pytest.fixture(scope="module")
def engine(loaded):
    return loaded.engine()


def verdicts(engine, questions, batch):
    prompts = [engine.prepare(question) for question in questions]
    return [verdict for start in range(0, len(prompts), batch) for verdict in engine.verdicts(prompts[start : start + batch])]


def test_the_builtin_model_is_converted_once():
    assert ensure_builtin(default_cache_dir()) == ensure_builtin(default_cache_dir())


def generate_freely(loaded, texts, new_tokens):
    loaded.tokenizer.padding_side = "left"
    inputs = loaded.tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
    output = loaded.model.generate(**inputs, do_sample=False, max_new_tokens=new_tokens)
    return output[:, inputs.input_ids.shape[1] :].tolist()


@torch.inference_mode()
def test_free_greedy_generation_keeps_to_the_format_and_agrees(loaded, engine, capsys):
    """Plain `generate` as served, nothing constrained: the recipe taught the format, which the raw model never keeps to."""
    count, least = 28, 26
    trie, tokenizer = engine.renderer.trie, loaded.tokenizer
    on_format, buckets = 0, set()
    for start in range(0, count, 14):
        chunk = (BANK[::5] + BANK[1::5])[start : start + 14]
        texts, prompts = [], []
        for question in chunk:
            system, user = chat_messages(question, loaded.family)
            texts.append(tokenizer.apply_chat_template([system, user], tokenize=False, add_generation_prompt=True))
            ids = tuple(engine.renderer.encode(texts[-1]))
            prompts.append(Prompt(ids, len(question.options), shares_prefix=ids[: engine.prefix_tokens] == engine.renderer.prefix_ids))
        written = generate_freely(loaded, texts, new_tokens=14)
        for question, verdict, tokens in zip(chunk, engine.verdicts(prompts), written, strict=True):
            for bucket in range(len(BUCKET_LABELS)):
                path = trie.path(bucket)
                letters = trie.letters[bucket][: len(question.options)]
                if tokens[: len(path)] == path and tokens[len(path)] in letters:
                    on_format += 1
                    buckets.add(bucket)
                    said = (bucket, LETTERS[letters.index(tokens[len(path)])])
                    assert said == (verdict.greedy_bucket, verdict.answer(Signal.VERBALIZED)), question.question
    with capsys.disabled():
        print(
            f"\nfree generation kept to the format on {on_format} of {count} questions (buckets {sorted(buckets)}) and agreed on each of them"
        )
    assert on_format >= least


@torch.inference_mode()
def test_constrained_greedy_decoding_writes_the_verdict(loaded, engine):
    """Where free generation leaves the format nothing was compared; forced to the format, it must agree everywhere."""
    for question, verdict in zip(BANK[::20], verdicts(engine, BANK[::20], batch=7), strict=True):
        joint, greedy_text = reference_joint(loaded.model, loaded.tokenizer, loaded.family, question)
        assert largest_difference(verdict.joint, joint) < 1e-5
        assert answer_text(BUCKET_LABELS[verdict.greedy_bucket], verdict.answer(Signal.VERBALIZED)) == greedy_text


def same_answers(engine, questions):
    for one, many in zip(verdicts(engine, questions, batch=1), verdicts(engine, questions, batch=16), strict=True):
        assert one.greedy_bucket == many.greedy_bucket
        assert [one.answer(signal) for signal in Signal] == [many.answer(signal) for signal in Signal]
        assert largest_difference(one.joint, many.joint) < 1e-5


def test_one_at_a_time_and_sixteen_at_a_time_are_the_same(engine):
    """A whole batch and a small one, of all domains."""
    same_answers(engine, BANK[::7])


def test_random_benchmark_questions_are_the_same_in_any_batch(engine):
    """18 of them, a whole batch and a small one; `make test-mcq` takes 100 and two minutes."""
    files = sorted(MCQ.glob("*/test.jsonl"))
    if not files:
        pytest.skip("the benchmark questions are not beside this checkout")
    rows = [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    chosen = random.Random(0).sample(rows, MCQ_QUESTIONS)
    same_answers(engine, [Question(row["question"], tuple(row["options"])) for row in chosen])
