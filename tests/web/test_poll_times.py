import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.web.poll_times import PollTimes

seconds = st.floats(min_value=0, max_value=1e6)


def test_each_poll_is_a_period_after_the_last_however_long_it_took() -> None:
    times = PollTimes(10.0, first_at=100.0)
    assert [times.next(now) for now in (103.0, 119.9, 120.0, 139.999)] == [110, 120, 130, 140]
    assert times.missed_count == 0


def test_what_takes_longer_than_a_period_costs_polls_and_makes_none_up() -> None:
    times = PollTimes(10.0, first_at=0.0)
    assert times.next(35.0) == 40
    assert times.missed_count == 3
    assert times.next(40.1) == 50


def test_one_that_is_over_at_the_moment_of_the_next_is_followed_by_it() -> None:
    assert PollTimes(10.0, first_at=0.0).next(10.0) == 10


@given(period=st.floats(min_value=0.001, max_value=86400), first=seconds, took=st.lists(seconds))
def test_nothing_drifts_and_nothing_bursts(period: float, first: float, took: list[float]) -> None:
    times, now = PollTimes(period, first), first
    due = [times.due_at]
    for each in took:
        now = max(now, due[-1]) + each
        due.append(times.next(now))
        assert due[-1] >= now
        assert due[-1] - now <= period * (1 + 1e-9) + 1e-6
    for one, other in itertools.pairwise(due):
        assert other > one
    turns = [(moment - first) / period for moment in due]
    assert all(math.isclose(turn, round(turn), rel_tol=1e-9, abs_tol=1e-3) for turn in turns)
    assert times.missed_count == round(turns[-1]) - len(took)
