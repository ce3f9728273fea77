"""`labels.jsonl`: one line a labelled question, and the rows joined with their questions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from app.core.buckets import BUCKET_LABELS
from app.core.errors import ConfigError
from app.data.dataset import Item
from app.data.files import read_text


class LabelRow(BaseModel):
    """One line of `labels.jsonl`.

    Attributes:
        id: id of the question.
        label: letter of the correct answer.
        label_source: who named that letter: `gold` or `teacher`.
        p_correct: probability that one draw at the temperature is correct; called `p_right` in files of the first version.
        k: number of correct draws; None with the method `exact`.
        n: number of draws.
        bucket: confidence target.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str
    label: str
    label_source: str
    p_correct: Annotated[float, Field(validation_alias=AliasChoices("p_correct", "p_right"))]
    k: int | None
    n: int
    bucket: str

    @property
    def line(self) -> str:
        """The line with its end."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question with what the model is to learn.

    Attributes:
        item: the question.
        letter: letter of the correct answer.
        bucket: confidence target, an index into `BUCKETS`.
        p_correct: probability that one draw of the checkpoint that labelled it is correct; None where nobody labelled it.
        kept: distribution over the options, in their order, that the letters are held to; None where they are not held to any.
    """

    item: Item
    letter: str
    bucket: int
    p_correct: float | None = None
    kept: tuple[float, ...] | None = None


def partial_of(out: Path) -> Path:
    """The file in which labels stand until they are whole."""
    return out.with_name(out.name + ".partial")


def read_labels(path: Path) -> list[LabelRow]:
    """The rows of a whole label file.

    Raises:
        ConfigError: the file cannot be read, or a line is not a label.
    """
    try:
        return [_parsed(line) for line in read_text(path).split("\n") if line.strip()]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "line"
        raise ConfigError(f"the labels {path} cannot be read ({where}: {first['msg']})") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"the labels {path} cannot be read ({error})") from None


def to_labelled(items: Sequence[Item], rows: Sequence[LabelRow]) -> list[Labelled]:
    """Join label rows with their questions, in the order of the rows."""
    by_id = {item.id: item for item in items}
    return [Labelled(by_id[row.id], row.label, BUCKET_LABELS.index(row.bucket), row.p_correct) for row in rows]


def _parsed(line: str) -> LabelRow:
    return LabelRow.model_validate(json.loads(line))


def partial_rows(path: Path) -> dict[str, LabelRow]:
    """The rows of an unfinished label file by id; a torn last line is left out."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return {row.id: row for row in map(_parsed, lines)}
