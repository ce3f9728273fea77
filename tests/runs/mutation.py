"""`make mutation`: change the critical modules one place at a time and see whether the tests notice. mutmut does the work.

Each group of modules is tried in a copy of the project, against the tests of those modules only: a change that survives costs the
time of all of them. A run goes on where it was stopped, and a function that changed is tried again. `--sample 100` tries so many
changes of each group, drawn at random, and the score has an interval. Prints a table for docs/testing.md and, with `--show`, the
difference of every change that survived.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from app.evaluation.risk import clopper_pearson

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "mutants"
AIM = 0.9
# As mutmut reads pytest's exit codes and the signals that end a run. A run that times out is noticed, too, but shown separately: on a machine
# that is busy with something else it may be a run that was only slow.
SURVIVED, NO_TESTS, ENDLESS, STOPPED = {0}, {5, 33}, {-24, -9, 24, 36, 152, 255}, {None, 2}


@dataclass(frozen=True)
class Group:
    """Modules of `app/` and the test files that must notice a change in them."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS = {
    "core": Group(
        ("core/question", "core/verdict", "core/outcome", "core/errors", "core/prompt", "core/policy", "core/cascade", "core/deadline"),
        (
            "unit/test_prompt",
            "unit/test_question",
            "unit/test_verdict",
            "unit/test_policy",
            "unit/test_cascade",
            "unit/test_outcome",
            "unit/test_completeness",
        ),
    ),
    "edge": Group(
        ("edge/batcher", "edge/waiting", "edge/batching", "edge/replies", "edge/runner", "edge/pace", "edge/engine"),
        ("unit/test_batcher", "unit/test_batches", "unit/test_batching", "unit/test_runner", "unit/test_engine"),
    ),
    "cloud": Group(
        ("cloud/client", "cloud/call", "cloud/attempt", "cloud/failures", "cloud/breaker", "cloud/budget", "cloud/silence"),
        (
            "unit/test_breaker",
            "unit/test_silence",
            "unit/test_usage",
            "integration/test_budget",
            "integration/test_spending",
            "integration/test_cloud",
            "integration/test_cloud_failures",
            "integration/test_resilience",
        ),
    ),
    "reading": Group(
        (
            "cloud/reply",
            "cloud/thoughts",
            "cloud/parse",
            "cloud/claims",
            "cloud/text",
            "cloud/values",
            "cloud/behind",
            "cloud/heads",
            "cloud/regions",
            "cloud/asked",
            "cloud/echo",
            "cloud/backward",
            "cloud/contradiction",
            "cloud/explained",
        ),
        ("unit/test_parse", "unit/test_reply", "unit/test_text", "unit/test_behind", "unit/test_regions", "unit/test_replies"),
    ),
    "evaluation": Group(
        (
            "evaluation/calibrate",
            "evaluation/choose",
            "evaluation/groups",
            "evaluation/judge",
            "evaluation/temperature",
            "evaluation/risk",
            "evaluation/statistics",
        ),
        (
            "unit/test_calibrate",
            "unit/test_choose",
            "unit/test_groups",
            "unit/test_held",
            "unit/test_temperature",
            "unit/test_risk",
            "unit/test_risk_by_hand",
            "unit/test_statistics",
        ),
    ),
}


