"""What an answer means: every way to write it, and that nothing is guessed where a file does not say."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.errors import ConfigError
from app.data.dataset import Skipped, load_items
from app.data.readers.mapping import PLAIN, parse_map

CITIES = ["London", "Paris", "Rome", "Oslo"]


def load(tmp_path, rows, columns=PLAIN, skipped=None):
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(json.dumps({"question": f"Question {number}?", **row}) for number, row in enumerate(rows)))
    return load_items([path], columns=columns, skipped=skipped)


def golds(tmp_path, rows, columns=PLAIN, skipped=None):
    return "".join(item.gold for item in load(tmp_path, rows, columns, skipped))


def with_options(*answers, options=CITIES, key="answer", **more):
    return [{"options": options, key: answer, **more} for answer in answers]


@pytest.mark.parametrize(
    "answer",
    ["B", "b", " B ", "B.", "(B)", "[B]", "B)", "B:", "(b)", "Ｂ", "Paris", " paris ", "PARIS", "B. Paris", "(B) Paris", "b) paris", ["B"]],
)
def test_ways_to_write_an_answer(tmp_path, answer):
    assert golds(tmp_path, with_options(answer)) == "B"


@pytest.mark.parametrize(
    "answer", ["E", "e.", "Berlin", "AB", "B and C", "B. Rome", 7, -3, "4.5", 1.5, True, {"a": 1}, ["A", "B"], "В", "(Z)", "?"]
)
def test_an_answer_that_is_no_option_is_a_bad_row(tmp_path, answer):
    with pytest.raises(ConfigError, match=r"q\.jsonl, line 1: 'answer' must be one of the letters A to D"):
        load(tmp_path, with_options(answer))


@pytest.mark.parametrize("answer", [None, "", "  ", float("nan"), -1, "-1", -1.0, []])
def test_a_row_without_an_answer_is_no_question(tmp_path, answer):
    with pytest.raises(ConfigError, match="'answer' is empty: the row has no answer"):
        load(tmp_path, with_options(answer))
    with pytest.raises(ConfigError, match="'answer' is missing"):
        load(tmp_path, [{"options": CITIES}])


def test_a_look_alike_letter_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"it is 'В' \(cyrillic capital letter ve\)"):
        load(tmp_path, with_options("В"))


@pytest.mark.parametrize(
    ("answers", "letters"),
    [
        ([0, 1, 2, 3], "ABCD"),
        ([1, 2, 3, 4], "ABCD"),
        ([2, 3, 4], "BCD"),
        (["3", "0"], "DA"),
        (["3", "4"], "CD"),
        ([1.0, 0.0], "BA"),
        (["1.0", "4.0"], "AD"),
    ],
)
def test_numbers_count_from_where_the_file_shows(tmp_path, answers, letters):
    assert golds(tmp_path, with_options(*answers)) == letters


@pytest.mark.parametrize("answers", [[1], [2, 3], ["1", "2"], [1.0]])
def test_numbers_that_could_count_from_either_are_refused_with_what_to_say(tmp_path, answers):
    rows = with_options(*answers)
    with pytest.raises(ConfigError, match=r"whether the first option is 0 or 1; add --map answer=answer:0 or --map answer=answer:1"):
        load(tmp_path, rows)
    with pytest.raises(ConfigError, match="whether the first option is 0 or 1"):
        # Passing over all of them would leave whatever happens to be readable.
        load(tmp_path, rows, skipped=Skipped())
    at = [int(float(answer)) for answer in answers]
    assert golds(tmp_path, rows, parse_map(["answer=answer:0"])) == "".join("ABCD"[place] for place in at)
    assert golds(tmp_path, rows, parse_map(["answer=answer:1"])) == "".join("ABCD"[place - 1] for place in at)


@pytest.mark.parametrize("skipped", [None, Skipped()])
def test_rows_that_contradict_each_other_about_counting_stop_the_file(tmp_path, skipped):
    with pytest.raises(ConfigError, match=r"line 3: 'answer' is 4, which counts the options from 1, but .*line 1 counts from 0"):
        load(tmp_path, with_options(0, 2, 4), skipped=skipped)


@pytest.mark.parametrize(("cops", "letters"), [([0, 1, 3], "ABD"), ([1, 2, 4], "ABD"), (["1", "4"], "AD"), (["a", "d"], "AD")])
def test_medmcqa_is_read_by_its_numbers(tmp_path, cops, letters):
    row = dict(zip(("opa", "opb", "opc", "opd"), CITIES, strict=True))
    assert golds(tmp_path, [{**row, "cop": cop} for cop in cops]) == letters


@pytest.mark.parametrize("cops", [[1, 2, 3], [2], ["3"]])
def test_medmcqa_without_a_0_and_a_4_is_refused(tmp_path, cops):
    row = dict(zip(("opa", "opb", "opc", "opd"), CITIES, strict=True))
    with pytest.raises(ConfigError, match="add --map answer=cop:0 or --map answer=cop:1"):
        load(tmp_path, [{**row, "cop": cop} for cop in cops])


def test_a_layout_that_counts_from_0_is_refused_where_a_row_counts_from_1(tmp_path):
    rows = [{"subject": "law", "choices": CITIES, "answer": answer} for answer in (1, 2, 4)]
    assert golds(tmp_path, rows[:2]) == "BC"
    for skipped in (None, Skipped()):
        with pytest.raises(ConfigError, match="line 3: 'answer' is 4, but in this layout the first option is 0"):
            load(tmp_path, rows, skipped=skipped)
    skipped = Skipped()
    assert golds(tmp_path, rows, parse_map(["answer=answer:0"]), skipped) == "BC"
    assert skipped.total == 1


def test_letters_among_the_options_are_settled_by_the_rest_of_the_file(tmp_path):
    elements = {"options": ["C", "N", "O", "H"], "answer": "C"}
    assert golds(tmp_path, [elements, *with_options("B")]) == "CB"
    assert golds(tmp_path, [elements, *with_options("Paris")]) == "AB"
    for rows in ([elements], [elements, *with_options("B", "Paris")]):
        with pytest.raises(
            ConfigError, match=r"which can mean option A \(as its text, --map answer=answer:text\) or option C \(as a letter"
        ):
            load(tmp_path, rows)
    assert golds(tmp_path, [elements], parse_map(["answer=answer:text"])) == "A"
    assert golds(tmp_path, [elements], parse_map(["answer=answer:letter"])) == "C"


def test_numbers_among_the_options_are_settled_by_the_rest_of_the_file(tmp_path):
    sums = {"options": ["3", "2", "1", "5"], "answer": "2"}
    texts = {"options": ["10", "20", "30", "40"], "answer": "40"}
    assert golds(tmp_path, [sums, texts]) == "BD"
    assert golds(tmp_path, [sums, *with_options("0")]) == "CA"
    with pytest.raises(ConfigError, match="which can mean option B"):
        load(tmp_path, [sums])


def test_a_number_is_no_place_where_the_answers_are_texts(tmp_path):
    """An answer of 0 that is none of the options must not become A."""
    rows = [{"options": ["10", "20", "30", "40"], "answer": "40"}, {"options": ["7", "8", "9", "5"], "answer": "0"}]
    rows += [{"options": ["3", "2", "1", "5"], "answer": "2"}]
    skipped = Skipped()
    assert golds(tmp_path, rows, skipped=skipped) == "DB"
    assert "'answer' is '0', no option's text as in" in skipped.first[0]


def test_numbers_beside_letters_and_texts(tmp_path):
    rows = with_options("B.", "(C)", 1, "Rome", "d")
    with pytest.raises(ConfigError, match="line 3: 'answer' is 1, and nothing in the file shows"):
        load(tmp_path, rows)
    assert golds(tmp_path, rows, parse_map(["answer=answer:0"])) == "BCBCD"
    assert golds(tmp_path, rows, parse_map(["answer=answer:1"])) == "BCACD"
    assert golds(tmp_path, [*rows, *with_options(0)]) == "BCBCDA"
    assert golds(tmp_path, [*rows, *with_options(4)]) == "BCACDD"
    numbers = [{"options": [10, 20, 30, 40], "answer": 40}, {"options": [3, 2, 1, 5], "answer": 2}]
    assert golds(tmp_path, numbers) == "DB"


def test_minus_one_may_be_the_text_of_an_option(tmp_path):
    for value in ("-1", -1):
        assert golds(tmp_path, [{"options": ["0", "1", "-1"], "answer": value}]) == "C"


def test_labels_beside_the_options_name_them(tmp_path):
    labelled = {"choices": {"text": CITIES, "label": ["1", "2", "3", "4"]}}
    assert golds(tmp_path, [{**labelled, "answerKey": key} for key in ("1", 2, "(3)", "4", "D", "Paris")]) == "ABCDDB"
    with pytest.raises(ConfigError, match="must be one of"):
        load(tmp_path, [{**labelled, "answerKey": "0"}])
    assert golds(tmp_path, [{"choices": {"text": CITIES, "label": ["D", "C", "B", "A"]}, "answerKey": "A"}]) == "D"
    turned = {"choices": {"text": CITIES, "label": ["D", "C", "B", "A"]}, "answer": "A"}
    assert golds(tmp_path, [turned, *with_options("B")]) == "DB"
    crossed = {"choices": {"text": ["y", "x"], "label": ["x", "y"]}, "answer": "x"}
    assert golds(tmp_path, [crossed]) == "A"
    with pytest.raises(ConfigError, match=r"which can mean option B .as its text.* or option A .as its label"):
        load(tmp_path, [crossed, *with_options("Paris")])
    assert golds(tmp_path, [{"options": {"D": "Oslo", "A": "London", "B": "Paris", "C": "Rome"}, "answer": "C"}]) == "C"
    assert golds(tmp_path, [{"options": [{"key": "A", "value": "x"}, {"key": "B", "value": "y"}], "answer": "y", "answer_idx": "B"}]) == "B"


@pytest.mark.parametrize("answer", [0, "0"])
@pytest.mark.parametrize(
    "marked",
    [
        {"choices": {"text": ["iron", "wood"], "label": [1, 0]}},
        {"options": [{"text": "iron", "label": "1"}, {"text": "wood", "label": "0"}]},
    ],
)
def test_a_label_0_that_may_be_a_truth_value_names_no_option_by_itself(tmp_path, marked, answer):
    """Truth values mark the first of two options as correct; the answer 0 is its number, and the label of the other one."""
    row = {**marked, "answer": answer}
    with pytest.raises(ConfigError, match=r"can mean option B .as its label, .* or option A .counted from 0"):
        load(tmp_path, [row])
    # The same file has rows whose truth values and numbers agree: they prove nothing.
    agreeing = {"choices": {"text": ["wood", "iron"], "label": [0, 1]}, "answer": 1}
    skipped = Skipped()
    assert golds(tmp_path, [row, agreeing], skipped=skipped) == "B"
    assert skipped.total == 1
    assert golds(tmp_path, [row], parse_map(["answer=answer:0"])) == "A"
    assert golds(tmp_path, [row], parse_map(["answer=answer:label"])) == "B"
    assert golds(tmp_path, [{**marked, "answer": 1}, {**marked, "answer": "A"}, {**marked, "answer": "wood"}]) == "AAB"


@pytest.mark.parametrize(
    "options",
    [
        {"iron": 1, "wood": 0},
        {"4": 0, "5": 1, "6": 0},
        {"iron": True, "wood": False},
        [{"key": "iron", "value": 1}, {"key": "wood", "value": 0}],
    ],
)
def test_truth_values_beside_the_texts_are_no_options(tmp_path, options):
    with pytest.raises(ConfigError, match="'options' holds truth values"):
        load(tmp_path, [{"options": options, "answer": "iron"}])
    assert golds(tmp_path, [{"options": {"A": 0, "B": 1}, "answer": "B"}, {"options": {"1": 1, "2": 0}, "answer": "1"}]) == "BA"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"options": {"A": "x", "B": "y"}, "answer": "x", "answer_idx": "B"}, "'answer' means A, 'answer_idx' means B"),
        ({"options": CITIES, "answer": "B", "answer_index": 2}, "'answer' means B, 'answer_index' means C"),
        ({"options": CITIES, "answer": "E", "answer_index": 2}, "'answer' must be one of"),
        ({"options": {"text": CITIES, "label": ["A", "B"]}, "answer": "A"}, "4 options have 2 labels"),
        ({"options": {"text": ["x", "y"], "label": ["A", "A"]}, "answer": "A"}, "labels of the options must be different"),
        ({"mc1_targets": {"choices": ["x", "y"], "labels": [1, 1]}}, "2 of the options are marked"),
        ({"mc1_targets": {"x": 0, "y": 0}}, "0 of the options are marked"),
        ({"options": [["x"], ["y"]], "answer": "A"}, "'options' must be a list of texts; option 1"),
        ({"options": [{"a": 1}, {"a": 2}], "answer": "A"}, "its objects hold a"),
        ({"options": "x|y", "answer": "A"}, "'options' must be a list of texts, not"),
        ({"options": "[x, y", "answer": "A"}, "is no list in JSON"),
        ({"answer": "A"}, "'options' is missing"),
        ({"a": "x", "b": "y", "d": "z", "answer": "A"}, "option C is blank"),
    ],
)
def test_rows_that_say_two_things_or_none(tmp_path, row, says):
    with pytest.raises(ConfigError, match=says):
        load(tmp_path, [row])


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["x", "y", None, None], 2),
        (["x", "y", "", " "], 2),
        (["x", "y", float("nan")], 2),
        (["x", "y", "N/A", "n/a"], 2),
        (["x", "y", "N/A", None], 3),
        (["x", "y", "z", "N/A"], 4),
        ({"A": "x", "B": "y", "C": None}, 2),
        ({"text": ["x", "y", None], "label": ["A", "B", None]}, 2),
        ([1, 2, None], 2),
        (["x", "None"], 2),
        ([True, False], 2),
    ],
)
def test_padding_at_the_end_is_no_option(tmp_path, options, count):
    (item,) = load(tmp_path, [{"options": options, "answer": "B"}])
    assert len(item.question.options) == count
    with pytest.raises(ConfigError, match="must be one of the letters"):
        load(tmp_path, [{"options": options, "answer": "ABCDE"[count]}])


@pytest.mark.parametrize("options", [["x", None, "y"], ["x", "", "y"], {"A": "x", "B": None, "C": "y"}])
def test_a_hole_between_options_is_refused(tmp_path, options):
    with pytest.raises(ConfigError, match="option B is blank"):
        load(tmp_path, [{"options": options, "answer": "C"}])


def test_options_of_which_the_first_is_correct_are_shuffled_by_their_texts_alone(tmp_path):
    rows = [{"mc1_targets": {"choices": [f"right {n}", f"a {n}", f"b {n}", f"c {n}"], "labels": [1, 0, 0, 0]}} for n in range(80)]
    items = load(tmp_path, rows)
    assert all(item.question.text_of(item.gold).startswith("right") for item in items)
    counts = [sum(item.gold == letter for item in items) for letter in "ABCD"]
    assert min(counts) >= 8, counts
    turned = [{"mc1_targets": {"choices": row["mc1_targets"]["choices"][::-1], "labels": [0, 0, 0, 1]}} for row in rows]
    assert [(item.question.options, item.gold) for item in load(tmp_path, turned[::-1])[::-1]] == [
        (item.question.options, item.gold) for item in items
    ]
    science = [{"correct_answer": f"right {n}", "distractor3": "c", "distractor1": "a", "distractor2": "b"} for n in range(80)]
    assert {item.gold for item in load(tmp_path, science)} == set("ABCD")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["options"], "write part=column"),
        (["opions=x"], "did you mean 'options'"),
        (["tau=x"], "--map has no part 'tau': question, options"),
        (["options="], "names no column"),
        (["options=a,,b"], "names no column"),
        (["id=a", "id=b"], "names 'id' twice"),
        (["answer=cop:2"], "the colon must be followed by one of letter, label, text, 0, 1"),
        (
            ["options=choices.txt"],
            r"line 1: there is no 'choices.txt' \(columns: question, choices, key\), as --map options=choices.txt has it",
        ),
        (
            ["options=choices.text", "answer=key", "id=number"],
            "there is no 'number' .*, as --map id=number has it, nor is there in any other",
        ),
        (["options=choices.text", "answer=keys"], "there is no 'keys'"),
        (["options=choices.text.3", "answer=key"], "there is no 'choices.text.3'"),
    ],
)
def test_a_map_that_cannot_work_is_a_sentence(tmp_path, given, says):
    with pytest.raises(ConfigError, match=says):
        load(tmp_path, [{"choices": {"text": ["x", "y"]}, "key": "A"}], parse_map(given))


def test_a_row_may_lack_a_mapped_id_or_domain(tmp_path):
    rows = [{"options": CITIES, "answer": "A"}, {"options": CITIES, "answer": "B", "nr": 0, "field": "law"}]
    items = load(tmp_path, rows, parse_map(["id=nr", "domain=field"]))
    assert [(item.id, item.question.domain) for item in items] == [("q-1", "other"), ("0", "law")]
    skipped = Skipped()
    assert golds(tmp_path, [*rows, {"options": CITIES, "right": "C"}], parse_map(["answer=right"]), skipped) == "C"
    assert skipped.total == 2


@pytest.mark.parametrize(
    ("said", "letter"),
    [
        # AGIEval leaves one of the two empty.
        ({"answer": None, "label": "C"}, "C"),
        ({"answer": "", "gold": ["C"]}, "C"),
        ({"answerKey": "C", "label": "easy"}, "C"),
        ({"correct": "C"}, "C"),
        ({"answer": "C", "answerKey": None, "answer_idx": ""}, "C"),
        ({"cop": "c", "label": "A"}, "C"),
    ],
)
def test_where_the_answer_stands(tmp_path, said, letter):
    assert golds(tmp_path, [{"options": CITIES, **said}]) == letter


@given(
    drawn=st.lists(
        st.tuples(
            st.lists(st.sampled_from([*"ABCDabc01234", "x", "Paris", "A.", "(B)", "1.0"]), min_size=2, max_size=5, unique=True),
            st.integers(0, 4),
        ),
        min_size=1,
        max_size=6,
    ),
    way=st.sampled_from(["letter", "small letter", "bracket", "text", "0", "1", "digits 0", "digits 1", "label", "number label"]),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_that_means_one_thing_is_read_so_or_refused(tmp_path, drawn, way):
    """Whatever the options are, letters and numbers too: no answer is ever read as another option."""
    rows, truth = [], {}
    for number, (options, place) in enumerate(drawn):
        at = place % len(options)
        said = {
            "letter": "ABCDE"[at],
            "small letter": "abcde"[at],
            "bracket": f"({'ABCDE'[at]})",
            "text": options[at],
            "0": at,
            "1": at + 1,
            "digits 0": str(at),
            "digits 1": str(at + 1),
            "label": "ABCDE"[at],
            "number label": str(at + 1),
        }[way]
        labels = {"label": list("ABCDE"), "number label": list("12345")}.get(way)
        given_options = {"text": options, "label": labels[: len(options)]} if labels else options
        rows.append({"id": str(number), "options": given_options, "answer": said})
        truth[str(number)] = "ABCDE"[at]
    try:
        items = load(tmp_path, rows, skipped=Skipped())
    except ConfigError:
        return
    for item in items:
        assert item.gold == truth[item.id], (way, rows)


@pytest.mark.parametrize(
    "rows",
    [
        [{"choices": {"text": CITIES, "label": ["1", "2", "3", "4"]}, "answer": answer} for answer in (0, 1, 2)],
        [{"options": {"1": "x", "2": "y", "3": "z"}, "answer": answer} for answer in ("0", "2")],
        [
            {"choices": {"text": CITIES, "label": ["A", "B", "C", "D"]}, "answer": 0},
            {"choices": {"text": CITIES, "label": ["1", "2", "3", "4"]}, "answer": 2},
        ],
        [{"choices": {"text": CITIES, "label": ["0", "1", "2", "3"]}, "answer": answer} for answer in (4, 1)],
    ],
)
def test_numbers_that_are_labels_of_some_options_and_places_of_others_stop_the_file(tmp_path, rows):
    for skipped in (None, Skipped()):
        with pytest.raises(ConfigError, match=r"which is the label of an option, but .* add --map answer=answer:label or"):
            load(tmp_path, rows, skipped=skipped)


def test_a_map_says_that_numbers_beside_labels_are_places(tmp_path):
    labelled = {"choices": {"text": CITIES, "label": ["1", "2", "3", "4"]}}
    assert golds(tmp_path, [{**labelled, "key": 1}], parse_map(["answer=key:0"])) == "B"
    assert golds(tmp_path, [{**labelled, "answer_index": 1}]) == "B"
    lettered = {"choices": {"text": CITIES, "label": ["A", "B", "C", "D"]}}
    assert golds(tmp_path, [{**lettered, "key": "C"}], parse_map(["answer=key:letter"])) == "C"


def test_a_number_is_the_text_of_an_option_however_a_table_writes_it(tmp_path):
    """A column of texts in which 5.0 is no option must not be taken for one of places where it happens to be in range."""
    assert golds(tmp_path, [{"options": ["4", "5", "6"], "answer": 5.0}, {"options": ["3", "2", "1"], "answer": 3.0}]) == "BA"
    assert golds(tmp_path, [{"options": [4.0, 5.0, 6.0], "answer": 5}, {"options": [3.0, 2.0, 1.0], "answer": 3}]) == "BA"


def test_a_letter_that_is_an_option_in_another_case_is_not_guessed(tmp_path):
    articles = {"options": ["an", "a", "the", "-"], "answer": "A"}
    assert golds(tmp_path, [articles, {**articles, "answer": "The"}]) == "BC"
    assert golds(tmp_path, [articles, *with_options("B")]) == "AB"
    with pytest.raises(ConfigError, match=r"which can mean option B \(as its text"):
        load(tmp_path, [articles])


def test_options_that_name_themselves_with_other_letters_than_their_places(tmp_path):
    shuffled = {"options": ["C) 4", "A) 5", "B) 6"], "answer": "A"}
    assert golds(tmp_path, [shuffled]) == "B"
    with pytest.raises(ConfigError, match=r"which can mean option B .as its label.* or option A .as a letter"):
        load(tmp_path, [{"options": ["A) 4", "B) 5"], "answer": "A"}, shuffled])


def test_a_lost_comma_in_a_python_list_moves_no_option(tmp_path):
    for text in ('["a", "b" "c", "d"]', "['a' 'b'\n 'c']", "{'A': 'x', 'B': 'y' 'z'}"):
        with pytest.raises(ConfigError, match="is no list in JSON"):
            load(tmp_path, [{"options": text, "answer": "A"}])
    assert golds(tmp_path, [{"options": "['it\\'s', \"b\"]", "answer": "b"}]) == "B"


def test_two_rows_of_option_columns_are_not_chosen_between(tmp_path):
    row = {"option_a": "red", "option_b": "blue", "a": "0.2", "b": "0.5", "answer": "B"}
    with pytest.raises(ConfigError, match="'a' and 'option_a' both begin a row of options: name the columns with --map options="):
        load(tmp_path, [row])
    assert load(tmp_path, [row], parse_map(["options=option_a,option_b"]))[0].question.options == ("red", "blue")
    assert golds(tmp_path, [{**row, "a": None, "b": None}]) == "B"
    assert golds(tmp_path, [{"option0": "x", "option1": "y", "option2": "z", "answer": 0}]) == "A"


def test_columns_that_may_be_the_answer_too(tmp_path):
    with pytest.raises(ConfigError, match="the row contradicts itself: 'answer' means A, 'correct_answer' means B"):
        load(tmp_path, with_options("A", correct_answer="Paris"))
    assert golds(tmp_path, with_options("A", correct_answer="London", correct=True, gold=3)) == "A"
    with pytest.raises(ConfigError, match="'label' or 'correct_idx' may be the answer: name it with --map answer=COLUMN"):
        load(tmp_path, with_options(0, 3, key="label", correct_idx=1))
    assert golds(tmp_path, with_options(0, 3, key="correct_index", label=2)) == "AD"


def test_wrong_answers_may_be_a_list(tmp_path):
    row = {"correct_answer": "Paris", "incorrect_answers": ["Rome", "Oslo", "Bonn"]}
    (item,) = load(tmp_path, [row])
    assert item.question.options["ABCD".index(item.gold)] == "Paris"
    assert sorted(item.question.options) == ["Bonn", "Oslo", "Paris", "Rome"]
