"""A queue between threads and one event loop: `SyncAsyncQueue`.

It has two ends. `thread_end` is for threads: it blocks, and has the methods of `queue.Queue`.
`loop_end` is for the loop: it is awaited, and has those of `asyncio.Queue`. Either can put, get and
close, and both see one bounded queue: items come out in the order in which they were put, each
once, and one that was taken in is given out even after `close`.

Nothing polls. Who waits is in a line and is woken: a thread by a lock that it sleeps on, a
coroutine by a future that is set through the loop. Somebody who was woken is in no line any more,
so however many items are put until it runs, the loop is called once.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Generic, TypeVar

from gwproactor.actors.queue_state import QueueState, Waiter
from gwproactor.errors import QueueClosedError, UsageError

T = TypeVar("T")

DEFAULT_MAX_ITEMS = 1000
"""Some milliseconds of either side's work: enough to keep both busy, little to lose at a stop."""


class SyncAsyncQueue(Generic[T]):
    """A bounded queue that threads and one event loop share.

    Args:
        max_items: How many items may wait in it.

    Raises:
        UsageError: There would be no room at all.
    """

    def __init__(self, max_items: int = DEFAULT_MAX_ITEMS) -> None:
        if max_items < 1:
            raise UsageError(f"a queue of {max_items} items can pass nothing on; give 1 or more")
        state: QueueState[T] = QueueState(max_items)
        lock = threading.Lock()
        self.thread_end = ThreadEnd(state, lock)
        """What threads use."""
        self.loop_end = LoopEnd(state, lock, self.thread_end)
        """What the loop uses."""

    def __len__(self) -> int:
        return self.thread_end.qsize()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self.thread_end.closed

    def close(self) -> None:
        """Take nothing more; see `ThreadEnd.close`."""
        self.thread_end.close()


class _End(Generic[T]):
    """What both ends have. From any thread; nothing here waits."""

    def __init__(self, state: QueueState[T], lock: threading.Lock) -> None:
        self._state = state
        self._lock = lock

    @property
    def maxsize(self) -> int:
        """How many items may wait in it."""
        return self._state.max_items

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._state.closed

    def qsize(self) -> int:
        """How many items wait in it now."""
        return len(self._state.items)

    def empty(self) -> bool:
        """Whether none does."""
        return not self._state.items

    def full(self) -> bool:
        """Whether there is no room now."""
        return len(self._state.items) >= self._state.max_items

    def put_nowait(self, item: T) -> None:
        """Put an item in, if there is room.

        Raises:
            QueueFullError: There is none; the item was not taken.
            QueueClosedError: It was closed; the item was not taken.
        """
        with self._lock:
            self._state.put(item)

    def get_nowait(self) -> T:
        """Take the oldest item out, if there is one.

        Raises:
            QueueEmptyError: There is none.
            QueueClosedError: There is none, and none will come.
        """
        with self._lock:
            return self._state.get()

    def close(self) -> None:
        """Take nothing more. What is in it can still be read; who waits in vain is told at once.

        May be called again.
        """
        with self._lock:
            self._state.close()

    def _leave(self, waiter: Waiter) -> None:
        with self._lock:
            self._state.leave(waiter)