def prepare(name, group):
    """A copy of the project as git sees it, told which modules to change; what an earlier run found there stays."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for path in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if path and (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)
    if (ROOT / ".assets").is_dir():
        shutil.copytree(ROOT / ".assets", folder / ".assets", dirs_exist_ok=True)

    def listing(values):
        return "".join(f"\n    {value}" for value in values)

    (folder / "setup.cfg").write_text(
        "[mutmut]\n"
        f"source_paths = {listing(['app'])}\n"
        f"only_mutate = {listing(f'app/{module}.py' for module in group.modules)}\n"
        f"also_copy = {listing(['.assets', 'config', 'docs'])}\n"
        f"pytest_add_cli_args_test_selection = {listing(f'tests/{test}.py' for test in group.tests)}\n"
        f"pytest_add_cli_args = {listing(['-q', '-x', '-p', 'no:cacheprovider', '--timeout=60'])}\n"
    )
    return folder


def mutmut(folder, *arguments, **options):
    # One thread a process: tests run in forks, in which a pool of threads of the parent does not exist.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", "mutmut", *arguments], cwd=folder, env=environment, check=False, **options)


def codes(folder):
    """Per module: the exit code of the tests by the name of a change, None where it was not tried yet."""
    paths = sorted((folder / "mutants").rglob("*.meta"))
    found = {str(path.relative_to(folder / "mutants")).removesuffix(".meta"): json.loads(path.read_text()) for path in paths}
    return {module: meta["exit_code_by_key"] for module, meta in found.items() if meta["exit_code_by_key"]}


def drawn(folder, size):
    """The names of `size` changes of a group, always the same; those of a smaller draw are among those of a larger one."""
    names = [name for module in codes(folder).values() for name in module]
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:size]


def results(folder, size):
    """Per module: counts by kind of what was drawn, and the names of the changes that were not noticed."""
    chosen = set(drawn(folder, size))
    found = {}
    for module, by_name in codes(folder).items():
        kinds = {name: kind_of(code) for name, code in sorted(by_name.items()) if name in chosen}
        found[module] = (Counter(kinds.values()), [name for name, kind in kinds.items() if kind in {"survived", "no tests"}])
    return found


def run(name, group, given):
    """Raises SystemExit when mutmut does not come to its end."""
    folder = prepare(name, group)
    names = given.names
    if given.sample:
        # It changes everything before it looks at the names; no name is this.
        mutmut(folder, "run", "nothing", stderr=subprocess.DEVNULL)
        tried = {one for module in codes(folder).values() for one, code in module.items() if code not in STOPPED}
        names = [one for one in drawn(folder, given.sample) if one not in tried]
        if not names:
            return
    if mutmut(folder, "run", "--max-children", str(given.children), *names).returncode:
        sys.exit(f"mutmut did not finish the group '{name}'")


def kind_of(code):
    kinds = {"open": STOPPED, "survived": SURVIVED, "no tests": NO_TESTS, "endless": ENDLESS}
    return next((kind for kind, codes in kinds.items() if code in codes), "killed")


def row(name, counts, *, sampled):
    total = counts.total() - counts["open"]
    score = f"{100 * noticed(counts) / total:.1f} %" if total else "–"
    if sampled and total:
        low, high = clopper_pearson(noticed(counts), total)
        score += f" [{100 * low:.1f}, {100 * high:.1f}]"
    shown = (counts[kind] for kind in ("killed", "endless", "survived", "no tests"))
    return f"| {name} | {total} | {' | '.join(map(str, shown))} | {score} |"


def noticed(counts):
    return counts["killed"] + counts["endless"]


def show(folder, name):
    lines = mutmut(folder, "show", name, capture_output=True, text=True).stdout.splitlines()
    print(f"\n{name}\n" + "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in {"+++", "---"}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="Only these changes, as in 'app.core.policy*'.")
    parser.add_argument("--group", action="append", choices=sorted(GROUPS), help="Only this group; may be given more than once.")
    parser.add_argument("--children", type=int, default=os.cpu_count())
    parser.add_argument("--sample", type=int, help="So many changes of each group, drawn at random, instead of all.")
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--show", action="store_true", help="Show what survived.")
    given = parser.parse_args()
    chosen = {name: GROUPS[name] for name in given.group or GROUPS}
    if not given.report_only:
        for name, group in chosen.items():
            run(name, group, given)
    print("\n| module | changes | killed | timed out | survived | no test runs them | score |\n|---|---:|---:|---:|---:|---:|---:|")
    whole, left = Counter(), []
    for name in chosen:
        for module, (counts, names) in results(FOLDER / name, given.sample).items():
            whole.update(counts)
            left += [(FOLDER / name, one) for one in names]
            print(row(module, counts, sampled=given.sample))
    print(row("**all**", whole, sampled=given.sample))
    if given.show:
        for folder, name in left:
            show(folder, name)
    total = whole.total() - whole["open"]
    if not total or noticed(whole) < AIM * total:
        sys.exit(f"the score is below {AIM:.0%}")


if __name__ == "__main__":
    main()
