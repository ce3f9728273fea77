"""Does a letter prior help? `python -m tests.runs.letter_prior --fit TRAIN.jsonl --test TEST.jsonl` compares records with and without it.

The prior of a number of options is the mean of the model's distributions over the letters, which needs no gold answer: a model without a
preference for a letter has 1/k everywhere, when the answers are spread evenly. It is shrunk towards that, and each distribution is divided
by it (the label-free correction of PriDe, Zheng et al. 2024, arXiv 2309.03882, in the form that needs no second pass).

Prints a line of JSON for each shrinkage: accuracy and AUROC of the largest option probability on the test records, before and after, and
the paired differences with 95 % bootstrap intervals. A correction is worth having where a difference is above its standard error.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from app.data.records import load_records
from app.evaluation import statistics as st


def priors(records, shrink):
    """Prior by number of options, `[k]` each: `shrink` uniform distributions are added to those of the records."""
    by_count = {}
    for record in records:
        shares = list(record["answer_probabilities"].values())
        by_count.setdefault(len(shares), []).append(shares)
    return {k: (np.sum(rows, axis=0) + shrink / k) / (len(rows) + shrink) for k, rows in by_count.items()}


def judged(records, known):
    """(largest probability, correct), `[n]` each, with the distributions divided by the prior of their number of options."""
    top, correct = [], []
    for record in records:
        shares = np.array(list(record["answer_probabilities"].values()))
        weights = shares / known.get(len(shares), np.full(len(shares), 1 / len(shares)))
        weights /= weights.sum()
        best = int(weights.argmax())
        top.append(weights[best])
        correct.append(list(record["answer_probabilities"])[best] == record["gold"])
    return np.array(top), np.array(correct)


def compared(before, after, *, resamples, seed):
    """The numbers of one line."""
    aurocs = [st.bootstrap_auroc(*pair, resamples=resamples, seed=seed) for pair in (before, after)]
    means = st.bootstrap_means(np.stack([before[1], after[1]], axis=1).astype(float), resamples=resamples, seed=seed)
    drawn = {"accuracy": means[:, 1] - means[:, 0], "auroc": aurocs[1] - aurocs[0]}
    points = {"accuracy": [float(pair[1].mean()) for pair in (before, after)], "auroc": [st.auroc(*pair) for pair in (before, after)]}
    found = {"n": len(before[0])}
    for name, (was, now) in points.items():
        found[name] = {
            "before": round(was, 4),
            "after": round(now, 4),
            "difference": round(now - was, 4),
            "difference_ci": [round(float(edge), 4) for edge in np.quantile(drawn[name], [0.025, 0.975])],
            "wins": bool(now - was > float(np.std(drawn[name]))),
        }
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fit", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--shrink", type=float, nargs="*", default=[0.0, 20.0, 100.0])
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    fit, test = ([r for r in load_records(path) if r["edge_answer"] is not None] for path in (given.fit, given.test))
    before = judged(test, {})
    for shrink in given.shrink:
        known = priors(fit, shrink)
        said = {"shrink": shrink, "fit": {str(k): sum(len(r["answer_probabilities"]) == k for r in fit) for k in sorted(known)}}
        said |= compared(before, judged(test, known), resamples=given.resamples, seed=given.seed)
        print(json.dumps(said))


if __name__ == "__main__":
    main()
