"""CSV and TSV: the right rows, or one sentence with file and line; never a traceback, never other rows."""

import csv
import gzip
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.errors import ConfigError
from app.data.dataset import Skipped, load_items

HEADER = ["question", "A", "B", "answer"]


def write(tmp_path, content, name="q.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def load(tmp_path, content, name="q.csv"):
    return [(item.question.question, item.question.options, item.gold) for item in load_items([write(tmp_path, content, name)])]


def refused(tmp_path, content, says, name="q.csv"):
    with pytest.raises(ConfigError, match=says) as raised:
        load(tmp_path, content, name)
    assert "\n" not in raised.value.message
    assert len(raised.value.message) < 600


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_line_ends_and_marks(tmp_path, delimiter, end, mark):
    out = io.StringIO(newline="")
    table = csv.writer(out, delimiter=delimiter, lineterminator=end)
    rows = [("One, two; three|four\tfive?", "a,b", "c;d", "A"), ('He said "hi"\nand left', "x|y", "z\tz", "B")]
    table.writerows([HEADER, *rows])
    for name in ("q.csv", "q.tsv"):
        assert load(tmp_path, mark + out.getvalue(), name) == [(row[0], (row[1], row[2]), row[3]) for row in rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_that_can_be_told(tmp_path, encoding):
    text = "question;A;B;answer\nҚазақстан астанасы?;Астана;Алматы;A\n"
    assert load(tmp_path, text.encode(encoding)) == [("Қазақстан астанасы?", ("Астана", "Алматы"), "A")]
    assert load(tmp_path, gzip.compress(text.encode(encoding)), "q.csv.gz") == [("Қазақстан астанасы?", ("Астана", "Алматы"), "A")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "question,A,B,answer\nQ?,x,y,A\nCafé?,x,y,A\n".encode("latin-1"),
            r"q\.csv, line 3 is not UTF-8 \(the byte 0xe9\): save the file as UTF-8",
        ),
        ("question,A,B,answer\nСколько?,x,y,A\n".encode("cp1251"), r"line 2 is not UTF-8"),
        ("question,A,B,answer\n".encode("utf-16-le"), "line 1 holds a NUL character: save the file as UTF-8"),
        (b"\xff\xfeq\x00u", "line 1 is not UTF-16"),
        (b"\xff\xfeq\x00u\x00\x00", "line 1 is not UTF-16"),
        (b"question,A,B,answer\nQ\x00?,x,y,A\n", "line 2 holds a NUL character"),
        (b"PK\x03\x04\x14\x00\x06\x00", "line 1 holds a NUL character"),
        (b"question,A,B,answer\nQ?,x,y,A\n\xe2\x80", "line 3 is not UTF-8"),
    ],
)
def test_other_encodings_are_refused_with_the_line(tmp_path, content, says):
    refused(tmp_path, content, says)


@pytest.mark.parametrize("broken", ["", "\x1f\x8b", "gz"])
def test_a_damaged_archive(tmp_path, broken):
    content = gzip.compress(b"question,A,B,answer\nQ?,x,y,A\n" * 50)
    content = {"": b"plain text", "\x1f\x8b": b"\x1f\x8b\x08rest", "gz": content[:-30]}[broken]
    refused(tmp_path, content, r"q\.csv\.gz cannot be read \(", "q.csv.gz")


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x0c", "\x0b", "\x85", "\x1c", "\x1e"])
def test_no_line_ends_but_those_of_csv(tmp_path, odd):
    for question in (f"Q{odd}A?", f'"Q{odd}A?"'):
        assert load(tmp_path, f"question,A,B,answer\n{question},x,y,B\nNext?,x,y,A\n") == [
            (f"Q{odd}A?", ("x", "y"), "B"),
            ("Next?", ("x", "y"), "A"),
        ]


def test_long_cells(tmp_path):
    long = "word " * 60_000 + "?"
    assert load(tmp_path, f'question,A,B,answer\n"{long}",x,y,B\n') == [(long, ("x", "y"), "B")]


