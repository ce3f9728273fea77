"""Confidence targets: the share of draws in which the current checkpoint answers a question correctly, rounded down to a quarter.

FogGen samples eight generations at T = 0.7. The one-pass verdict holds the distribution that they would be drawn from, so one
forward pass replaces them (docs/decisions/0005-labels-without-sampling.md).
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from app.core.buckets import BUCKET_LABELS, BUCKETS
from app.core.errors import ConfigError, InvalidQuestion
from app.core.prompt import PROMPT_VERSION
from app.core.question import LETTERS, Question
from app.core.verdict import JointVerdict
from app.data.dataset import Item
from app.data.records import open_for_append
from app.edge.rendering import Prompt
from app.training.label_file import LabelRow, partial_of, partial_rows, read_labels
from app.training.origin import claim, digest

_QUARTERS = 4


class LabelEngine(Protocol):
    """A one-pass engine at a temperature; name and fingerprint identify the labels that it made."""

    name: str
    fingerprint: str

    def prepare(self, question: Question) -> Prompt: ...

    def verdicts(self, prompts: Sequence[Prompt], *, temperature: float) -> list[JointVerdict]: ...


def bucket_of(k: int, n: int, table: Sequence[float] | None = None) -> int:
    """Index of the bucket for k correct draws of n: by the table, or the nearest lower quarter (for n = 8: 0–1, 2–3, 4–5, 6–7, 8)."""
    return k * _QUARTERS // n if table is None else BUCKETS.index(table[k])


def bucket_distribution(p: float, samples: int, table: Sequence[float] | None = None) -> tuple[float, ...]:
    """The exact distribution of the bucket that the method `sample` draws: that of `bucket_of(k)` with k from Binomial(samples, p).

    Args:
        p: probability that one draw is correct.
        samples: number of draws.
        table: bucket of each number of correct draws; see `bucket_of`.
    """
    found = [0.0] * len(BUCKETS)
    for k in range(samples + 1):
        found[bucket_of(k, samples, table)] += math.comb(samples, k) * p**k * (1 - p) ** (samples - k)
    return tuple(found)


def p_correct(verdict: JointVerdict, letter: str) -> float:
    """P(letter): the sum over buckets of P(bucket)·P(letter | bucket), at the temperature that the verdict was read with."""
    return math.fsum(row[LETTERS.index(letter)] for row in verdict.joint)


def count_correct(p: float, *, samples: int, method: str, key: str) -> int:
    """Number of correct draws.

    Args:
        p: probability that one draw is correct.
        samples: number of draws.
        method: `exact` rounds p·samples (half up), so that `samples` stays reachable and there is no sampling noise;
            `sample` draws.
        key: seed of the draws; the same for the same question, whatever else is labelled.
    """
    if method == "exact":
        return min(samples, math.floor(p * samples + 0.5))
    draw = random.Random(key)  # noqa: S311  # a simulation, not a secret
    return sum(draw.random() < p for _ in range(samples))


def label_rows(
    engine: LabelEngine,
    items: Sequence[Item],
    letters: Mapping[str, str],
    out: Path,
    *,
    source: str,
    samples: int = 8,
    temperature: float = 0.7,
    method: str = "exact",
    table: Sequence[float] | None = None,
    seed: int = 0,
    batch_size: int = 16,
    dtype: str | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> list[LabelRow]:
    """Label questions.

    `out` appears when it is whole. Until then the rows that are done stand in `<out>.partial`, written batch by batch, and a run
    that was killed continues behind them with the same batches, so that the result is the same to the last digit. The parameters of
    the labels stand in `<out>.origin.json`; a run with other parameters neither continues the labels nor reads them.

    Args:
        engine: engine of the current checkpoint.
        items: the questions; those without a letter are left out.
        letters: letters of the correct answers by id.
        out: the file.
        source: `gold` or `teacher`, for the file.
        samples: number of draws (FogGen's N).
        temperature: temperature of the draws (FogGen's T).
        method: `exact` or `sample`; see `count_correct`.
        table: bucket of each number of correct draws; see `bucket_of`.
        seed: seed of the method `sample`.
        batch_size: number of questions per forward pass.
        dtype: dtype that the engine computes in, for `<out>.origin.json`.
        on_progress: called with the number of questions that are done.

    Raises:
        ConfigError: a prompt that is too long (its id is named), or labels that are there already and were made with another
            model, other questions, letters or parameters; what differs is named.
    """
    todo = [item for item in items if item.id in letters]
    prepared = prepared_by_length(engine, todo)
    scratch = partial_of(out)
    made_with = {
        **parameters_of(engine, dtype=dtype, source=source, samples=samples, temperature=temperature, method=method, seed=seed),
        "buckets": None if table is None else list(table),
        "batch_size": batch_size,
        "prompts": digest((item.id, prompt.ids) for item, prompt in prepared),
        "questions": digest((item.id, item.fingerprint) for item in todo),
        "letters": digest((item.id, letters[item.id]) for item in todo),
    }
    claim(out, made_with, what="labels", partial=scratch)
    if out.exists():
        return read_labels(out)
    rows = partial_rows(scratch)
    with open_for_append(scratch) as file:
        for batch in batches_of(prepared, batch_size):
            ids = [item.id for item, _ in batch]
            if set(ids) <= set(rows):
                on_progress(len(rows))
                continue
            verdicts = engine.verdicts([prompt for _, prompt in batch], temperature=temperature)
            done: list[LabelRow] = []
            for (item, _), verdict in zip(batch, verdicts, strict=True):
                p = round(p_correct(verdict, letters[item.id]), 6)
                k = count_correct(p, samples=samples, method=method, key=f"{seed}|{item.id}")
                done.append(
                    LabelRow(
                        id=item.id,
                        label=letters[item.id],
                        label_source=source,
                        p_correct=p,
                        k=k if method == "sample" else None,
                        n=samples,
                        bucket=BUCKET_LABELS[bucket_of(k, samples, table)],
                    )
                )
            # One write, so that a kill leaves whole batches and at most one torn batch, which is done again.
            file.write("".join(row.line for row in done))
            file.flush()
            rows.update({row.id: row for row in done})
            on_progress(len(rows))
    ordered = [rows[item.id] for item in todo]
    with scratch.open("w", encoding="utf-8") as file:
        file.writelines(row.line for row in ordered)
    scratch.replace(out)
    return ordered


def parameters_of(
    engine: LabelEngine, *, dtype: str | None, source: str, samples: int, temperature: float, method: str, seed: int
) -> dict[str, Any]:
    """The parameters of labels that are known before a teacher is asked; the arguments are those of `label_rows`."""
    return {
        "model": engine.name,
        "weights": engine.fingerprint,
        "dtype": dtype,
        "prompt_version": PROMPT_VERSION,
        "source": source,
        "samples": samples,
        "temperature": temperature,
        "method": method,
        # The method `exact` draws nothing.
        "seed": seed if method == "sample" else None,
    }


def prepared_by_length(engine: LabelEngine, items: Sequence[Item]) -> list[tuple[Item, Prompt]]:
    """The questions with their prompts, sorted by length. Raises ConfigError where a prompt is too long."""
    prepared = []
    for item in items:
        try:
            prepared.append((item, engine.prepare(item.question)))
        except InvalidQuestion as error:
            raise ConfigError(f"the question '{item.id}' cannot be used: {error.message}") from None
    return sorted(prepared, key=lambda pair: (len(pair[1].ids), pair[0].id))


def batches_of(prepared: Sequence[tuple[Item, Prompt]], size: int) -> Iterator[Sequence[tuple[Item, Prompt]]]:
    """Batches; the same for the same questions."""
    for start in range(0, len(prepared), size):
        yield prepared[start : start + size]
