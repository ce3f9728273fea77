import json
from collections import Counter

import pytest

from app.cloud.bank import SHIPPED_BANK, Bank, load_rows, read_prompt
from app.cloud.demo import parse_faults
from app.domain import LETTERS, Question
from app.errors import ConfigError
from app.prompt import user_prompt

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


def test_the_answer_does_not_depend_on_the_order_of_the_options():
    bank = Bank(ROWS, accuracy=1.0)
    for row in ROWS[:10]:
        assert (
            row["options"][[3, 1, 0, 2][LETTERS.index(bank.letter(asked(row, [3, 1, 0, 2])))]]
            == row["options"][LETTERS.index(row["answer"])]
        )


def test_same_seed_same_letters_and_another_seed_others():
    letters = [[Bank(ROWS, seed=seed).letter(asked(row)) for row in ROWS] for seed in (0, 0, 1)]
    assert letters[0] == letters[1] != letters[2]


def test_an_unknown_question_gets_an_offered_letter():
    bank = Bank(ROWS)
    unknown = [bank.letter(read_prompt(f"Unknown {n}?\n\nA. x\nB. y\nC. z")) for n in range(60)]
    assert set(unknown) == {"A", "B", "C"}


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