@pytest.mark.parametrize(
    "text",
    [
        'question,A,B,answer\nFine?,x,y,A\n"Broken?,x,y,B\nNext?,x,y,A\n',
        'question,A,B,answer\nFine?,x,y,A\n"Broken?,x,y,B\n"Next?",x,y,A\n',
        'question,A,B,answer\nFine?,x,y,A\n"Broken?,x,y,B\nNext?,"x",y,A\n',
        'question,A,B,answer\nFine?,x,y,A\nBroken?,"x,y,B\nNext?,x,y,A\n',
        'question,A,B,answer\nFine?,x,y,A\nBroken?,x,"y,B\nNext?,x,y","z",A\n',
        'question,A,B,answer\nFine?,x,y,A\n"Broken? "really"",x,y,B\n',
        'question,A,B,answer\nFine?,x,y,A\n"Broken" it?,x,y,B\n',
        'question,A,B,answer\nFine?,x,y,A\n"Broken?,x,y,B\nNext?",x,y,A\nThird?,x,y,A\n',
    ],
)
def test_a_lost_quote_is_named_by_the_line_in_which_its_row_begins(tmp_path, text):
    refused(tmp_path, text, r"q\.csv, line 3: .*(quote|cells)")


@pytest.mark.parametrize(
    "question",
    [
        "First line\nsecond line",
        "What does f(x,y) do,\nand g,h,A?",
        "f(x,y,A\n",
        "Given:\na, b, c\nd, e",
        "f(a,b,c)\nreturns?",
        '"quoted"\n, and more',
        "A\r\nB",
        "if x,\n  y,\n  z",
    ],
)
def test_line_breaks_and_delimiters_inside_quotes_are_text(tmp_path, question):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([HEADER, [question, "x", "y", "A"], ["Next?", "x", "y", "B"]])
    assert [row[0] for row in load(tmp_path, out.getvalue())] == [question, "Next?"]


def test_a_row_behind_line_breaks_is_named_by_its_line(tmp_path):
    refused(tmp_path, 'question,A,B,answer\n"one\ntwo\nthree",x,y,A\nNext?,x,x,A\n', r"q\.csv, line 5: options A and B are the same")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("question,A,B,answer\nQ?,x,y\n", "line 2: the row has 3 cells, the header has 4"),
        ("question,A,B,answer\nQ?,x,y,A\nQ?,x, y, z,A\n", "line 3: the row has 5 cells, the header has 4"),
        ("question,A,B,answer\nQ?\n", "line 2: the row has 1 cells"),
        ("question,answer,A,B,C\nQ?,A,x y,z\n", "line 2: the row has 4 cells, the header has 5"),
        ("question,A,b,B,answer\nQ?,x,y,z,A\n", "line 1: the column 'B' occurs twice in the header"),
        ("Question,question ,A,B,answer\nQ?,Q?,x,y,A\n", "line 1: the column 'question' occurs twice"),
        ("question,A,B,answer\n", "q.csv holds no questions"),
        ("question,A,B,answer", "q.csv holds no questions"),
        ("", "q.csv holds no questions"),
        ("\ufeff\n \n", "q.csv holds no questions"),
        ("what,A,B,right\nQ?,x,y,A\n", r"no column of the header is the question \(what, A, B, right\); name the columns with --map"),
        ("just a text\n", "no column of the header is the question"),
        ('"what\nis",\x1b[2J,A\n', r"no column of the header is the question \(what is, \?\[2J, A\)"),
        ("question\nQ?\n", "line 2: 'options' is missing"),
        ("question,A,B\nQ?,x,y\n", "line 2: 'answer' is missing"),
        ('"question,A,B,answer\nQ?,x,y,A\n', "line 1: a quoted cell of this row does not end"),
    ],
)
def test_tables_that_are_none(tmp_path, text, says):
    refused(tmp_path, text, says)


def test_what_spreadsheets_add_is_passed_over(tmp_path):
    wanted = [("Q?", ("x", "y"), "B")]
    assert load(tmp_path, "sep=;\nquestion;A;B;answer\nQ?;x;y;B\n") == wanted
    assert load(tmp_path, "question,A,B,answer,,\nQ?,x,y,B,,\n,,,,,\n\n") == wanted
    assert load(tmp_path, 'question, A, B, answer\n"Q?", "x", "y", "B"\n') == wanted
    assert load(tmp_path, ",question,A,B,answer\n0,Q?,x,y,B\n") == wanted
    refused(tmp_path, "sep=;\nquestion;A;B;answer\nQ?;x;x;B\n", "line 3: options A and B")


