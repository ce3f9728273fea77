"""The loss through the one pass: what is trained is what is served, and its gradient is that of plain decoding."""

import math
import random
from collections import Counter

import pytest
import torch

from app.core.buckets import BUCKET_LABELS, BUCKETS
from app.core.prompt import answer_text
from app.core.question import Question
from app.edge.engine import VerdictEngine
from app.edge.rendering import Renderer
from app.training.config import JointConfig, LoraConfig
from app.training.joint_loss import Target, bounds, brier_scores, confidence_loss, letters_loss, read_out, row_loss
from app.training.label import bucket_distribution, bucket_of, count_correct
from app.training.lora import put_on
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_model, tiny_tokenizer

KINDS = ("qwen3", "gemma3", "llama")
QUESTIONS = [
    Question("What is this?", ("one", "two")),
    Question("\nWhat begins with a newline, and is longer than a sliding window?", ("one", "two", "three")),
    Question("Which?", tuple(f"option {n}" for n in range(7))),
]


def parts(kind):
    tokenizer = tiny_tokenizer(TEMPLATES[kind])
    model = tiny_model(kind, len(tokenizer))
    return model, Renderer(tokenizer, FAMILIES[kind]), tokenizer


def engine_of(model, renderer, **kwargs):
    return VerdictEngine(model, renderer, name="tiny", **kwargs)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_computed_on_the_numbers_that_are_served(kind):
    """P(bucket), P(letter) and the joint of a training batch are those of the served verdict, with the prefix shared or not."""
    model, renderer, _ = parts(kind)
    prompts = [renderer.prompt(question) for question in QUESTIONS]
    trained = engine_of(model, renderer, share_prefix=False)
    for prefix in (None, trained.prefill()):
        served = engine_of(model, renderer, share_prefix=prefix is not None)
        verdicts = served.verdicts([served.prepare(question) for question in QUESTIONS])
        logits = trained.forward(prompts, prefix)
        assert all(place.requires_grad for place in logits)
        for row, (prompt, verdict) in enumerate(zip(prompts, verdicts, strict=True)):
            read = read_out(renderer.trie, logits, row, prompt.options)
            joint = (read.buckets[:, None] + read.letters).exp().detach()
            assert joint.sum().item() == pytest.approx(1, abs=1e-9)
            assert (joint - torch.tensor(verdict.joint, dtype=torch.float64)).abs().max() < 5e-6
            assert read.buckets.exp().tolist() == pytest.approx(list(verdict.confidence_probabilities.values()), abs=5e-6)
            assert read.answers.exp().tolist() == pytest.approx(list(verdict.answer_probabilities.values()), abs=5e-6)


def plain_read_out(model, tokenizer, family, renderer, question):
    """Log P(bucket) and log P(letter | bucket) from whole strings: one sequence an answer, no mask, position or trie of ours."""
    prompt = renderer.render(question)
    start = len(tokenizer.encode(prompt, add_special_tokens=False))
    ids = {
        (label, letter): tokenizer.encode(prompt + answer_text(label, letter), add_special_tokens=False)
        for label in BUCKET_LABELS
        for letter in question.letters
    }
    logits = {label: model(torch.tensor([ids[label, "A"]])).logits[0].double() for label in BUCKET_LABELS}

    def step(label, at):
        answer = ids[label, "A"]
        allowed = sorted({other[at] for other in ids.values() if other[start:at] == answer[start:at]})
        return dict(zip(allowed, torch.log_softmax(logits[label][at - 1][allowed], dim=0), strict=True))

    buckets, letters = [], []
    for label in BUCKET_LABELS:
        last = len(ids[label, "A"]) - 1
        buckets.append(sum(step(label, at)[ids[label, "A"][at]] for at in range(start, last)))
        letters.append(torch.stack([step(label, last)[ids[label, letter][last]] for letter in question.letters]))
    return torch.stack(buckets), torch.stack(letters)


@pytest.mark.parametrize(("kind", "checkpointing"), [("qwen3", True), ("gemma3", False)])
def test_the_gradient_is_that_of_plain_decoding_of_whole_strings(kind, checkpointing):
    """Of every weight of the adapter; also with the prefix shared, or with gradient checkpointing."""
    model, renderer, tokenizer = parts(kind)
    put_on(model, LoraConfig(r=2), seed=1, base_name="tiny")
    parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
    torch.manual_seed(2)
    with torch.no_grad():
        # The second factor begins at zero, where the first one would have no gradient.
        for value in parameters.values():
            value.normal_(0, 0.05)
    draw = random.Random(0)
    targets = []
    for question in QUESTIONS:
        kept = [draw.random() for _ in question.options]
        targets.append(Target(bucket_distribution(draw.random(), 8), 0.3, 1, tuple(value / sum(kept) for value in kept)))
    config = JointConfig(confidence_weight=0.7, letters_weight=2.0)

    def gradients(read):
        model.zero_grad()
        sum(row_loss(read(at), target, config)[0] for at, target in enumerate(targets)).backward()
        return {name: value.grad.clone() for name, value in parameters.items()}

    class Plain:
        def __init__(self, at):
            self.buckets, self.letters = plain_read_out(model, tokenizer, FAMILIES[kind], renderer, QUESTIONS[at])

        @property
        def answers(self):
            return torch.logsumexp(self.buckets[:, None] + self.letters, dim=0)

    expected = gradients(Plain)
    if checkpointing:
        model.train()
        model.activation_checkpointing_enable()
    engine = engine_of(model, renderer, share_prefix=False)
    logits = engine.forward([renderer.prompt(question) for question in QUESTIONS], None if checkpointing else engine.prefill())
    found = gradients(lambda at: read_out(renderer.trie, logits, at, len(QUESTIONS[at].options)))
    largest = max(float(value.abs().max()) for value in expected.values())
    assert largest > 1e-3
    for name, value in expected.items():
        assert (found[name] - value).abs().max() < 1e-4 * largest, name


