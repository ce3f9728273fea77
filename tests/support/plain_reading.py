"""A verdict of logits as the definition says it, with Python's floats: what reading many at once is compared with."""

import math

from app.core.buckets import BUCKETS
from app.core.verdict import JointVerdict


def plain_reading(trie, read, options, temperature):
    """Multiply the probabilities of the choices along each path; `read` are the logits of the children at every place of a trie."""
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


def _log_labels(labels, read, options, temperature):
    """The logarithm of P(label | bucket) of each offered label; children that lead to none of them are not allowed."""
    log_p = []
    for branching, row in zip(labels.branchings, read, strict=True):
        offered = branching.offered(options)
        # A node that no offered label goes through is not passed.
        values = _log_softmax([row[child] for child in offered], temperature) if offered else []
        log_p.append(dict(zip(offered, values, strict=True)))
    return [math.fsum(log_p[branching][child] for branching, child in steps) for steps in labels.steps[:options]]


def _log_softmax(logits, temperature):
    scaled = [value / temperature for value in logits]
    top = max(scaled)
    log_total = top + math.log(math.fsum(math.exp(value - top) for value in scaled))
    return [value - log_total for value in scaled]
