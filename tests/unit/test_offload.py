"""Work in the text thread: its result, its error, and a caller who leaves."""

import asyncio
import threading

import pytest

from app.core.ids import new_id
from app.core.offload import in_text_thread


async def test_work_is_done_in_another_thread_and_its_result_comes_back():
    assert await in_text_thread(lambda text: (text.upper(), threading.current_thread().name), "a") == ("A", "foggate-text")


async def test_an_error_of_the_work_comes_back_and_the_thread_lives_on():
    with pytest.raises(ZeroDivisionError):
        await in_text_thread(lambda: 1 // 0)
    assert await in_text_thread(len, "abc") == 3


async def test_work_of_a_caller_who_has_gone_before_its_turn_is_not_done():
    hold, done = threading.Event(), []
    first = asyncio.ensure_future(in_text_thread(hold.wait, 10))
    gone = asyncio.ensure_future(in_text_thread(done.append, 1))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait({gone})
    hold.set()
    assert await first
    await in_text_thread(done.append, 2)
    assert done == [2]


def test_ids_have_128_bits_and_none_comes_twice():
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)
