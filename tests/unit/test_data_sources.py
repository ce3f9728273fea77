"""What `--data` may name: Parquet, folders, data sets of the hub, and what is none of them; and the files of people that begin with a mark."""

import datetime as dt
import json
from pathlib import Path

import pytest
import yaml

from app.access.keys import Key, KeyFile, KeyRing, new_secret
from app.config.loading import load_settings
from app.core.errors import ConfigError
from app.core.question import LETTERS
from app.data.calibration import read_calibration
from app.data.dataset import Skipped, load_items
from app.data.files import decode
from app.data.records import load_records, read_records
from app.demo.bank import Bank, load_rows
from app.training.config import load_config
from app.training.label_file import LabelRow, read_labels
from app.training.pools import make_pools
from tests.support.chains import chain_config, questions, write
from tests.support.records import simulated
from tests.support.records import write as write_records

ROW = {"question": "Q?", "options": ["x", "y"], "answer": "B"}
SHARED = Path(__file__).parents[3] / "shared" / "mcq"


def parquet(path, rows, schema=None, metadata=None):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.Table.from_pylist(rows, schema=schema)
    pq.write_table(table.replace_schema_metadata(metadata) if metadata else table, path)
    return path


def labels_of(**columns):
    features = {name: {"names": names, "_type": "ClassLabel"} for name, names in columns.items()}
    return {"huggingface": json.dumps({"info": {"features": features}})}


def test_class_labels_of_parquet_say_what_a_number_means(tmp_path):
    row = {"question": "Q?", "opa": "w", "opb": "x", "opc": "y", "opd": "z"}
    path = parquet(tmp_path / "a.parquet", [{**row, "cop": 1}, {**row, "cop": 2}], metadata=labels_of(cop=["a", "b", "c", "d"]))
    assert [item.gold for item in load_items([path])] == ["B", "C"]
    with pytest.raises(ConfigError, match=r"a\.parquet, row 1: 'cop' is 1, and nothing in the file shows"):
        load_items([parquet(tmp_path / "a.parquet", [{**row, "cop": 1}, {**row, "cop": 2}])])
    with pytest.raises(ConfigError, match=r"row 1: 'cop' is empty"):
        load_items([parquet(tmp_path / "a.parquet", [{**row, "cop": -1}], metadata=labels_of(cop=["a", "b", "c", "d"]))])
    mmlu = {"question": "Q?", "subject": "law", "choices": ["x", "y", "z", "w"], "answer": 3}
    (item,) = load_items([parquet(tmp_path / "auxiliary.parquet", [{"train": mmlu}])])
    assert (item.gold, item.id) == ("D", "auxiliary-1")
    for metadata in (None, labels_of(answer=["A", "B", "C", "D"]), {"huggingface": "{broken"}, {"huggingface": "[]"}):
        (item,) = load_items([parquet(tmp_path / "m.parquet", [mmlu], metadata=metadata)])
        assert (item.gold, item.question.domain) == ("D", "law")


