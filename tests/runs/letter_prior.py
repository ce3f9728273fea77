"""Does a letter prior help, with which shrinkage, and how often is one kept?

`python -m tests.runs.letter_prior --fit TRAIN.jsonl --test TEST.jsonl` estimates priors of several shrinkages from some records and compares others without
them and with them. It prints a line of JSON for each shrinkage and number of options: accuracy, AUROC of the top probability and mean error
among the answers kept (AURC), before and after, with the standard errors of the paired differences. With one file given twice, each question's
prior is estimated from the other folds.

`python -m tests.runs.letter_prior --fit RECORDS.jsonl --splits 20` counts in how many of 20 splits into halves `--letter-prior auto` keeps a prior for the top
probability, and prints the mean differences on the other half where it is kept in any case.

`python -m tests.runs.letter_prior --simulate` counts how often the rule of `foggate calibrate` keeps a prior where the model's preference for letters is
known: a line of JSON for each size of the preference (in nats) and number of questions, with the share of the calibrations in which the differences
alone would keep it, and in which the test for a preference does too.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from app.core.verdict import Signal
from app.data.records import load_records
from app.evaluation.choose_prior import LEVEL, choose_reading
from app.evaluation.letter_prior import corrected_records, cross_corrected, estimate_prior, preference_p
from app.evaluation.prior_gain import Side, gain
from app.evaluation.split import halves
from app.evaluation.table import to_table
from tests.support.lettered import sample

TOP = "top_probability"


def sides(before, after, chosen):
    """Both sides of the comparison on some rows."""
    return [Side(table.signal[TOP][chosen], table.edge_correct[TOP][chosen]) for table in (before, after)]


def line(found):
    """A comparison as JSON has it."""
    changes = {"accuracy": found.accuracy, "auroc": found.auroc}
    said = {
        name: {
            "before": round(one.before, 4),
            "after": round(one.after, 4),
            "difference": round(one.difference, 4),
            "error": round(one.error, 4),
        }
        for name, one in changes.items()
        if one is not None
    }
    return {"n": found.n, **said, "aurc": [round(value, 4) for value in found.aurc], "wins": found.wins}


def compare(given):
    """Records with priors of several shrinkages."""
    fit, test = ([r for r in load_records(path) if r["edge_answer"] is not None] for path in (given.fit, given.test))
    before = to_table(test, cloud_needed=False)
    for shrinkage in given.shrinkage:
        prior, n = estimate_prior(fit, shrinkage=shrinkage)
        if given.fit == given.test:
            after = to_table(
                cross_corrected(test, np.arange(len(test)), prior, given.seed, reread=False, shrinkage=shrinkage), cloud_needed=False
            )
        else:
            after = to_table(corrected_records(test, prior, reread=False), cloud_needed=False)
        for options in (None, *np.unique(before.options)):
            chosen = np.ones(len(before), dtype=bool) if options is None else before.options == options
            if chosen.sum() > 1:
                named = "all" if options is None else int(options)
                print(json.dumps({"shrinkage": shrinkage, "options": named, "fit": n, **line(gain(*sides(before, after, chosen)))}))


def splits(given):
    """How the choice depends on the half that chooses."""
    rows = [record for record in load_records(given.fit) if record["edge_answer"] is not None]
    table, kept, differences = to_table(rows, cloud_needed=False), 0, []
    for seed in range(given.splits):
        fit, test = halves(len(rows), seed)
        options = {"wanted": Signal.TOP_PROBABILITY, "keep_fitted": False, "seed": seed}
        kept += choose_reading(table, fit, prior="auto", **options).prior is not None
        found = gain(*sides(table, choose_reading(table, fit, prior="on", **options).chosen.table, test))
        differences.append((found.accuracy.difference, found.auroc.difference, found.aurc[1] - found.aurc[0]))
    means = dict(zip(("accuracy", "auroc", "aurc"), np.mean(differences, axis=0).round(4).tolist(), strict=True))
    print(json.dumps({"n": len(rows), "splits": given.splits, "kept": kept, "other_half": means}))


def simulate(given):
    """Shares of simulated calibrations that keep a prior, by the rule."""
    for size in (0.0, 0.2, 0.5, 1.0):
        for n in (67, 205, 600):
            draw, rises, unhurt, kept = np.random.default_rng(given.seed), 0, 0, 0
            for number in range(given.runs):
                rows = sample(n, draw, preference=(size, 0.0, -size, 0.0) if size else ())
                prior, _ = estimate_prior(rows)
                tables = to_table(rows), to_table(cross_corrected(rows, np.arange(n), prior, number, reread=False))
                found = gain(*sides(*tables, np.ones(n, dtype=bool)))
                rises += any(change is not None and change.rises for change in (found.accuracy, found.auroc))
                unhurt += found.wins
                kept += found.wins and preference_p(rows, number) <= LEVEL
            shares = {"rises": rises / given.runs, "and_nothing_falls": unhurt / given.runs, "and_a_preference": kept / given.runs}
            print(json.dumps({"preference": size, "n": n, "runs": given.runs, **{key: round(value, 3) for key, value in shares.items()}}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--splits", type=int, default=0)
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--shrinkage", type=float, nargs="*", default=[0.0, 20.0, 100.0])
    parser.add_argument("--runs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.simulate:
        simulate(given)
    elif given.fit and given.splits:
        splits(given)
    elif given.fit and given.test:
        compare(given)
    else:
        parser.error("give --fit and --test, --fit and --splits, or --simulate")


if __name__ == "__main__":
    main()