class ThreadEnd(_End[T]):
    """The end for threads, which block; with the methods of `queue.Queue`."""

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Put an item in, and wait for room if there is none. Never on the loop's own thread.

        Args:
            item: The item.
            block: Wait at all.
            timeout: The longest wait in seconds; None for as long as it takes.

        Raises:
            QueueFullError: No room in time; the item was not taken.
            QueueClosedError: It was closed, before or meanwhile; the item was not taken.
            UsageError: It would hold up an event loop, which runs on this thread.
        """
        deadline = _deadline(block, timeout)
        while True:
            with self._lock:
                if self._state.has_room or not block or _is_past(deadline):
                    self._state.put(item)
                    return
                waiter = _SleepingThread()
                self._state.writers.append(waiter)
            self._sleep(waiter, deadline)

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take the oldest item out, and wait for one. Never on the loop's own thread.

        Args:
            block: Wait at all.
            timeout: The longest wait in seconds; None for as long as it takes.

        Raises:
            QueueEmptyError: None came in time.
            QueueClosedError: It was closed, and all that it took is read.
            UsageError: It would hold up an event loop, which runs on this thread.
        """
        deadline = _deadline(block, timeout)
        while True:
            with self._lock:
                if self._state.has_news or not block or _is_past(deadline):
                    return self._state.get()
                waiter = _SleepingThread()
                self._state.readers.append(waiter)
            self._sleep(waiter, deadline)

    def __iter__(self) -> Iterator[T]:
        """Iterate over the items as they come, until the queue is closed and empty."""
        while True:
            try:
                item = self.get()
            except QueueClosedError:
                return
            yield item

    def _sleep(self, waiter: "_SleepingThread", deadline: float | None) -> None:
        """Sleep until woken or until the deadline; nothing is lost where that is interrupted."""
        woken = False
        try:
            _refuse_on_a_loop()
            woken = waiter.sleep(deadline)
        finally:
            if not woken:
                self._leave(waiter)


class LoopEnd(_End[T]):
    """The end for one event loop, which waits without blocking; with `asyncio.Queue`'s methods.

    What does not wait (`put_nowait`, `get_nowait`, `close`) may be called from any thread.
    """

    def __init__(
        self, state: QueueState[T], lock: threading.Lock, thread_end: ThreadEnd[T]
    ) -> None:
        super().__init__(state, lock)
        self.thread_end = thread_end
        """The other end of the same queue."""

    async def put(self, item: T) -> None:
        """Put an item in, and wait for room if there is none.

        Cancelling is safe: then the item was not taken.

        Raises:
            QueueClosedError: It was closed, before or meanwhile; the item was not taken.
        """
        while True:
            with self._lock:
                if self._state.has_room:
                    self._state.put(item)
                    return
                waiter = _WaitingTask()
                self._state.writers.append(waiter)
            await self._wait(waiter)

    async def get(self) -> T:
        """Take the oldest item out, and wait for one.

        Cancelling is safe: then none was taken.

        Raises:
            QueueClosedError: It was closed, and all that it took is read.
        """
        while True:
            with self._lock:
                if self._state.has_news:
                    return self._state.get()
                waiter = _WaitingTask()
                self._state.readers.append(waiter)
            await self._wait(waiter)

    async def __aiter__(self) -> AsyncIterator[T]:
        """Iterate over the items as they come, until the queue is closed and empty."""
        while True:
            try:
                item = await self.get()
            except QueueClosedError:
                return
            yield item

    async def _wait(self, waiter: "_WaitingTask") -> None:
        try:
            await waiter.woken
        except BaseException:
            self._leave(waiter)
            raise


class _SleepingThread:
    """A thread that waits: it sleeps on a lock that whoever wakes it releases."""

    def __init__(self) -> None:
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def wake(self) -> bool:
        self._asleep.release()
        return True

    def sleep(self, deadline: float | None) -> bool:
        """Whether it was woken by the deadline, monotonic seconds."""
        if deadline is None:
            return self._asleep.acquire()
        seconds = min(max(deadline - time.monotonic(), 0), threading.TIMEOUT_MAX)
        return self._asleep.acquire(timeout=seconds)


class _WaitingTask:
    """A coroutine that waits: a future, set on its loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.woken: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> bool:
        here = threading.get_ident() == self._thread  # then the loop need not be roused
        try:
            (self._loop.call_soon if here else self._loop.call_soon_threadsafe)(self._set)
        except RuntimeError:  # its loop is closed, so it will never run again
            return False
        return True

    def _set(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


def _deadline(block: bool, timeout: float | None) -> float | None:
    """When a wait ends, monotonic seconds; None for never."""
    if timeout is None or not block:
        return None
    if not timeout >= 0:
        raise UsageError(f"a timeout of {timeout} s cannot be waited for; give 0 or more, or None")
    return time.monotonic() + timeout


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _refuse_on_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "this wait would hold up the event loop of its own thread: await loop_end.put or"
        " loop_end.get there, or give block=False"
    )
