"""The recogniser finds what was written, in every layout, and passes through what is no single multiple-choice question."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.question import Question
from app.demo.bank import SHIPPED_BANK
from app.recognise import Form, Refusal, examine, examine_chat, recognise, recognise_chat
from app.recognise.message import Found, read
from tests.runs.recogniser import PROMPTS, prompts_of, right, sample
from tests.support import traps
from tests.support.layouts import HARNESSES, TUNED

QUESTIONS = sample([str(SHIPPED_BANK)], 12)
OPTIONS = "\nA. Wind\nB. The Moon\nC. Rain"
MCQ = "What causes tides?" + OPTIONS


@pytest.mark.parametrize("layout", [*TUNED, *HARNESSES], ids=lambda layout: layout.name)
def test_questions_are_read_back_exactly_from_every_layout(layout):
    wrong = [one for one in QUESTIONS if not right(recognise_chat(layout.write(one.question, one.options)), one, layout)]
    assert wrong == []


# The prompts on which the rules were made, and those that were written afterwards: a few of the latter are still taken.
@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("written", 0),
        ("generated", 0),
        ("later_written", 2),
        ("later_generated", 4),
        ("latest", 0),
        ("held_out", 5),
        ("kinds", 1),
        ("hard_kinds", 3),
        ("blind", 6),
    ],
)
def test_ordinary_prompts_are_passed_through(name, most):
    taken = [prompt for prompt in prompts_of(PROMPTS / f"{name}.jsonl") if recognise_chat(prompt) is not None]
    assert len(taken) <= most, taken


# The most that are taken of each family; what was taken at the first reading stands in docs/recogniser.md.
MOST_TAKEN = {
    "lists pasted": 0,
    "lists with a request": 4,
    "questions about all items": 0,
    "questions of a person, orders": 2,
    "tasks about a question": 0,
    "prose, code, tables": 0,
    "everyday": 12,
    "fresh": 8,
}


@pytest.mark.parametrize("name", traps.FAMILIES)
def test_families_of_ordinary_prompts_are_passed_through(name):
    prompts = traps.FAMILIES[name]()
    taken = [prompt for prompt in prompts if recognise_chat(prompt) is not None]
    assert len(prompts) > 250
    assert len(taken) <= MOST_TAKEN[name], taken[:5]


REASONS = {
    "Write a poem about tides.": Refusal.NO_OPTIONS,
    f"{MCQ}\n\nUse each of the words in a story.": Refusal.TEXT_BEHIND,
    f"Any typos?\n\n{MCQ}": Refusal.TEXT_IN_FRONT,
    f"{MCQ}\n\nAnswer: B": Refusal.ANSWERED,
    f"{MCQ}\n\n{MCQ}": Refusal.SEVERAL_QUESTIONS,
    f"{MCQ}\n\nExplain your answer.": Refusal.EXPLANATION,
    f"![tides](a.png)\n{MCQ}": Refusal.PICTURE,
    "Board meeting, 12 June" + OPTIONS: Refusal.NOT_ASKED,
    "How many moons does Mars have?" + OPTIONS: Refusal.OTHER_KIND,
    "Where does each of them live?" + OPTIONS: Refusal.SEVERAL_ANSWERS,
    "Which one is better for our trip?" + OPTIONS: Refusal.PERSONAL,
    "Is B safe with C?" + OPTIONS: Refusal.LABELS_NAMED,
    "What causes tides?\nA. Wind\nC. The Moon\nB. Rain": Refusal.INVALID_OPTIONS,
    "¿Cuál de estos nombres te gusta más?\na) Luna\nb) Sol\nc) Mar": Refusal.LANGUAGE,
    "The applicant must\n(a) write,\n(b) pay, and\n(c) sign.": Refusal.IN_A_SENTENCE,
    f"A long wish of mine about the item, which stands in a line of its own and ends in a colon:\n\n{MCQ}": Refusal.TEXT_IN_FRONT,
    "Is this clear? What causes tides?" + OPTIONS: Refusal.TEXT_IN_FRONT,
    "What causes tides, and why?" + OPTIONS: Refusal.EXPLANATION,
    "Which pressure falls in our contract?" + OPTIONS: Refusal.PERSONAL,
    "1. What causes tides?\n   A. Wind\n   B. The Moon\n2. What is ice?\n   A. Gold\n   B. Water": Refusal.NO_QUESTION,
}


@pytest.mark.parametrize(("text", "reason"), REASONS.items())
def test_a_refusal_names_its_reason(text, reason):
    assert examine(text) is reason
    assert examine_chat([("user", text)]) is reason
    assert recognise(text) is None
    assert reason.sentence.endswith(".")


def test_all_prompts_are_distinct_and_there_are_enough():
    texts = [repr(prompt) for path in PROMPTS.glob("*.jsonl") for prompt in prompts_of(path)]
    assert len(texts) == len(set(texts)) >= 1_000


# Words that mean nothing and ask for nothing (`қанша` asks for a number), so that the layout alone decides.
_WORDS = st.lists(st.sampled_from(["lorem", "ipsum", "dolor", "амет", "қала", "$x^2$", "12", "`f(x)`", "not"]), min_size=1, max_size=6).map(
    " ".join
)


@settings(max_examples=40)
@given(
    _WORDS,
    st.lists(_WORDS, min_size=3, max_size=8, unique=True),
    st.sampled_from([layout for layout in TUNED if "inline" not in layout.name]),
)
def test_any_text_is_read_back(words, options, layout):
    question = Question(f"Which one is lorem {words}?", tuple(options))
    found = read(layout.write(question.question, question.options)[0][1])
    assert isinstance(found, Found)
    # Whether it reads like an examination is another matter, which meaningless words do not decide.
    assert found.doubt in {None, Refusal.EVERYDAY}
    assert right(found.recognised(""), question, layout)


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("В каком году основан город Верный?", True),
        ("В какой стране находится Эйфелева башня?", True),
        ("В чём измеряется сила тока?", True),
        ("В соответствии с Конституцией страны высшим органом является", True),
        ("В и Г: чем отличаются?", False),
        ("В или Б?", False),
        ("В лучше?", False),
        ("Чем В лучше, чем Б?", False),
    ],
)
def test_the_russian_preposition_is_no_label(question, read):
    assert (recognise(f"{question}\nА) Первое\nБ) Второе\nВ) Третье\nГ) Четвёртое") is not None) is read


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("One of the differences between TCP and UDP is", True),
        ("One of the advantages of a fibre over a copper cable is? ()", True),
        ("The index of prices is calculated for each by", True),
        ("What are the differences between", False),
        ("Pros and cons of each", False),
    ],
)
def test_one_of_several_is_one(question, read):
    options = ("UDP keeps the order of packets.", "TCP keeps the order of packets.", "Only UDP has ports.", "Only TCP has a checksum.")
    assert (
        recognise("\n".join([question, *(f"{label}) {text}" for label, text in zip("ABCD", options, strict=True))])) is not None
    ) is read


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("Choose the correct question for the answer 'I am fine'.", ("How are you?", "Where are you?", "Who are you?")),
        ("Зат есімнің сұрақтарын көрсетіңіз.", ("Кім? Не?", "Қандай? Қай?", "Неше? Нешінші?")),
    ],
)
def test_questions_may_be_the_options_where_a_question_is_asked_for(question, options):
    lines = "\n".join(f"{label}) {text}" for label, text in zip("ABC", options, strict=False))
    assert recognise(f"{question}\n{lines}\nAnswer with the letter only.") is not None


@pytest.mark.parametrize(
    ("ending", "form", "written"),
    [
        ("", Form.OPEN, None),
        ("Answer:", Form.LETTER, "B"),
        ("Answer with the letter only.", Form.LETTER, "B"),
        ("Respond with just the letter (A, B or C) and no explanation.", Form.LETTER, "B"),
        ("В ответе укажи только букву.", Form.LETTER, "B"),
        ("Тек дұрыс жауаптың әрпін жаз.", Form.LETTER, "B"),
        ('Think step by step and finish with "The answer is (X)".', Form.TEXT, "The answer is (B)"),
        ("Think step by step. End with 'Final answer: <letter>'.", Form.TEXT, "Final answer: B"),
        ("Put the letter of the correct option in \\boxed{}.", Form.TEXT, "\\boxed{B}"),
        ('Answer with JSON: {"answer": "X"}', Form.TEXT, '{"answer": "B"}'),
        ("Give the letter of the answer in the format <answer>X</answer>.", Form.TEXT, "<answer>B</answer>"),
        ("Answer with the text of the correct option.", Form.TEXT, "The Moon"),
    ],
)
def test_the_answer_has_the_form_that_was_asked_for(ending, form, written):
    found = recognise(f"{MCQ}\n\n{ending}")
    assert found is not None
    assert found.question == Question("What causes tides?", ("Wind", "The Moon", "Rain"))
    assert (found.form, found.written("B"), found.bare) == (form, written, form is Form.LETTER)


@pytest.mark.parametrize(
    ("text", "labels", "second"),
    [
        ("What causes tides?\n1) Wind\n2) The Moon\n3) Rain\nAnswer:", ("1", "2", "3"), "2"),
        ("What causes tides?\na. Wind\nb. The Moon\nc. Rain\nAnswer:", ("a", "b", "c"), "b"),
        ("Что вызывает приливы?\nА) Ветер\nБ) Луна\nВ) Дождь\nОтвет:", ("А", "Б", "В"), "Б"),
        ("Что вызывает приливы?\nА) Ветер\nВ) Луна\nС) Дождь\nОтвет:", ("А", "В", "С"), "В"),
        ("Судың көтерілуінің себебі қандай?\nА. Жел\nӘ. Ай\nБ. Жаңбыр\nЖауабы:", ("А", "Ә", "Б"), "Ә"),
        ("| Option | Text |\n|---|---|\n| A | Wind |\n| B | The Moon |", None, None),
        (
            "What causes tides?\n\n| Option | Text |\n|---|---|\n| A | Wind |\n| B | The Moon |\n| C | Rain |\n\nAnswer:",
            ("A", "B", "C"),
            "B",
        ),
    ],
)
def test_labels_are_those_of_the_author(text, labels, second):
    found = recognise(text)
    assert (found and found.labels) == labels
    assert (found and found.written("B")) == second


@pytest.mark.parametrize(
    "text",
    [
        f"Translate this question into Kazakh:\n\n{MCQ}",
        f"{MCQ}\n\nExplain your answer.",
        f"{MCQ}\n\nSelect all that apply.",
        f"{MCQ}\n\nAnswer: B",
        f"{MCQ}\n\n{MCQ}",
        f'{MCQ}\n\nAnswer with JSON: {{"answer": "X", "reason": "..."}}',
        "What causes tides?\nA. Wind\nC. The Moon\nD. Rain",
        "What causes tides?\nA. Wind\nB. The Moon\nB. Rain",
        "What causes tides?\nA. Wind\nB. Wind\nC. Rain",
        "What causes tides?\nA.\nB.\nC.",
        "What causes tides?\nB. Wind\nC. The Moon",
        "What causes tides?\n" + "\n".join(f"{number}. option {number}" for number in range(1, 28)),
        f"![tides](a.png)\n{MCQ}",
        OPTIONS,
        f"```\n{MCQ}\n```",
        "",
    ],
)
def test_what_is_not_clearly_one_question_is_passed_through(text):
    assert recognise(text) is None


SYSTEMS = {
    "You are a helpful assistant.": True,
    "You are an expert in oceanography. Answer multiple-choice questions with the letter only.": True,
    "You are a translator. Translate the user's questions into Kazakh.": False,
    "Explain each answer to a child.": False,
    "Talk like a pirate.": False,
    "You write polite letters.": False,
    "You review exam questions for clarity.": False,
    "You answer briefly.": True,
}


@pytest.mark.parametrize(("system", "recognised"), SYSTEMS.items())
@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_system_prompt_may_set_another_task(system, recognised, role):
    assert (recognise_chat([(role, system), ("user", MCQ)]) is not None) is recognised


def test_a_conversation_is_read_to_its_last_message():
    assert recognise_chat([("user", MCQ), ("assistant", "B"), ("user", "Why?")]) is None
    assert recognise_chat([("user", MCQ), ("assistant", "The Moon pulls the water. It is a long story."), ("user", MCQ)]) is None
    found = recognise_chat([("user", MCQ), ("assistant", "Confidence: 0.75\nFinal answer: B"), ("user", MCQ)])
    assert found is not None
    assert found.form is Form.OPEN
    begun = recognise_chat([("user", MCQ), ("assistant", "Answer:")])
    assert begun is not None
    assert begun.bare
    assert recognise_chat([("user", MCQ), ("tool", "{}")]) is None
    assert recognise_chat([]) is None


def test_the_examples_of_a_chat_show_the_form():
    found = recognise_chat([("user", MCQ), ("assistant", "The answer is (B)."), ("user", "What is ice?\nA. Gold\nB. Water\nC. Salt")])
    assert found is not None
    assert (found.question.question, found.written("B")) == ("What is ice?", "The answer is (B).")


def test_options_over_several_lines_are_read_to_their_end():
    text = "Which of the following describes a fold in geology?\nA. A bend\n   of rock\nB. A break\n   of rock\nC. A layer\n   of rock"
    for ending in ("", "\n\nAnswer:"):
        found = recognise(text + ending)
        assert found is not None
        assert found.question.options == ("A bend of rock", "A break of rock", "A layer of rock")
