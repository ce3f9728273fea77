"""The questions of symbol binding: the correct option is the one that the question repeats, and nothing else gives it away."""

from collections import Counter

from app.core.question import LETTERS
from app.training.binding_questions import NOUNS, binding_items


def nouns(items):
    return {option.split()[-1] for item in items for option in item.question.options}


def test_the_correct_option_is_the_only_one_that_the_question_repeats():
    for item in binding_items(300, 1):
        assert [o in item.question.question for o in item.question.options].index(True) == LETTERS.index(item.gold)
        assert sum(o.split()[-1] in item.question.question for o in item.question.options) == 1, item


def test_no_letter_is_correct_more_often_than_at_random():
    four = [item.gold for item in binding_items(2000, 1) if len(item.question.options) == 4]
    counts = Counter(four)
    assert set(counts) == set("ABCD")
    assert max(counts.values()) < 1.3 * min(counts.values())


def test_seeds_make_the_questions_and_held_out_words_are_never_trained():
    assert binding_items(50, 1) == binding_items(50, 1)
    assert binding_items(50, 1) != binding_items(50, 2)
    trained, held_out = nouns(binding_items(2000, 1)), nouns(binding_items(2000, 1, unseen=True))
    assert trained | held_out == set(NOUNS)
    assert not trained & held_out
    assert {len(item.question.options) for item in binding_items(100, 1)} == {2, 3, 4, 5}
