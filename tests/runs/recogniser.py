"""How well the recogniser finds multiple-choice questions, and how seldom it takes something else for one.

    python -m tests.runs.recogniser [QUESTIONS.jsonl …] [--questions 2000] [--show 3]

Every question is written in every layout of `tests/support/layouts.py` and read back: it counts when the question's text, all options,
the labels and the form of the answer are exactly those that were written. Every prompt of `tests/prompts/*.jsonl` must be passed
through. Without arguments it uses the shipped questions.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

from app.core.question import Question
from app.data.dataset import load_items
from app.demo.bank import SHIPPED_BANK
from app.evaluation.statistics import wilson
from app.recognise import Recognised, recognise_chat
from tests.support import layouts

PROMPTS = Path(__file__).parents[1] / "prompts"


def right(found: Recognised | None, question: Question, layout: layouts.Layout) -> bool:
    """Whether what was found is what was written."""
    return (
        found is not None
        and found.question.question == question.question.strip()
        and tuple(map(_blanks, found.question.options)) == tuple(map(_blanks, question.options))
        and found.labels == tuple(layout.labels[: len(question.options)])
        and found.written("B") == layout.second
    )


def _blanks(text: str) -> str:
    return " ".join(text.split())


def sample(sources: list[str], count: int) -> list[Question]:
    """As many questions of each domain as possible, at random with a fixed seed; empty and repeated ones are left out."""
    by_domain: dict[str | None, list[Question]] = {}
    for item in load_items(sources):
        by_domain.setdefault(item.question.domain, []).append(item.question)
    chosen: list[Question] = []
    generator = random.Random(0)
    for questions in by_domain.values():
        generator.shuffle(questions)
    while len(chosen) < count and any(by_domain.values()):
        for questions in by_domain.values():
            if questions and len(chosen) < count:
                chosen.append(questions.pop())
    return chosen


def prompts_of(path: Path) -> list[list[tuple[str, str]]]:
    """The conversations of a file of prompts."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.append([(turn["role"], turn["content"]) for turn in row["messages"]] if "messages" in row else [("user", row["text"])])
    return found


def percent(count: int, of: int) -> str:
    low, high = wilson(count / of, of)
    return f"{count} of {of}  {100 * count / of:6.2f} %  [{max(0, 100 * low):.2f}, {100 * high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", default=[str(SHIPPED_BANK)])
    parser.add_argument("--questions", type=int, default=2000, help="number of questions")
    parser.add_argument("--show", type=int, default=0, help="number of failures to show for each layout")
    parser.add_argument("--only", nargs="*", help="measure the layouts with one of these in their name")
    given = parser.parse_args()
    questions = sample(given.sources, given.questions)
    print(f"{len(questions)} questions; 95 % Wilson intervals")
    for title, group in (("layouts the rules were made on", layouts.TUNED), ("templates of evaluation harnesses", layouts.HARNESSES)):
        print(f"\n{title}: read back exactly")
        for layout in group:
            if given.only and not any(part in layout.name for part in given.only):
                continue
            began = time.process_time()
            wrong = [one for one in questions if not right(recognise_chat(layout.write(one.question.strip(), one.options)), one, layout)]
            each = 1e6 * (time.process_time() - began) / len(questions)
            print(f"  {layout.name:34} {percent(len(questions) - len(wrong), len(questions))}  {each:.0f} µs each", flush=True)
            for one in wrong[: given.show]:
                print(
                    f"    --- {one.question!r}\n    {one.options!r}\n    read: {recognise_chat(layout.write(one.question.strip(), one.options))!r}"
                )
    print("\nordinary prompts: taken for a question")
    for path in sorted(PROMPTS.glob("*.jsonl")):
        prompts = prompts_of(path)
        taken = [prompt for prompt in prompts if recognise_chat(prompt) is not None]
        print(f"  {path.stem:34} {percent(len(taken), len(prompts))}")
        for prompt in taken[: given.show]:
            print(f"    --- {prompt!r}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
