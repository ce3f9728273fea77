"""What `foggate bench edge` measures inside this process: which cells, and what is concluded from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from app.bench.edge.presets import Preset
from app.bench.edge.questions import bank, many_of_length, questions_of_length
from app.bench.edge.sweep import Cell, Limits, measure_cell
from app.bench.edge.ways import Ways
from app.bench.numbers import Line
from app.core.question import Question
from app.edge.rendering import Renderer

# Different prompts in a cell with batch size 1; and the length of prompts whose options are varied.
_EACH, _OPTIONS_TOKENS = 3, 300


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        lengths: lengths of prompts in tokens, at batch size 1.
        options: numbers of options, at batch size 1.
        batches: batch sizes.
        questions: number of questions in each cell of the batch sizes.
        limits: how long is measured.
        batch_tokens: length in tokens of the prompts of the batches; 0: questions of the bank as they are.
        most_batches: batches of one size at most, so that small ones have fewer questions; None: no bound.
    """

    lengths: Sequence[int]
    options: Sequence[int]
    batches: Sequence[int]
    questions: int
    limits: Limits
    batch_tokens: int = 0
    most_batches: int | None = None


def plan_of(preset: Preset) -> Plan:
    """The plan of a preset."""
    limits = Limits(preset.rounds, preset.cell_s, reference_batches=preset.reference_batches, apart=preset.apart)
    return Plan(
        preset.lengths,
        preset.options,
        preset.batches,
        preset.questions,
        limits,
        batch_tokens=preset.batch_tokens,
        most_batches=preset.most_batches,
    )


def measure_all(ways: Ways, plan: Plan, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure every cell of a plan.

    Returns:
        A JSON object with the cells, by way the straight line through seconds for one question against prompt tokens, and the lengths that
        were left out because the model takes no such prompt (`lengths_left_out`), with the longest that it takes (`max_prompt_tokens`).

    Raises:
        ConfigError: there are no questions with what is wanted.
    """
    cells = []
    with torch.inference_mode():
        for cell in _cells(ways, plan):
            said = f"{cell.part} {cell.value}"
            progress(said)
            cells.append(measure_cell(ways, cell, plan.limits))
    most = ways.engine.max_prompt_tokens
    return {
        "cells": cells,
        "fits": fits([cell for cell in cells if cell["part"] == "lengths"]),
        "lengths_left_out": [tokens for tokens in plan.lengths if tokens > most],
        "max_prompt_tokens": most,
    }


def fits(cells: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float] | None]:
    """By way, the line through the medians of cells with several lengths: seconds for one question against prompt tokens."""
    names = list(cells[0]["ways"]) if cells else []
    tokens = [cell["prompt_tokens"]["mean"] for cell in cells]
    lines = {name: Line.through(tokens, [cell["ways"][name]["seconds_per_question"]["median"] for cell in cells]) for name in names}
    return {name: None if line is None else line.row() for name, line in lines.items()}


def _cells(ways: Ways, plan: Plan) -> list[Cell]:
    renderer, most = ways.engine.renderer, ways.engine.max_prompt_tokens
    cells = []
    for tokens in plan.lengths:
        if tokens <= most:
            questions = questions_of_length(renderer, tokens, _EACH, options=4)
            cells.append(Cell("lengths", tokens, 1, ways.prepare(questions)))
    for count in plan.options:
        questions = questions_of_length(renderer, min(_OPTIONS_TOKENS, most), _EACH, options=count)
        cells.append(Cell("options", count, 1, ways.prepare(questions)))
    if plan.batches:
        prepared = ways.prepare(questions_for(renderer, max(plan.questions, *plan.batches), plan.batch_tokens))
        for size in plan.batches:
            some = prepared if plan.most_batches is None else prepared[: size * plan.most_batches]
            cells.append(Cell("batches", size, size, some))
    return cells


def questions_for(renderer: Renderer, count: int, tokens: int) -> list[Question]:
    """Questions for batches and for servers: so many, with prompts of so many tokens, or with 0 those of the bank as they are."""
    if tokens:
        return many_of_length(renderer, tokens, count)
    some = bank()
    return [some[number % len(some)] for number in range(count)]
