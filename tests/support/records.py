"""Records whose numbers are known."""

import json

import numpy as np

from app.core.buckets import BUCKET_LABELS, BUCKETS
from app.evaluation.published import PUBLISHED_GEMMA


def record(number, domain, confidence, edge, cloud, *, expected=None, marginal="A", **more):
    """One record with four options and the gold answer A."""
    others = [letter for letter in "ABCD" if letter != marginal]
    answers = {marginal: 0.7, **dict.fromkeys(others, 0.1)}
    return {
        "id": str(number),
        "domain": domain,
        "gold": "A",
        "edge_answer": edge,
        "confidence": confidence,
        "expected_confidence": confidence if expected is None else expected,
        "answer_probabilities": dict(sorted(answers.items())),
        "confidence_probabilities": {label: float(bucket == confidence) for label, bucket in zip(BUCKET_LABELS, BUCKETS, strict=True)},
        "cloud_answer": cloud,
        "cloud_tokens": 100,
        "edge_ms": 40.0,
        "cloud_ms": 300.0,
        "cloud_model": "big",
        "edge_model": "small",
        "prompt_version": "p1",
        **more,
    }


def published(n=1000):
    """A file of which the published Gemma table must come out: n questions a domain, counts as close as integers come."""
    rows = []
    for domain, row in PUBLISHED_GEMMA.items():
        if domain == "mean":
            continue
        cloud, edge, _, system, routed = (round(value * n / 100) for value in row)
        kept = n - routed
        # How many of the kept edge answers are right is free within these bounds; the other counts follow.
        edge_kept, cloud_routed = next(
            (e, system - e)
            for e in range(kept + 1)
            if 0 <= edge - e <= routed and 0 <= system - e <= routed and 0 <= cloud - (system - e) <= kept
        )
        edge_routed, cloud_kept = edge - edge_kept, cloud - cloud_routed
        for number in range(n):
            is_routed = number < routed
            at = number if is_routed else number - routed
            edge_correct = at < (edge_routed if is_routed else edge_kept)
            cloud_correct = at < (cloud_routed if is_routed else cloud_kept)
            letter, other = ("A" if right else "B" for right in (edge_correct, cloud_correct))
            rows.append(record(f"{domain}-{number}", domain, 0.25 if is_routed else 0.75, letter, other, marginal=letter))
    return rows


def simulated(n, seed, *, knows=True, domains=("law", "math"), edge=0.4, cloud=0.75):
    """A continuous confidence that knows (or does not know) how likely the edge is right."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        p = draw.beta(2 * edge, 2 * (1 - edge))
        right = draw.random() < p
        expected = float(p if knows else draw.beta(2 * edge, 2 * (1 - edge)))
        confidence = BUCKETS[round(expected * 4)]
        letter, other = ("A" if right else "B" for right in (right, draw.random() < cloud))
        rows.append(record(number, domains[number % len(domains)], confidence, letter, other, expected=expected, marginal=letter))
    return rows


def halves(n, seed=0):
    """The rows of the fit half and of the test half."""
    order = np.random.default_rng(seed).permutation(n)
    return order[: n // 2], order[n // 2 :]


def flat(sizes, wrong):
    """Rows of certain confidence 0.5, of each domain as many as said in the fit half, the others in the test half.

    Every `wrong`-th answer of a domain is wrong.
    """
    n = 2 * sum(sizes.values())
    rows = [None] * n
    for places in halves(n):
        names = [name for name, size in sizes.items() for _ in range(size)]
        for at, (place, name) in enumerate(zip(places.tolist(), names, strict=True)):
            letter = "B" if at % wrong[name] == 0 else "A"
            rows[place] = record(place, name, 0.5, letter, "A", marginal=letter)
    return rows


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
