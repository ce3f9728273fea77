import json

import pytest

from app.core.errors import ConfigError
from app.data.dataset import load_items, sample_items
from app.data.records import append, compact, open_for_append, read_records

GOOD = {"id": "1", "domain": "law", "question": "Q?", "options": ["x", "y"], "answer": "B", "extra": 1}


def write(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_jsonl_and_csv_say_the_same(tmp_path):
    jsonl = write(
        tmp_path,
        "a.jsonl",
        json.dumps(GOOD) + "\n\n" + json.dumps({**GOOD, "id": "2", "question": "line\u2028separator"}, ensure_ascii=False),
    )
    wide = write(tmp_path, "wide.csv", '\ufeffid,domain,question,A,B,C,answer\n1,law,Q?,x,y,,b\n2,law,"line\u2028separator",x,y,,B\n')
    packed = write(
        tmp_path,
        "packed.csv",
        'id,domain,question,options,answer\n1,law,Q?,"[""x"", ""y""]",B\n2,law,"line\u2028separator","[""x"", ""y""]",B\n',
    )
    assert load_items([jsonl]) == load_items([packed]) == load_items([wide])
    item = load_items([jsonl])[0]
    assert (item.id, item.question.domain, item.gold, item.question.options) == ("1", "law", "B", ("x", "y"))


def test_a_missing_id_is_made_from_file_and_row_and_a_missing_domain_is_other(tmp_path):
    path = write(tmp_path, "mine.csv", "question,option_a,option_b,answer\nQ?,x,y,A\n")
    item = load_items([path])[0]
    assert (item.id, item.question.domain) == ("mine-2", "other")


def test_the_fingerprint_follows_the_question(tmp_path):
    rows = [GOOD, {**GOOD, "id": "2"}, {**GOOD, "id": "3", "answer": "A"}, {**GOOD, "id": "4", "options": ["y", "x"]}]
    prints = [item.fingerprint for item in load_items([write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))])]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{broken", "line 1: not JSON"),
        (json.dumps(GOOD) + "\n[1]", "line 2: not an object"),
        (json.dumps(GOOD) + "\n" + json.dumps(GOOD), r"line 2: the id '1' was used before \(.*line 1\)"),
        (json.dumps({**GOOD, "answer": "C"}), "one of the letters A to B"),
        (json.dumps({**GOOD, "answer": 1}), "whether the first option is 0 or 1"),
        (json.dumps({**GOOD, "options": ["x", "x"]}), "options A and B are the same"),
        (json.dumps({**GOOD, "options": "xy"}), "'options' must be a list"),
        (json.dumps({**GOOD, "question": None}), "'question' is missing"),
        ("", "holds no questions"),
    ],
)
def test_bad_rows_are_named(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says):
        load_items([write(tmp_path, "a.jsonl", text)])


def test_unknown_endings_and_missing_files_are_said(tmp_path):
    for name, says in (("a.txt", "neither a file that ends in"), ("none.jsonl", "cannot be read")):
        with pytest.raises(ConfigError, match=says):
            load_items([tmp_path / name])


def test_a_torn_last_line_is_cut_away_and_the_rest_kept(tmp_path):
    path = tmp_path / "deep" / "r.jsonl"
    with open_for_append(path) as file:
        append(file, {"id": "1", "n": 1})
        append(file, {"id": "2", "n": 1})
        append(file, {"id": "1", "n": 2})
    with path.open("a") as file:
        file.write('{"id": "3", "n"')
    assert {name: record["n"] for name, record in read_records(path).items()} == {"1": 2, "2": 1}
    with open_for_append(path) as file:
        append(file, {"id": "4", "n": 1})
    compact(path, ["4", "2", "1"])
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["4", "2", "1"]
    assert read_records(path)["1"]["n"] == 2


def test_damage_in_the_middle_is_not_passed_over(tmp_path):
    path = write(tmp_path, "r.jsonl", '{"id": "1"}\n{"id"\n{"id": "2"}\n')
    with pytest.raises(ConfigError, match="line 2"):
        read_records(path)
    assert read_records(tmp_path / "none.jsonl", missing_ok=True) == {}
    with pytest.raises(ConfigError, match="cannot be read"):
        read_records(tmp_path / "none.jsonl")


def test_parquet_holds_the_same_questions(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [GOOD, {**GOOD, "id": "2", "answer": "A"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    jsonl = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert load_items([tmp_path / "a.parquet"]) == load_items([jsonl])
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ConfigError, match=r"broken\.parquet cannot be read"):
        load_items([tmp_path / "broken.parquet"])
    pq.write_table(pa.Table.from_pylist([{**GOOD, "answer": "Z"}]), tmp_path / "bad.parquet")
    with pytest.raises(ConfigError, match=r"bad\.parquet, row 1: 'answer' must be one of"):
        load_items([tmp_path / "bad.parquet"])


def test_a_data_set_in_the_form_of_the_hub(tmp_path, monkeypatch):
    """As MMLU is laid out there: choices, and the answer as a class label."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    features = datasets.Features(
        {
            "question": datasets.Value("string"),
            "choices": datasets.List(datasets.Value("string")),
            "answer": datasets.ClassLabel(names=["A", "B", "C", "D"]),
        }
    )
    table = datasets.Dataset.from_dict({"question": ["Q?"], "choices": [["x", "y"]], "answer": [1]}, features=features)
    (tmp_path / "mine" / "data").mkdir(parents=True)
    table.to_parquet(tmp_path / "mine" / "data" / "test-00000-of-00001.parquet")
    (item,) = load_items([tmp_path / "mine"])
    assert (item.question.options, item.gold, item.id) == (("x", "y"), "B", "mine-1")


@pytest.mark.parametrize(
    ("name", "says"), [("nobody/nothing", "the data set 'nobody/nothing' cannot be read"), ("what is this", "neither a file")]
)
def test_a_source_that_is_not_there(name, says):
    with pytest.raises(ConfigError, match=says):
        load_items([name])


def test_a_sample_of_each_domain_by_seed(tmp_path):
    rows = [{**GOOD, "id": str(n), "domain": "law" if n % 3 else "math"} for n in range(30)]
    items = load_items([write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))])
    drawn = sample_items(items, 4, seed=1)
    assert [item.question.domain for item in drawn] == ["math"] * 4 + ["law"] * 4
    assert len({item.id for item in drawn}) == 8
    assert sample_items(items, 4, seed=1) == drawn
    assert sample_items(items, 4, seed=2) != drawn
    assert len(sample_items(items, 15, seed=1)) == 10 + 15