def test_types_of_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    struct = pa.struct([("text", pa.large_list(pa.large_string())), ("label", pa.list_(pa.string()))])
    kinds = {
        "struct": (struct, {"text": ["x", "y"], "label": ["A", "B"]}),
        "map": (pa.map_(pa.string(), pa.string()), [("A", "x"), ("B", "y")]),
        "structs": (
            pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())])),
            [{"key": "A", "value": "x"}, {"key": "B", "value": "y"}],
        ),
        "padded": (pa.list_(pa.string(), 4), ["x", "y", None, None]),
        "bytes": (pa.list_(pa.binary()), [b"x", b"y"]),
    }
    for name, (kind, value) in kinds.items():
        schema = pa.schema(
            [("question", pa.dictionary(pa.int32(), pa.string())), ("options", kind), ("answer", pa.string()), ("id", pa.float64())]
        )
        row = {"question": "Q?", "options": value, "answer": "B", "id": 0.0}
        (item,) = load_items([parquet(tmp_path / f"{name}.parquet", [row], schema=schema)])
        assert (item.question.options, item.gold, item.id) == (("x", "y"), "B", "0"), name


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (".", r"\.: is a folder without a data set: name a file in it \(here\.jsonl, sub/there\.csv\)"),
        ("empty", "empty: is a folder without a data set: it holds no file of questions"),
        ("..", "is a folder without a data set"),
        ("", "'': there is no such file; neither a file that ends in|is a folder"),
        ("none.jsonl", r"none\.jsonl cannot be read \(there is no such file\)"),
        ("none.json.gz", "cannot be read .there is no such file"),
        ("none.parquet", r"none\.parquet cannot be read"),
        ("folder.jsonl", r"folder\.jsonl: is a folder"),
        ("sheet.xlsx", r"neither a file that ends in .*; save it as CSV"),
        ("*.jsonl", r"\*\.jsonl cannot be read \(there is no such file\)"),
        ("https://example.org/q.jsonl", "is an address; download the file"),
        ("hf://datasets/a/b", "is an address; download the file"),
        ("note.txt", r"note\.txt: neither a file that ends in \.jsonl, \.ndjson, \.json, \.csv, \.tsv, \.parquet nor a data set"),
        ("what is this", "there is no such file; neither"),
        ("here.jsonl.zip", "neither a file that ends in"),
    ],
)
def test_sources_that_are_none(tmp_path, monkeypatch, source, says):
    here = tmp_path / "a" / "b"
    for name in ("empty", "sub", "folder.jsonl"):
        (here / name).mkdir(parents=True)
    for name in ("here.jsonl", "sub/there.csv", "sheet.xlsx", "note.txt", "here.jsonl.zip"):
        (here / name).write_text("x")
    monkeypatch.chdir(here)
    with pytest.raises(ConfigError, match=says) as raised:
        load_items([source])
    assert len(raised.value.message) < 600


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    (tmp_path / "q.jsonl").write_text(json.dumps(ROW))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load_items(["~/q.jsonl"])) == 1


def test_evolve_takes_maps_bad_rows_and_names_of_the_hub(tmp_path):
    path = chain_config(tmp_path)
    rows = [{"text": row["question"], **row} for row in questions(40, "law", 7, "other")]
    for row in rows:
        del row["question"]
    rows[3]["options"] = ["x"] * 4
    write(tmp_path / "law.jsonl", rows)
    content = yaml.safe_load(path.read_text())
    content["data"] |= {"train": {"law": ["law.jsonl"]}, "test": [], "replay_only": ["math"], "map": {"question": "text"}}
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"law\.jsonl, line 4: options A and B are the same; --skip-bad"):
        make_pools(load_config(path))
    content["data"]["skip_bad"] = True
    path.write_text(yaml.safe_dump(content))
    pools = make_pools(load_config(path))
    assert pools.left_out["no question"] == 1
    assert pools.skipped[0] == "skipped 1 row that is not a question:"
    assert "law.jsonl, line 4: options A and B" in pools.skipped[1]
    content["data"]["train"]["law"] = ["org/name@train", "org/name.jsonl"]
    path.write_text(yaml.safe_dump(content))
    assert load_config(path).data.train["law"] == ["org/name@train", str(tmp_path / "org/name.jsonl")]
    content["data"]["map"] = {"questions": "text"}
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match="did you mean 'question'"):
        load_config(path)


MARKS = ["utf-8-sig", "utf-16"]


