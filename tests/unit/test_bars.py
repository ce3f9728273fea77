"""Progress where standard error is no terminal: a line now and then, and nothing for what is over in a moment."""

import threading
import time

import pytest

from app.cli.bars import Step, bars, lines, working


def said(capsys):
    captured = capsys.readouterr()
    assert captured.out == "", "never on standard output"
    return captured.err.splitlines()


def wait_for(lines_of, count):
    found = []
    while len(found) < count:
        found += lines_of()
        time.sleep(0.005)
    return found


def test_what_is_over_in_a_moment_says_nothing(capsys):
    with bars() as progress:
        for done in range(100):
            progress("asking", done, 100)
    with working("computing the report"):
        pass
    assert said(capsys) == []


def test_a_load_says_at_once_that_it_loads(capsys):
    with working("loading the edge model builtin", at_once=True):
        assert said(capsys) == ["loading the edge model builtin …"]
    assert said(capsys) == []


def test_lines_come_while_nothing_is_reported_and_the_last_one_is_the_last(capsys):
    with lines(first_s=0, every_s=0.01) as progress:
        progress("collecting", 40, 1000)
        first = wait_for(lambda: said(capsys), 3)
        progress("collecting", 1000, 1000)
    assert set(first) == {"collecting: 40 of 1000"}
    assert said(capsys)[-1] == "collecting: 1000 of 1000"


@pytest.mark.parametrize(
    ("since_s", "done", "left"), [(60, 950, "about 1 min left"), (10, 950, "about 10 s left"), (600, 910, "about 90 min left")]
)
def test_the_time_that_is_left_is_that_of_this_run(capsys, since_s, done, left):
    """A resumed run begins at 900 of 1000; what an earlier run did says nothing of the pace."""
    step = Step()
    step.moves_to("collecting", 900, 1000)
    step.began -= since_s
    step.moves_to("collecting", done, 1000)
    step.say()
    assert said(capsys) == [f"collecting: {done} of 1000, {left}"]


def test_one_step_after_the_other(capsys):
    with lines(first_s=0, every_s=0.01) as progress:
        progress("labelling", 1, 2)
        wait_for(lambda: said(capsys), 1)
        progress("training", 0, 7)
        later = []
        while "training: 0 of 7" not in later:
            later += wait_for(lambda: said(capsys), 1)
    assert later[0] == "labelling: 1 of 2", "the last line of a step is not an old one"


def test_what_fails_leaves_no_thread_behind(capsys):
    with pytest.raises(ZeroDivisionError), lines() as progress:
        progress("asking", 0, 1 // 0)
    assert not any(thread.name == "foggate-progress" for thread in threading.enumerate())
