"""How one waits at a queue between threads and a loop, and for how long.

A thread sleeps on a lock that whoever wakes it releases; a coroutine waits for a future that is set
on its loop. Neither looks again and again.
"""

import asyncio
import contextlib
import math
import threading
import time

from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.pulse import steps
from gwproactor.errors import UsageError

_FOREVER = -1
"""As `Lock.acquire` has it."""


class SleepingThread:
    """A thread that waits: it sleeps on a lock that whoever wakes it releases."""

    def __init__(self) -> None:
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def wake(self) -> bool:
        """Wake it; once more does nothing. From any thread."""
        with contextlib.suppress(RuntimeError):  # it is awake already
            self._asleep.release()
        return True

    def sleep(self, seconds: float | None) -> bool:
        """Whether it was woken in that time, in which the thread has a pulse."""
        return any(
            self._asleep.acquire(timeout=_FOREVER if step is None else step)
            for step in steps(seconds)
        )


class WaitingTask:
    """A coroutine that waits: a future, set on its loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.woken: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> bool:
        """Wake it, by its loop; False where that has ended. From any thread."""
        here = threading.get_ident() == self._thread  # then the loop need not be roused
        try:
            (self._loop.call_soon if here else self._loop.call_soon_threadsafe)(self._set)
        except RuntimeError:  # its loop is closed, so it will never run again
            return False
        return True

    def _set(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


class Limit:
    """How long a thread waits."""

    __slots__ = ("_deadline", "_interrupt")

    def __init__(self, deadline: float | None, interrupt: Interrupt | None = None) -> None:
        self._deadline = deadline
        self._interrupt = interrupt

    @property
    def is_reached(self) -> bool:
        """Whether it is to try for the last time now."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return True
        return self._interrupt is not None and self._interrupt.is_set()

    def sleep(self, waiter: SleepingThread) -> bool:
        """Whether it was the queue that woke the waiter, as far as can be told."""
        seconds = None if self._deadline is None else self._deadline - time.monotonic()
        if self._interrupt is None:
            return waiter.sleep(seconds)
        with self._interrupt.ending(waiter):
            return waiter.sleep(seconds) and not self._interrupt.is_set()


_NEVER = Limit(None)
_AT_ONCE = Limit(-math.inf)


def limit_of(block: bool, timeout: float | None, interrupt: Interrupt | None) -> Limit:
    """How long to wait, from the arguments of a `put` or `get`.

    Raises:
        UsageError: The timeout is no number of seconds.
    """
    if not block:
        return _AT_ONCE
    if timeout is None:
        return _NEVER if interrupt is None else Limit(None, interrupt)
    if not timeout >= 0:
        raise UsageError(f"a timeout of {timeout} s cannot be waited for; give 0 or more, or None")
    return Limit(time.monotonic() + timeout, interrupt)


def refuse_on_a_loop() -> None:
    """Raise UsageError on a thread that runs an event loop, which a wait would hold up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "this wait would hold up the event loop of its own thread: await loop_end.put or"
        " loop_end.get there, or give block=False"
    )