@pytest.mark.parametrize("encoding", MARKS)
def test_a_byte_order_mark_is_no_part_of_the_files_of_people(tmp_path, encoding):
    def save(name, text):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    assert load_settings(save("gateway.yaml", "policy:\n  tau: 0.25\n")).policy.tau == 0.25
    assert load_config(save("evolve.yaml", "domains: [law]\ndata: {train: {law: [law.jsonl]}}\n")).domains == ["law"]
    bank = load_rows([save("bank.jsonl", json.dumps({**ROW, "recorded": {"big": "A"}}) + "\r\n")])
    assert len(Bank(bank, recorded="big")) == 1
    presented, name, digest = new_secret()
    content = KeyFile(keys=[Key(id=name, name="ada", sha256=digest, created=dt.date(2026, 1, 1))]).model_dump_json()
    assert KeyRing(save("keys.json", content)).find(presented).name == "ada"
    row = LabelRow(id="1", label="A", label_source="gold", p_correct=0.5, k=None, n=8, bucket="0.5")
    assert read_labels(save("labels.jsonl", row.line.rstrip() + "\r\n\r\n")) == [row]


def test_a_byte_order_mark_is_no_part_of_records_and_calibrations(tmp_path):
    path = tmp_path / "records.jsonl"
    write_records(path, simulated(4, 0))
    plain = load_records(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_records(path) == plain
    assert list(read_records(path).values()) == plain
    calibration = tmp_path / "calibration.json"
    calibration.write_bytes(b"\xef\xbb\xbf{}")
    with pytest.raises(ConfigError, match="Field required"):
        # What is missing is named, and not the mark.
        read_calibration(calibration)


@pytest.mark.parametrize("text", ["", "ABC\u2028", "é", "\U0001f600"])
def test_decoding(text):
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    "change",
    [
        {"answer": ""},
        {"answer": "AB"},
        {"answer": None},
        {"answer": 1},
        {"answer": "C"},
        {"options": "xy"},
        {"options": {"A": "x"}},
        {"question": 7},
        {"question": ""},
        {"recorded": {"big": "C"}},
        {"recorded": {"big": ""}},
        {"recorded": "B"},
    ],
)
def test_a_bank_holds_one_letter_a_row(tmp_path, change):
    path = tmp_path / "bank.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, **change}) + "\n")
    with pytest.raises(ConfigError, match=r"bank\.jsonl, line 2: not a question"):
        load_rows([path])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real benchmark files are not beside this checkout")
@pytest.mark.parametrize("name", ["medical/train", "science/test", "kazakh/train", "finance/test_extra_xfinbench"])
def test_real_benchmarks_keep_their_gold_answers(name):
    path = SHARED / f"{name}.jsonl"
    rows = {row["id"]: row for row in map(json.loads, path.read_text(encoding="utf-8").split("\n")[:-1])}
    skipped = Skipped()
    items = load_items([path], skipped=skipped)
    assert (len(items), skipped.total) == (len(rows), 0)
    assert all(item.gold == rows[item.id]["answer"] for item in items)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real benchmark files are not beside this checkout")
@pytest.mark.parametrize("form", ["text", "number", "mapping", "columns", "labelled"])
def test_real_questions_say_the_same_in_every_layout(tmp_path, form):
    lines = (SHARED / "math" / "test.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    rows = [json.loads(line) for line in lines[:600]]
    path = tmp_path / "q.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            at, options = LETTERS.index(row["answer"]), row["options"]
            said = {
                "text": {"options": options, "answer": options[at]},
                "number": {"choices": options, "subject": "math", "answer": at},
                "mapping": {"options": dict(zip(LETTERS, options, strict=False)), "answer_idx": row["answer"], "answer": options[at]},
                "columns": {**dict(zip(LETTERS, options, strict=False)), "answer": row["answer"]},
                "labelled": {"choices": {"text": options, "label": list(map(str, range(1, len(options) + 1)))}, "answerKey": str(at + 1)},
            }[form]
            file.write(json.dumps({"id": row["id"], "question": row["question"], **said}) + "\n")
    golds = {row["id"]: row["answer"] for row in rows}
    skipped = Skipped()
    for item in load_items([path], skipped=skipped):
        assert item.gold == golds[item.id]
    # Rows whose text could be a letter or a number of another option may be passed over, never read otherwise.
    assert skipped.total < 10, skipped.first
