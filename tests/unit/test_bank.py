import json
from collections import Counter

import pytest

from app.core.errors import ConfigError
from app.core.prompt import user_prompt
from app.core.question import LETTERS, Question
from app.demo.bank import SHIPPED_BANK, Bank, load_rows, read_prompt
from app.demo.server import parse_faults

ROWS = load_rows([SHIPPED_BANK])


def asked(row, order=None):
    options = [row["options"][i] for i in order] if order else row["options"]
    return read_prompt(user_prompt(Question(row["question"], tuple(options))))


def test_the_shipped_bank_has_20_valid_questions_of_each_domain():
    assert Counter(row["domain"] for row in ROWS) == dict.fromkeys(("finance", "science", "coding", "law", "math", "kazakh", "medical"), 20)
    assert len({row["id"] for row in ROWS}) == len({row["question"] for row in ROWS}) == 140
    for row in ROWS:
        Question(row["question"], tuple(row["options"]))


def test_accuracy_is_what_was_asked_for():
    for accuracy in (0.0, 0.739, 1.0):
        bank = Bank(ROWS, accuracy=accuracy, seed=1)
        right = sum(bank.letter(asked(row)) == row["answer"] for row in ROWS) / len(ROWS)
        assert abs(right - accuracy) < 0.1 * (0 < accuracy < 1) + 1e-9


def test_a_domain_can_have_another_accuracy():
    bank = Bank(ROWS, accuracy=1.0, domain_accuracy={"law": 0.0, "math": 0.5}, seed=1)
    correct = Counter(row["domain"] for row in ROWS if bank.letter(asked(row)) == row["answer"])
    assert correct["law"] == 0
    assert 3 < correct["math"] < 17
    assert {correct[name] for name in ("finance", "science", "coding", "kazakh", "medical")} == {20}
    with pytest.raises(ConfigError, match="domain 'biology'"):
        Bank(ROWS, domain_accuracy={"biology": 0.5})


def test_the_answer_does_not_depend_on_the_order_of_the_options():
    bank = Bank(ROWS, accuracy=1.0)
    for row in ROWS[:10]:
        assert (
            row["options"][[3, 1, 0, 2][LETTERS.index(bank.letter(asked(row, [3, 1, 0, 2])))]]
            == row["options"][LETTERS.index(row["answer"])]
        )


def test_same_seed_same_letters_and_another_seed_others():
    letters = [[Bank(ROWS, accuracy=0.739, seed=seed).letter(asked(row)) for row in ROWS] for seed in (0, 0, 1)]
    assert letters[0] == letters[1] != letters[2]


def test_by_default_what_is_in_the_bank_is_answered_correctly():
    assert all(Bank(ROWS).letter(asked(row)) == row["answer"] for row in ROWS)


def test_an_unknown_question_gets_no_letter_or_with_guess_an_offered_one():
    unknown = [read_prompt(f"Unknown {n}?\n\nA. x\nB. y\nC. z") for n in range(60)]
    assert {Bank(ROWS).letter(one) for one in unknown} == {None}
    assert {Bank(ROWS, guess=True).letter(one) for one in unknown} == {"A", "B", "C"}


HALF = {"question": "How many watts are 5 mW?", "options": ["0.005", "5,000,000", "5", "0.5"], "answer": "A"}
POWER = {"question": "What is 2² + 1?", "options": ["5", "23", "'four'", "none of them"], "answer": "A"}


@pytest.mark.parametrize(
    ("question", "options", "letter"),
    [
        (HALF["question"], HALF["options"], "A"),
        (HALF["question"], HALF["options"][::-1], "D"),
        ("how many watts are 5 mW?", HALF["options"], "A"),
        ("How many watts are 5 mW", HALF["options"], "A"),
        ("  How  many watts\u00a0are 5 mW ? ", HALF["options"], "A"),
        # Each of these may have another answer.
        ("How many watts are 5 MW?", HALF["options"], None),
        ("How many watts are 50 mW?", HALF["options"], None),
        ("How many watts are not 5 mW?", HALF["options"], None),
        ("How many milliwatts are 5 mW?", HALF["options"], None),
        (HALF["question"], HALF["options"][:3], None),
        (HALF["question"], [*HALF["options"], "6"], None),
        (HALF["question"], ["0.005", "5,000,000", "5", "0.6"], None),
        (POWER["question"], POWER["options"], "A"),
        (POWER["question"], ["5", "23", "‘four’", "none of them"], "A"),
        ("What is 22 + 1?", POWER["options"], None),
        ("What is 2² + 1!?", POWER["options"], None),
        (POWER["question"], ["5", "23", "'four'", "None of them"], None),
    ],
)
def test_a_question_that_may_have_another_answer_is_unknown(question, options, letter):
    assert Bank([HALF, POWER]).letter(read_prompt(user_prompt(Question(question, tuple(options))))) == letter


def test_options_that_differ_in_case_only_are_told_apart():
    row = {"question": "Which is a type of Java?", "options": ["string", "String", "STRING"], "answer": "B"}
    bank = Bank([row])
    assert [bank.letter(asked(row, order)) for order in ([0, 1, 2], [1, 0, 2], [2, 0, 1])] == ["B", "A", "C"]


def test_rows_that_contradict_each_other_know_nothing():
    row = {"question": "Q?", "options": ["x", "y"], "answer": "A"}
    assert Bank([row, row]).letter(asked(row)) == "A"
    assert Bank([row, {**row, "answer": "B"}, row]).letter(asked(row)) is None


def test_recorded_answers_are_replayed_and_null_means_no_letter():
    rows = [
        {"question": "Q1", "options": ["x", "y"], "answer": "A", "recorded": {"m": "B", "n": "A"}},
        {"question": "Q2", "options": ["x", "y"], "answer": "A", "recorded": {"m": None}},
    ]
    bank = Bank(rows, recorded="m", accuracy=0.0)
    assert bank.letter(asked(rows[0])) == "B"
    assert bank.letter(asked(rows[0], [1, 0])) == "A"
    assert bank.letter(asked(rows[1])) is None
    with pytest.raises(ConfigError, match="recorded are: m, n"):
        Bank(rows, recorded="gpt")


def test_the_option_block_is_the_last_one():
    read = read_prompt("Which list is right?\nA. one\nB. two\n\nA. first\nB. second\nC. third")
    assert read.options == ("first", "second", "third")
    assert read_prompt("ends in\nA. x\nB. y\nA. first\nB. second").options == ("first", "second")
    assert read_prompt("no options at all") is None
    assert read_prompt("only\nA. one") is None
    assert read_prompt("gap\nA. one\nC. three") is None


def test_bad_banks_name_the_line(tmp_path):
    path = tmp_path / "bank.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n\n{broken\n")
    with pytest.raises(ConfigError, match="line 3"):
        load_rows([path])
    with pytest.raises(ConfigError, match="cannot be read"):
        load_rows([tmp_path / "none.jsonl"])


def test_a_line_separator_inside_a_question_does_not_break_the_line(tmp_path):
    path = tmp_path / "bank.jsonl"
    path.write_text(json.dumps({**ROWS[0], "question": "one\u2028two"}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [row["question"] for row in load_rows([path])] == ["one\u2028two"]


def test_faults_are_checked():
    assert parse_faults(["429:0.1", "hang:0.2"]) == {"429": 0.1, "hang": 0.2}
    for bad in (["429"], ["404:0.1"], ["hang:2"], ["hang:x"], ["hang:nan"], ["hang:0.6", "cut:0.6"]):
        with pytest.raises(ConfigError):
            parse_faults(bad)
