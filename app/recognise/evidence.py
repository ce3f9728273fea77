"""Whether a text in front of a list asks for one of its items, where no instruction says so.

What is needed is evidence of a question: a sentence that asks, or that has a gap, about one item, of the kind that the items are,
in the third person, in the words of an examination. What lacks it is passed through. The forms of a sentence are signs only: where the
words are surely those of an examination, they outweigh some of them (`If I start with 2 and count by threes, my 50th number is`).
"""

from collections.abc import Iterator

from app.recognise import items, kinds, language, lead, other_tasks, register, requests, statements
from app.recognise.asking import Asking, asking, without_quotations
from app.recognise.marks import Chain
from app.recognise.refusal import Refusal

# Least score of the register (log-odds): of any list; of one with a word such as `Options:` or an instruction to choose; and of what
# stands in front of the last sentence. docs/recogniser.md says what they cost and what they buy.
LEAST, LEAST_MARKED, LEAST_FRONT = -1.5, -3.0, -2.4
# From which score on the words outweigh a sign. Unseen ordinary prompts with this sign stay below it.
_OUTWEIGHED = {
    Refusal.NOT_ASKED: 1.0,
    Refusal.OTHER_KIND: 1.5,
    Refusal.PERSONAL: 3.0,
    Refusal.LABELS_NAMED: 5.0,
    Refusal.IN_A_SENTENCE: 2.0,
    Refusal.SEVERAL_ANSWERS: 6.0,
}
# What outweighs a whole statement in front of the list, and from which score of the whole on its front does not matter.
_TOLD, _FRONT_MATTERS = 5.0, 2.5
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
    if not language.is_read(f"{question}\n{' '.join(option[:80] for option in options[:4])}"):
        return Refusal.LANGUAGE
    asked = asking(question)
    if (refused := next(_elsewhere(asked, options, inline=inline, listed=listed), None)) is not None:
        return refused
    score = register.score(question, options)
    for refusal in _signs(asked, options, chain, marked=marked, inline=inline):
        least = None if refusal is Refusal.PERSONAL and asked.names_the_speaker and not kinds.figures(options) else _OUTWEIGHED.get(refusal)
        if least is None or score < (_TOLD if refusal is Refusal.NOT_ASKED and _is_told(asked) else least):
            return refusal
    if score < _FRONT_MATTERS and not asked.has_formula and (register.score_of_front(asked.stem) or 0.0) < LEAST_FRONT:
        return Refusal.TEXT_IN_FRONT
    return Refusal.EVERYDAY if score < (LEAST_MARKED if marked else LEAST) else None


def _is_told(asked: Asking) -> bool:
    """Whether the text is a whole statement: it ends in a full stop and has no gap."""
    return asked.last.rstrip().endswith(".") and not statements.has_blank(asked)


def everyday(question: str, options: tuple[str, ...]) -> Refusal | None:
    """`doubt` where an instruction speaks of choosing an answer, as surveys do too: only what surely is no examination."""
    return Refusal.EVERYDAY if register.score(question, options) < LEAST_MARKED else None


def _elsewhere(asked: Asking, options: tuple[str, ...], *, inline: bool, listed: bool) -> Iterator[Refusal]:
    """What else is wanted, so that not even a word such as `Options:` makes it a question."""
    if items.make_up_a_sentence(asked, options) or (inline and items.are_inside_of_a_sentence(asked, options, listed=listed)):
        yield Refusal.IN_A_SENTENCE
    if requests.requests(asked.last) or (asked.alone and requests.requests(asked.stem[:200])):
        yield Refusal.OTHER_TASK
    if other_tasks.wants_advice(without_quotations(asked.last[-300:])):
        yield Refusal.PERSONAL
    # A word problem tells of the speaker too, and asks for a number.
    if asked.is_of_own_life and not (asked.has_number and kinds.figures(options)):
        yield Refusal.PERSONAL
    if lead.is_headed(asked):
        yield Refusal.TEXT_IN_FRONT
    if items.are_tasks(asked.stem, options):
        yield Refusal.EXERCISE
    if asked.wants_reasons_too and not any("because" in option for option in options):
        yield Refusal.EXPLANATION


def _signs(asked: Asking, options: tuple[str, ...], chain: Chain, *, marked: bool, inline: bool) -> Iterator[Refusal]:
    """The signs that the list is something else, in order."""
    if inline and not marked and not items.begin_behind_a_sentence(asked, options, chain):
        yield Refusal.IN_A_SENTENCE
    if not marked:
        closed = kinds.closed(options)
        yield from _speaks(asked, options, closed=closed)
        yield from _not_one(asked, options, chain, closed=closed)
        yield from () if closed else _not_asked(asked, options)


def _speaks(asked: Asking, options: tuple[str, ...], *, closed: bool) -> Iterator[Refusal]:
    """Whether a person speaks, in front of the question or in it."""
    if kinds.is_pair(options) and asked.length < _STORY:
        yield Refusal.NOT_ASKED
    if lead.is_of_the_writer(asked) or (not closed and lead.stands_in_front(asked)):
        yield Refusal.TEXT_IN_FRONT
    if asked.wants_reasons and not kinds.phrases(options):
        yield Refusal.EXPLANATION
    if asked.is_personal and not closed and not kinds.boolean(options):
        yield Refusal.PERSONAL


def _not_one(asked: Asking, options: tuple[str, ...], chain: Chain, *, closed: bool) -> Iterator[Refusal]:
    """Whether something else than one of the options is asked for."""
    combined = closed or kinds.combine(options)
    if asked.names(tuple(mark.label for mark in chain.marks)):
        yield Refusal.LABELS_NAMED
    if (asked.takes_every_item and not closed) or (asked.points_at_the_list and not combined):
        yield Refusal.SEVERAL_ANSWERS
    if asked.wants_several and not combined and not kinds.plural(options) and not statements.has_blank(asked):
        yield Refusal.SEVERAL_ANSWERS
    if asked.wants_all and not combined and kinds.names(options):
        yield Refusal.SEVERAL_ANSWERS
    if not kinds.fit(asked, options):
        yield Refusal.OTHER_KIND


def _not_asked(asked: Asking, options: tuple[str, ...]) -> Iterator[Refusal]:
    """Whether the text is a heading or a statement."""
    speaker = asked.alone and not asked.has_formula and statements.tells_of_the_speaker(asked.stem)
    if asked.question:
        if speaker:
            yield Refusal.PERSONAL
        if _is_too_short(asked, options):
            yield Refusal.NOT_ASKED
        return
    if speaker or (asked.length < _SHORT and statements.tells_of_the_speaker(asked.stem)):
        yield Refusal.PERSONAL
    if items.are_steps(asked, options):
        yield Refusal.EXERCISE
    if asked.alone and requests.tells(asked.last):
        yield Refusal.OTHER_TASK
    if not statements.leaves_a_gap(asked, options):
        yield Refusal.NOT_ASKED


def _is_too_short(asked: Asking, options: tuple[str, ...]) -> bool:
    """Whether a question of few words lacks the verb or the subject that says what it asks for."""
    if "=" in asked.last:
        return False
    few = asked.words < _FEW and asked.length <= _FEW and not statements.ends_open(asked)
    least = _SOME if len(options) in _USUAL else _VERY_SHORT
    return few or (not asked.asks and not asked.excludes and asked.length < least)
