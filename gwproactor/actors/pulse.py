"""Signs of life of a thread that is held in a wait of this library.

A thread whose code runs shows by itself that it is alive. One that waits for room in a queue, for
an item or for the end of a sleep cannot, and is no less well: what keeps it is another's slowness.
So each wait of this library is cut into steps, and between two of them the thread's pulse beats. A
thread that hangs in code of its own is in no such wait, has no pulse, and is noticed.

A thread without a pulse waits in one step.
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Pulse(NamedTuple):
    """How a thread shows that it is alive. It is called in that thread only.

    Args:
        seconds_left: Tells how long until the next beat is due.
        beat: Shows it; must put the next one off. It may wait itself, in one step.
    """

    seconds_left: Callable[[], float]
    beat: Callable[[], None]


class _OfThisThread(threading.local):
    pulse: Pulse | None = None


_mine = _OfThisThread()


@contextlib.contextmanager
def beating(pulse: Pulse | None) -> Iterator[None]:
    """Let the waits of this thread beat with that pulse; with None, not at all."""
    before, _mine.pulse = _mine.pulse, pulse
    try:
        yield
    finally:
        _mine.pulse = before


def steps(seconds: float | None) -> Iterator[float | None]:
    """The steps of a wait, each of which is to be waited for; between them the pulse beats.

    Args:
        seconds: How long the whole wait is; None where it has no end.

    Yields:
        The seconds of each step, 0 or more; None for one without an end.
    """
    pulse = _mine.pulse
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    while True:
        left = max(deadline - time.monotonic(), 0)
        until_beat = math.inf if pulse is None else max(pulse.seconds_left(), 0)
        step = min(left, until_beat)
        yield None if step == math.inf else min(step, threading.TIMEOUT_MAX)
        if pulse is None or left <= until_beat:
            return
        with beating(None):
            pulse.beat()
