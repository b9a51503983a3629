"""How soon, and where to: no clock, no network."""

import pytest

from gwproactor.config.mqtt import MQTTClient
from gwproactor.links.core.backoff import Backoff
from gwproactor.links.core.pace import RESTARTS_AT_ONCE, RESTARTS_PER_SECOND, STEADY_SECONDS, Pace

BROKERS = (MQTTClient(host="first"), MQTTClient(host="second"))


def pace(brokers: int = 1) -> Pace:
    return Pace(BROKERS[:brokers], Backoff([0, 1, 2, 10]))


def delays(pace: Pace, now: float, count: int) -> list[float]:
    return [pace.next_round(now)[0] for _ in range(count)]


def test_every_round_pays_one_delay() -> None:
    assert delays(pace(2), 5.0, 6) == [0, 1, 2, 10, 10, 10]


def test_all_brokers_are_tried_in_order() -> None:
    tried = pace(2)
    assert tried.next_round(0.0)[1] == [0, 1]
    assert [tried.broker(position) for position in (0, 1)] == list(BROKERS)


def test_a_success_begins_anew() -> None:
    tried = pace()
    delays(tried, 0.0, 3)
    assert tried.lost(10.0, 0, 1.0, was_active=True)
    assert delays(tried, 10.0, 2) == [0, 1]


def test_a_connection_that_stood_long_is_a_success() -> None:
    tried = pace()
    delays(tried, 0.0, 3)
    assert tried.lost(100.0, 0, STEADY_SECONDS, was_active=False)
    assert delays(tried, 100.0, 1) == [0]


def test_a_connection_that_is_dropped_at_once_is_none() -> None:
    tried = pace()
    delays(tried, 0.0, 1)
    assert not tried.lost(0.0, 0, 0.001, was_active=False)
    assert delays(tried, 0.0, 1) == [1]


@pytest.mark.parametrize("delays", [[0], [0, 0.01, 0.02], [0, 1, 2, 10], None])
@pytest.mark.parametrize("lasted_seconds", [0.0, 0.001, 0.03])
def test_successes_that_do_not_last_run_out(
    delays: list[float] | None, lasted_seconds: float
) -> None:
    """However fast links become active and are lost, the attempts have a bounded rate."""
    tried, now, attempts = Pace(BROKERS[:1], Backoff(delays)), 0.0, 0
    while now < 100.0:
        now += tried.next_round(now)[0] + lasted_seconds
        attempts += 1
        tried.lost(now, 0, lasted_seconds, was_active=True)
    assert attempts <= RESTARTS_AT_ONCE + 100 * RESTARTS_PER_SECOND + 2


def test_a_loss_a_second_is_always_answered_at_once() -> None:
    tried = pace()
    for second in range(1000):
        assert tried.next_round(float(second))[0] == 0
        assert tried.lost(float(second), 0, 0.9, was_active=True)


def test_a_broker_that_refuses_is_left_alone_for_the_longest_delay() -> None:
    tried = pace()
    tried.next_round(0.0)
    tried.refused(0.0, 0)
    assert tried.next_round(0.0) == (10, [0])


def test_the_other_brokers_are_tried_as_ever() -> None:
    tried = pace(2)
    tried.next_round(0.0)
    tried.refused(0.0, 0)
    assert tried.next_round(0.0) == (1, [1])
    assert tried.next_round(1.0) == (2, [1])
    assert tried.next_round(3.0) == (10, [0, 1])


@pytest.mark.parametrize("now", [0.0, 1e6])
def test_the_clock_may_begin_anywhere(now: float) -> None:
    assert pace().next_round(now) == (0, [0])


def test_after_a_success_the_list_begins_at_the_first() -> None:
    tried = pace(2)
    tried.next_round(0.0)
    tried.lost(20.0, 1, 15.0, was_active=True)
    assert tried.next_round(20.0)[1] == [0, 1]


def test_or_at_the_one_that_worked_where_that_is_asked_for() -> None:
    tried = Pace(BROKERS, Backoff([0, 1]), prefer_working=True)
    assert tried.next_round(0.0)[1] == [0, 1]
    tried.lost(0.0, 0, 0.001, was_active=False)  # no success: nothing is preferred
    assert tried.next_round(0.0)[1] == [0, 1]
    tried.lost(20.0, 1, 15.0, was_active=True)
    assert tried.next_round(20.0)[1] == [1, 0]


def test_a_conflict_keeps_it_away_whatever_else_holds() -> None:
    tried = pace()
    tried.next_round(0.0)
    tried.stay_away(100.0, 60.0)
    assert tried.next_round(100.0)[0] == 60.0
    assert tried.next_round(200.0)[0] == 2
