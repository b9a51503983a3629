"""The times of last sending and receiving as a program sees them."""

import time
from dataclasses import dataclass

import pytest

from gwproactor.links.link_message_times import LinkMessageTimes, MessageTimes


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_times_begin_now() -> None:
    before = time.monotonic()
    link = LinkMessageTimes()
    assert before <= link.last_send <= time.monotonic()
    assert before <= link.last_recv <= time.monotonic()


def test_a_ping_is_due_after_rest_on_either_side() -> None:
    clock = Clock(1059.0)
    link = LinkMessageTimes(1000.0, 1010.0, clock=clock)
    assert link.next_ping_second(60.0) == 1060.0
    assert link.seconds_until_next_ping(60.0) == 1.0
    assert not link.time_to_send_ping(60.0)
    clock.now = 1060.0
    assert link.time_to_send_ping(60.0)
    assert LinkMessageTimes(1010.0, 1000.0, clock=clock).next_ping_second(60.0) == 1060.0


def test_as_text() -> None:
    link = LinkMessageTimes(1000.0, 1010.0, clock=Clock(1020.0))
    text = link.get_str(link_poll_seconds=60.0, relative=False)
    assert "sent 1000.00" in text
    assert "received 1010.00" in text
    assert "(in 40.00 s)" in text
    assert "sent 1000.00" not in str(link)


def test_a_table_of_links() -> None:
    clock = Clock()
    times = MessageTimes(clock)
    times.add_link("a")
    times.add_link("b")
    assert times.link_names() == ["a", "b"]
    clock.now = 1001.0
    times.update_send("a")
    times.update_recv("a", now=1005.0)
    copy = times.get_copy("a")
    assert (copy.last_send, copy.last_recv) == (1001.0, 1005.0)
    times.update_send("a", 2000.0)
    assert copy.last_send == 1001.0
    assert times.get_copy("b") == LinkMessageTimes(1000.0, 1000.0)
    with pytest.raises(KeyError):
        times.get_copy("c")
