"""`python -m tests.runs.engines`: passes with two threads, two passes side by side, and two processes, in questions a second on the builtin model.

Each engine is a process of its own, and those that run together begin at the same moment. The ways take turns.
"""

import argparse
import resource
import subprocess
import sys
import time

# Seconds of a measurement, and until those that run together begin.
SECONDS, START_S = 12.0, 16.0
# Engines, threads of each, passes side by side, questions that are read together.
WAYS = ((1, 2, 1, 4), (1, 2, 2, 8), (1, 2, 2, 16), (2, 1, 1, 4))


def measure(threads, side_by_side, size, begin):
    """Answer questions of the shipped bank, from short to long, and print questions a second and for each one milliseconds of CPU, those of
    them in the system, pages of memory that the system cleared, and how often a thread waited.
    """
    from app.bench.edge.questions import bank
    from app.config.settings import Settings
    from app.edge.build import build_engine, load_edge_model

    settings = Settings(edge={"threads": threads, "side_by_side": side_by_side, "dtype": "float32"})
    engine = build_engine(settings, load_edge_model(settings, prepared=True))
    prompts = sorted((engine.prepare(question) for question in bank()[:48]), key=lambda prompt: len(prompt.ids))
    batches = [prompts[start : start + size] for start in range(0, len(prompts), size)]
    engine.verdicts(batches[0])
    time.sleep(max(0.0, begin - time.time()))
    began, before, done = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF), 0
    while time.perf_counter() - began < SECONDS:
        for batch in batches:
            engine.verdicts(batch)
            done += len(batch)
            if time.perf_counter() - began >= SECONDS:
                break
    rate, after = done / (time.perf_counter() - began), resource.getrusage(resource.RUSAGE_SELF)
    user, system, pages, waits = (
        getattr(after, name) - getattr(before, name) for name in ("ru_utime", "ru_stime", "ru_minflt", "ru_nvcsw")
    )
    print(rate, 1000 * (user + system) / done, 1000 * system / done, pages / done, waits / done)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--one", type=float, nargs=4, metavar=("THREADS", "PASSES", "SIZE", "BEGIN"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        measure(*map(int, given.one[:3]), given.one[3])
        return
    for turn in range(given.turns):
        for engines, threads, side_by_side, size in WAYS:
            given_to_each = (threads, side_by_side, size, time.time() + START_S)
            command = [sys.executable, "-m", "tests.runs.engines", "--one", *map(str, given_to_each)]
            running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(engines)]
            found = [tuple(map(float, process.communicate()[0].split())) for process in running]
            rate = sum(each[0] for each in found)
            cpu, system, pages, waits = (sum(values) / engines for values in list(zip(*found, strict=True))[1:])
            print(
                f"turn {turn + 1}: {engines} x {threads} threads, {side_by_side} passes side by side, {size:2} questions together: "
                f"{rate:.2f} questions/s; each {cpu:.0f} ms of CPU ({system:.0f} in the system), {pages:.0f} pages, {waits:.0f} waits",
                flush=True,
            )


if __name__ == "__main__":
    main()
