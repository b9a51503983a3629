"""One thread for the blocking calls of one part of the disk.

Its own thread, so that a disk that hangs holds up nothing else that uses threads; one thread, so
that calls happen in the order in which they were asked for, and never two at a time.

Whoever waits for an event's ack waits for such calls at both ends. So a call costs two wake-ups,
the thread's and the loop's, and little else: a queue to the thread, and futures of the loop itself.
aiofiles takes a `DiskThread` for an executor: all it asks of one is `submit`.
"""

import asyncio
import signal
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

from aiofiles.os import wrap

from gwproactor.errors import NotRunningError

_LAST_CALL_SECONDS = 0.3
"""A node must stop within 2 s, also when its disk does not answer. What hangs is left to itself: it
ends when the disk lets it, and does not keep the process from ending."""

P = ParamSpec("P")
T = TypeVar("T")


_Calls = SimpleQueue[Callable[[], None] | None]
"""What the thread is to do, one after the other, until there is None."""


def _do(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)


_in_executor = wrap(_do)


class DiskThread:
    """Runs functions in a thread of its own, begun with the first; for the loop's thread.

    Args:
        name: The thread's name, for whoever looks at a list of them.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: _Calls = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ended = False
        weakref.finalize(self, self._calls.put, None)  # for an owner that never closes

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in the thread, and return what it returns or raise what it raises.

        Cancelling is safe: a call that has begun runs to its end, one that has not is dropped.

        Raises:
            NotRunningError: After `run_last`.
        """
        result: T = await _in_executor(function, *args, executor=self, **kwargs)
        return result

    async def run_last(self, function: Callable[[], None]) -> None:
        """Call `function`, and end the thread; a disk that hangs is not waited for.

        Then the thread ends when the disk lets it.
        """
        finished = False
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_CALL_SECONDS):
                    await self.run(function)
                finished = True
        finally:
            if not finished:
                self.submit(function)  # behind what hangs
            self._end(wait=finished)

    def submit(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Call `function` in the thread, after what was asked for before.

        Returns:
            Its outcome. Nobody needs to look at it; cancelling it drops a call not yet begun.

        Raises:
            NotRunningError: After `run_last`.
        """
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(partial(_make, function, outcome))
        return outcome

    def call(self, function: Callable[[], T]) -> T:
        """Call `function` in the thread, and hold up the caller until it has returned.

        Raises:
            NotRunningError: After `run_last`.
        """
        outcome: Future[T] = Future()

        def settle() -> None:
            try:
                outcome.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
                outcome.set_exception(error)

        self._put(settle)
        return outcome.result()

    def _put(self, call: Callable[[], None]) -> None:
        if self._ended:
            raise NotRunningError(f"{self._name} has ended: what it works for is closed")
        if self._thread is None:
            # A daemon: who stops a node must not have to wait for its disk.
            self._thread = threading.Thread(
                target=_work, args=(self._calls,), name=self._name, daemon=True
            )
            self._thread.start()
        self._calls.put(call)

    def _end(self, *, wait: bool) -> None:
        self._ended = True
        self._calls.put(None)
        if wait and self._thread is not None:
            self._thread.join()


def _work(calls: _Calls) -> None:
    """Be the thread. It knows no more than the queue, so that its owner can be forgotten.

    Signals are for the main thread: one that came while this one still hangs on a disk would find
    no handler any more, and end a process that is about to end in good order.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while (call := calls.get()) is not None:
        call()
        del call  # it may hold a megabyte of events


def _make(function: Callable[[], T], outcome: asyncio.Future[T]) -> None:
    """Make a call in the thread, unless it was cancelled before."""
    if outcome.cancelled():
        return
    try:
        settle = partial(outcome.set_result, function())
    except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
        settle = partial(outcome.set_exception, error)
    with suppress(RuntimeError):  # a loop that is closed hears of nothing any more
        outcome.get_loop().call_soon_threadsafe(_settle, outcome, settle)


def _settle(outcome: asyncio.Future[T], settle: Callable[[], None]) -> None:
    if not outcome.done():
        settle()
