"""What stands behind the words of a claim, one condition after the other: the letter that is read, or none."""

import pytest

from app.cloud.parse import parse_letter
from app.core.errors import CloudUnparsable
from app.core.question import Question

CITIES = Question("Capital of France?", ("Berlin", "Paris", "Rome", "Oslo"))
NINE = Question("Which?", ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis"))
DIGITS = Question("How many?", ("1", "2", "3", "4"))
GERMS = Question("Which germ?", ("S. aureus", "E. coli", "C. tetani", "B. cereus", "None"))
NAMES = Question("Which president?", ("George Washington", "Abraham Lincoln", "Thomas Jefferson"))
PARTS = Question("Which?", ("Heart", "Heart and lungs", "Lungs"))


def read(reply, question=CITIES):
    try:
        return parse_letter(reply, question)
    except CloudUnparsable:
        return None


@pytest.mark.parametrize(
    ("behind", "letter"),
    [
        ("B", "B"), ("B.", "B"), ("(B)", "B"), ("[B]", "B"), ("{B}", "B"), ("<B>", "B"), ("**B**", "B"), ("`B`", "B"), ('"B"', "B"), ("'B'", "B"),
        ("“B”", "B"), ("«B»", "B"), ("$B$", "B"), ("option B", "B"), ("option (B)", "B"), ("the option B", None), ("letter B", "B"), ("**option B**", "B"),
        ("B, because it is", "B"), ("B because it is", "B"), ("B since it is", "B"), ("B as it is", "B"), ("B rather than C", "B"), ("B and not C", "B"),
        ("B, not C", "B"), ("B not C", "B"), ("B instead of C", "B"), ("B – a city", "B"), ("B (a city)", "B"), ("B [1]", "B"), ("B[12]", "B"), ("B ✅", "B"),
        ("B!", "B"), ("B;", "B"), ("B:", "B"), ("b", "B"), ("b.", "B"), ("(b)", "B"), ("`b`", "B"), ("b is", None), ("a matter of taste", None),
        ("a.", "A"), ("A vaccine", None), ("A Vaccine", None), ("I", None), ("E", None), ("Z", None), ("5", None), ("B2", None), ("B+", None), ("B#", None),
        ("B/C", None), ("B_1", None), ("B*", None), ("B'", None), ("**B*", "B"), ("B?", None), ("B, but I doubt it", None), ("B, however not sure", None),
        ("B if anything", None), ("B or C", None), ("B, or C", None), ("B and C", None), ("B & C", None), ("B/ C", None), ("B to D", None), ("B - D", None), ("B–D", None),
        ("B...D", None), ("B, C", None), ("B; C", None), ("B (C)", None), ("B (or C)", None), ("B (possibly C)", None), ("B and B", None), ("B or c", None),
        ("B is", None), ("B was it", None), ("B seems right", None), ("B can be", None), ("B -> wrong", None), ("B = incorrect", None), ("B (wrong)", None),
        ("Paris", "B"), ("Paris.", "B"), ("**Paris**", "B"), ("(Paris)", "B"), ("Paris (B)", "B"), ("Paris (C)", None), ("Paris, B", "B"), ("Paris → B", "B"),
        ("Paris → C", None), ("Paris: a city", "B"), ("Paris (a city)", "B"), ("Paris or Rome", None), ("the Paris", "B"), ("Parisian", None), ("Madrid", None),
        ("B. Paris", "B"), ("B) Paris", "B"), ("B: Paris", "B"), ("B - Paris", "B"), ("B (Paris)", "B"), ("B(Paris)", "B"), ("B Paris", "B"), ("B Rome", None),
        ("B(Rome)", None), ("B. Rome", None), ("B) Rome", None), ("B (Rome)", None), ("B: Rome", None), ("B. Paris or C. Rome", None), ("B. Paris C. Rome", None),
        ("B. Paris, since C. Rome is in Italy", "B"), ("B. Paris, not C. Rome", "B"), ("B. Paris. C. Rome is in Italy", None), ("B, i.e. Paris", "B"),
        ("B, that is, Paris", "B"), ("B, which is Paris", "B"), ("B = Paris", None), ("B. Madrid", None), ("B. The city on the Seine", "B"), ("B. See above", "B"),
        ("B. Because of it", "B"), ("B. A city with a tower", "B"),
    ],
)  # fmt: skip
def test_what_stands_behind_a_claim(behind, letter):
    assert read(f"It is known. The answer is {behind}") == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("Answer:\nB", "B"), ("Answer:\n\nB", "B"), ("Answer:\nB. Paris", "B"), ("Answer:\nParis", "B"), ("Answer:\n**Paris**", "B"), ("Answer:\nA. Berlin\nB. Paris", None),
        ("Answer:\nB because it is", "B"), ("Answer:\nB because it is\nC because it is not", None), ("Answer:\nB is one", None), ("Answer:\nParis: a city", None),
        ("Answer: Paris: a city", "B"), ("Answer:\nA good question", None), ("Answer: B\nThis is wrong.", None), ("Answer: B. Paris\nThis is not correct.", None),
        ("Answer: B\nThis is clear.", "B"), ("Answer: B\nNo, it is C.", None), ("Answer: B\nor C", None), ("Answer: B ❌", None),
    ],
)  # fmt: skip
def test_what_stands_on_the_next_line(reply, letter):
    assert read(reply) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("The answer is I.", "I"), ("The answer is I", "I"), ("The answer is (I)", "I"), ("The answer is **I**.", "I"), ("The answer is I, as I said", None),
        ("The answer is I think B", None), ("The answer is option I, ibis", "I"), ("The answer is I. ibis", "I"), ("The answer is I: fox", None),
        ("The answer is A (good) question", None), ("The answer is A (because it is)", "A"), ("The answer is A (ant)", "A"), ("The answer is (A) (good) one", None),
        ("Option 2 is right. The answer is option 2", None), ("The answer is B.2", None), ("The answer is H–J", None), ("The answer is J", None),
    ],
)  # fmt: skip
def test_letters_that_are_words(reply, letter):
    assert read(reply, NINE) == letter


