"""How often is the current checkpoint right on a question? That share, rounded down to a quarter, is its confidence target.

The card samples eight generations at T = 0.7. The one-pass verdict holds the whole distribution they would be drawn
from, so one forward pass replaces them (docs/decisions/0005-labels-without-sampling.md).
"""

import json
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from app.core.errors import ConfigError, InvalidQuestion
from app.core.prompt import PROMPT_VERSION
from app.core.question import LETTERS, Question
from app.core.verdict import BUCKET_LABELS, BUCKETS, JointVerdict
from app.data.dataset import Item
from app.data.files import read_text
from app.data.records import append, open_for_append
from app.edge.rendering import Prompt
from app.training.origin import claim, digest

_QUARTERS = 4


class LabelEngine(Protocol):
    """The one-pass engine at a temperature; name and fingerprint say which labels are its own."""

    name: str
    fingerprint: str

    def prepare(self, question: Question) -> Prompt: ...

    def verdicts(self, prompts: Sequence[Prompt], *, temperature: float) -> list[JointVerdict]: ...


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question with what the model is to say: its confidence bucket (index into `BUCKETS`) and the letter."""

    item: Item
    letter: str
    bucket: int


def bucket_of(k: int, n: int, table: Sequence[float] | None = None) -> int:
    """K right of n → bucket (its index): by the table, or the nearest lower quarter (for n = 8: 0–1, 2–3, 4–5, 6–7, 8)."""
    return k * _QUARTERS // n if table is None else BUCKETS.index(table[k])


def p_right(verdict: JointVerdict, letter: str) -> float:
    """P(letter): the sum over buckets of P(bucket)·P(letter | bucket), at the temperature that the verdict was read with."""
    return math.fsum(row[LETTERS.index(letter)] for row in verdict.joint)


def count_right(p: float, *, samples: int, method: str, key: str) -> int:
    """How many of the draws are right.

    Args:
        p: probability that one draw is right.
        samples: number of draws.
        method: `exact` rounds p·samples (half up), so that all right stays reachable and there is no sampling noise;
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
) -> list[dict[str, Any]]:
    """Label questions; rows are `{"id", "label", "label_source", "p_right", "k", "n", "bucket"}` (`k` null for `exact`).

    `out` appears when it is whole. Until then what is done stands in `<out>.partial`, a batch a write, and a run that was
    killed goes on behind it: batches are the same ones, so that the result is, to the last digit. What the labels were made
    with stands in `<out>.origin.json`; a run with anything else neither goes on with them nor reads them.

    Args:
        engine: the current checkpoint.
        items: the questions; those without a letter are left out.
        letters: by id, what is right.
        out: the file.
        source: `gold` or `teacher`, for the file.
        samples: the reference's N.
        temperature: the reference's T.
        method: see `count_right`.
        table: see `bucket_of`.
        seed: of `sample`.
        batch_size: questions per forward pass.
        dtype: what the engine computes in, for `<out>.origin.json`.
        on_progress: told how many are done.

    Raises:
        ConfigError: a prompt that is too long (its id is named), or labels that are there already and were made with another
            model, other questions, letters or parameters; what differs is named.
    """
    todo = [item for item in items if item.id in letters]
    prepared = _prepared(engine, todo)
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
    rows = _partial_rows(scratch)
    with open_for_append(scratch) as file:
        for batch in _batches(prepared, batch_size):
            ids = [item.id for item, _ in batch]
            if set(ids) <= set(rows):
                on_progress(len(rows))
                continue
            verdicts = engine.verdicts([prompt for _, prompt in batch], temperature=temperature)
            done: list[dict[str, Any]] = []
            for (item, _), verdict in zip(batch, verdicts, strict=True):
                p = round(p_right(verdict, letters[item.id]), 6)
                k = count_right(p, samples=samples, method=method, key=f"{seed}|{item.id}")
                done.append(
                    {
                        "id": item.id,
                        "label": letters[item.id],
                        "label_source": source,
                        "p_right": p,
                        "k": k if method == "sample" else None,
                        "n": samples,
                        "bucket": BUCKET_LABELS[bucket_of(k, samples, table)],
                    }
                )
            # One write, so that a kill leaves whole batches and at most one torn one, which is done again.
            file.write("".join(json.dumps(row) + "\n" for row in done))
            file.flush()
            rows.update({row["id"]: row for row in done})
            on_progress(len(rows))
    ordered = [rows[item.id] for item in todo]
    with scratch.open("w", encoding="utf-8") as file:
        for row in ordered:
            append(file, row)
    scratch.replace(out)
    return ordered


def parameters_of(
    engine: LabelEngine, *, dtype: str | None, source: str, samples: int, temperature: float, method: str, seed: int
) -> dict[str, Any]:
    """What labels depend on, as far as it is known before anybody is asked what is correct; arguments as of `label_rows`."""
    return {
        "model": engine.name,
        "weights": engine.fingerprint,
        "dtype": dtype,
        "prompt_version": PROMPT_VERSION,
        "source": source,
        "samples": samples,
        "temperature": temperature,
        "method": method,
        # Nothing else is drawn.
        "seed": seed if method == "sample" else None,
    }


def partial_of(out: Path) -> Path:
    """Where labels stand until they are whole."""
    return out.with_name(out.name + ".partial")


def read_labels(path: Path) -> list[dict[str, Any]]:
    """A whole label file. Raises ConfigError."""
    try:
        return [json.loads(line) for line in read_text(path).split("\n") if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"the labels {path} cannot be read ({error})") from None


def to_labelled(items: Sequence[Item], rows: Sequence[Mapping[str, Any]]) -> list[Labelled]:
    """Join label rows with their questions, in the order of the rows."""
    by_id = {item.id: item for item in items}
    return [Labelled(by_id[row["id"]], row["label"], BUCKET_LABELS.index(row["bucket"])) for row in rows]


def _partial_rows(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return {row["id"]: row for row in map(json.loads, lines)}


def _prepared(engine: LabelEngine, items: Sequence[Item]) -> list[tuple[Item, Prompt]]:
    """The prompts, of similar length together."""
    prepared = []
    for item in items:
        try:
            prepared.append((item, engine.prepare(item.question)))
        except InvalidQuestion as error:
            raise ConfigError(f"the question '{item.id}' cannot be used: {error.message}") from None
    return sorted(prepared, key=lambda pair: (len(pair[1].ids), pair[0].id))


def _batches(prepared: Sequence[tuple[Item, Prompt]], size: int) -> Iterator[Sequence[tuple[Item, Prompt]]]:
    """The same batches for the same questions."""
    for start in range(0, len(prepared), size):
        yield prepared[start : start + size]
