"""Which questions keep their options in order: those that speak of options by letter or by place."""

import pytest

from app.core.question import Question
from app.training.fixed_order import keeps_order

POINTING = """
All of the above | None of the above | None of these | All of these | Both A and B | A and C | A, B and C | Only A | A only | B and C only
Neither A nor B | Both | Neither | either of them | Both of these | All of the above except C | (a) and (b) | a and c | a, b | A & B | A/B | A+C
I and II | II only | I, II and III | 1 and 2 | 1, 2 and 3 | statements 1 and 3 | the first option | The second and third | options 1 and 2
Option B | the last two | Same as option A | Any of the above | More than one of the above | Two of these | the former | all answers are correct
A or D | A is correct, B is not | B | A. | (C) | D) and B) | None | All | The other options | Answer C
Все перечисленное | Все вышеперечисленное | Ничего из перечисленного | Ни один из вариантов | А и Б | только А | а) и в) | оба варианта
все ответы верны | первый вариант | Нет верного ответа | варианты 1 и 2 | правильны А и В | указанное выше
Барлығы | Барлық жауап дұрыс | Жоғарыдағылардың барлығы | Ешқайсысы | A және B | тек A | А және В | екеуі де | бірінші нұсқа
Дұрыс жауап жоқ | 1 және 3 | Бәрі дұрыс | A, B нұсқалары | A мен C
"""
PLAIN = """
A dog | Paris | A large number of cells | The heart | 12 | 3.5 | x^2 + 1 | Increase in demand | lamp | green lamp | The court will dismiss the case
A contract | Кітап | Астана | Вода | В Москве | И. Кант | a tree | Vitamin K | E = mc^2 | glucose | to sell stock options | An increase of 12 percent
2, 4 | Hello world | Алматы қаласы | Рост цен | 5 kg | Yes | No | True | False | Он | I think so | Tall | Ball | for i in range(10) | 20% | 1/2 | 2+2
5-6 | 5 and a half | O(n log n) | x | Nucleus | f(x) | 100 °C | A MAC address | Work for a bank | A right to use it for a time
"""


def options(text):
    return [option.strip() for line in text.split("\n") for option in line.split("|") if option.strip()]


def asked(option, question="What is it?"):
    return Question(question, (option, "zebra", "yoghurt", "chairlift"))


@pytest.mark.parametrize("option", options(POINTING))
def test_an_option_that_points_at_others_keeps_all_in_order(option):
    assert keeps_order(asked(option))


@pytest.mark.parametrize("option", options(PLAIN))
def test_an_option_that_speaks_for_itself_may_move(option):
    assert not keeps_order(asked(option))


@pytest.mark.parametrize(
    "text",
    [
        "The answer is C. Which is it?",
        "Why is option B wrong?",
        "Assertion (A): it rains. Reason (R): clouds.",
        "Is the first option true?",
        "Почему вариант 2 неверен?",
    ],
)
def test_a_question_that_names_an_option_keeps_them_in_order(text):
    assert keeps_order(asked("lamp", text))


@pytest.mark.parametrize(
    "text", ["Which option says lamp?", "The answer is lamp. Which option is it?", "What does Vitamin C do?", "f(a) = 2. What is a?"]
)
def test_a_question_that_names_none_lets_them_move(text):
    assert not keeps_order(asked("lamp", text))


def test_a_letter_that_is_not_offered_names_no_option():
    assert keeps_order(Question("Which?", ("Vitamin C", "zinc", "iron")))
    assert not keeps_order(Question("Which?", ("Vitamin C", "zinc")))


def test_long_texts_take_no_time_to_speak_of():
    """Patterns that backtrack would take for ever on these."""
    for text in ("i" * 4000, "a, " * 2000 + "x", "(" * 4000, "all" * 2000 + "_", "1 " * 3000, "first " * 1000):
        keeps_order(asked(text + "!", text))
