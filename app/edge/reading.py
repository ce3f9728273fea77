"""Logits at the places of a trie → verdicts: the joint distributions of all questions of a pass, with a few operations on arrays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.core.buckets import BUCKETS
from app.core.verdict import JointVerdict
from app.edge.trie import LabelBranching, VerdictTrie

# No question offers so many labels.
_NEVER = 1 << 30


class Reading:
    """How the logits of one trie become verdicts: log-softmax over the children at each branching, summed along each path.

    Args:
        trie: the trie.

    Attributes:
        children: number of children at the place that has most; shorter rows are padded to it.
    """

    def __init__(self, trie: VerdictTrie) -> None:
        places = trie.places
        self._paths = trie.choices
        self._branchings = len(trie.branchings)
        self.children = max(len(place.tokens) for place in places)
        # For each child the number of options from which on it is offered; a child that is none never is.
        self._firsts = np.full((len(places), self.children), _NEVER, dtype=np.int64)
        for at, place in enumerate(places):
            self._firsts[at, : len(place.tokens)] = place.firsts if isinstance(place, LabelBranching) else 0
        # Steps are places in a flat row of all children; behind them stands a zero, for paths with fewer steps than others.
        nothing = self._firsts.size
        self._walks = _padded([[self._flat(0, step) for step in walk] for walk in trie.choices], nothing)
        starts = np.cumsum([self._branchings, *(len(labels.branchings) for labels in trie.labels)])
        rows = [
            [self._flat(start, step) for step in steps]
            for start, labels in zip(starts, trie.labels, strict=False)
            for steps in labels.steps
        ]
        self._labels = _padded(rows, nothing).reshape(len(trie.labels), len(trie.labels[0].steps), -1)
        # The child that greedy decoding must choose at each branching for each bucket; -1 where its path does not pass.
        self._greedy = np.full((len(BUCKETS), self._branchings), -1)
        for bucket, walk in enumerate(trie.choices):
            for branching, child in walk:
                self._greedy[bucket, branching] = child
        self._passed_by, self._no_child = self._greedy < 0, self._firsts[: self._branchings] == _NEVER

    def _flat(self, start: int, step: tuple[int, int]) -> int:
        branching, child = step
        return int((start + branching) * self.children + child)

    def verdicts(self, logits: NDArray[np.float32], options: Sequence[int], temperature: float = 1.0) -> list[JointVerdict | None]:
        """The verdict on each question; None where its logits are not finite.

        Args:
            logits: `[questions, places, children]`; what stands behind the children of a place is not looked at.
            options: for each question, how many labels are offered, the first ones of the alphabet.
            temperature: divides the logits at every branching; greedy choices do not change.
        """
        count, most = np.asarray(options), max(options)
        with np.errstate(all="ignore"):
            log_p = self._log_softmax(logits, count, temperature)
            flat = np.zeros((len(count), self._firsts.size + 1))
            flat[:, :-1] = log_p.reshape(len(count), -1)
            joint = np.exp(flat[:, self._walks].sum(-1)[:, :, None] + flat[:, self._labels[:, :most]].sum(-1))
            if min(options) < most:
                np.copyto(joint, 0.0, where=(np.arange(most) >= count[:, None])[:, None])
            total = joint.sum((1, 2))
            normalised = (joint / total[:, None, None]).tolist()
        chosen = np.where(self._no_child, -np.inf, logits[:, : self._branchings]).argmax(2)
        followed = ((chosen[:, None] == self._greedy) | self._passed_by).all(2)
        return [
            JointVerdict(tuple([tuple(row[:offered]) for row in rows]), bucket, self._paths) if sound else None
            for rows, offered, bucket, sound in zip(
                normalised,
                options,
                followed.argmax(1).tolist(),
                # Each weight is at most 1, so the sum is finite, or NaN where one of them is.
                ((total > 0) & followed.any(1)).tolist(),
                strict=True,
            )
        ]

    def _log_softmax(self, logits: NDArray[np.float32], count: NDArray[np.int64], temperature: float) -> NDArray[np.float64]:
        """The logarithm of each child's probability among those that are offered there."""
        scaled = np.where(self._firsts < count[:, None, None], np.divide(logits, temperature, dtype=np.float64), -np.inf)
        top = scaled.max(2, keepdims=True)
        log_p: NDArray[np.float64] = scaled - (top + np.log(np.exp(scaled - top).sum(2, keepdims=True)))
        return log_p


def _padded(rows: Sequence[Sequence[int]], nothing: int) -> NDArray[np.int64]:
    most = max(map(len, rows))
    return np.array([[*row, *[nothing] * (most - len(row))] for row in rows], dtype=np.int64).reshape(len(rows), most)
