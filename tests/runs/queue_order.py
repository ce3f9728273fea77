"""In which order a busy engine takes its questions: the waits of FIFO and of shortest first, with the gateway's own queue.

    python -m tests.runs.queue_order [--lengths 31 40 …]

Questions come at random (a Poisson process), the engine takes them one by one at a fixed pace, and admission is the queue's own. Prints
a line of JSON for each load. No model is loaded: a simulation of minutes takes seconds.
"""

import argparse
import asyncio
import json
import random
import statistics

from app.core.errors import Overloaded
from app.edge import batching
from app.edge.batching import Bounds
from app.edge.rendering import Prompt
from app.edge.waiting import Waiting, WaitingQueue

# Computed tokens of questions of seven domains behind the builtin model's prefix, from the shortest tenth to the longest.
LENGTHS = [31, 40, 46, 50, 57, 64, 73, 86, 120, 191, 300, 500, 800]
NODES = 35


def simulate(load, ageing, given):
    batching.AGEING = ageing
    draw = random.Random(given.seed)
    mean = (statistics.mean(given.lengths) + NODES) * given.pace
    coming, now = [], 0.0
    for _ in range(given.questions):
        now += draw.expovariate(load / mean)
        coming.append((now, draw.choice(given.lengths)))
    coming.reverse()
    queue = WaitingQueue(max_size=128, bounds=Bounds(1, 8192, 0.1))
    loop = asyncio.new_event_loop()
    now, waits, long_waits, late, refused = 0.0, [], [], 0, 0
    long = statistics.quantiles(given.lengths, n=4)[2]
    while coming or len(queue):
        if not len(queue):
            now = max(now, coming[-1][0])
            queue.running_columns = 0
        while coming and coming[-1][0] <= now:
            since, length = coming.pop()
            prompt = Prompt(tuple(range(length)), 4, shares_prefix=True, nodes=NODES)
            try:
                queue.admit(since + given.deadline - now, given.pace, own=prompt.columns)
            except Overloaded:
                refused += 1
                continue
            queue.add(Waiting(prompt, loop.create_future(), since, due=since + given.deadline))
        for taken in queue.take_batch(now, given.pace):
            now += taken.prompt.columns * given.pace
            waits.append(now - taken.since)
            late += now > taken.due + 1e-9
            if taken.prompt.computed > long:
                long_waits.append(now - taken.since)
    loop.close()
    return {
        "mean_s": round(statistics.mean(waits), 2),
        "median_s": round(statistics.median(waits), 2),
        "p99_s": round(statistics.quantiles(waits, n=100)[98], 2),
        "mean_of_long_ones_s": round(statistics.mean(long_waits), 2),
        "late": late,
        "refused": refused,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    parser.add_argument("--questions", type=int, default=4000)
    parser.add_argument("--pace", type=float, default=1 / 350, help="seconds per column")
    parser.add_argument("--deadline", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for load in (0.6, 0.8, 0.95, 1.1):
        for ageing in (0.0, 1.0, 2.0, 4.0, 8.0):
            print(json.dumps({"load": load, "ageing": ageing, **simulate(load, ageing, given)}), flush=True)


if __name__ == "__main__":
    main()
