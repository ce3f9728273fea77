"""The marked parts of an answer: what each kind names, where two disagree, and how much of a text is looked at."""

import json

import pytest

from app.cloud.parse import parse_letter
from app.core.errors import CloudUnparsable
from app.core.question import Question

CITIES = Question("Capital of France?", ("Berlin", "Paris", "Rome", "Oslo"))
NUMBERS = Question("How many?", ("1", "2", "3", "4"))


def read(reply, question=CITIES, *, cut=False):
    try:
        return parse_letter(reply, question, cut=cut)
    except CloudUnparsable:
        return None


TAG, PAIR, BOX = "<answer>B</answer> ", 'so "answer": "B" and ', "\\boxed{B} "
BOX_TOKEN = "<|begin_of_box|>B<|end_of_box|> "


@pytest.mark.parametrize("part", [TAG, PAIR, BOX, BOX_TOKEN], ids=["tag", "pair", "box", "token"])
def test_forty_parts_are_an_answer_and_one_more_is_none(part):
    assert read("It follows. " + part * 40) == "B"
    assert read("It follows. " + part * 41) is None


@pytest.mark.parametrize("part", [TAG, PAIR, BOX, BOX_TOKEN], ids=["tag", "pair", "box", "token"])
def test_two_parts_that_disagree_are_none(part):
    assert (
        read(
            "First " + part + "then " + part.replace("B", "C", 1)
            if part is not BOX_TOKEN
            else "First " + part + "<|begin_of_box|>C<|end_of_box|>"
        )
        is None
    )
    assert read("First " + part + "then " + part) == "B"


@pytest.mark.parametrize(
    ("decoded", "letter"),
    [
        ({"answer": "B"}, "B"),
        ({"answer": ["B"]}, "B"),
        ({"answer": ["B", "C"]}, None),
        ({"answer": []}, None),
        ({"answer": {"letter": "B"}}, "B"),
        ({"answer": {"letter": "B", "text": "Paris"}}, "B"),
        ({"answer": {"letter": "B", "text": "Rome"}}, None),
        ({"answer": {"text": "Paris"}}, "B"),
        ({"answer": {"value": "Paris"}}, "B"),
        ({"answer": {"content": "Paris"}}, "B"),
        ({"answer": {"text": 3}}, None),
        ({"answer": {"note": "Paris"}}, None),
        ({"answer": {}}, None),
        ({"answer": None}, None),
        ({"answer": True}, None),
        ({"answer": 2}, None),
        ({"answer": "E"}, None),
        ({"Final Answer": "B"}, "B"),
        ({"final_answer": "B"}, "B"),
        ({"correct-option": "B"}, "B"),
        ({"wrong_answer": "B"}, None),
        ({"answer": "B", "option_text": "Paris"}, "B"),
        ({"answer": "B", "option_text": "Rome"}, None),
        ({"answer": "B", "option_text": "a city"}, "B"),
        ({"answer": "B", "note": "Rome"}, "B"),
        ({"steps": [{"answer": "B"}]}, "B"),
        ({"steps": [{"answer": "B"}, {"answer": "C"}]}, None),
        ({"steps": [{"note": "C"}], "answer": "B"}, "B"),
        ({"result": {"answer": "B"}}, "B"),
        ([{"answer": "B"}], "B"),
        ([], None),
        ({}, None),
        ({"x" * 60: "C", "answer": "B"}, "B"),
    ],
)  # fmt: skip
def test_json_names_what_stands_under_its_names(decoded, letter):
    text = json.dumps(decoded)
    assert read(text) == letter
    assert read(f"```json\n{text}\n```") == letter
    if isinstance(decoded, dict) and decoded:
        assert read(f"The result is this object:\n{text}\nThat is all.") == letter


def test_a_number_in_json_is_an_option_that_is_a_number():
    assert read('{"answer": 2}', NUMBERS) == "B"
    assert read('{"answer": 2.0}', NUMBERS) is None
    assert read('{"answer": true}', NUMBERS) is None
    assert read('{"answer": 7}', NUMBERS) is None


