"""The tables of docs/data.md, row by row, through every kind of file that can hold the row."""

import csv
import json
import re
from pathlib import Path

import pytest

from app.data.dataset import load_items
from app.data.readers.mapping import PLAIN, parse_map

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
LAYOUTS = re.findall(r"^\| ([^`|]+) \| `(\{.*\})` \| (.+) \|$", PAGE, re.MULTILINE)
MAPPED = re.findall(r"^\| (`[a-z]+=[^|]+`) \| `(\{.*\})` \| (.+) \|$", PAGE, re.MULTILINE)
NAMES = [name for name, _, _ in LAYOUTS]
FORMS = ("jsonl", "json", "csv", "tsv", "parquet")


def write(folder, form, row):
    path = folder / f"some.{form}"
    if form == "parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.Table.from_pylist([row]), path)
    elif form in {"csv", "tsv"}:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, delimiter="\t" if form == "tsv" else ",")
            table.writerow(row)
            table.writerow([cell if isinstance(cell, str | int) else json.dumps(cell, ensure_ascii=False) for cell in row.values()])
    else:
        path.write_text(json.dumps([row] if form == "json" else row, ensure_ascii=False), encoding="utf-8")
    return path


def answer(path, columns=PLAIN):
    (item,) = load_items([path], columns=columns)
    return item.question.text_of(item.gold)


def test_the_tables_are_found():
    assert len(LAYOUTS) >= 20
    assert len(MAPPED) >= 4
    for name in ("ARC", "MMLU", "MedMCQA", "MedQA", "MMLU-Pro", "OpenBookQA", "CommonsenseQA", "TruthfulQA MC1"):
        assert name in NAMES


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("row", "correct"), [(row, correct) for _, row, correct in LAYOUTS], ids=NAMES)
def test_the_layout_loads_as_it_is(tmp_path, form, row, correct):
    row = json.loads(row)
    assert answer(write(tmp_path, form, row)) == correct


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
@pytest.mark.parametrize(("given", "row", "correct"), MAPPED)
def test_a_map_describes_another_layout(tmp_path, form, given, row, correct):
    columns = parse_map(re.findall("`([^`]+)`", given))
    assert answer(write(tmp_path, form, json.loads(row)), columns) == correct


def test_the_page_says_what_belongs_to_a_question(tmp_path):
    rows = {name: json.loads(row) for name, row, _ in LAYOUTS}
    race, openbook, pro, gpqa = (
        load_items([write(tmp_path, "jsonl", rows[name])])[0] for name in ("RACE", "OpenBookQA", "MMLU-Pro", "GPQA")
    )
    assert race.question.question == "Tom has a dog.\n\nWho has a dog?"
    assert openbook.question.question == "Ice melts into"
    assert (pro.id, pro.question.domain, pro.question.options) == ("7", "math", ("4", "5", "6"))
    assert (gpqa.id, gpqa.question.domain) == ("r", "Chemistry")


def test_the_yaml_of_the_page_is_one_of_evolve(tmp_path):
    from app.training.config import load_config

    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "evolve.yaml"
    path.write_text(block + "  train: {law: [law.jsonl]}\ndomains: [law]\n")
    config = load_config(path)
    assert (config.data.map, config.data.skip_bad) == ({"options": "choices.text", "answer": "cop:0"}, True)
