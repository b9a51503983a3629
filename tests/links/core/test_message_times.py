"""When the next ping is due, and when the peer counts as silent."""

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.links.core.message_times import LinkTimes, next_ping_seconds

seconds = st.integers(0, 1000).map(float)


def times(**when: float) -> LinkTimes:
    return LinkTimes(poll_seconds=60.0, ack_timeout_seconds=5.0, **when)


def test_a_ping_is_due_when_nothing_was_sent() -> None:
    assert times(last_send=100.0, last_recv=150.0).ping_at() == 160.0


def test_a_ping_is_due_when_nothing_was_received_however_much_was_sent() -> None:
    assert times(last_send=150.0, last_recv=100.0).ping_at() == 160.0


def test_silence_counts_from_the_last_receipt() -> None:
    assert times(last_send=1e9, last_recv=100.0).silence_at() == 165.0


def test_a_silent_peer_is_pinged_once_in_the_poll_seconds() -> None:
    waiting = times(last_send=0.0, last_recv=0.0)
    waiting.sent_ping(10_000.0)
    assert waiting.ping_at() == 10_060.0


@given(last_send=seconds, last_recv=seconds, last_ping=seconds)
def test_after_a_ping_the_next_is_never_due_at_once(
    last_send: float, last_recv: float, last_ping: float
) -> None:
    now = max(last_send, last_recv, last_ping)
    assert next_ping_seconds(now, last_recv, now, 60.0) == now + 60.0
    assert next_ping_seconds(last_send, last_recv, last_ping, 60.0) <= now + 60.0
