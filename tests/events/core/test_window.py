"""The window: what a plain peer sees of it, and how it follows the acks of batches."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.events.core.window import Window

FIRST, MAXIMUM, BATCHED = 5, 64, 4096


def batching() -> Window:
    window = Window(FIRST, MAXIMUM, BATCHED)
    window.allow_batches(True)
    return window


def test_a_plain_peer_gets_one_more_for_each_ack_up_to_the_maximum() -> None:
    window = Window(FIRST, MAXIMUM, BATCHED)
    counts = []
    for _ in range(100):
        counts.append(window.count)
        window.acked()
    assert counts == [min(FIRST + n, MAXIMUM) for n in range(100)]
    assert window.batch_count == 1


def test_quick_acks_of_batches_double_the_window() -> None:
    window = batching()
    window.acked(5, 0.001)
    window.acked(10, 0.001)
    assert window.count == 20
    assert window.batch_count == 5


def test_late_acks_halve_it_and_never_below_the_first() -> None:
    window = batching()
    window.acked(1000, 0.0)
    window.acked(100, 0.5)
    assert window.count == 502
    for _ in range(20):
        window.acked(10, 1.0)
    assert window.count == FIRST


def test_acks_that_are_neither_leave_it() -> None:
    window = batching()
    window.acked(100, 0.15)
    assert window.count == FIRST


def test_an_activation_begins_anew_without_batches() -> None:
    window = batching()
    window.acked(1000, 0.0)
    window.restart()
    assert (window.count, window.batch_count) == (FIRST, 1)
    window.acked(1000)
    assert window.count == MAXIMUM


def test_a_peer_that_takes_no_batches_any_more_gets_a_plain_window() -> None:
    window = batching()
    window.acked(1000, 0.0)
    window.allow_batches(False)
    assert (window.count, window.batch_count) == (MAXIMUM, 1)


def test_batches_that_are_not_wanted_are_never_asked_for() -> None:
    window = Window(FIRST, MAXIMUM, None)
    window.allow_batches(True)
    window.acked(1000, 0.0)
    assert (window.count, window.batch_count) == (MAXIMUM, 1)


@given(
    st.lists(
        st.tuples(st.just("ack"), st.integers(1, 5000), st.floats(0, 10))
        | st.tuples(st.just("allow"), st.booleans(), st.just(0.0))
        | st.tuples(st.just("restart"), st.just(0), st.just(0.0)),
        max_size=50,
    )
)
def test_it_stays_within_its_bounds_whatever_happens(steps: list[tuple[str, int, float]]) -> None:
    window = Window(FIRST, MAXIMUM, BATCHED)
    for what, number, waited in steps:
        if what == "ack":
            window.acked(number, waited)
        elif what == "allow":
            window.allow_batches(bool(number))
        else:
            window.restart()
        assert FIRST <= window.count <= BATCHED
        assert 1 <= window.batch_count <= max(1, window.count // 2)


# A slow peer


def longest_wait(window: Window, rates: list[float]) -> float:
    """How long an answer took at most, as a share of the ack timeout, with ever enough to send.

    Args:
        window: The window.
        rates: How many events the peer takes in an ack timeout; for each, so many batches long.
    """
    now, free_at, longest = 0.0, 0.0, 0.0
    in_flight: deque[tuple[int, float, float]] = deque()
    for rate in rates:
        for _ in range(60):
            while sum(count for count, _, _ in in_flight) + window.batch_count <= window.count:
                free_at = max(now, free_at) + window.batch_count / rate
                in_flight.append((window.batch_count, now, free_at))
            count, sent_at, now = in_flight.popleft()
            longest = max(longest, now - sent_at)
            window.acked(count, now - sent_at)
    return longest


@given(st.floats(50, 1e6))
def test_a_peer_of_any_pace_is_never_taken_for_a_lost_one(rate: float) -> None:
    assert longest_wait(batching(), [rate]) < 0.5


@given(st.floats(150, 1e6), st.lists(st.floats(0.4, 1), min_size=1, max_size=5))
def test_nor_is_one_that_becomes_slower(rate: float, slower: list[float]) -> None:
    rates = [rate]
    for share in slower:
        rates.append(max(50.0, rates[-1] * share))
    assert longest_wait(batching(), rates) < 1
