"""The measurements inside this process: questions of several lengths, numbers of options and batch sizes, in all ways, interleaved.

A cell is one set of questions in one batch size. In each round of a cell every way answers the same questions, and the rounds begin with
another way each time, so that what disturbs the machine disturbs all of them.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from app.bench.edge.probe import synchronise, watched
from app.bench.edge.roofline import matmul_rate, operations
from app.bench.edge.ways import GENERATE, PREFILL, VERDICT, Prepared, Ways
from app.bench.numbers import Spread, padding_share, rounded
from app.bench.ratios import ratio

REPLAYED = "replayed"
SORTED = VERDICT + ", by length"


@dataclass(frozen=True)
class Limits:
    """How long is measured.

    Attributes:
        rounds: rounds of each cell.
        cell_s: seconds after which no further round of a cell begins.
        matmul_size: rows of the matrices whose product is the roofline; None chooses by the device.
        reference_batches: batches of a round that `generate` answers, spread over all of them; None: all.
        apart: whether every batch is run once before anything is timed, and the layers are watched in a further round that is not timed
            either. On a GPU the first run of each shape takes long, and watching makes the host wait for the device.
    """

    rounds: int
    cell_s: float
    matmul_size: int | None = None
    reference_batches: int | None = None
    apart: bool = False


Batches = Sequence[Sequence[Prepared]]


@dataclass
class _Measured:
    """What one way has done in a cell, over all rounds.

    Attributes:
        call: answers a batch.
        batches: what is answered in each round.
        seconds: times of the rounds.
        watched_s: times of the rounds in which the layers were watched, one after the other.
        forward_s: time in the layers in those.
        calls: forward passes that were seen in those.
        columns: columns that those computed.
        useful: columns of those that are no padding.
        passes: forward passes of the engine in the timed rounds, by how they were made, where it tells that.
    """

    call: Callable[[Sequence[Prepared]], None]
    batches: Batches
    seconds: list[float] = field(default_factory=list)
    watched_s: list[float] = field(default_factory=list)
    forward_s: float = 0.0
    calls: int = 0
    columns: int = 0
    useful: int = 0
    passes: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """Questions of a round."""
        return sum(map(len, self.batches))

    @property
    def tokens(self) -> int:
        """Prompt tokens of a round."""
        return sum(len(each.prompt.ids) for batch in self.batches for each in batch)

    @property
    def each_s(self) -> list[float]:
        """Seconds for one question, by round."""
        return [seconds / self.count for seconds in self.seconds]


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
    measured = _planned(ways, cell, limits)
    prepare_s: list[float] = []
    with torch.inference_mode():
        rate = matmul_rate(ways.model, size=limits.matmul_size)
        for name, one in measured.items():
            for batch in one.batches if limits.apart else one.batches[:1]:
                one.call(batch)
            if limits.apart:
                progress()
                _watch(ways, name, one)
        for names in _rounds(list(measured), limits):
            for name in names:
                progress()
                one, before = measured[name], ways.passes.copy()
                one.seconds.append(_timed(ways, one) if limits.apart else _watch(ways, name, one))
                one.passes += ways.passes - before
            prepare_s.append(_prepare(ways, cell.prepared))
    lengths = [len(each.prompt.ids) for each in cell.prepared]
    count = len(cell.prepared)
    rendering = Spread.of(prepare_s).median / count
    return {
        "part": cell.part,
        "value": cell.value,
        "batch": cell.batch,
        "questions": count,
        "options": sorted({len(each.question.options) for each in cell.prepared}),
        "prompt_tokens": {"mean": rounded(sum(lengths) / count), "min": min(lengths), "max": max(lengths)},
        "rendering_s": rounded(rendering),
        "roofline": _roofline(ways, cell, measured[SORTED if SORTED in measured else VERDICT], rate),
        "ways": {name: _row(one, rendering if name in {VERDICT, SORTED} else 0.0) for name, one in measured.items()},
        **ratio("ratio_vs_generate", measured[GENERATE].each_s, measured[VERDICT].each_s),
        **ratio("ratio_vs_prefill", measured[VERDICT].each_s, measured[PREFILL].each_s),
        **(
            {
                **ratio("ratio_by_length_vs_generate", measured[GENERATE].each_s, measured[SORTED].each_s),
                **ratio("ratio_by_length_vs_prefill", measured[SORTED].each_s, measured[PREFILL].each_s),
            }
            if SORTED in measured
            else {}
        ),
    }


def _planned(ways: Ways, cell: Cell, limits: Limits) -> dict[str, _Measured]:
    """What each way does in a round of a cell."""
    calls, as_they_are = ways.named(), _batches(cell.prepared, cell.batch)
    if cell.batch == 1:
        plan = {name: (call, as_they_are) for name, call in calls.items()}
    else:
        by_length = _batches(sorted(cell.prepared, key=lambda each: len(each.prompt.ids)), cell.batch)
        # The reference and the limit get the best order; the one pass is measured in both, because questions arrive in any.
        plan = {VERDICT: (ways.verdict, as_they_are), SORTED: (ways.verdict, by_length)}
        plan |= {name: (call, by_length) for name, call in calls.items() if name != VERDICT}
    return {
        name: _Measured(call, _spread(batches, limits.reference_batches) if name == GENERATE else batches)
        for name, (call, batches) in plan.items()
    }


def _spread(batches: Batches, most: int | None) -> Batches:
    """At most so many batches, evenly spread over all: those at the beginning have the shortest prompts."""
    count = len(batches)
    if most is None or most >= count:
        return batches
    return [batches[(2 * number + 1) * count // (2 * most)] for number in range(most)]


def _timed(ways: Ways, one: _Measured) -> float:
    """Seconds of one round."""
    finish = synchronise(ways.model)
    finish()
    began = time.perf_counter()
    for batch in one.batches:
        one.call(batch)
    finish()
    return time.perf_counter() - began


def _watch(ways: Ways, name: str, one: _Measured) -> float:
    """Seconds of one round in which the layers are watched; what they did is noted."""
    with watched(ways.model) as seen:
        seconds = _timed(ways, one)
    one.watched_s.append(seconds)
    one.forward_s += seen.seconds
    one.calls += seen.calls
    one.columns += seen.columns
    one.useful += sum(ways.useful_columns(VERDICT if name == SORTED else name, batch) for batch in one.batches)
    return seconds


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


def _row(measured: _Measured, rendering: float) -> dict[str, Any]:
    each = Spread.of(measured.each_s)
    whole = sum(measured.watched_s) + rendering * measured.count * len(measured.watched_s)
    # Where some passes went past the layers, as replayed CUDA graphs do, the rest says nothing about all.
    known = measured.calls and measured.columns >= measured.useful
    passes = measured.passes.total()
    forward = measured.forward_s / whole if known and whole else None
    return {
        "seconds_per_question": each.row(),
        "questions": measured.count,
        "questions_per_s": rounded(1 / each.median),
        "prompt_tokens_per_s": rounded(measured.tokens / measured.count / each.median),
        "forward_share": None if forward is None else round(forward, 4),
        "host_share": None if forward is None else round(1 - forward, 4),
        "replayed_share": round(measured.passes[REPLAYED] / passes, 4) if passes else None,
        "padding_share": round(padding_share(measured.columns, measured.useful), 4) if known else None,
    }
