"""Option texts: exactly, then in one normal form of both sides; never where the two could mean different things."""

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.cloud.text import OptionTexts, normal
from app.core.errors import InvalidQuestion
from app.core.question import Question

SAME = [
    ("$5", "5 $"), ("$5", "5$"), ("$ 5.50", "$5.50"), ("€20", "20 €"), ("\\$5", "$5"), ("**Paris**", "Paris"), ("*Homo sapiens*", "Homo sapiens"), ("`a_b`", "a_b"),
    ("$\\frac{1}{2}$", "1/2"), ("\\(x^2\\)", "x²"), ("x^{10}", "x¹⁰"), ("$x$", "x"), ("$$x$$", "x"), ("\\text{Paris}", "Paris"), ("2 \\times 3", "2 × 3"),
    ("re\u0301sume\u0301", "résumé"), ("“yes”", '"yes"'), ("don’t", "don't"), ("1939–1945", "1939-1945"), ("−5", "-5"), ("10\u00a0m", "10 m"), ("10  m", "10 m"),
    ("10\u2009m", "10 m"), ("x = 2", "x=2"), ("10 %", "10%"), ("30 °C", "30°C"), ("[0, 1]", "[0,1]"), ("H₂O", "H2O"), ("Paris.", "paris"), ("PARIS", "Paris"),
    ("Ｂeta", "Beta"), ("so\u00adlar", "solar"), ("\\dfrac{a}{b}", "\\frac{a}{b}"), ("\\left(x\\right)", "(x)"), ("NO", "no"),
]  # fmt: skip
DIFFERENT = [
    ("2*3", "23"), ("2*3*4", "234"), ("a**b", "ab"), ("__init__", "init"), ("a_b", "ab"), ("_a_b_", "ab"), ("mW", "MW"), ("5 MHz", "5 mHz"), ("10", "10 m"), ("5", "5.5"),
    ("5", "-5"), ("$5", "5"), ("5%", "5"), ("2²", "22"), ("x_2", "x2"), ("résumé", "resume"), ("AaBb", "AABB"), ("AABB", "aabb"), ("C#", "C"), ("C++", "C"), ("1,5", "15"),
    ("f(x)", "fx"), ("a<b", "a>b"), ("¬p", "p"), ("p → q", "p ← q"), ("Co", "CO"), ("pH", "PH"), ("5!", "5"), ("f'", "f"), ("1e3", "1e-3"), ("10^2", "102"), ("~p", "p"),
    ("<b>", "b"), ("not a", "a"), ("2/3", "23"), ("#a", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_in_other_signs(one, other):
    assert normal(one) == normal(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_things_stay_different(one, other):
    assert normal(one) != normal(other)


@given(st.text(max_size=60))
def test_an_option_is_always_matched_by_itself(text):
    question = None
    # A blank text is no option, and neither is one that is there already.
    with contextlib.suppress(InvalidQuestion):
        question = Question("q", ("a first one", "a second one", text))
    assume(question is not None)
    assert OptionTexts(question).equal(question.options[2]) == "C"


def test_exact_text_comes_first_and_equal_forms_are_not_matched():
    texts = OptionTexts(Question("q", ("**x**", "x", "`x`", "y")))
    assert [texts.equal(text) for text in ("**x**", "x", "`x`", "y")] == ["A", "B", "C", "D"]
    assert [texts.equal(text) for text in ("*x*", "“x”", "$x$", "**y**")] == [None, None, None, "D"]


def test_the_longest_option_at_the_beginning_is_meant():
    texts = OptionTexts(Question("q", ("10", "10 m", "10 m/s", "Paris", "Paris and London")))
    for text, letter in (
        ("10", "A"), ("10.", "A"), ("10. Because of it.", "A"), ("10 m", "B"), ("10 m, because it is", "B"), ("10 m/s", "C"), ("10 km", None), ("10.5", None), ("10,000", None),
        ("10 (m)", None), ("100", None), ("10 m/h", None), ("Paris", "D"), ("Paris and London", "E"), ("Paris and Rome", None), ("Paris or London", None), ("Parisian", None),
        ("Paris - London", "D"), ("Paris - Paris and London", None), ("“Paris”, because it is", "D"),
    ):  # fmt: skip
        assert texts.begins(text) == letter, text


def test_a_very_long_option_is_matched_by_its_exact_text_only():
    long = "word " * 500 + "end"
    texts = OptionTexts(Question("q", (long, "b")))
    assert texts.equal(long) == "A"
    assert texts.equal(long.replace("end", "**end**")) is None
