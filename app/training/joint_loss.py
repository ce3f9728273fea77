"""The loss of one row on what the engine reads: P(bucket) and P(letter | bucket), differentiable.

What is trained is what is served: the logits come from `VerdictEngine.forward`, and the numbers here are those of its verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from app.core.buckets import BUCKETS
from app.edge.trie import VerdictTrie
from app.training.config import JointConfig


@dataclass(frozen=True, slots=True)
class ReadOut:
    """What one row's logits say, in float64.

    Attributes:
        buckets: the logarithm of P(bucket), `[5]`.
        letters: the logarithm of P(letter | bucket), `[5, options]`.
    """

    buckets: torch.Tensor
    letters: torch.Tensor

    @property
    def answers(self) -> torch.Tensor:
        """The logarithm of the marginal P(letter), `[options]`: what `top_probability`, the margin and the answer are read from."""
        return torch.logsumexp(self.buckets[:, None] + self.letters, dim=0)


@dataclass(frozen=True, slots=True)
class Target:
    """What a row is to learn.

    Attributes:
        buckets: distribution over the five buckets.
        correct: probability that the checkpoint's answer is correct; 0 or 1 with hard labels.
        letter: index of the correct option.
        kept: the checkpoint's own distribution over the options; None where the letters are learned from the correct answer.
    """

    buckets: tuple[float, ...]
    correct: float
    letter: int
    kept: tuple[float, ...] | None = None


def read_out(trie: VerdictTrie, logits: Sequence[torch.Tensor], row: int, options: int) -> ReadOut:
    """What `VerdictEngine.forward` read for one row of a batch.

    Args:
        trie: trie of the engine.
        logits: what `forward` gave.
        row: index of the row.
        options: number of options of its question.
    """
    count = len(trie.branchings)
    choices = [torch.log_softmax(place[row].double(), dim=-1) for place in logits[:count]]
    buckets = torch.stack([torch.stack([choices[branching][child] for branching, child in walk]).sum() for walk in trie.choices])
    letters = torch.stack([torch.log_softmax(place[row, :options].double(), dim=-1) for place in logits[count:]])
    return ReadOut(buckets, letters)


def confidence_loss(read: ReadOut, target: Target, kind: str) -> torch.Tensor:
    """The loss of the confidence of one row.

    Args:
        read: what the model says.
        target: what it is to say.
        kind: `cross_entropy`: Σ_b target(b) · (-log P(b)), in nats. `brier`: the expected tokenised Brier score
            Σ_b P(b) · (c_b - correct)² of ConfTuner (Li et al. 2025, "ConfTuner: Training Large Language Models to Express Their
            Confidence Verbally", arXiv 2508.18847), a proper scoring rule; where `correct` is a probability, its expectation.
    """
    if kind == "brier":
        return (read.buckets.exp() * read.buckets.new_tensor(brier_scores(target.correct))).sum()
    return -(read.buckets.new_tensor(target.buckets) * read.buckets).sum()


def letters_loss(read: ReadOut, target: Target) -> torch.Tensor:
    """The loss of the letters of one row, in nats.

    With `target.kept` it is the Kullback–Leibler divergence of the marginal from the checkpoint's own, Σ_l kept(l) · log(kept(l) / P(l)):
    0 where nothing has changed. Without, it is the cross-entropy of the correct letter behind each bucket, weighted by the target
    distribution of the buckets; with hard labels and the cross-entropy of the confidence, both together are -log P(bucket, letter), the
    loss of the answer's tokens restricted to the format.
    """
    if target.kept is not None:
        kept = read.buckets.new_tensor(target.kept)
        # A probability of zero has no part in the divergence, and no logarithm.
        some = kept > 0
        return (kept[some] * (kept[some].log() - read.answers[some])).sum()
    return -(read.buckets.new_tensor(target.buckets) * read.letters[:, target.letter]).sum()


def row_loss(read: ReadOut, target: Target, config: JointConfig) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The weighted loss of one row, and its two parts, not weighted: that of the confidence and that of the letters."""
    confidence = confidence_loss(read, target, config.confidence_loss)
    letters = letters_loss(read, target)
    return config.confidence_weight * confidence + config.letters_weight * letters, confidence, letters


def brier_scores(correct: float) -> list[float]:
    """The Brier score of each bucket, in expectation over whether the answer is correct: p (c - 1)² + (1 - p) c²."""
    return [correct * (bucket - 1) ** 2 + (1 - correct) * bucket**2 for bucket in BUCKETS]


def bounds(targets: Sequence[Target], kind: str) -> tuple[float, float]:
    """The mean confidence loss of the best answer that is the same for all rows, and of the best answer to each row.

    A training that does not get under the first has learned the mean of its targets only.

    Args:
        targets: targets of the rows, at least one.
        kind: `cross_entropy` or `brier`.
    """
    if kind == "brier":
        scores = torch.tensor([brier_scores(target.correct) for target in targets], dtype=torch.float64)
        return float(scores.mean(dim=0).min()), float(scores.min(dim=1).values.mean())
    wanted = torch.tensor([target.buckets for target in targets], dtype=torch.float64)
    return float(torch.special.entr(wanted.mean(dim=0)).sum()), float(torch.special.entr(wanted).sum(dim=1).mean())
