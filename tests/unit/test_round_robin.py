"""Turns among groups: each in the order in which they came, nobody is forgotten, and no turn is lost with somebody who leaves."""

from app.core.round_robin import RoundRobin


def woken(**groups):
    """The groups that have been woken."""
    return [name for name, turn in groups.items() if turn.done()]


async def test_one_group_after_the_other_and_one_that_comes_again_behind_the_others():
    turns = RoundRobin()
    a, b = turns.join("a", 5), turns.join("b", 2)
    assert len(turns) == 7, "questions, not groups"
    turns.next()
    assert woken(a=a, b=b) == ["a"]
    again = turns.join("a", 4)
    turns.next()
    assert woken(b=b, again=again) == ["b"]
    turns.next()
    assert woken(again=again) == ["again"]
    assert len(turns) == 0


async def test_a_group_that_finds_no_room_keeps_the_turn():
    turns = RoundRobin()
    turns.join("a", 1)
    b = turns.join("b", 1)
    turns.next()
    again = turns.join("a", 1, first=True)
    turns.next()
    assert woken(again=again, b=b) == ["again"]


async def test_a_group_that_leaves_takes_no_turn_along():
    turns = RoundRobin()
    a, b = turns.join("a", 3), turns.join("b", 1)
    turns.leave("a")
    turns.leave("a")
    assert len(turns) == 1
    turns.next()
    assert woken(a=a, b=b) == ["b"]


async def test_a_turn_that_nobody_waits_for_is_no_turn_of_the_next_one():
    turns = RoundRobin()
    turns.next()
    a = turns.join("a", 1)
    assert woken(a=a) == []
    turns.next()
    assert woken(a=a) == ["a"]
