"""Whether a text in front of a list asks for one of its items, where no instruction says so.

What is needed is evidence of a question: a sentence that asks, or that has a gap, about one item, of the kind that the items are,
in the third person. What lacks it is passed through.
"""

from app.recognise import items, kinds, lead, other_tasks, requests, statements
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
    if (refused := _elsewhere(asked, options)) is not None:
        return refused
    if inline and items.stand_in_a_sentence(asked, options, chain, listed=listed, marked=marked):
        return Refusal.IN_A_SENTENCE
    if marked:
        return None
    closed = kinds.closed(options)
    return (
        _speaks(asked, options, closed=closed)
        or _not_one(asked, options, chain, closed=closed)
        or _not_asked(asked, options, closed=closed)
    )


def _elsewhere(asked: Asking, options: tuple[str, ...]) -> Refusal | None:
    """Whether something else is wanted, which not even a word such as `Options:` makes a question."""
    rules = (
        (Refusal.OTHER_TASK, requests.requests(asked.last) or (asked.alone and requests.requests(asked.stem[:200]))),
        (Refusal.PERSONAL, other_tasks.wants_advice(without_quotations(asked.last[-300:]))),
        (Refusal.EXERCISE, items.are_tasks(asked.stem, options)),
    )
    return next((refusal for refusal, holds in rules if holds), None)


def _speaks(asked: Asking, options: tuple[str, ...], *, closed: bool) -> Refusal | None:
    """Whether a person speaks, in front of the question or in it."""
    rules = (
        (Refusal.NOT_ASKED, kinds.is_pair(options) and asked.length < _STORY),
        (Refusal.TEXT_IN_FRONT, not closed and lead.stands_in_front(asked)),
        (Refusal.EXPLANATION, asked.wants_reasons and not kinds.phrases(options)),
        (Refusal.PERSONAL, asked.is_personal and not closed and not kinds.boolean(options)),
    )
    return next((refusal for refusal, holds in rules if holds), None)


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
    if closed:
        return None
    speaker = asked.alone and not asked.has_formula and statements.tells_of_the_speaker(asked.stem)
    if asked.question:
        return Refusal.PERSONAL if speaker else _too_short(asked, options)
    rules = (
        (Refusal.PERSONAL, speaker or (asked.length < _SHORT and statements.tells_of_the_speaker(asked.stem))),
        (Refusal.EXERCISE, items.are_steps(asked, options)),
        (Refusal.OTHER_TASK, asked.alone and requests.tells(asked.last)),
        (Refusal.NOT_ASKED, not statements.leaves_a_gap(asked, options)),
    )
    return next((refusal for refusal, holds in rules if holds), None)


def _too_short(asked: Asking, options: tuple[str, ...]) -> Refusal | None:
    """Whether a question of few words lacks the verb or the subject that says what it asks for."""
    if "=" in asked.last:
        return None
    few = asked.words < _FEW and asked.length <= _FEW and not statements.ends_open(asked)
    least = _SOME if len(options) in _USUAL else _VERY_SHORT
    return Refusal.NOT_ASKED if few or (not asked.asks and not asked.excludes and asked.length < least) else None
