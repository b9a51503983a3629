"""Delays before the next attempt."""

import itertools
from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.errors import SettingsError
from gwproactor.links.core.backoff import (
    EARLY_SECONDS,
    Backoff,
    reconnect_delays,
    retry_delays,
)


def longest() -> float:
    return 1.0


def test_the_first_attempt_is_made_at_once_without_jitter() -> None:
    assert next(reconnect_delays(longest)) == 0.0


def test_delays_double_to_a_quarter_and_after_ten_seconds_to_ten() -> None:
    delays = list(islice(reconnect_delays(longest), 60))
    assert delays[:6] == [0.0, 0.05, 0.1, 0.2, 0.25, 0.25]
    early = [sum(delays[:i]) < EARLY_SECONDS for i in range(len(delays))]
    late = delays[early.index(False) :]
    assert max(delays[: early.index(False)]) == 0.25
    assert late[:7] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@given(st.floats(0.0, 1.0))
def test_jitter_is_full(drawn: float) -> None:
    second = list(islice(reconnect_delays(lambda: drawn), 2))[1]
    assert second == drawn * 0.05


@given(st.integers())
def test_the_ceiling_holds_whatever_is_drawn(seed: int) -> None:
    delays = list(islice(reconnect_delays(Random(seed).random), 300))
    assert delays[0] == 0.0
    assert all(0.0 <= delay <= 10.0 for delay in delays)
    assert len(set(delays)) == len(delays), "two clients would come back together"


def test_a_success_begins_the_delays_anew() -> None:
    backoff = Backoff(random=longest)
    spent = [backoff.next_seconds() for _ in range(100)]
    assert spent[-1] == 10.0
    backoff.restart()
    assert backoff.next_seconds() == 0.0
    assert backoff.next_seconds() == 0.05


def test_a_refusal_costs_the_longest_delay() -> None:
    backoff = Backoff(random=lambda: 0.0)
    assert [backoff.next_seconds(refused=True) for _ in range(3)] == [10.0] * 3
    assert Backoff([1.0, 30.0, 2.0]).next_seconds(refused=True) == 30.0


def forever() -> Iterator[float]:
    yield from itertools.count(1.0)


@pytest.mark.parametrize("delays", [[1, 2, 3], (1, 2, 3), iter([1, 2, 3]), range(1, 4)])
def test_any_iterable_serves_and_its_last_delay_repeats(delays: list[float]) -> None:
    backoff = Backoff(delays)
    for _ in range(2):
        assert [backoff.next_seconds() for _ in range(5)] == [1.0, 2.0, 3.0, 3.0, 3.0]
        backoff.restart()


def test_an_endless_iterable_is_read_to_a_limit() -> None:
    assert Backoff(forever()).longest_seconds == 1000.0


@pytest.mark.parametrize("delays", [[], [-1.0], [float("nan")], [float("inf")]])
def test_delays_that_cannot_work_are_refused(delays: list[float]) -> None:
    with pytest.raises(SettingsError):
        Backoff(delays)


def test_what_was_refused_is_asked_for_again_never_at_once() -> None:
    soonest, latest = retry_delays(lambda: 0.0), retry_delays(longest)
    assert list(islice(soonest, 8)) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert list(islice(latest, 8)) == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
