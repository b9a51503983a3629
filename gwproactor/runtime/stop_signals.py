"""SIGTERM and SIGINT, for those on an event loop who want to end in good order at them.

The operating system keeps one handler a signal for the whole process, so a library takes none from
anybody: where another Python handler stands it stays, and where a signal is ignored it stays
ignored. What stood there before is put back when nobody wants the signal any more, unless somebody
has changed it meanwhile. Any number of callbacks on one loop share the signal, and come and go in
any order.

A loop's own `add_signal_handler` has the wakeup that a sleeping loop needs; but it knows one
callback a signal, and every loop puts the same function into the process's table. So a function of
our own is put over that one, by which it is known whether what stands there is still ours.
"""

import asyncio
import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What an operator or a service manager sends to end a program in good order."""

StopCallback = Callable[[str], object]
"""Is called on the loop with the signal's name, such as `SIGTERM`."""


class _Shared:
    """One signal on one loop, and those who want it. For the main thread.

    Args:
        number: The signal.
        loop: The loop.
    """

    def __init__(self, number: signal.Signals, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        self._loop = loop
        self._callbacks: list[StopCallback] = []
        self._before: Any = signal.getsignal(number)
        loop.add_signal_handler(number, self._tell)
        self._the_loops = signal.getsignal(number)
        signal.signal(number, self._stand_in)
        signal.siginterrupt(number, False)  # as the loop had it

    def stands_on(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the signal is still ours, and comes to this loop."""
        return self._loop is loop and signal.getsignal(self._number) == self._stand_in

    def add(self, callback: StopCallback) -> None:
        """Have it called at the signal, from now on."""
        self._callbacks.append(callback)

    def remove(self, callback: StopCallback) -> None:
        """Have it called no more; after the last one, what stood there before is put back."""
        self._callbacks.remove(callback)
        if self._callbacks:
            return
        standing = signal.getsignal(self._number)
        if standing != self._the_loops:  # else somebody has asked this loop for the signal
            self._loop.remove_signal_handler(self._number)  # and with it what stands there
            ours = standing == self._stand_in
            signal.signal(self._number, self._before if ours else standing)
        if _shared.get(self._number) is self:
            del _shared[self._number]

    def _tell(self) -> None:
        for callback in tuple(self._callbacks):
            callback(self._number.name)

    def _stand_in(self, number: int, frame: FrameType | None) -> None:
        """Do nothing: Python has written the signal's number where the loop reads it."""


_shared: dict[signal.Signals, _Shared] = {}
"""The signals that are taken; only one loop at a time runs in the main thread."""


def call_on_stop_signals(
    callback: StopCallback,
    numbers: Sequence[signal.Signals] = STOP_SIGNALS,
    *,
    also_from_runner: bool = True,
) -> Callable[[], None]:
    """Have `callback` called on the running loop at each of these signals that is free.

    Outside the main thread there are no signals, and nothing is ever called.

    Args:
        callback: What to call; it must not raise.
        numbers: The signals.
        also_from_runner: Take SIGINT where asyncio handles it: `asyncio.run` cancels its main task
            and raises KeyboardInterrupt afterwards.

    Returns:
        What ends it; a second call does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    releases = contextlib.ExitStack()
    for number in numbers:
        shared = _taken(number, asyncio.get_running_loop(), also_from_runner)
        if shared is not None:
            shared.add(callback)
            releases.callback(shared.remove, callback)
    return releases.close


@contextlib.contextmanager
def calling_on_stop_signals(
    callback: StopCallback, numbers: Sequence[signal.Signals] = STOP_SIGNALS
) -> Iterator[None]:
    """The same for as long as the context lasts."""
    release = call_on_stop_signals(callback, numbers)
    try:
        yield
    finally:
        release()


def _taken(
    number: signal.Signals, loop: asyncio.AbstractEventLoop, also_from_runner: bool
) -> _Shared | None:
    """The signal on this loop, taken now where it is free; None where it is somebody's."""
    shared = _shared.get(number)
    if shared is not None and shared.stands_on(loop):
        return shared
    handler = signal.getsignal(number)
    is_free = handler in (signal.SIG_DFL, signal.default_int_handler)
    if not (is_free or (also_from_runner and _is_runners(handler))):
        return None
    _shared[number] = _Shared(number, loop)
    return _shared[number]


def _is_runners(handler: object) -> bool:
    """Whether it is what `asyncio.Runner` puts in place for SIGINT, a method with arguments."""
    method = handler.func if isinstance(handler, functools.partial) else None
    return isinstance(getattr(method, "__self__", None), asyncio.Runner)
