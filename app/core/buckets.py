"""The confidence vocabulary: five buckets, how a tokenizer splits them, and a temperature on their distribution."""

import math
from collections.abc import Sequence

# The five words of the confidence vocabulary.
BUCKET_LABELS = ("0.0", "0.25", "0.5", "0.75", "1.0")
BUCKETS = tuple(float(label) for label in BUCKET_LABELS)

# Per bucket, in the order of `BUCKETS`: the (branching, child) choices that writing it takes, from the first token down.
BucketPaths = tuple[tuple[tuple[int, int], ...], ...]
# A bucket that is chosen in one step, among five: what a distribution is taken for whose tokens are not known.
FLAT_PATHS: BucketPaths = tuple(((0, bucket),) for bucket in range(len(BUCKETS)))


def tempered(probabilities: Sequence[float], paths: BucketPaths, temperature: float) -> tuple[float, ...]:
    """P(bucket) as it would be with the logits at every branching divided by a temperature.

    At a branching the softmax of logits / T is the normalised p^(1/T) of its children, so the probabilities and the
    tree they come from are all that is needed. Tempering the path probabilities themselves would be something else.
    """
    if temperature == 1.0:
        return tuple(probabilities)
    below: dict[int, dict[int, float]] = {}
    for probability, path in zip(probabilities, paths, strict=True):
        for branching, child in path:
            children = below.setdefault(branching, {})
            children[child] = children.get(child, 0.0) + probability
    log_choice: dict[tuple[int, int], float] = {}
    for branching, children in below.items():
        scaled = {child: math.log(max(mass, 1e-300)) / temperature for child, mass in children.items()}
        top = max(scaled.values())
        log_total = top + math.log(math.fsum(math.exp(value - top) for value in scaled.values()))
        log_choice.update({(branching, child): value - log_total for child, value in scaled.items()})
    return tuple(math.exp(math.fsum(log_choice[step] for step in path)) for path in paths)


def mean_confidence(probabilities: Sequence[float]) -> float:
    """Mean of a distribution over `BUCKETS`, in [0, 1]."""
    return min(1.0, math.fsum(bucket * probability for bucket, probability in zip(BUCKETS, probabilities, strict=True)))
