"""Turns among groups: nobody is woken twice, nobody is forgotten, and no turn is lost with somebody who leaves."""

import asyncio

from app.core.round_robin import RoundRobin


async def begun(count=3):
    for _ in range(count):
        await asyncio.sleep(0)


async def run(turns, groups):
    """One waiting task per entry; the order in which they are woken, and the tasks."""
    woken = []

    async def wait(number, group):
        await turns.wait(group)
        woken.append((group, number))

    tasks = [asyncio.ensure_future(wait(number, group)) for number, group in enumerate(groups)]
    await begun()
    return woken, tasks


async def test_one_of_each_group_in_turn_and_the_oldest_of_a_group_first():
    turns = RoundRobin()
    woken, tasks = await run(turns, "aaabbc")
    for _ in tasks:
        turns.next()
        await begun()
    assert woken == [("a", 0), ("b", 3), ("c", 5), ("a", 1), ("b", 4), ("a", 2)]
    assert len(turns) == 0


async def test_a_group_that_comes_late_is_next_but_for_those_whose_turn_it_was():
    turns = RoundRobin()
    woken, tasks = await run(turns, "aaaaaa")
    turns.next()
    await begun()
    more, others = await run(turns, "b")
    turns.next()
    turns.next()
    await begun()
    assert (woken, more) == ([("a", 0), ("a", 1)], [("b", 0)])
    for task in tasks + others:
        task.cancel()
    await asyncio.gather(*tasks, *others, return_exceptions=True)
    assert len(turns) == 0


async def test_who_finds_no_room_keeps_the_turn():
    turns = RoundRobin()
    woken = []

    async def twice():
        await turns.wait("a")
        woken.append("refused")
        await turns.wait("a", again=True)
        woken.append("a")

    task = asyncio.ensure_future(twice())
    await begun()
    others, tasks = await run(turns, "ab")
    turns.next()
    await begun()
    turns.next()
    await begun()
    assert (woken, others) == (["refused", "a"], [])
    turns.next()
    turns.next()
    await asyncio.gather(task, *tasks)
    assert sorted(others) == [("a", 0), ("b", 1)]


async def test_who_leaves_takes_no_turn_along():
    turns = RoundRobin()
    woken, tasks = await run(turns, "aab")
    tasks[0].cancel()
    await begun()
    turns.next()
    await begun()
    assert woken == [("a", 1)]
    # Woken and cancelled before they could run: the turn goes on.
    more, last = await run(turns, "b")
    turns.next()
    tasks[2].cancel()
    await begun(5)
    assert more == [("b", 0)]
    assert len(turns) == 0
    await asyncio.gather(*tasks, *last, return_exceptions=True)


async def test_a_turn_that_nobody_waits_for_is_no_turn_of_the_next_one():
    turns = RoundRobin()
    turns.next()
    woken, tasks = await run(turns, "a")
    assert woken == []
    turns.next()
    await asyncio.gather(*tasks)
    assert woken == [("a", 0)]
