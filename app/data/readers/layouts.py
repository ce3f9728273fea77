"""Which columns of a row are question, options and answer: ours, and those of the well-known benchmarks (docs/data.md)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.data.readers.answers import FROM_0, FROM_1, LABEL, LETTER, TEXT, WAYS, Given, number_of
from app.data.readers.mapping import ColumnMap, find, find_some
from app.data.readers.options import Options, from_columns, labelled, parsed, read_options, scored, shuffled
from app.data.readers.rows import NoQuestion, as_text, is_missing, listed, normal_name, shown

# By normal names (`answerKey` is `answerkey`), in the order in which they count.
QUESTIONS = ("question", "question_stem", "stem", "query", "ctx", "goal", "sentence", "prompt", "input")
_CONTEXTS = ("context", "article", "passage", "premise")
_DOMAINS = ("domain", "subject", "category", "subject_name", "high_level_domain")
_IDS = ("id", "question_id", "questionid", "qid", "id_string", "record_id")
# All columns of these names that a row has must agree; of the other names the first counts.
_ANSWERS = ("answer", "answerkey", "answer_key", "answer_idx", "answer_index")
_OTHER_ANSWERS = ("cop", "gold", "correct_option", "correct_answer", "correct_index", "correct", "target", "label")
# Columns of these names may be something else, if another column has the name of an answer.
_VAGUE = ("target", "label")
# `answer0` and `answer_a` are options.
_ANSWER_NAME = re.compile(r"(?!answer_?(?:[a-z]|[0-9]+)$)(?:answer|correct|gold|right|solution)")
# Beside an answer they must agree with it, if they are a letter or the text of an option.
_WITNESSES = ("correct_option", "correct_answer", "correct", "gold")
_DISTRACTOR_LISTS = ("incorrect_answers", "wrong_answers", "distractors")
_DISTRACTORS = ("distractor", "distractor_", "incorrect_answer_", "incorrect_answer", "wrong_answer_")


@dataclass(frozen=True, slots=True)
class Draft:
    """A row as a question whose answer is not known yet.

    Attributes:
        question: text of the question, after the passage that it is about, if there is one.
        options: options of the question.
        answers: answers that the columns give; empty if `options.correct` holds it.
        domain: domain of the question; None if the row has none.
        id: id of the question; None if the row has none.
        license: licence that the row names, if any.
        source: source that the row names, if any.
    """

    question: str
    options: Options
    answers: tuple[Given, ...]
    domain: str | None
    id: str | None
    license: str | None
    source: str | None


def draft(values: Mapping[str, Any], given: ColumnMap) -> Draft:
    """Find the parts of a question.

    Raises:
        NoQuestion: a part is missing or of another type.
    """
    columns = _columns(values)
    options = _options(values, columns, given)
    # A category may hold anything where it is not meant as a domain.
    domains = tuple(name for name in _DOMAINS if name == "domain" or as_text(columns.get(name)) is not None)
    return Draft(
        _question(values, columns, given),
        options,
        () if options.correct is not None and "answer" not in given else _answers(values, columns, given, options),
        _name(_part(values, columns, given, "domain", domains), "domain"),
        _name(_part(values, columns, given, "id", _IDS), "id"),
        _said(_part(values, columns, given, "license", ("license",))),
        _said(_part(values, columns, given, "source", ("source",))),
    )


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """The row by normal names."""
    columns: dict[str, Any] = {}
    for name, value in values.items():
        plain = normal_name(name)
        if plain in columns and not is_missing(value):
            if not is_missing(columns[plain]) and columns[plain] != value:
                raise NoQuestion(f"the column '{name}' is there twice, spelt differently")
            columns[plain] = value
        columns.setdefault(plain, value)
    return columns


def _part(values: Mapping[str, Any], columns: Mapping[str, Any], given: ColumnMap, target: str, names: tuple[str, ...]) -> Any:
    """The mapped column, or the first of the known ones that holds something."""
    if target in given:
        return find_some(values, given.columns[target][0])
    return next((columns[name] for name in names if not is_missing(columns.get(name))), None)


def _question(values: Mapping[str, Any], columns: Mapping[str, Any], given: ColumnMap) -> str:
    if "question" in given:
        find(values, given.columns["question"][0])
    asked = _nested(_part(values, columns, given, "question", QUESTIONS))
    if isinstance(asked, Mapping):
        asked = asked.get("stem")
    if is_missing(asked) and any(name in columns for name in QUESTIONS):
        raise NoQuestion("'question' is missing or empty")
    if not isinstance(asked, str):
        raise NoQuestion(f"'question' is missing or no text (columns: {listed(values)})")
    context = _part(values, columns, given, "context", _CONTEXTS)
    return asked if is_missing(context) or not isinstance(context, str) else f"{context.strip()}\n\n{asked}"


def _options(values: Mapping[str, Any], columns: Mapping[str, Any], given: ColumnMap) -> Options:
    if "options" in given:
        return _mapped_options(values, given)
    # MMLU-Pro fills its ten options up.
    pads = "answer_index" in columns or ("category" in columns and "question_id" in columns)
    asked = _nested(columns.get("question"))
    nested = asked.get("choices") if isinstance(asked, Mapping) else None
    for found in (columns.get("options"), columns.get("choices"), nested, columns.get("endings")):
        if not is_missing(found):
            return read_options(found, pads=pads)
    for name in ("mc1_targets", "target_scores"):
        if not is_missing(columns.get(name)):
            return scored(columns[name])
    if not is_missing(columns.get("correct_answer")) and (distractors := _distractors(columns)):
        return shuffled(columns["correct_answer"], distractors)
    if _is_list(columns.get("answers")):
        return read_options(columns["answers"])
    if (found_columns := from_columns(columns)) is not None:
        return found_columns
    raise NoQuestion("'options' is missing: there must be a list of texts, or a column for each option")


def _mapped_options(values: Mapping[str, Any], given: ColumnMap) -> Options:
    names = given.columns["options"]
    if len(names) > 1:
        return read_options([find(values, name) for name in names])
    found = find(values, names[0])
    if "labels" in given:
        return labelled(found, find(values, given.columns["labels"][0]))
    # The labels of ARC and its like stand beside the texts.
    path, _, last = names[0].rpartition(".")
    if path and last == "text" and isinstance(found, list):
        try:
            return labelled(found, find(values, f"{path}.label"))
        except NoQuestion:
            pass
    return read_options(found)


def _distractors(columns: Mapping[str, Any]) -> list[Any]:
    for name in _DISTRACTOR_LISTS:
        if _is_list(columns.get(name)):
            several = columns[name]
            return list(parsed(several) if isinstance(several, str) else several)
    for form in _DISTRACTORS:
        found = [columns.get(f"{form}{number}") for number in range(1, 10)]
        if any(not is_missing(one) for one in found):
            return [one for one in found if not is_missing(one)]
    return []


def _answers(values: Mapping[str, Any], columns: Mapping[str, Any], given: ColumnMap, options: Options) -> tuple[Given, ...]:
    if "answer" in given:
        column = given.columns["answer"][0]
        value = find(values, column)
        return (Given(column, value, _ways(value, given.answer_way)),)
    filled = [name for name in _ANSWERS if not is_missing(columns.get(name))]
    filled = filled or [name for name in _OTHER_ANSWERS if not is_missing(columns.get(name))][:1]
    chosen = filled or [name for name in (*_ANSWERS, *_OTHER_ANSWERS) if name in columns][:1]
    if not chosen:
        raise NoQuestion("'answer' is missing: there must be a letter, a number or the text of an option")
    if chosen[0] in _VAGUE and (others := [name for name in columns if _ANSWER_NAME.match(name) and _may_answer(columns[name])]):
        raise NoQuestion(f"'{chosen[0]}' or '{listed(others[:1])}' may be the answer: name it with --map answer=COLUMN")
    witnesses = () if chosen[0] in _OTHER_ANSWERS else tuple(name for name in _WITNESSES if not is_missing(columns.get(name)))
    return (
        *(_given(name, columns, options, values) for name in chosen),
        *(Given(name, columns[name], frozenset({LETTER, LABEL, TEXT}), is_witness=True) for name in witnesses),
    )


def _may_answer(value: Any) -> bool:
    """Whether a cell may be what is correct: it holds something, and neither a list nor a truth value."""
    return not is_missing(value) and not isinstance(value, list | Mapping | bool)


def _ways(value: Any, way: str | None) -> frozenset[str]:
    """The ways in which an answer may be read where `--map` names the way of numbers, or of all answers."""
    if way is None:
        return frozenset(WAYS)
    # What is no number is a letter or a text beside numbers too.
    return frozenset(WAYS) - {FROM_0, FROM_1} if way in {FROM_0, FROM_1} and number_of(value) is None else frozenset({way})


def _given(name: str, columns: Mapping[str, Any], options: Options, values: Mapping[str, Any]) -> Given:
    """An answer, with the number of the first option in layouts where it is known."""
    spelt = next((str(column) for column in values if normal_name(column) == name), name)
    value = columns[name]
    counted = (
        name == "answer_index"
        or options.counts_from_0
        or (name == "answer" and "choices" in columns and "subject" in columns)
        or (name == "label" and ("endings" in columns or "goal" in columns or _is_list(columns.get("answers"))))
    )
    if counted and number_of(value) is not None:
        # The digits of a text may be an option's text.
        return Given(spelt, value, frozenset(WAYS) if isinstance(value, str) else frozenset({FROM_0, FROM_1}), FROM_0)
    return Given(spelt, value)


def _nested(asked: Any) -> Any:
    """A question that is an object with `stem`, in tables as JSON."""
    if not isinstance(asked, str) or not asked.lstrip().startswith("{") or "stem" not in asked:
        return asked
    try:
        found = parsed(asked)
    except NoQuestion:
        return asked
    return found if isinstance(found, Mapping) and "stem" in found else asked


def _is_list(value: Any) -> bool:
    """A list, or one in JSON as tables have it."""
    return isinstance(value, list) or (isinstance(value, str) and value.lstrip().startswith("["))


def _name(value: Any, target: str) -> str | None:
    """An id or a domain as text: 0 is one, NaN is none, and 1.0 is what a table makes of 1.

    Raises:
        NoQuestion: a truth value, a list, an object or an infinite number.
    """
    if is_missing(value) or (target == "id" and isinstance(value, str) and value.strip().lower() == "nan"):
        return None
    text = None if isinstance(value, bool) else as_text(value)
    if isinstance(value, float):
        text = str(int(value)) if value.is_integer() else None if value in {float("inf"), float("-inf")} else text
    if text is None:
        raise NoQuestion(f"'{target}' must be a text or a number, not {shown(value)}")
    return text.strip()


def _said(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
