"""Why a chat is passed through: each reason has a name, which `x-foggate-debug` and the page show, and a sentence."""

from enum import StrEnum
from typing import Self


class Refusal(StrEnum):
    """A reason not to take a message for a multiple-choice question.

    The value is the name that callers see; `sentence` says it to a person.
    """

    sentence: str

    def __new__(cls, name: str, sentence: str) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.sentence = sentence
        return member

    CONVERSATION = "conversation", "The conversation does not end in a message of the user, or has turns of another kind than text."
    TOO_LONG = "too_long", "The text is too long."
    PICTURE = "picture", "The message refers to a picture."
    NO_OPTIONS = "no_options", "There are no labelled options: at least two, from the first label on, without a gap or a repetition."
    INVALID_OPTIONS = "invalid_options", "The options are empty, equal or too many, or their labels have a gap or a repetition."
    NO_QUESTION = "no_question", "No question stands in front of the options."
    TEXT_BEHIND = "text_behind", "Behind the options stands text that is no instruction how to answer."
    TEXT_IN_FRONT = "text_in_front", "In front of the question stands text that is neither a part of it nor an instruction how to answer."
    SEVERAL_QUESTIONS = "several_questions", "There are several questions."
    ANSWERED = "answered", "The question stands there together with its answer."
    OTHER_TASK = "other_task", "Something else is to be done than to choose an option."
    ABOUT_A_QUESTION = "about_a_question", "The message speaks about a question."
    SEVERAL_ANSWERS = "several_answers", "Several options are asked for, or every item of the list."
    EXPLANATION = "explanation", "An explanation is asked for."
    OTHER_FORM = "other_form", "The answer is wanted in a form that one label cannot fill."
    PERSONAL = "personal", "A person asks for advice, or speaks of themselves or to somebody."
    LIST_OF_QUESTIONS = "list_of_questions", "The items of the list are questions."
    EXERCISE = "exercise", "The items of the list are parts of an exercise, or steps."
    IN_A_SENTENCE = "in_a_sentence", "The labels stand inside of a sentence."
    OTHER_KIND = "other_kind", "The items of the list are not of the kind that is asked for."
    LABELS_NAMED = "labels_named", "The question speaks of the items by their labels."
    NOT_ASKED = "not_asked", "The text in front of the list does not ask for one of its items: it is a heading or a statement."
    EVERYDAY = "everyday", "The text and the list read like everyday life, and not like a question of an examination."
    LANGUAGE = "other_language", "The text is in a language in which a list is read only with an instruction how to answer."
    SYSTEM_PROMPT = "system_prompt", "The system prompt sets another task."
    EARLIER_TURNS = "earlier_turns", "Earlier turns set another task, or answer a question with something else than one option."
