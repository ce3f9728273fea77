"""JSON and JSON Lines: the right rows, or one sentence with file and place."""

import json

import pytest

from app.cli.data import Questions
from app.core.errors import ConfigError
from app.data.dataset import Skipped, load_items

ROW = {"question": "Q?", "options": ["x", "y"], "answer": "B"}
ROWS = [{**ROW, "id": str(number), "question": f"Q{number}?"} for number in range(3)]
LINE = json.dumps(ROW)


def write(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def ids(tmp_path, content, name="q.json"):
    return [item.id for item in load_items([write(tmp_path, content if isinstance(content, str | bytes) else json.dumps(content), name)])]


@pytest.mark.parametrize(
    "content",
    [
        ROWS,
        {"data": ROWS},
        {"version": 1, "questions": ROWS, "authors": ["a", "b"]},
        {"anything": ROWS},
        {"features": [{"name": "question"}], "rows": [{"row_idx": at, "row": row} for at, row in enumerate(ROWS)]},
        {row["id"]: {key: value for key, value in row.items() if key != "id"} for row in ROWS},
        "\n".join(map(json.dumps, ROWS)),
        "\r\n".join(map(json.dumps, ROWS)) + "\r\n",
        json.dumps(ROWS, indent=2),
        json.dumps({"data": ROWS}, indent=2),
        json.dumps(ROWS).encode("utf-16"),
        "\ufeff" + json.dumps({"data": ROWS}),
    ],
)
def test_forms_of_a_json_file(tmp_path, content):
    assert ids(tmp_path, content) == ["0", "1", "2"]


@pytest.mark.parametrize(
    "content",
    [
        "\n\n".join(map(json.dumps, ROWS)) + "\n \n",
        "\ufeff" + "\r\n".join(map(json.dumps, ROWS)),
        "\r".join(map(json.dumps, ROWS)),
        json.dumps(ROWS),
        json.dumps(ROWS, indent=1),
        json.dumps({"data": ROWS}, indent=1),
    ],
)
def test_forms_of_json_lines(tmp_path, content):
    for name in ("q.jsonl", "q.ndjson", "Q.JSONL"):
        assert ids(tmp_path, content, name) == ["0", "1", "2"]


def test_one_question_is_a_file(tmp_path):
    for name in ("q.json", "q.jsonl"):
        assert ids(tmp_path, LINE, name) == ["q-1"]
    assert ids(tmp_path, json.dumps(ROW, indent=2)) == ["q-1"]


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\u0085", "\\u2028", "\\f", "\x7f"])
def test_odd_characters_inside_a_text(tmp_path, odd):
    line = LINE.replace("Q?", f"Q{odd}?")
    (item,) = load_items([write(tmp_path, line + "\n", "q.jsonl")])
    assert item.question.question == json.loads(line)["question"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f"{LINE}\n# a comment\n", r"line 2: not JSON \(Expecting value, column 1\); a comment is not a row"),
        (f"{LINE}\n// a comment\n", "line 2: not JSON .* a comment is not a row"),
        (f"{LINE[:-1]},}}\n{LINE}", "line 1: not JSON"),
        (f"{LINE}\n{LINE[:-9]}", "line 2: not JSON .*; the file ends in the middle of a row"),
        (f"{LINE}\n{LINE[:-9]}\n", r"line 2: not JSON \([^)]*\)$"),
        (f"{LINE}\n{LINE}{LINE}\n", "line 2: not JSON .Extra data"),
        (f"{LINE}\n\n[1]\n", "line 3: not an object"),
        (f'{LINE}\n"text"\n', "line 2: not an object"),
        (f"{LINE}\nNaN\n", "line 2: not an object"),
        (LINE[:-1] + ', "answer": "A"}', r"line 1: the key 'answer' occurs twice in one object \(\{\"question\": \"Q\?\"\} …\)"),
        (LINE.replace("Q?", "Q\t?"), "line 1: not JSON .Invalid control character"),
        (LINE.replace('"', "'"), "line 1: not JSON .Expecting property name enclosed in double quotes"),
        (f"{LINE}\n" + '{"a":' * 100_000, "line 2: not JSON .nested too deeply"),
        (f"{LINE}\n" + LINE.replace('"B"', "1" * 5000), "line 2: not JSON"),
        (LINE.replace('"B"', "NaN"), "line 1: 'answer' is empty"),
        (LINE.replace('"Q?"', "NaN"), "line 1: 'question' is missing or empty"),
        (LINE.replace('"Q?"', "7"), "line 1: 'question' is missing or no text"),
        (LINE.replace('"Q?"', '"\\ud800"'), "line 1: the text is not valid Unicode"),
        (LINE.replace("}", ', "Answer": "A"}'), "line 1: the column 'Answer' is there twice, spelt differently"),
        ("", "q.jsonl holds no questions"),
        ("\n\n", "q.jsonl holds no questions"),
        ("\x00", "line 1 holds a NUL character"),
    ],
)
def test_lines_that_are_no_rows(tmp_path, content, says):
    with pytest.raises(ConfigError, match=says) as raised:
        ids(tmp_path, content, "q.jsonl")
    assert len(raised.value.message) < 500


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (json.dumps(ROWS)[:-4], r"q\.json, line 1: not JSON"),
        (json.dumps(ROWS, indent=1).replace('"1"', "'1'"), r"q\.json, line 18: not JSON"),
        ([*ROWS, 4], "row 4: not an object"),
        ([*ROWS, ROWS[0]], "row 4: the id '0' was used before"),
        ([*ROWS, {**ROW, "options": ["x", "x"]}], "row 4: options A and B are the same"),
        ({"question": {"0": "Q?"}, "answer": {"0": "B"}}, "holds columns, not rows; .*orient='records'"),
        ({"question": ["Q?"], "answer": ["B"]}, "holds columns, not rows"),
        ({"train": ROWS, "test": ROWS}, r"holds several lists \(train, test\)"),
        ("7", "neither a list of questions nor an object with one"),
        ('"text"', "neither a list of questions nor an object with one"),
        ("null", "neither a list of questions nor an object with one"),
        ({"a": 1, "b": [2]}, "neither a list of questions nor an object with one"),
        ("[]", "q.json holds no questions"),
        ("{}", "neither a list of questions nor an object with one"),
        ('[{"id": 1, "id": 2}]', r"the key 'id' occurs twice in one object \(\{\"id\": 1\} …\)"),
        ("[" * 100_000, "not JSON .nested too deeply"),
        ("<html>", "line 1: not JSON"),
    ],
)
def test_documents_that_are_no_questions(tmp_path, content, says):
    with pytest.raises(ConfigError, match=says):
        ids(tmp_path, content)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (0, "0"),
        (7, "7"),
        (1.0, "1"),
        (0.0, "0"),
        (1.5, "1.5"),
        ("0", "0"),
        (" a b ", "a b"),
        (None, "q-1"),
        (float("nan"), "q-1"),
        ("", "q-1"),
        ("  ", "q-1"),
        ("nan", "q-1"),
        ("NaN", "q-1"),
        (10**30, str(10**30)),
    ],
)
def test_ids(tmp_path, given, read):
    assert ids(tmp_path, [{**ROW, "id": given}]) == [read]


