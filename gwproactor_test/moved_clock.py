"""A clock for real links that a test moves by hand, so that a minute takes no time.

`MovedClock` is the timers of links and the monotonic clock that they read. It stands still but for
a microsecond with each look at it, and moves when the test says so: every timer fires at its very
moment, however busy the machine is. Brokers, sockets and the loop live on in real time, so a test
waits for an answer that it needs before it moves on::

    with moved_clock() as clock:
        end = End(CHILD, settings, timers=clock)
        ...
        await clock.run(65.0)
"""

import asyncio
import contextlib
import heapq
import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

from gwproactor.links.core.timer_interface import TimerManagerInterface

LOOK_SECONDS = 1e-6
"""What a look at the clock takes: two looks differ, as on a real one."""

TOGETHER_SECONDS = 0.005
"""Timers so near to each other fire together: nothing comes from a socket between them. So what
comes, comes clearly before a deadline or clearly after it, for everybody who looks at the clock."""

TURNS = 8
"""Turns of the loop after a timer fired, in which what it woke can run to its end."""


class _Timer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback


class MovedClock(TimerManagerInterface):
    """Timers, and the monotonic clock that goes with them; for the loop only."""

    def __init__(self) -> None:
        self._now = time.monotonic()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        """The present moment, monotonic seconds."""
        self._now += LOOK_SECONDS
        return self._now

    def start_timer(self, delay_seconds: float, callback: Callable[[], None]) -> _Timer:
        """Start a timer, which fires when the clock is moved past its moment."""
        timer = _Timer(callback)
        heapq.heappush(self._timers, (self._now + delay_seconds, next(self._order), timer))
        return timer

    def cancel_timer(self, timer_handle: Any) -> None:
        """Cancel a timer."""
        timer_handle.callback = None

    def seconds_to_next(self) -> float:
        """How long until the next timer fires; infinity where none is set."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - self._now) if self._timers else float("inf")

    async def run(self, seconds: float) -> None:
        """Let time pass: each timer that falls due fires at its moment, one after the other."""
        until = self._now + seconds
        while self.seconds_to_next() <= max(0.0, until - self._now) + TOGETHER_SECONDS:
            self._fire()
            while self.seconds_to_next() <= TOGETHER_SECONDS:
                self._fire()
            await turn()
        self._now = max(self._now, until)
        await turn()

    def _fire(self) -> None:
        moment, _, timer = heapq.heappop(self._timers)
        self._now = max(self._now, moment)
        if timer.callback is not None:
            timer.callback()


async def turn() -> None:
    """Let the loop go on until what is ready has run."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


@contextlib.contextmanager
def moved_clock() -> Iterator[MovedClock]:
    """Make a clock that every module of links looks at while the block runs."""
    clock = MovedClock()
    shown = SimpleNamespace(**(vars(time) | {"monotonic": clock.monotonic}))
    lookers = [
        module
        for name, module in sys.modules.items()
        if name.startswith("gwproactor.links.") and vars(module).get("time") is time
    ]
    _show(lookers, shown)
    try:
        yield clock
    finally:
        _show(lookers, time)


def _show(modules: Iterable[ModuleType], shown: object) -> None:
    for module in modules:
        vars(module)["time"] = shown
