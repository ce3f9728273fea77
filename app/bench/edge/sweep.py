"""The measurements inside this process: questions of several lengths, numbers of options and batch sizes, in all ways, interleaved.

A cell is one set of questions in one batch size. In each round of a cell every way answers the same questions, and the rounds begin with
another way each time, so that what disturbs the machine disturbs all of them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from app.bench.edge.probe import watched
from app.bench.edge.roofline import matmul_rate, operations
from app.bench.edge.ways import GENERATE, PREFILL, VERDICT, Prepared, Ways
from app.bench.numbers import Spread, padding_share, rounded
from app.bench.ratios import ratio

SORTED = VERDICT + ", by length"


@dataclass(frozen=True)
class Limits:
    """How long is measured.

    Attributes:
        rounds: rounds of each cell.
        cell_s: seconds after which no further round of a cell begins.
        matmul_size: rows of the matrices whose product is the roofline; None chooses by the device.
    """

    rounds: int
    cell_s: float
    matmul_size: int | None = None


@dataclass
class _Measured:
    """What one way has done in a cell, over all rounds."""

    seconds: list[float] = field(default_factory=list)
    forward_s: float = 0.0
    calls: int = 0
    columns: int = 0
    useful: int = 0


@dataclass(frozen=True)
class Cell:
    """What is measured together.

    Attributes:
        part: `lengths`, `options` or `batches`.
        value: the length, the number of options, or the batch size.
        batch: prompts in a batch.
        prepared: the questions.
    """

    part: str
    value: int
    batch: int
    prepared: Sequence[Prepared]


def measure_cell(ways: Ways, cell: Cell, limits: Limits, progress: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Measure one cell.

    Returns:
        A JSON object: what the cell is, and by way the seconds for one question (median of the rounds, smallest, largest), questions and
        prompt tokens a second, the shares of time in the model's layers and outside of them (None where the layers cannot be watched),
        and the share of padding among the computed columns; then the ratios.
    """
    plans = {name: (call, _batches(cell.prepared, cell.batch)) for name, call in ways.named().items()}
    if cell.batch > 1:
        by_length = sorted(cell.prepared, key=lambda each: len(each.prompt.ids))
        # The reference and the limit get the best order; the one pass is measured in both, because questions arrive in any.
        plans = {name: (call, _batches(by_length, cell.batch)) for name, (call, _) in plans.items()}
        plans = {VERDICT: (ways.verdict, _batches(cell.prepared, cell.batch)), SORTED: plans[VERDICT]} | {
            name: plan for name, plan in plans.items() if name != VERDICT
        }
    measured = {name: _Measured() for name in plans}
    prepare_s: list[float] = []
    with torch.inference_mode():
        rate = matmul_rate(ways.model, size=limits.matmul_size)
        for call, batches in plans.values():
            call(batches[0])
        for names in _rounds(list(plans), limits):
            for name in names:
                progress()
                call, batches = plans[name]
                _measure(ways, name, call, batches, measured[name])
            prepare_s.append(_prepare(ways, cell.prepared))
    lengths = [len(each.prompt.ids) for each in cell.prepared]
    tokens, count = sum(lengths), len(cell.prepared)
    rendering = Spread.of(prepare_s).median / count
    return {
        "part": cell.part,
        "value": cell.value,
        "batch": cell.batch,
        "questions": count,
        "options": sorted({len(each.question.options) for each in cell.prepared}),
        "prompt_tokens": {"mean": rounded(tokens / count), "min": min(lengths), "max": max(lengths)},
        "rendering_s": rounded(rendering),
        "roofline": _roofline(ways, cell, measured[SORTED if SORTED in measured else VERDICT], rate),
        "ways": {name: _row(one, tokens, count, rendering if name in {VERDICT, SORTED} else 0.0) for name, one in measured.items()},
        **ratio("ratio_vs_generate", measured[GENERATE].seconds, measured[VERDICT].seconds),
        **ratio("ratio_vs_prefill", measured[VERDICT].seconds, measured[PREFILL].seconds),
        **(
            {
                **ratio("ratio_by_length_vs_generate", measured[GENERATE].seconds, measured[SORTED].seconds),
                **ratio("ratio_by_length_vs_prefill", measured[SORTED].seconds, measured[PREFILL].seconds),
            }
            if SORTED in measured
            else {}
        ),
    }


def _measure(
    ways: Ways, name: str, call: Callable[[Sequence[Prepared]], None], batches: Sequence[Sequence[Prepared]], into: _Measured
) -> None:
    with watched(ways.model) as seen:
        began = time.perf_counter()
        for batch in batches:
            call(batch)
        into.seconds.append(time.perf_counter() - began)
    into.forward_s += seen.seconds
    into.calls += seen.calls
    into.columns += seen.columns
    into.useful += sum(ways.useful_columns(VERDICT if name == SORTED else name, batch) for batch in batches)


def _prepare(ways: Ways, prepared: Sequence[Prepared]) -> float:
    began = time.perf_counter()
    for each in prepared:
        ways.engine.prepare(each.question)
    return time.perf_counter() - began


def _rounds(names: list[str], limits: Limits) -> Iterator[list[str]]:
    """The ways in the order of each round."""
    began = time.monotonic()
    for number in range(limits.rounds):
        if number and time.monotonic() - began > limits.cell_s:
            return
        turn = number % len(names)
        yield names[turn:] + names[:turn]


def _batches(prepared: Sequence[Prepared], size: int) -> list[Sequence[Prepared]]:
    return [prepared[start : start + size] for start in range(0, len(prepared), size)]


def _roofline(ways: Ways, cell: Cell, measured: _Measured, rate: float) -> dict[str, float]:
    """The one pass against the rate of a large matrix product, which was measured before it."""
    needed = sum(operations(ways.model, each.prompt, ways.nodes) for each in cell.prepared)
    reached = needed / Spread.of(measured.seconds).median
    return {
        "matmul_per_s": rounded(rate),
        "operations_per_question": rounded(needed / len(cell.prepared)),
        "share": rounded(reached / rate),
    }


def _row(measured: _Measured, tokens: int, count: int, rendering: float) -> dict[str, Any]:
    each = Spread.of([seconds / count for seconds in measured.seconds])
    whole = sum(measured.seconds) + rendering * count * len(measured.seconds)
    forward = measured.forward_s / whole if measured.calls and whole else None
    return {
        "seconds_per_question": each.row(),
        "questions_per_s": rounded(1 / each.median),
        "prompt_tokens_per_s": rounded(tokens / count / each.median),
        "forward_share": None if forward is None else round(forward, 4),
        "host_share": None if forward is None else round(1 - forward, 4),
        "padding_share": round(padding_share(measured.columns, measured.useful), 4) if measured.calls else None,
    }
