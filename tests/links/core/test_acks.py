"""Acks that are waited for: deadlines in the core, timers in the shell."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.links.core.acks import NEVER, AckDeadlines, AckManager, AckWaitInfo
from gwproactor.links.core.timer_interface import TimerManagerInterface


def test_deadlines_expire_in_order_and_once() -> None:
    acks = AckDeadlines()
    assert acks.start("a", 5.0, epoch=1)
    assert acks.start("b", 6.0, epoch=2)
    assert acks.next_deadline() == 5.0
    assert acks.expire(4.9) == []
    assert acks.expire(6.0) == [("a", 1), ("b", 2)]
    assert acks.expire(9.0) == []
    assert acks.next_deadline() == NEVER


def test_a_released_ack_does_not_expire() -> None:
    acks = AckDeadlines()
    acks.start("a", 5.0)
    assert "a" in acks
    assert acks.release("a")
    assert not acks.release("a")
    assert acks.expire(9.0) == []


def test_a_message_sent_again_is_waited_for_anew() -> None:
    acks = AckDeadlines()
    acks.start("a", 5.0)
    acks.start("b", 6.0)
    acks.start("a", 7.0, epoch=3)
    assert len(acks) == 2
    assert acks.expire(6.0) == [("b", 0)]
    assert acks.expire(7.0) == [("a", 3)]


def test_the_limit_holds() -> None:
    acks = AckDeadlines(limit=2)
    assert acks.start("a", 1.0)
    assert acks.start("b", 2.0)
    assert not acks.start("c", 3.0)
    assert acks.start("b", 4.0)
    assert acks.clear() == ("a", "b")
    assert acks.clear() == ()


@given(st.lists(st.tuples(st.sampled_from("sre"), st.integers(0, 5), st.integers(0, 3))))
def test_deadlines_agree_with_a_plain_dict(steps: list[tuple[str, int, int]]) -> None:
    acks, plain, now = AckDeadlines(), dict[str, float](), 0.0
    for step, name, seconds in steps:
        now += seconds
        if step == "s":
            acks.start(str(name), now + 3)
            plain[str(name)] = now + 3
        elif step == "r":
            assert acks.release(str(name)) == (plain.pop(str(name), None) is not None)
        else:
            gone = {key for key, deadline in plain.items() if deadline <= now}
            assert {ack.message_id for ack in acks.expire(now)} == gone
            plain = {key: deadline for key, deadline in plain.items() if key not in gone}
        assert acks.next_deadline() == min(plain.values(), default=NEVER)
        assert len(acks) == len(plain)


@dataclass
class Timers(TimerManagerInterface):
    """Timers that run when told to; `stray` ones call back after they were cancelled."""

    running: dict[int, tuple[float, Callable[[], None]]] = field(default_factory=dict)
    cancelled: dict[int, Callable[[], None]] = field(default_factory=dict)
    count: int = 0

    def start_timer(self, delay_seconds: float, callback: Callable[[], None]) -> int:
        self.count += 1
        self.running[self.count] = (delay_seconds, callback)
        return self.count

    def cancel_timer(self, timer_handle: int) -> None:
        if timer_handle in self.running:
            self.cancelled[timer_handle] = self.running.pop(timer_handle)[1]

    def fire(self) -> None:
        while self.running:
            _, (_, callback) = self.running.popitem()
            callback()


@pytest.fixture
def timers() -> Timers:
    return Timers()


def test_the_manager_calls_back_once_with_the_context(timers: Timers) -> None:
    expired: list[AckWaitInfo] = []
    acks = AckManager(timers, expired.append, delay=2.5)
    acks.add_link("link")
    wait = acks.start_ack_timer("link", "id", context="mine")
    assert (wait.link_name, wait.message_id, wait.context) == ("link", "id", "mine")
    assert [delay for delay, _ in timers.running.values()] == [2.5]
    assert acks.num_acks("link") == 1
    timers.fire()
    assert expired == [wait]
    assert acks.num_acks("link") == 0
    assert acks.cancel_ack_timer("link", "id") is None


def test_delays_of_the_manager(timers: Timers) -> None:
    acks = AckManager(timers, lambda _: None)
    assert acks.default_delay_seconds == 5.0
    assert AckManager(timers, lambda _: None, None).default_delay_seconds == 5.0
    acks.start_ack_timer("link", "a")
    acks.start_ack_timer("link", "b", delay_seconds=0.5)
    assert [delay for delay, _ in timers.running.values()] == [5.0, 0.5]


def test_a_cancelled_wait_does_not_call_back_even_if_its_timer_does(timers: Timers) -> None:
    expired: list[AckWaitInfo] = []
    acks = AckManager(timers, expired.append)
    wait = acks.start_ack_timer("link", "id")
    assert acks.cancel_ack_timer("link", "id") is wait
    assert not timers.running
    for callback in timers.cancelled.values():
        callback()
    assert expired == []


def test_a_stray_timer_does_not_end_the_wait_that_followed(timers: Timers) -> None:
    expired: list[AckWaitInfo] = []
    acks = AckManager(timers, expired.append)
    acks.start_ack_timer("link", "id")
    acks.start_ack_timer("link", "id")
    for callback in timers.cancelled.values():
        callback()
    assert expired == []
    assert acks.num_acks("link") == 1


def test_links_are_apart(timers: Timers) -> None:
    acks = AckManager(timers, lambda _: None)
    mine = [acks.start_ack_timer("mine", name) for name in "ab"]
    acks.start_ack_timer("other", "a")
    acks.add_link("mine")
    assert acks.cancel_ack_timers("mine") == mine
    assert acks.cancel_ack_timers("mine") == []
    assert acks.cancel_ack_timers("unknown") == []
    assert acks.num_acks("other") == 1
    assert acks.num_acks("unknown") == 0
    assert len(timers.running) == 1
