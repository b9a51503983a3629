import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.links.core.link_history import Histogram, LinkHistory
from gwproactor.links.core.link_state import StateName, Transition, TransitionName

S, T = StateName, TransitionName
CYCLE = [
    (T.mqtt_connected, S.connecting, S.awaiting_setup_and_peer),
    (T.mqtt_suback, S.awaiting_setup_and_peer, S.awaiting_peer),
    (T.message_from_peer, S.awaiting_peer, S.active),
    (T.mqtt_disconnected, S.active, S.connecting),
]


def transition(name: TransitionName, old: StateName, new: StateName) -> Transition:
    return Transition("link", name, old, new, reason=f"because of {name}")


def history_of(
    outages_seconds: list[float], max_transitions: int = 100
) -> tuple[LinkHistory, float]:
    """A link that was active for a second before each outage; and the present moment."""
    history, now = LinkHistory(max_transitions), 100.0
    history.add(transition(T.start_called, S.not_started, S.connecting), now, 0)
    for outage in [0.25, *outages_seconds]:
        for name, old, new in CYCLE[:3]:
            now += outage / 3
            history.add(transition(name, old, new), now, int(now * 1000))
        now += 1.0
        history.add(transition(*CYCLE[3]), now, int(now * 1000))
    return history, now


def test_it_says_how_long_the_link_was_in_each_state_up_to_now() -> None:
    history, now = history_of([0.75])
    seconds = history.seconds_in_states(now + 5.0)
    assert seconds[S.active] == pytest.approx(2.0)
    assert seconds[S.connecting] == pytest.approx(1.0 / 3 + 5.0)
    assert sum(seconds.values()) == pytest.approx(now + 5.0 - 100.0)
    assert S.not_started not in seconds


@given(st.lists(st.floats(0.001, 1000.0), max_size=50))
def test_each_reactivation_is_counted_with_its_length(outages: list[float]) -> None:
    history, _ = history_of(outages)
    assert history.reactivations.count == len(outages)
    assert history.reactivations.total_seconds == pytest.approx(sum(outages))
    assert history.reactivations.longest_seconds == pytest.approx(max(outages, default=0.0))


def test_only_the_last_transitions_are_kept_and_all_are_counted() -> None:
    history, now = history_of([1.0] * 100, max_transitions=10)
    assert len(history.transitions) == 10
    assert history.transitions[-1].at_seconds == now
    assert history.transitions[-1].transition.reason == "because of mqtt_disconnected"
    assert history.counts[T.mqtt_disconnected] == 101


def test_a_failed_attempt_is_kept_and_changes_no_time() -> None:
    history = LinkHistory()
    history.add(transition(T.start_called, S.not_started, S.connecting), 1.0, 1)
    history.add(transition(T.mqtt_connect_failed, S.connecting, S.connecting), 2.0, 2)
    assert history.counts[T.mqtt_connect_failed] == 1
    assert history.seconds_in_states(3.0) == {S.connecting: 2.0}


def test_it_is_readable_as_data() -> None:
    history, now = history_of([0.5])
    data = json.loads(json.dumps(history.as_data(now)))
    assert data["transitions"][0] == {
        "t_ms": 0,
        "transition": "start_called",
        "old": "not_started",
        "new": "connecting",
        "why": "because of start_called",
    }
    assert data["counts"]["message_from_peer"] == 2
    assert data["reactivations"]["count"] == 1


@given(st.lists(st.floats(0.0, 1e9), min_size=1), st.floats(0.0, 1.0))
def test_a_quantile_is_at_most_a_factor_of_two_too_long(seconds: list[float], share: float) -> None:
    histogram = Histogram()
    for each in seconds:
        histogram.add(each)
    true = sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)]
    told = histogram.quantile_seconds(share)
    assert true <= told <= max(0.001, 2 * true, histogram.bounds_seconds[0]) or told == max(seconds)
    assert sum(count for _, count in histogram.buckets()) == len(seconds)


def test_a_histogram_says_itself_in_words() -> None:
    histogram = Histogram()
    assert str(histogram) == "none"
    assert histogram.quantile_seconds(0.5) == 0.0
    histogram.add(0.003)
    assert str(histogram) == "1, half within 0.003 s, 99 % within 0.003 s, longest 0.003 s"
