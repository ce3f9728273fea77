"""A trie behind a prompt as tensors: what one forward pass computes besides the prompt, and how its logits become a verdict."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from app.core.buckets import BUCKETS
from app.core.verdict import JointVerdict
from app.edge.readout import ReadOutModel
from app.edge.trie import Labels, VerdictTrie


class Layout:
    """One trie, and the model reduced to the tokens that are read in it.

    Args:
        model: a transformers causal language model in evaluation mode.
        trie: trie of the answers.

    Attributes:
        trie: the same.
        ancestors: which node each node sees, `[nodes, nodes]`.
        depths: depth of each node, `[nodes]`.
        nodes: token id of each node, `[nodes]`.
        model: the model that computes the logits of the tokens that are read, and of no others.

    Raises:
        ConfigError: the model has no output layer that can be found.
    """

    def __init__(self, model: Any, trie: VerdictTrie) -> None:
        self.trie = trie
        ancestors = torch.zeros(len(trie), len(trie), dtype=torch.bool)
        for node in range(len(trie)):
            ancestors[node, trie.ancestors(node)] = True
        self.ancestors = ancestors.to(model.device)
        self.depths = torch.tensor(trie.depths, device=model.device)
        self.nodes = torch.tensor(trie.tokens, device=model.device)
        # Only these rows of the output matrix are ever multiplied: the children at each place.
        places = trie.places
        self.read_at = [place.node for place in places]
        tokens = sorted({token for place in places for token in place.tokens})
        column = {token: at for at, token in enumerate(tokens)}
        self._columns = [[column[token] for token in place.tokens] for place in places]
        # Padded with the first token's column, so that one gather reads all places.
        most = max(map(len, self._columns))
        self._gathered = torch.tensor([row + [0] * (most - len(row)) for row in self._columns], device=model.device)
        self.model = ReadOutModel(model, tokens)

    def split(self, logits: torch.Tensor) -> list[torch.Tensor]:
        """Logits `[batch, children]` at every place, of `[batch, places, tokens]`."""
        return [logits[:, place, columns] for place, columns in enumerate(self._columns)]

    def lists(self, logits: torch.Tensor) -> list[list[list[float]]]:
        """For each row of a batch the logits of the children at every place, of `[batch, places, tokens]`, in one transfer: each is a
        synchronisation on a GPU.
        """
        rows: list[list[list[float]]] = logits.gather(2, self._gathered.expand(len(logits), -1, -1)).tolist()
        return [[place[: len(columns)] for place, columns in zip(row, self._columns, strict=True)] for row in rows]

    def verdict(self, read: Sequence[Sequence[float]], options: int, temperature: float) -> JointVerdict:
        """Multiply the probabilities of the choices along each path: log-softmax over the children at each branching.

        Args:
            read: logits of the children at every place.
            options: how many labels are offered, the first ones of the alphabet.
            temperature: divides the logits at every branching.

        Raises:
            EdgeError: the logits are not finite.
        """
        trie = self.trie
        at_branching = read[: len(trie.branchings)]
        log_p = [_log_softmax(row, temperature) for row in at_branching]
        best = [max(range(len(row)), key=row.__getitem__) for row in at_branching]
        joint = []
        greedy = -1
        place = len(trie.branchings)
        for bucket in range(len(BUCKETS)):
            walk, labels = trie.choices[bucket], trie.labels[bucket]
            log_bucket = math.fsum(log_p[branching][child] for branching, child in walk)
            behind = _log_labels(labels, read[place : place + len(labels.branchings)], options, temperature)
            place += len(labels.branchings)
            joint.append([math.exp(log_bucket + log_label) for log_label in behind])
            if all(best[branching] == child for branching, child in walk):
                greedy = bucket
        return JointVerdict.from_weights(joint, greedy, trie.choices)


def _log_labels(labels: Labels, read: Sequence[Sequence[float]], options: int, temperature: float) -> list[float]:
    """The logarithm of P(label | bucket) of each offered label; children that lead to none of them are not allowed."""
    log_p: list[dict[int, float]] = []
    for branching, row in zip(labels.branchings, read, strict=True):
        offered = branching.offered(options)
        # A node that no offered label goes through is not passed.
        values = _log_softmax([row[child] for child in offered], temperature) if offered else []
        log_p.append(dict(zip(offered, values, strict=True)))
    return [math.fsum(log_p[branching][child] for branching, child in steps) for steps in labels.steps[:options]]


def _log_softmax(logits: Sequence[float], temperature: float) -> list[float]:
    scaled = [value / temperature for value in logits]
    top = max(scaled)
    log_total = top + math.log(math.fsum(math.exp(value - top) for value in scaled))
    return [value - log_total for value in scaled]
