"""The timer that is moved only when it must be."""

from collections.abc import Callable
from time import monotonic
from typing import Any

from gwproactor.links.core.timer_interface import TimerManagerInterface
from gwproactor.links.deadline_timer import DeadlineTimer


class Timers(TimerManagerInterface):
    """Timers that fire when the test says so."""

    def __init__(self) -> None:
        self.started = 0
        self.running: dict[int, tuple[float, Callable[[], None]]] = {}

    def start_timer(self, delay_seconds: float, callback: Callable[[], None]) -> int:
        self.started += 1
        self.running[self.started] = (delay_seconds, callback)
        return self.started

    def cancel_timer(self, timer_handle: Any) -> None:
        self.running.pop(timer_handle, None)

    def fire(self) -> None:
        [(handle, (_, callback))] = self.running.items()
        del self.running[handle]
        callback()


def test_it_follows_only_what_comes_nearer() -> None:
    timers = Timers()
    timer = DeadlineTimer(timers, lambda: None)
    now = monotonic()
    for deadline in (now + 10, now + 20, now + 10, None):
        timer.follow(deadline)
    assert timers.started == 1
    timer.follow(now + 5)
    assert timers.started == 2
    [(delay, _)] = timers.running.values()
    assert 4 < delay <= 5


def test_after_firing_it_follows_again() -> None:
    timers, fired = Timers(), []
    timer = DeadlineTimer(timers, lambda: fired.append(True))
    timer.follow(monotonic())
    timers.fire()
    assert fired == [True]
    assert not timers.running
    timer.follow(monotonic() + 100)
    assert len(timers.running) == 1


def test_cancelling() -> None:
    timers = Timers()
    timer = DeadlineTimer(timers, lambda: None)
    timer.cancel()
    timer.follow(monotonic() + 1)
    timer.cancel()
    assert not timers.running
    timer.follow(monotonic() + 100)
    assert len(timers.running) == 1


def test_without_a_deadline_there_is_no_timer() -> None:
    timers = Timers()
    DeadlineTimer(timers, lambda: None).follow(None)
    assert not timers.running
