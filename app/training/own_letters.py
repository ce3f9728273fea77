"""`letters.jsonl`: the distribution over the options that a checkpoint has before a round trains it, one line a question.

It is read in one pass at temperature 1, and kept: what the round must not change (`joint.letters: keep`).
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from app.core.errors import ConfigError
from app.data.dataset import Item
from app.data.files import read_text
from app.data.records import open_for_append
from app.training.label import LabelEngine, batches_of, prepared_by_length
from app.training.label_file import partial_of
from app.training.origin import claim, digest

Letters = dict[str, tuple[float, ...]]


def own_letters(
    engine: LabelEngine,
    items: Sequence[Item],
    out: Path,
    *,
    batch_size: int,
    dtype: str | None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Letters:
    """Read, or continue to read, the engine's distribution over the options of each question.

    `out` appears when it is whole; until then the rows that are done stand in `<out>.partial`. The same batches are read again after
    a kill, so that the result is the same to the last digit.

    Args:
        engine: engine of the current checkpoint.
        items: the questions, each id once.
        out: the file.
        batch_size: number of questions per forward pass.
        dtype: dtype that the engine computes in, for `<out>.origin.json`.
        on_progress: called with the number of questions that are done.

    Raises:
        ConfigError: a prompt that is too long, a damaged file, or one that was made with another model or other questions.
    """
    prepared = prepared_by_length(engine, items)
    scratch = partial_of(out)
    made_with = {
        "weights": engine.fingerprint,
        "dtype": dtype,
        "batch_size": batch_size,
        "prompts": digest((item.id, prompt.ids) for item, prompt in prepared),
    }
    claim(out, made_with, what="letters", partial=scratch)
    if out.exists():
        return _read(out, torn=False)
    rows = _read(scratch, torn=True) if scratch.exists() else {}
    with open_for_append(scratch) as file:
        for batch in batches_of(prepared, batch_size):
            if not {item.id for item, _ in batch} <= set(rows):
                verdicts = engine.verdicts([prompt for _, prompt in batch], temperature=1.0)
                done = {item.id: tuple(verdict.answer_probabilities.values()) for (item, _), verdict in zip(batch, verdicts, strict=True)}
                file.write(_lines(done))
                file.flush()
                rows |= done
            on_progress(len(rows))
    rows = {item.id: rows[item.id] for item in items}
    scratch.write_text(_lines(rows), encoding="utf-8")
    scratch.replace(out)
    return rows


def _lines(rows: Letters) -> str:
    return "".join(json.dumps({"id": name, "letters": letters}, ensure_ascii=False) + "\n" for name, letters in rows.items())


def _read(path: Path, *, torn: bool) -> Letters:
    """The rows of a file; the last line of an unfinished one may be torn."""
    lines = read_text(path).split("\n") if not torn else path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    try:
        rows = [json.loads(line) for line in lines if line.strip()]
        return {row["id"]: tuple(map(float, row["letters"])) for row in rows}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{path} is damaged: delete it, and it is made again") from None
