"""How often the gate errs: `python -m tests.runs.gates` prints the table of docs/training.md. Everything is drawn by seed.

A row has a chance of being answered correctly, which the checkpoints' confidence knows. The last promoted checkpoint's
answer is drawn with it. A checkpoint that is as good draws some of the answers anew, with the same chances; one that is worse
then answers wrongly where it would have been correct, as often as makes up the loss.
"""

import argparse
import statistics

import numpy as np

from app.training.config import GateConfig
from app.training.gate import decide
from tests.support.records import record

DOMAINS = 7
EDGE = 0.5
# Chances are Beta(2, 2), so that a row that is drawn anew flips in 2·E[p(1 − p)] = 0.4 of all cases.
SHAPE = 2
FLIPPED_IF_REDRAWN = 0.4
LOSSES = {
    "as good": [0.0] * DOMAINS,
    "15 points lost in every domain": [0.15] * DOMAINS,
    "30 points lost in one domain": [0.30] + [0.0] * (DOMAINS - 1),
}


def pair(draw, *, flips, losses, rows):
    """(after, before): records of two checkpoints, `rows` of each domain, of which a share `flips` is answered otherwise by chance."""
    after, before = [], []
    for domain, loss in enumerate(losses):
        chance = draw.beta(SHAPE, SHAPE, size=rows)
        old = draw.random(rows) < chance
        new = np.where(draw.random(rows) < flips / FLIPPED_IF_REDRAWN, draw.random(rows) < chance, old)
        new &= draw.random(rows) >= loss / EDGE
        for number in range(rows):
            for records, correct in ((after, new), (before, old)):
                letter = "A" if correct[number] else "B"
                records.append(
                    record(f"{domain}-{number}", f"d{domain}", 0.5, letter, "A", expected=float(chance[number]), marginal=letter)
                )
    return after, before


def refused_share(*, flips, losses, rows, runs, seed, config=None):
    """Share of simulated checkpoints that the gate refuses."""
    draw = np.random.default_rng(seed)
    config = config or GateConfig()
    refused = 0
    for run in range(runs):
        after, before = pair(draw, flips=flips, losses=losses, rows=rows)
        refused += not decide(after, before, config, entropy=1.0, seed=run).promote
    return refused / runs


def old_refused_share(*, flips, losses, rows, runs, seed):
    """The same for the rule that was here before: refused where any domain's loss is over five points, chance or not."""
    draw = np.random.default_rng(seed)
    refused = 0
    for _ in range(runs):
        after, before = pair(draw, flips=flips, losses=losses, rows=rows)
        lost = [(b["domain"], (b["edge_answer"] == "A") - (a["edge_answer"] == "A")) for a, b in zip(after, before, strict=True)]
        refused += any(statistics.fmean(loss for name, loss in lost if name == f"d{n}") > 0.05 + 1e-9 for n in range(DOMAINS))
    return refused / runs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"refused (%), {DOMAINS} domains, {given.runs} simulated checkpoints a number, seed {given.seed}\n")
    print("| the checkpoint | dev rows a domain | answers that flip by chance: 10 % | 20 % | 30 % |\n|---|---|---|---|---|")
    for name, losses in LOSSES.items():
        for rows in (50, 100):
            shares = [refused_share(flips=f, losses=losses, rows=rows, runs=given.runs, seed=given.seed) for f in (0.1, 0.2, 0.3)]
            print(f"| {name} | {rows} | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |", flush=True)
    shares = [old_refused_share(flips=f, losses=[0.0] * DOMAINS, rows=50, runs=given.runs, seed=given.seed) for f in (0.1, 0.2, 0.3)]
    print("| as good, by the earlier rule (5 points, no test) | 50 | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |")


if __name__ == "__main__":
    main()