def test_a_table_of_mmlu_has_no_header(tmp_path):
    text = 'Sum of 2 and 3?,4,5,6,7,B\n"Which, of these?",a,b,c,d,D\n'
    items = load_items([write(tmp_path, text, "algebra_test.csv")])
    assert [(item.id, item.gold, item.question.options[1]) for item in items] == [
        ("algebra_test-1", "B", "5"),
        ("algebra_test-2", "D", "b"),
    ]
    refused(tmp_path, text + "Short?,a,b,c,A\n", "line 3: the row has 5 cells, the header has 6")


@pytest.mark.parametrize(
    "cell", ['["x", "y"]', "['x', 'y']", '{"A": "x", "B": "y"}', "{'text': ['x', 'y'], 'label': ['A', 'B']}", '{"text": ["x", "y"]}']
)
def test_options_in_one_cell(tmp_path, cell):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["question", "choices", "answerKey"], ["Q?", cell, "B"]])
    assert load(tmp_path, out.getvalue()) == [("Q?", ("x", "y"), "B")]


@pytest.mark.parametrize(
    "cell", ["['x' 'y']", "array(['x', 'y'])", "x;y", "[" * 100_000, "[1,", "{'text': array(['x', 'y'], dtype=object)}"]
)
def test_a_cell_that_is_no_list_of_options(tmp_path, cell):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["question", "choices", "answerKey"], ["Q?", cell, "B"]])
    refused(tmp_path, out.getvalue(), "line 2: ('options' must be|options must be 2 to 26)")


NASTY = st.lists(st.sampled_from([*"ab,;\"'\t|\n\r \u2028\x0c\ufeff=éA", "\r\n", ',A\n"']), min_size=1, max_size=12).map("".join)


@given(rows=st.lists(st.tuples(NASTY, st.sampled_from("AB")), min_size=1, max_size=5), delimiter=st.sampled_from(",;\t|"))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_csv_writer_wrote_is_read_as_it_was_or_refused(tmp_path, rows, delimiter):
    out = io.StringIO(newline="")
    asked = [f"Q{number}{text}?" for number, (text, _) in enumerate(rows)]
    table = csv.writer(out, delimiter=delimiter)
    table.writerow(HEADER)
    table.writerows([question, "x", "y", answer] for question, (_, answer) in zip(asked, rows, strict=True))
    path = tmp_path / "q.csv"
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    try:
        items = load_items([path])
    except ConfigError as error:
        # Two lines that are whole rows by themselves may be text, but look as if a quote was lost.
        assert "a quote seems to be lost" in error.message  # noqa: PT017
        return
    assert [(item.question.question, item.gold) for item in items] == [
        (text, answer) for text, (_, answer) in zip(asked, rows, strict=True)
    ]


@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.lists(
            st.sampled_from(['"', "{", "}", "[", "]", ":", ",", "\n", "question", "A", "B", "answer", "1", "NaN", "\\", "\x00", " "]),
            max_size=40,
        ).map(lambda parts: "".join(parts).encode()),
        st.lists(st.sampled_from(["Q", ",", '"', "A", "\n", "\r", ";"]), max_size=30).map(
            lambda parts: ("question,A,B,answer\n" + "".join(parts)).encode()
        ),
    ),
    ending=st.sampled_from(["csv", "tsv", "json", "jsonl", "csv.gz"]),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_is_rows_or_a_sentence(tmp_path, content, ending):
    path = tmp_path / f"q.{ending}"
    path.write_bytes(content)
    for skipped in (None, Skipped()):
        try:
            load_items([path], skipped=skipped)
        except ConfigError as error:
            assert str(path) in error.message  # noqa: PT017


@pytest.mark.parametrize("first", ['"q1,red,blue,green,red\nq2",up,down,left,up\n', 'q1,red,"blue,green,red\nq2,up,down",left,up\n'])
def test_a_lost_quote_is_found_where_the_answers_are_texts(tmp_path, first):
    path = tmp_path / "q.csv"
    path.write_text("question,A,B,C,answer\n" + first + "q3,x,y,z,x\n")
    with pytest.raises(ConfigError, match=r"line 2: a quote seems to be lost"):
        load_items([path])