def test_an_object_with_a_name_twice_is_none():
    assert read('{"answer": "B", "answer": "C"}') is None


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("<answer>B", None),
        ("<answer>B</answer>", "B"),
        ("<answer>B</answer>\nBecause", "B"),
        ("<choice>B</choice> <answer>C", None),
        ('{"answer": "B"}', "B"),
        ('{"answer": "B", "why": "Par', "B"),
        ("\\boxed{B}", "B"),
        ("\\boxed{B", None),
    ],
)
def test_a_part_of_a_cut_text_must_be_whole(reply, letter):
    assert read(reply, cut=True) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("<answer>B", "B"),
        ("<answer></answer>", None),
        ("<answer> </answer>\n\nFinal answer: B", "B"),
        ("<answer>The answer is B.</answer>", "B"),
        ("<answer>The answer is B. The answer is C.</answer>", None),
        ("<answer>Who knows</answer>", None),
        ("<answer>Who knows</answer> B", None),
        ("<answer>B</answer> <choice>B</choice>", "B"),
        ("<answer>B</answer> <choice>C</choice>", None),
        ("<answer>E</answer>", None),
        ("<option>Paris</option>", "B"),
        ("<response><b>B</b></response>", "B"),
        ("<b><i>Final answer:</i> B</b>", "B"),
        ("<div class='x'>Final answer: <span style='a'>B</span></div>", "B"),
        ("Final answer: <strong>B</strong>", "B"),
        ("Final answer: <em>B", "B"),
    ],
)  # fmt: skip
def test_tags(reply, letter):
    assert read(reply) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("\\boxed{B}", "B"),
        ("\\fboxed{B}", "B"),
        ("\\boxed {B}", "B"),
        ("\\boxed{\\text{B}}", "B"),
        ("\\boxed{\\textbf{(B)}}", "B"),
        ("\\boxed{\\text{B. Paris}}", "B"),
        ("\\boxed{Paris}", "B"),
        ("\\boxed{A, B}", None),
        ("\\boxed{A \\text{ or } B}", None),
        ("\\boxed{A \\text{ and } B} Final answer: B", None),
        ("\\boxed{AB + B} Final answer: B", "B"),
        ("\\boxed{B, B} Final answer: B", "B"),
        ("\\boxed{E}", None),
        ("\\boxed{42}\n\nFinal answer: B", "B"),
        ("\\boxed{42}", None),
        ("not \\boxed{B}", None),
        ("It cannot be \\boxed{A}. It is \\boxed{B}", None),
        ("\\boxed{B", "B"),
        ("It is \\boxed{B", None),
        ("\\boxed{" + "x" * 599 + "}\n\nFinal answer: B", "B"),
        ("\\boxed{{{B}}}", "B"),
        ("<|begin_of_box|>B<|end_of_box|>", "B"),
        ("<|begin_of_box|>Paris<|end_of_box|>", "B"),
        ("<|begin_of_box|>A or B<|end_of_box|>", None),
        ("<|begin_of_box|>B", None),
        ("<|begin_of_box|>" + "x" * 700 + "<|end_of_box|>\n\nFinal answer: B", "B"),
        ("Final answer: A. \\boxed{B}", None),
    ],
)  # fmt: skip
def test_boxes(reply, letter):
    assert read(reply) == letter


def test_the_number_of_a_measure_is_read_in_a_box_and_behind_a_claim():
    speeds = Question("How fast?", ("60 km/h", "75 km/h", "80 km/h"))
    mixed = Question("How fast?", ("60 km/h", "75 m/s", "80 km/h"))
    for reply in ("\\boxed{80}", "The answer is 80.", "Final answer: **80**"):
        assert read(reply, speeds) == "C"
        assert read(reply, mixed) is None
    assert read("80", speeds) is None
    assert read("\\boxed{81}", speeds) is None


def test_a_fence_around_the_whole_is_no_part_of_it():
    assert read("```\nB\n```") == "B"
    assert read("```text\nFinal answer: B\n```") == "B"
    assert read("```python\nx = 1\n```\nFinal answer: B") == "B"