def read_of(buckets, letters):
    read = type("Read", (), {})()
    read.buckets = torch.tensor(buckets, dtype=torch.float64).log()
    read.letters = torch.tensor(letters, dtype=torch.float64).log()
    read.answers = torch.logsumexp(read.buckets[:, None] + read.letters, dim=0)
    return read


BUCKET_P = [0.1, 0.2, 0.3, 0.25, 0.15]
LETTER_P = [[0.7, 0.2, 0.1], [0.5, 0.25, 0.25], [0.2, 0.2, 0.6], [0.3, 0.3, 0.4], [0.9, 0.05, 0.05]]


def test_keeping_the_letters_costs_nothing_until_they_change():
    read = read_of(BUCKET_P, LETTER_P)
    marginal = tuple(sum(p * row[letter] for p, row in zip(BUCKET_P, LETTER_P, strict=True)) for letter in range(3))
    target = Target((0, 0, 1, 0, 0), 1.0, 0, kept=marginal)
    assert letters_loss(read, target).item() == pytest.approx(0, abs=1e-12)
    # Other buckets alone change what is served, so they cost something too.
    moved = read_of([0.6, 0.1, 0.1, 0.1, 0.1], LETTER_P)
    answers = moved.answers.exp().tolist()
    expected = sum(p * math.log(p / q) for p, q in zip(marginal, answers, strict=True))
    assert letters_loss(moved, target).item() == pytest.approx(expected)
    assert expected > 0.01
    assert letters_loss(read, Target((0, 0, 1, 0, 0), 1.0, 0, kept=(1.0, 0.0, 0.0))).item() == pytest.approx(-math.log(marginal[0]))


def test_the_letters_of_an_untrained_checkpoint_cost_nothing_through_the_model():
    """The kept letters come from the served verdict, the loss from the training's own pass."""
    model, renderer, _ = parts("qwen3")
    served = engine_of(model, renderer)
    trained = engine_of(model, renderer, share_prefix=False)
    for question in QUESTIONS:
        kept = tuple(served.verdicts([served.prepare(question)])[0].answer_probabilities.values())
        read = read_out(renderer.trie, trained.forward([renderer.prompt(question)]), 0, len(question.options))
        assert abs(letters_loss(read, Target((1, 0, 0, 0, 0), 0.0, 0, kept)).item()) < 1e-6


def test_hard_labels_and_the_correct_letter_are_the_loss_of_the_answer_in_the_format():
    read = read_of(BUCKET_P, LETTER_P)
    target = Target((0, 0, 0, 1, 0), 0.0, 2)
    total, confidence, letters = row_loss(read, target, JointConfig(letters="gold"))
    assert total.item() == pytest.approx(-math.log(0.25 * 0.4))
    assert (confidence.item(), letters.item()) == (pytest.approx(-math.log(0.25)), pytest.approx(-math.log(0.4)))


@pytest.mark.parametrize("correct", [0.0, 1.0, 0.3])
def test_the_brier_score_is_an_expectation_over_buckets_and_over_being_correct(correct):
    read = read_of(BUCKET_P, LETTER_P)
    expected = sum(
        p * (correct * (bucket - 1) ** 2 + (1 - correct) * (bucket - 0) ** 2) for p, bucket in zip(BUCKET_P, BUCKETS, strict=True)
    )
    assert confidence_loss(read, Target((1, 0, 0, 0, 0), correct, 0), "brier").item() == pytest.approx(expected)
    # Proper: the bucket nearest to the probability of being correct has the least expected score.
    best = min(range(5), key=brier_scores(correct).__getitem__)
    assert best == min(range(5), key=lambda bucket: abs(BUCKETS[bucket] - correct))


@pytest.mark.parametrize("table", [None, [0.0, 0.0, 0.0, 0.25, 0.25, 0.75, 1.0, 1.0, 1.0]])
@pytest.mark.parametrize("p", [0.04, 0.37, 0.8])
def test_a_soft_target_is_the_distribution_of_the_labels_that_the_recipe_samples(p, table):
    """4,000 labels by the method `sample`; chi-square of at most four degrees of freedom, p > 1e-4."""
    wanted = bucket_distribution(p, 8, table)
    assert sum(wanted) == pytest.approx(1)
    drawn = Counter(bucket_of(count_correct(p, samples=8, method="sample", key=f"0|q{n}"), 8, table) for n in range(4000))
    assert all(wanted[bucket] > 0 for bucket in drawn)
    assert sum((drawn[bucket] - 4000 * w) ** 2 / (4000 * w) for bucket, w in enumerate(wanted) if w > 1e-4) < 23.5
    assert bucket_distribution(0.0, 8) == (1.0, 0, 0, 0, 0)
    assert bucket_distribution(1.0, 8) == (0, 0, 0, 0, 1.0)


def test_the_bounds_say_what_learning_the_mean_would_reach():
    targets = [Target((1, 0, 0, 0, 0), 0.0, 0), Target((0, 0, 0, 0, 1), 1.0, 0)]
    assert bounds(targets, "cross_entropy") == (pytest.approx(math.log(2)), 0.0)
    assert bounds(targets, "brier") == (pytest.approx(0.25), 0.0)
