"""`make mutation`: change the critical modules one place at a time and see whether the tests notice. mutmut does the work.

Which modules and which tests: `[tool.mutmut]` in pyproject.toml. The run goes on where it was stopped, and a function that
changed is tested again. Prints a table for docs/testing.md and, with `--show`, the difference of every change that survived.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
AIM = 0.9
# As mutmut reads pytest's exit codes. A run without end and a crash are noticed too.
SURVIVED, NO_TESTS = {0}, {5, 33}


def results(folder):
    """Per module: counts of killed, survived and untested changes, and the names of those that were not killed."""
    found = {}
    for path in sorted(folder.rglob("*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        if not codes:
            continue
        counts, left = Counter(), []
        for name, code in sorted(codes.items()):
            kind = "open" if code is None else "survived" if code in SURVIVED else "no tests" if code in NO_TESTS else "killed"
            counts[kind] += 1
            if kind in {"survived", "no tests"}:
                left.append(name)
        found[str(path.relative_to(folder)).removesuffix(".meta")] = (counts, left)
    return found


def row(name, counts):
    total = counts.total() - counts["open"]
    score = f"{100 * counts['killed'] / total:.1f} %" if total else "–"
    return f"| {name} | {total} | {counts['killed']} | {counts['survived']} | {counts['no tests']} | {score} |"


def mutmut(*arguments, **options):
    # One thread a process: tests are run in forks, in which a pool of threads of the parent does not exist.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", "mutmut", *arguments], cwd=ROOT, env=environment, check=False, **options)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="Only these, as in 'app.policy*'.")
    parser.add_argument("--children", type=int, default=os.cpu_count())
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--show", action="store_true", help="Show what survived.")
    given = parser.parse_args()
    if not given.report_only and mutmut("run", "--max-children", str(given.children), *given.names).returncode:
        sys.exit("mutmut did not finish")
    found = results(ROOT / "mutants")
    print("\n| module | changes | killed | survived | no test runs them | score |\n|---|---:|---:|---:|---:|---:|")
    whole = Counter()
    for name, (counts, _) in found.items():
        whole.update(counts)
        print(row(name, counts))
    print(row("**all**", whole))
    if given.show:
        for _, left in found.values():
            for name in left:
                print(f"\n{name}")
                shown = mutmut("show", name, capture_output=True, text=True).stdout.splitlines()
                print("\n".join(line for line in shown if line[:1] in "+-" and line[:3] not in {"+++", "---"}))
    total = whole.total() - whole["open"]
    if not total or whole["killed"] < AIM * total:
        sys.exit(f"the score is below {AIM:.0%}")


if __name__ == "__main__":
    main()