@pytest.mark.parametrize("given", [True, False, [1], {"a": 1}, float("inf"), "\ud800"])
def test_ids_that_are_none(tmp_path, given):
    with pytest.raises(ConfigError, match=r"row 1: ('id' must be a text or a number|id is not valid Unicode)"):
        ids(tmp_path, [{**ROW, "id": given}])


def test_ids_that_become_equal_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"row 2: the id '1' was used before \(.*row 1\)"):
        ids(tmp_path, [{**ROW, "id": 1.0}, {**ROW, "id": "1"}])
    assert ids(tmp_path, [{**ROW, "id": 0}, {**ROW, "id": None}, {**ROW, "id": float("nan")}]) == ["0", "q-2", "q-3"]


@pytest.mark.parametrize(("given", "read"), [("law", "law"), (0, "0"), (None, "other"), (float("nan"), "other"), ("", "other"), (2.0, "2")])
def test_domains(tmp_path, given, read):
    (item,) = load_items([write(tmp_path, json.dumps({**ROW, "domain": given}), "q.json")])
    assert item.question.domain == read


def test_files_of_one_name_do_not_share_ids(tmp_path):
    paths = []
    for folder in ("law", "math"):
        (tmp_path / folder).mkdir()
        paths.append(write(tmp_path / folder, LINE, "test.jsonl"))
    assert [item.id for item in load_items(paths)] == ["law-test-1", "math-test-1"]
    assert [item.id for item in load_items(paths[:1])] == ["test-1"]


BAD = [
    {"options": ["x", "x"]},
    {"options": []},
    {"options": ["x"]},
    {"question": " "},
    {"answer": "C"},
    {"answer": None},
    {"options": [str(number) for number in range(27)]},
    {"id": "0"},
    {"options": None},
    {"question": None},
    {"options": ["x", "", "y"]},
    {"answer": "7"},
]


@pytest.mark.parametrize("change", BAD)
def test_the_first_bad_row_stops_with_its_place_and_what_to_do(tmp_path, change):
    content = "\n".join(map(json.dumps, [ROWS[0], {**ROW, **change}, {**ROW, "options": ["z", "z"]}]))
    with pytest.raises(ConfigError, match=r"q\.jsonl, line 2: .*; --skip-bad skips such rows$"):
        ids(tmp_path, content, "q.jsonl")


def test_bad_rows_are_passed_over_counted_and_listed(tmp_path):
    content = "\n".join([*map(json.dumps, [ROWS[0], *({**ROW, **change} for change in BAD), ROWS[1]]), "[]"])
    skipped = Skipped()
    path = write(tmp_path, content, "q.jsonl")
    assert [item.id for item in load_items([path], skipped=skipped)] == ["0", "1"]
    assert skipped.total == len(BAD) + 1
    first, *rows, last = skipped.sentences()
    assert first == "skipped 13 rows that are not questions:"
    assert [row.split(":")[0] for row in rows] == [f"  {path}, line {number}" for number in range(2, 12)]
    assert rows[0].endswith("line 2: options A and B are the same")
    assert last == "  … and 3 more"


def test_the_commands_list_what_they_pass_over_on_standard_error(tmp_path, capsys):
    path = write(tmp_path, "\n".join(map(json.dumps, [ROWS[0], {**ROW, "options": ["x", "x"]}])), "q.jsonl")
    assert len(Questions([str(path)], ["question=Question"], skip_bad=True).load()) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"skipped 1 row that is not a question:\n  {path}, line 2: options A and B are the same\n")
    Questions([str(write(tmp_path, json.dumps(ROW), "good.jsonl"))], (), skip_bad=True).load()
    assert capsys.readouterr().err == ""
    with pytest.raises(ConfigError, match="options A and B"):
        Questions([str(path)]).load()


def test_what_is_not_passed_over(tmp_path):
    skipped = Skipped()
    for content, says in (
        (f"{LINE}\n{{broken\n", "line 2: not JSON"),
        (json.dumps({**ROW, "answer": "Z"}), r"q\.jsonl holds no questions \(.*line 1: 'answer' must be one of"),
    ):
        with pytest.raises(ConfigError, match=says):
            load_items([write(tmp_path, content, "q.jsonl")], skipped=skipped)
