"""What evaluation harnesses wrote about each question, beside what the gateway's own records say that it answers."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from app.core.verdict import Signal
from app.data.records import Record, load_records
from app.evaluation.table import signal_of

# A letter, or None where the harness read none; and whether the harness counted it as correct.
Judged = tuple[str | None, bool]
# The letter that the gateway must answer, and the correct one.
Expected = tuple[str | None, str]


def routed_letters(records: Path, signal: str, tau: float) -> dict[str, Expected]:
    """By id of a question the letter that a gateway with this signal and threshold answers. Raises ConfigError for a damaged file."""
    return {record["id"]: (_routed(record, Signal(signal), tau), record["gold"]) for record in load_records(records)}


def _routed(record: Record, signal: Signal, tau: float) -> str | None:
    if signal_of(record, signal) < tau:
        return record["cloud_answer"]
    said = record["answer_probabilities"]
    return record["edge_answer"] if signal is Signal.VERBALIZED else max(said, key=said.__getitem__)


def of_lm_eval(folder: Path) -> dict[str, Judged]:
    """By id of a question what lm-evaluation-harness read and how it judged, from its samples (`--log_samples`)."""
    [samples] = folder.glob("results/**/samples_*.jsonl")
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    return {line["doc"]["id"]: (line["filtered_resps"][0], line["exact_match"] == 1) for line in lines}


def of_inspect(folder: Path) -> dict[str, Judged]:
    """By id of a question what Inspect read and how it judged, from its log in JSON."""
    [log] = folder.glob("logs/*.json")
    samples = json.loads(log.read_text())["samples"]
    return {sample["id"]: (sample["scores"]["choice"]["answer"], sample["scores"]["choice"]["value"] == "C") for sample in samples}


# By heading of docs/clients.md.
LETTERS_OF: Mapping[str, Callable[[Path], dict[str, Judged]]] = {"lm-evaluation-harness": of_lm_eval, "Inspect": of_inspect}


def disagreement(judged: Mapping[str, Judged], expected: Mapping[str, Expected]) -> tuple[str, list[str]]:
    """The two accuracies in words; and one sentence for each question on which a harness and the records differ."""
    wrong = [f"{name}: asked by only one of the two" for name in sorted(judged.keys() ^ expected.keys())]
    for name in sorted(judged.keys() & expected.keys()):
        (letter, correct), (must, gold) = judged[name], expected[name]
        if letter != must or correct != (must == gold):
            verdict = "correct" if correct else "wrong"
            wrong.append(f"{name}: the harness read {letter} and called it {verdict}; the records say {must}, and {gold} is correct")
    n, own = len(judged), sum(must == gold for must, gold in expected.values())
    return f": {sum(correct for _, correct in judged.values())} of {n} correct, {own} of {len(expected)} by the records", wrong
