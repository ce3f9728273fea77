"""Whether a text in front of a list asks for one of its items, where no instruction says so.

What is needed is evidence of a question: a sentence that asks, or that has a gap, about one item, of the kind that the items are,
in the third person. What lacks it is passed through.
"""

from app.recognise import items, kinds, lead, refusals, requests, statements
from app.recognise.asking import Asking, asking, without_quotations
from app.recognise.marks import Chain
from app.recognise.refusal import Refusal

_FEW, _SOME, _VERY_SHORT, _SHORT, _STORY, _USUAL = 3, 4, 6, 60, 40, {4, 5}


def doubt(question: str, options: tuple[str, ...], chain: Chain, *, marked: bool, inline: bool, listed: bool) -> Refusal | None:
    """Why a list is not clearly the options of a question, or None if it is.

    Args:
        question: text in front of the options.
        options: texts of the options.
        chain: marks of the options.
        marked: whether a word such as `Question:` or `Options:` says what they are.
        inline: whether the options stand in one line.
        listed: whether a comma or a semicolon stands behind an option.
    """
    asked = asking(question)
    if requests.requests(asked.last) or (asked.alone and requests.requests(question[:200])):
        return Refusal.OTHER_TASK
    if refusals.wants_advice(without_quotations(asked.last[-300:])):
        return Refusal.PERSONAL
    if items.are_tasks(question, options):
        return Refusal.EXERCISE
    if inline and not marked and items.stand_in_a_sentence(asked, options, chain, listed=listed):
        return Refusal.IN_A_SENTENCE
    if marked:
        return None
    closed = kinds.closed(options)
    if kinds.is_pair(options) and asked.length < _STORY:
        return Refusal.NOT_ASKED
    if not closed and lead.stands_in_front(asked):
        return Refusal.TEXT_IN_FRONT
    if asked.wants_reasons and not kinds.phrases(options):
        return Refusal.EXPLANATION
    if asked.is_personal and not closed and not kinds.boolean(options):
        return Refusal.PERSONAL
    return _not_one(asked, options, chain, closed=closed) or _not_asked(asked, options, closed=closed)


def _not_one(asked: Asking, options: tuple[str, ...], chain: Chain, *, closed: bool) -> Refusal | None:
    """Whether something else than one of the options is asked for."""
    combined = closed or kinds.combine(options)
    if asked.names(tuple(mark.label for mark in chain.marks)):
        return Refusal.LABELS_NAMED
    if (asked.takes_every_item and not closed) or (asked.points_at_the_list and not combined):
        return Refusal.SEVERAL_ANSWERS
    if asked.wants_several and not combined and not kinds.plural(options):
        return Refusal.SEVERAL_ANSWERS
    return None if kinds.fit(asked, options) else Refusal.OTHER_KIND


def _not_asked(asked: Asking, options: tuple[str, ...], *, closed: bool) -> Refusal | None:
    """Whether the text is a heading or a statement."""
    if asked.alone and not asked.has_formula and statements.tells_of_the_speaker(asked.stem):
        return None if closed else Refusal.PERSONAL
    if asked.question:
        few = asked.words < _FEW and asked.length <= _FEW and not statements.ends_open(asked) and "=" not in asked.last
        verbless = not asked.asks and asked.length < (_SOME if len(options) in _USUAL else _VERY_SHORT) and not asked.excludes and "=" not in asked.last
        return Refusal.NOT_ASKED if few or verbless else None
    if closed:
        return None
    if items.are_steps(asked, options):
        return Refusal.EXERCISE
    if asked.length < _SHORT and statements.tells_of_the_speaker(asked.stem):
        return Refusal.PERSONAL
    if asked.alone and requests.tells(asked.last):
        return Refusal.OTHER_TASK
    return None if statements.leaves_a_gap(asked, options) else Refusal.NOT_ASKED
