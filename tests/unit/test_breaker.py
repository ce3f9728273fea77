"""The breaker, its window and the retry budget, by a clock of our own."""

import pytest

from app.cloud.breaker import Breaker, State
from app.cloud.retry_budget import RetryBudget
from app.cloud.window import Window
from tests.support.fakes import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def seen():
    return []


@pytest.fixture
def breaker(clock, seen):
    return Breaker(window_s=10, min_calls=4, failure_rate=0.5, open_s=30, probes=2, clock=clock, on_change=seen.append)


def call(breaker, what):
    getattr(breaker, what)(breaker.admit())


def opened(breaker):
    for _ in range(4):
        call(breaker, "failed")
    assert breaker.state is State.OPEN
    return breaker


def test_it_opens_when_too_large_a_share_of_enough_calls_fails(breaker, clock):
    for what in ("failed", "failed", "failed"):
        call(breaker, what)
    assert breaker.state is State.CLOSED, "three calls say little"
    clock.now += 11
    for what in ("succeeded", "succeeded", "succeeded", "failed", "failed"):
        call(breaker, what)
    assert breaker.state is State.CLOSED, "old failures are forgotten, and two of five are fewer than half"
    call(breaker, "failed")
    assert breaker.state is State.OPEN
    assert breaker.admit() is None


def test_probes_close_it_and_one_failure_opens_it_again(breaker, clock, seen):
    opened(breaker)
    clock.now += 29
    assert breaker.admit() is None
    clock.now += 1
    first, second = breaker.admit(), breaker.admit()
    assert breaker.state is State.HALF_OPEN
    assert breaker.admit() is None, "no more than the probes"
    breaker.succeeded(first)
    assert breaker.admit() is None, "a success is not a free place: two successes in all"
    breaker.failed(second)
    assert breaker.state is State.OPEN
    clock.now += 30
    call(breaker, "succeeded")
    call(breaker, "succeeded")
    assert breaker.state is State.CLOSED
    assert seen == [State.OPEN, State.HALF_OPEN, State.OPEN, State.HALF_OPEN, State.CLOSED]
    call(breaker, "failed")
    assert breaker.state is State.CLOSED, "it begins with a clean sheet"


def test_a_probe_whose_caller_left_gives_its_place_back(breaker, clock):
    opened(breaker)
    clock.now += 30
    first, second = breaker.admit(), breaker.admit()
    breaker.abandoned(first)
    third = breaker.admit()
    assert third is not None
    assert breaker.admit() is None
    breaker.succeeded(second)
    breaker.succeeded(third)
    assert breaker.state is State.CLOSED


def test_results_that_come_late_are_ignored(breaker, clock):
    late = [breaker.admit() for _ in range(3)]
    opened(breaker)
    breaker.succeeded(late[0])
    clock.now += 30
    breaker.admit()
    breaker.failed(late[1])
    breaker.abandoned(late[2])
    assert breaker.state is State.HALF_OPEN


def test_a_window_forgets_in_steps_and_holds_ten_slots_however_busy(clock):
    window = Window(10, clock)
    for _ in range(100):
        for _ in range(50):
            window.add("a")
        clock.now += 1
    assert len(window._slots) <= 10
    assert window.count("a") == 450, "the present slot is empty yet"
    clock.now += 20
    assert window.count("a") == 0


@pytest.mark.parametrize(("share", "calls", "retries"), [(0.2, 0, 3), (0.2, 100, 20), (0.2, 10, 3), (1.0, 10, 10), (0.0, 100, 0)])
def test_retries_are_a_share_of_the_calls(clock, share, calls, retries):
    budget = RetryBudget(share, clock)
    for _ in range(calls):
        budget.called()
    assert sum(budget.take() for _ in range(200)) == retries
    clock.now += 11
    assert budget.take() == bool(share), "a new window"


def test_after_it_closed_old_failures_count_no_more(clock):
    slow = Breaker(window_s=1000, min_calls=4, failure_rate=0.5, open_s=30, probes=2, clock=clock)
    opened(slow)
    clock.now += 30
    call(slow, "succeeded")
    call(slow, "succeeded")
    assert slow.state is State.CLOSED
    for _ in range(3):
        call(slow, "failed")
        assert slow.state is State.CLOSED, "the four failures are still in the window's time, but of another day"
    call(slow, "failed")
    assert slow.state is State.OPEN


def test_so_many_failures_in_a_row_open_it_however_rare_the_calls_are(breaker, clock):
    for what in ("failed", "failed", "failed", "succeeded", "failed", "failed", "failed"):
        call(breaker, what)
        clock.now += 60
    assert breaker.state is State.CLOSED, "never more than three in a row, and each long forgotten"
    call(breaker, "failed")
    assert breaker.state is State.OPEN
    clock.now += 30
    call(breaker, "succeeded")
    call(breaker, "succeeded")
    for _ in range(3):
        clock.now += 60
        call(breaker, "failed")
    assert breaker.state is State.CLOSED, "the row begins anew"


def test_doubts_open_a_closed_breaker_as_failures_do(breaker):
    for _ in range(3):
        call(breaker, "doubted")
    assert breaker.state is State.CLOSED
    call(breaker, "doubted")
    assert breaker.state is State.OPEN


def test_one_doubt_ends_no_probing_and_as_many_as_there_are_probes_do(breaker, clock):
    opened(breaker)
    clock.now += 30
    call(breaker, "doubted")
    assert breaker.state is State.HALF_OPEN
    first, second = breaker.admit(), breaker.admit()
    assert None not in {first, second}, "it gave its place back"
    assert breaker.admit() is None
    breaker.succeeded(first)
    breaker.succeeded(second)
    assert breaker.state is State.CLOSED
    opened(breaker)
    clock.now += 30
    call(breaker, "doubted")
    assert breaker.state is State.HALF_OPEN, "doubts of an earlier probing are forgotten"
    call(breaker, "doubted")
    assert breaker.state is State.OPEN


def test_a_doubt_that_comes_late_is_ignored(breaker, clock):
    late = breaker.admit()
    opened(breaker)
    clock.now += 30
    breaker.admit()
    for _ in range(3):
        breaker.doubted(late)
    assert breaker.state is State.HALF_OPEN
    assert breaker.admit() is not None
    assert breaker.admit() is None, "it gives no place back that it did not take"


def test_asking_what_is_left_of_the_retries_takes_none(clock):
    budget = RetryBudget(0.2, clock)
    assert [budget.left() for _ in range(10)] == [True] * 10
    assert [budget.take() for _ in range(4)] == [True, True, True, False]
    assert not budget.left()
