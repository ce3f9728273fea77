"""The verdict the slow way: whole strings, the plain model, one sequence at a time. None of our mask, cache or trie code."""

import math

import torch

from app.core.buckets import BUCKET_LABELS
from app.core.prompt import PromptFamily, chat_messages
from app.core.question import Question


@torch.inference_mode()
def reference_joint(model, tokenizer, family: PromptFamily, question: Question, temperature=1.0) -> tuple[list[list[float]], str]:
    """The joint of format-constrained decoding, and the answer text that constrained greedy decoding writes."""
    prompt = tokenizer.apply_chat_template(
        chat_messages(question, family), tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    start = len(tokenizer.encode(prompt, add_special_tokens=False))
    texts = {(label, letter): f"Confidence: {label}\nFinal answer: {letter}" for label in BUCKET_LABELS for letter in question.labels}
    sequences = {key: tokenizer.encode(prompt + text, add_special_tokens=False) for key, text in texts.items()}
    answers = {key: tuple(ids[start:]) for key, ids in sequences.items()}
    # Sequences that differ in the last token only share all logits that are read: one forward per bucket where labels are single tokens.
    # The model computes the logits from the prompt's last token on: those of the whole prompt, over 262,144 tokens, take most of the time.
    logits = {}
    for key, answer in answers.items():
        if answer[:-1] not in logits:
            kept = model(torch.tensor([sequences[key]]), logits_to_keep=len(answer) + 1).logits[0]
            assert len(kept) == len(answer) + 1, "the model takes no notice of logits_to_keep"
            logits[answer[:-1]] = kept.double() / temperature
    steps: dict[tuple[int, ...], dict[int, float]] = {}

    def step(key: tuple[str, str], at: int) -> dict[int, float]:
        """log P of each token that the format allows after the first `at` answer tokens of `key`."""
        begun = answers[key][:at]
        if begun not in steps:
            allowed = sorted({other[at] for other in answers.values() if other[:at] == begun})
            row = torch.log_softmax(logits[answers[key][:-1]][at][allowed], dim=0).tolist()
            steps[begun] = dict(zip(allowed, row, strict=True))
        return steps[begun]

    joint = []
    for label in BUCKET_LABELS:
        row = []
        for letter in question.labels:
            key = (label, letter)
            row.append(math.exp(math.fsum(step(key, at)[answers[key][at]] for at in range(len(answers[key])))))
        joint.append(row)

    alive, at = list(answers), 0
    while len(alive) > 1:
        best = max(step(alive[0], at).items(), key=lambda item: item[1])[0]
        alive = [key for key in alive if answers[key][at] == best]
        at += 1
    return joint, texts[alive[0]]


def largest_difference(a, b) -> float:
    return max(abs(x - y) for row_a, row_b in zip(a, b, strict=True) for x, y in zip(row_a, row_b, strict=True))
