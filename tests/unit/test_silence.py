"""What an attempt without an answer says of its endpoint, by a clock of our own."""

import pytest

from app.cloud.silence import Judge, Silence
from app.cloud.window import Peak
from tests.support.fakes import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def judge(clock):
    return Judge(clock)


def silent(judge, clock, lasted_s, *, given_s=None, possible_s=8.0):
    """The meaning of an attempt that lasted so long and brought nothing."""
    trial = judge.begin(given_s=lasted_s if given_s is None else given_s, possible_s=possible_s)
    clock.now += lasted_s
    return trial.silent()


def answered(judge, clock, lasted_s, *, given_s=8.0):
    trial = judge.begin(given_s=given_s, possible_s=8.0)
    clock.now += lasted_s
    trial.answered()


@pytest.mark.parametrize("possible_s", [8.0, 3.9, 3.0, 1.0, 0.5, 0.1])
def test_an_attempt_that_had_most_of_what_any_attempt_can_have_is_a_failure(judge, clock, possible_s):
    assert silent(judge, clock, 0.76 * possible_s, possible_s=possible_s) is Silence.FAILURE
    answered(judge, clock, 0.7 * possible_s)
    assert silent(judge, clock, 0.76 * possible_s, possible_s=possible_s) is Silence.FAILURE, "however slow its answers are"


@pytest.mark.parametrize("given_s", [0.3, 0.5, 1.0, 2.4, 3.0, 5.9])
def test_an_attempt_that_had_all_that_any_caller_gives_the_endpoint_is_a_doubt(judge, clock, given_s):
    assert silent(judge, clock, given_s) is Silence.DOUBT


@pytest.mark.parametrize("lasted_s", [0.0, 0.02, 0.05, 0.1, 0.24])
def test_an_attempt_of_a_moment_says_nothing(judge, clock, lasted_s):
    assert silent(judge, clock, lasted_s) is Silence.NOTHING
    answered(judge, clock, 0.001)
    assert silent(judge, clock, lasted_s) is Silence.NOTHING


def test_where_nobody_can_have_a_second_a_quarter_of_what_there_is_says_something(judge, clock):
    assert silent(judge, clock, 0.2, possible_s=0.5) is Silence.DOUBT
    assert silent(judge, clock, 0.12, possible_s=0.5) is Silence.NOTHING


def test_a_caller_in_a_hurry_says_nothing_beside_patient_ones_until_those_are_forgotten(judge, clock):
    judge.begin(given_s=8.0, possible_s=8.0)
    assert silent(judge, clock, 1.9) is Silence.NOTHING
    assert silent(judge, clock, 2.1) is Silence.DOUBT, "a quarter of what the most patient one gives"
    clock.now += 34
    assert silent(judge, clock, 0.5) is Silence.DOUBT


def test_a_caller_who_hangs_up_early_says_nothing_whatever_he_could_have_waited(judge, clock):
    assert silent(judge, clock, 1.9, given_s=8.0) is Silence.NOTHING


def test_an_answer_shows_what_the_endpoint_needs_for_half_a_minute(judge, clock):
    answered(judge, clock, 1.0)
    answered(judge, clock, 0.1)
    assert silent(judge, clock, 1.9) is Silence.NOTHING, "it may yet have answered: the slowest counts, not the last"
    assert silent(judge, clock, 2.0) is Silence.FAILURE, "twice as long as the slowest answer"
    clock.now += 34
    assert silent(judge, clock, 1.9) is Silence.DOUBT


def test_a_fast_endpoint_that_goes_silent_is_found_out_by_callers_who_cannot_wait_long(judge, clock):
    answered(judge, clock, 0.02)
    assert silent(judge, clock, 0.3) is Silence.FAILURE


def test_callers_who_all_wait_a_little_longer_than_it_usually_takes_doubt_an_endpoint_that_is_silent(judge, clock):
    answered(judge, clock, 1.5, given_s=2.4)
    assert silent(judge, clock, 2.3, given_s=2.4) is Silence.DOUBT
    assert silent(judge, clock, 1.7, given_s=2.4) is Silence.NOTHING, "most of the 2.4 seconds, not a quarter: answers are known"


def test_a_second_attempt_is_judged_by_its_own_time(judge, clock):
    first = judge.begin(given_s=2.9, possible_s=3.0)
    clock.now += 2.7
    second = judge.begin(given_s=0.2, possible_s=3.0)
    clock.now += 0.2
    assert (first.silent(), second.silent()) == (Silence.FAILURE, Silence.NOTHING)


def test_a_peak_is_the_largest_of_the_last_seconds_in_ten_slots(clock):
    peak = Peak(10, clock)
    assert peak.most() is None
    for value in (1.0, 5.0, 2.0):
        peak.add(value)
    assert peak.most() == 5.0
    for _ in range(100):
        clock.now += 1
        peak.add(1.0)
    assert peak.most() == 1.0
    assert len(peak._slots) <= 10
    clock.now += 9
    assert peak.most() == 1.0
    clock.now += 1
    assert peak.most() is None


def test_a_streamed_reply_that_has_begun_is_given_most_of_what_an_attempt_can_last_for_each_pause(judge, clock):
    trial = judge.begin(given_s=8.0, possible_s=8.0)
    clock.now += 0.1
    trial.answered()
    clock.now += 10
    assert trial.silent() is Silence.NOTHING, "the caller was not waiting for the endpoint"
    trial.waits()
    clock.now += 5.9
    assert trial.silent() is Silence.NOTHING, "whatever the beginning took"
    clock.now += 0.1
    assert trial.silent() is Silence.FAILURE
    trial.heard()
    assert trial.silent() is Silence.NOTHING
    assert silent(judge, clock, 0.3) is Silence.FAILURE, "for the next one the beginning counts"