@pytest.mark.parametrize(
    ("reply", "question", "letter"),
    [
        ("The answer is 2.", DIGITS, "B"), ("The answer is option 2.", DIGITS, None), ("The answer is number 2.", DIGITS, None), ("The answer is B.", DIGITS, "B"),
        ("The answer is B. 2", DIGITS, "B"), ("The answer is B. 3", DIGITS, None), ("The answer is B: 2", DIGITS, "B"), ("The answer is B (3)", DIGITS, None),
        ("The answer is E. coli", GERMS, "B"), ("The answer is E. coli.", GERMS, "B"), ("The answer is B. cereus", GERMS, "D"), ("The answer is S. aureus", GERMS, "A"),
        ("The answer is B. E. coli", GERMS, "B"), ("The answer is E", GERMS, "E"), ("The answer is B", GERMS, "B"), ("The answer is E. None", GERMS, "E"),
        ("The answer is A. Lincoln", NAMES, None), ("The answer is B. Lincoln", NAMES, "B"), ("The answer is B. Abraham Lincoln", NAMES, "B"),
        ("The answer is B. A. Lincoln", NAMES, "B"), ("The answer is T. Jefferson", NAMES, None), ("The answer is C. Jefferson", NAMES, "C"),
        ("The answer is A. Heart", PARTS, "A"), ("The answer is B. Heart", PARTS, None), ("The answer is A. Heart and lungs", PARTS, None), ("The answer is Heart", PARTS, "A"),
        ("The answer is Heart and lungs", PARTS, "B"), ("The answer is heart and lungs (B)", PARTS, "B"), ("The answer is heart and lungs (A)", PARTS, None),
    ],
)  # fmt: skip
def test_letters_beside_options_of_many_kinds(reply, question, letter):
    assert read(reply, question) == letter
