"""Which questions share a forward pass, in which order they are taken, and how the pace of forward passes is estimated."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.edge.batching import AGEING, Bounds, choose
from app.edge.pace import Pace
from app.edge.rendering import Prompt


@dataclass
class One:
    """A question that waits."""

    prompt: Prompt
    since: float = 0.0
    due: float = math.inf
    yields: bool = False


def prompts(*lengths, cached=0, nodes=0):
    return [Prompt(tuple(range(length)), 4, shares_prefix=True, cached=cached, nodes=nodes) for length in lengths]


def chosen(waiting, *, max_size=100, max_tokens=100_000, max_padding_share=1.0, **pace):
    ones = [one if isinstance(one, One) else One(one) for one in waiting]
    return choose(ones, Bounds(max_size, max_tokens, max_padding_share), **pace)


def at(length, since=0.0, *, due=math.inf, yields=False):
    return One(prompts(length)[0], since, due, yields)


@given(
    st.lists(st.tuples(st.integers(1, 300), st.sampled_from([0, 40])), min_size=1, max_size=60),
    st.integers(1, 20),
    st.integers(1, 3000),
    st.floats(0, 1),
)
def test_a_batch_holds_the_oldest_and_keeps_every_bound(shapes, max_size, max_tokens, share):
    waiting = [prompts(cached + computed, cached=cached)[0] for computed, cached in shapes]
    batch = [waiting[index] for index in chosen(waiting, max_size=max_size, max_tokens=max_tokens, max_padding_share=share)]
    assert waiting[0] in batch
    assert len(batch) <= max_size
    assert len({prompt.cached for prompt in batch}) == 1
    longest, width = max(len(prompt.ids) for prompt in batch), max(prompt.computed for prompt in batch)
    assert len(batch) == 1 or longest * len(batch) <= max_tokens
    assert width * len(batch) - sum(prompt.computed for prompt in batch) <= share * width * len(batch) + 1e-9


@given(st.lists(st.integers(1, 300), min_size=1, max_size=80))
def test_every_question_leads_a_batch_at_the_latest_when_all_older_ones_have(lengths):
    waiting = list(enumerate(prompts(*lengths)))
    for batches in range(len(lengths)):
        if not waiting:
            break
        assert waiting[0][0] >= batches, "the oldest left in every batch"
        taken = chosen([prompt for _, prompt in waiting], max_size=4, max_padding_share=0.1)
        waiting = [entry for index, entry in enumerate(waiting) if index not in taken]
    assert not waiting


def test_the_nearest_in_length_are_taken_and_of_equally_near_ones_the_oldest():
    assert chosen(prompts(10, 30, 12, 8, 10, 12, 10), max_size=5) == {0, 4, 6, 2, 3}
    assert chosen(prompts(10, 10, 10, 10, 10), max_size=3) == {0, 1, 2}


def test_mixed_lengths_do_not_share_a_batch_beyond_the_share_of_padding():
    # 100 and 50: 50 of 200 columns are padding, a quarter; 49 is one too many, and so would be 40 beside them.
    assert chosen(prompts(100, 50), max_padding_share=0.25) == {0, 1}
    assert chosen(prompts(100, 49), max_padding_share=0.25) == {0}
    assert chosen(prompts(100, 50, 40), max_padding_share=0.25) == {0, 1}
    assert chosen(prompts(50, 101), max_padding_share=0.25) == {0}
    # What does not fit is passed over, not the end of the batch: 51 is farther from 20 than 4 is.
    assert chosen(prompts(20, 4, 51), max_tokens=45) == {0, 1}
    assert chosen(prompts(20, 30, 9), max_tokens=45, max_padding_share=0.5) == {0, 2}


@pytest.mark.parametrize("others", [(9, 8, 7), (7, 8, 9), (11, 12, 13), (13, 12, 11)])
def test_the_tokens_of_a_batch_are_those_of_its_longest_prompt_times_its_size(others):
    """Wherever the longest one stands: 10 first and the others ever shorter, or ever longer."""
    longest = max(10, *sorted(others, key=lambda length: abs(length - 10))[:2])
    assert len(chosen(prompts(10, *others), max_tokens=longest * 3)) == 3
    assert len(chosen(prompts(10, *others), max_tokens=longest * 3 - 1)) == 2


def test_the_longest_so_far_is_not_forgotten():
    assert chosen(prompts(7, 10, 2), max_tokens=29) == {0, 1}, "three times 10 is over the bound, three times 7 would not be"


def test_a_single_prompt_over_the_bound_is_chosen_alone():
    assert chosen(prompts(50, 50), max_tokens=30) == {0}


def test_tokens_of_the_shared_prefix_are_not_padded_and_prompts_without_it_stay_apart():
    # 110 and 150 with a prefix of 100: 10 and 50 are computed, 40 of 100 columns are padding.
    assert chosen(prompts(110, 150, cached=100), max_padding_share=0.25) == {0}
    assert chosen(prompts(110, 150), max_padding_share=0.25) == {0, 1}
    assert chosen([*prompts(110, cached=100), *prompts(110), *prompts(110, cached=100)]) == {0, 2}
    assert chosen(prompts(110, 110, 110, cached=100), max_tokens=220) == {0, 1}, "the memory bound counts whole prompts"


def test_tokens_of_the_trie_are_computed_and_so_are_not_padding():
    # 10 and 20 behind 30 nodes each: 10 of 100 columns are padding, not 10 of 40.
    assert chosen(prompts(10, 20), max_padding_share=0.1) == {0}
    assert chosen(prompts(10, 20, nodes=30), max_padding_share=0.1) == {0, 1}
    assert chosen(prompts(10, 10, 10, nodes=30), max_tokens=20) == {0, 1}, "the bound is one of prompt tokens"
    assert chosen([*prompts(10, nodes=30), *prompts(10, nodes=90), *prompts(10, nodes=30)]) == {0, 2}, "another trie is another pass"


def test_questions_that_do_not_yield_come_before_those_that_do():
    assert chosen([at(30), at(60), at(30, yields=True), at(31, yields=True)], max_size=2) == {0, 1}
    assert chosen([at(30), at(60), at(30, yields=True)], max_size=2, max_padding_share=0.1) == {0, 2}, "the rest of a batch is free"
    # One that yields joins a pass that costs the single question no more than it would alone, and fills one of its own kind freely.
    assert chosen([at(100), at(111, yields=True), at(110, yields=True), at(2_000, yields=True)], max_size=4) == {0, 2}
    assert chosen([at(100, yields=True), at(2_000, yields=True)], max_size=4) == {0, 1}
    # A short one that yields does not pass a long one that does not.
    assert chosen([at(300), at(10, yields=True)], max_size=1, now=1.0, seconds_per_column=0.01) == {0}


def test_a_shorter_question_passes_a_longer_one_for_a_while_and_no_longer():
    """300 columns take 3 s: until 12 s later, less 4 times its own 0.1 s, a question of 10 columns goes first."""
    reach = AGEING * (3.0 - 0.1)
    for later, first in ((0.0, 1), (reach - 0.1, 1), (reach + 0.1, 0)):
        waiting = [at(300), at(10, later)]
        assert chosen(waiting, max_size=1, now=later, seconds_per_column=0.01) == {first}
    assert chosen([at(300), at(10)], max_size=1, now=0.0) == {0}, "as long as the pace is not known they go in the order of arrival"


def test_nobody_is_passed_who_would_then_lack_time_for_the_cloud():
    # The long one takes 3 s and has half of its deadline; the short one takes 0.1 s, and a batch of two of them 0.2 s.
    for due, first in ((6.1, {0}), (6.3, {1}), (6.5, {1})):
        waiting = [at(300, due=due), at(10)]
        assert chosen(waiting, max_size=1, now=0.0, seconds_per_column=0.01) == first
    for due, first in ((6.3, {0}), (6.5, {1, 2})):
        waiting = [at(300, due=due), at(10), at(10)]
        assert chosen(waiting, max_size=2, max_padding_share=0.1, now=0.0, seconds_per_column=0.01) == first
    # Nor is one that stands farther back and has as little time: it counts with all that is older.
    waiting = [at(100), at(100, due=4.1), at(10)]
    assert chosen(waiting, max_size=1, now=0.0, seconds_per_column=0.01) == {0}


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 20), st.floats(0, 60)), min_size=1, max_size=30))
def test_what_is_answered_in_time_in_the_order_of_arrival_is_answered_in_time_in_ours(shapes):
    """All have come when the engine becomes free; one question a batch. A promise holds for those whose elders are in time too."""
    waiting = [at(length, -age, due=due) for length, age, due in sorted(shapes, key=lambda shape: -shape[1])]
    pace, now = 0.01, 0.0
    ends = {id(one): sum(elder.prompt.columns for elder in waiting[: index + 1]) * pace for index, one in enumerate(waiting)}
    promised = []
    for one in waiting:
        if ends[id(one)] > one.due:
            break
        promised.append(one)
    left = list(waiting)
    while left:
        (taken,) = chosen(left, max_size=1, now=now, seconds_per_column=pace)
        now += left[taken].prompt.columns * pace
        ends[id(left[taken])] = now
        del left[taken]
    assert all(ends[id(one)] <= one.due + 1e-9 for one in promised)


def test_nothing_is_known_of_the_pace_before_the_first_batch():
    assert Pace().seconds_per_column == 0.0


def test_a_single_slow_batch_does_not_set_the_pace():
    pace = Pace()
    for seconds in (12.0, 0.1, 0.1):
        pace.add(seconds, 100)
    assert pace.seconds_per_column == pytest.approx(0.001)
    pace.add(12.0, 100)
    assert pace.seconds_per_column == pytest.approx(0.001)


def test_a_slower_machine_is_noticed_within_a_few_batches_and_a_faster_one_too():
    pace = Pace()
    for _ in range(100):
        pace.add(0.1, 100)
    for _ in range(5):
        pace.add(0.5, 100)
    assert pace.seconds_per_column == pytest.approx(0.005)
    for _ in range(5):
        pace.add(0.1, 100)
    assert pace.seconds_per_column == pytest.approx(0.001)


def test_one_large_batch_says_more_than_many_small_ones():
    """On a GPU a batch of one takes as long as one of sixteen: after a quiet hour a burst must not be refused for that."""
    pace = Pace()
    for _ in range(7):
        pace.add(0.04, 20)
    pace.add(0.05, 1600)
    assert pace.seconds_per_column == pytest.approx(0.05 / 1600)
