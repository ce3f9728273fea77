"""How well the recogniser finds multiple-choice questions, and how seldom it takes something else for one.

    python -m tests.runs.recogniser [QUESTIONS.jsonl …] [--questions 2000] [--layouts six|all] [--seconds 300] [--show 3]

Every question is written in every layout of `tests/support/layouts.py` and read back: it counts when the question's text, all options,
the labels and the form of the answer are exactly those that were written. Every prompt of `tests/support/traps` and of
`tests/prompts/*.jsonl` must be passed through. Rates have 95 % Wilson intervals; losses are listed by kind. Without arguments it uses
the test questions beside the repository (`../shared/mcq/*/test*.jsonl`) where they are, and the shipped ones otherwise. The answers
of the questions are not looked at. `--seconds` is the most CPU time of the layouts: what does not fit is left out, and n says so.
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.core.errors import InvalidQuestion
from app.core.question import Question
from app.data.readers.layouts import QUESTIONS, draft
from app.data.readers.mapping import PLAIN
from app.data.readers.rows import NoQuestion
from app.data.readers.sources import read_rows
from app.demo.bank import SHIPPED_BANK
from app.evaluation.statistics import wilson
from app.recognise import Recognised, Refusal, examine_chat, recognise_chat
from tests.support import layouts, traps

PROMPTS = Path(__file__).parents[1] / "prompts"
SHARED = Path(__file__).parents[3] / "shared" / "mcq"
Prompt = list[tuple[str, str]]


def right(found: Recognised | Refusal | None, question: Question, layout: layouts.Layout) -> bool:
    """Whether what was found is what was written."""
    return (
        isinstance(found, Recognised)
        and found.question.question == question.question.strip()
        and tuple(map(_blanks, found.question.options)) == tuple(map(_blanks, question.options))
        and found.labels == tuple(layout.labels[: len(question.options)])
        and found.written("B") == layout.second
    )


def _blanks(text: str) -> str:
    return " ".join(text.split())


def questions_of(source: str) -> Iterator[Question]:
    """The questions of a file, whatever it says about their answers."""
    for row in read_rows(source, set(QUESTIONS), plain=True):
        try:
            found = draft(row.values, PLAIN)
            yield Question(found.question, found.options.texts, found.domain or "other")
        except (NoQuestion, InvalidQuestion):
            continue


def sample(sources: Sequence[str], count: int) -> list[Question]:
    """As many questions of each domain as possible, at random with a fixed seed, in turn of the domains."""
    by_domain: dict[str | None, list[Question]] = {}
    for one in (one for source in sources for one in questions_of(source)):
        by_domain.setdefault(one.domain, []).append(one)
    chosen: list[Question] = []
    generator = random.Random(0)  # a sample, not a secret
    for questions in by_domain.values():
        generator.shuffle(questions)
    while len(chosen) < count and any(by_domain.values()):
        for questions in by_domain.values():
            if questions and len(chosen) < count:
                chosen.append(questions.pop())
    return chosen


def prompts_by_family(path: Path) -> dict[str, list[Prompt]]:
    """The conversations of a file of prompts, by their family; those without one have the name of the file."""
    found: dict[str, list[Prompt]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        turns = [(turn["role"], turn["content"]) for turn in row["messages"]] if "messages" in row else [("user", row["text"])]
        found.setdefault(row.get("family", path.stem), []).append(turns)
    return found


def prompts_of(path: Path) -> list[Prompt]:
    """The conversations of a file of prompts."""
    return [prompt for family in prompts_by_family(path).values() for prompt in family]


def percent(count: int, of: int) -> str:
    """A count as a share with its interval."""
    low, high = wilson(count / of, of)
    return f"{count:5} of {of:5}  {100 * count / of:6.2f} %  [{max(0, 100 * low):.2f}, {100 * high:.2f}]"


def measure_layouts(title: str, group: Sequence[layouts.Layout], questions: Sequence[Question], seconds: float, show: int) -> None:
    """Print for each layout how many questions are read back, and why the others are not."""
    print(f"\n{title}: read back exactly")
    for left, layout in zip(range(len(group), 0, -1), group, strict=True):
        began = time.process_time()
        lost: list[tuple[str, Question]] = []
        done = 0
        for one in questions:
            found = examine_chat(layout.write(one.question.strip(), one.options))
            if not right(found, one, layout):
                lost.append((found.value if isinstance(found, Refusal) else "read wrongly", one))
            done += 1
            if time.process_time() - began > seconds / left:
                break
        used = time.process_time() - began
        seconds -= used
        kinds = ", ".join(f"{kind} {count}" for kind, count in Counter(kind for kind, _ in lost).most_common())
        print(f"  {layout.name:34} {percent(done - len(lost), done)}  {1e6 * used / done:.0f} µs each  lost: {kinds or 'none'}", flush=True)
        for kind, one in lost[:show]:
            print(f"    --- {kind} ({one.domain}): {one.question[-300:]!r}\n    {one.options!r}")


def measure_prompts(title: str, families: dict[str, list[Prompt]], show: int) -> None:
    """Print for each family how many prompts are taken for a question."""
    print(f"\n{title}: taken for a question")
    total = count = 0
    for name, prompts in families.items():
        taken = [prompt for prompt in prompts if recognise_chat(prompt) is not None]
        total, count = total + len(taken), count + len(prompts)
        print(f"  {name:34} {percent(len(taken), len(prompts))}", flush=True)
        for prompt in taken[:show]:
            print(f"    --- {prompt!r}")
    print(f"  {'all of these':34} {percent(total, count)}", flush=True)


def default_sources() -> list[str]:
    """The test questions beside the repository, or the shipped ones."""
    return [str(path) for path in sorted(SHARED.glob("*/test*.jsonl"))] or [str(SHIPPED_BANK)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", help="files of questions")
    parser.add_argument("--questions", type=int, default=2000, help="number of questions")
    parser.add_argument("--layouts", choices=["six", "all", "none"], default="six", help="the layouts of the requirement, all, or none")
    parser.add_argument("--only", nargs="*", help="measure the layouts with one of these in their name")
    parser.add_argument("--seconds", type=float, default=300, help="the most CPU time for the layouts")
    parser.add_argument("--show", type=int, default=0, help="number of failures to show for each layout and family")
    given = parser.parse_args()
    if given.layouts != "none":
        questions = sample(given.sources or default_sources(), given.questions)
        domains = Counter(one.domain for one in questions)
        print(
            f"{len(questions)} questions ({', '.join(f'{name} {count}' for name, count in sorted(domains.items()))}); 95 % Wilson intervals"
        )
        groups = {"layouts of the requirement, without any instruction": layouts.SIX}
        if given.layouts == "all":
            rest = [one for one in layouts.TUNED if one not in layouts.SIX]
            groups |= {"more layouts": rest, "templates of evaluation harnesses": layouts.HARNESSES}
        chosen = {
            name: [one for one in group if not given.only or any(part in one.name for part in given.only)] for name, group in groups.items()
        }
        number = sum(map(len, chosen.values())) or 1
        for title, group in ((title, group) for title, group in chosen.items() if group):
            measure_layouts(title, group, questions, given.seconds * len(group) / number, given.show)
    measure_prompts(
        "ordinary prompts, families of tests/support/traps", {name: made() for name, made in traps.FAMILIES.items()}, given.show
    )
    for path in sorted(PROMPTS.glob("*.jsonl")):
        measure_prompts(f"ordinary prompts, {path.name}", prompts_by_family(path), given.show)


if __name__ == "__main__":
    main()
