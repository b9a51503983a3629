"""A queue between threads and one event loop: `SyncAsyncQueue`.

It has two ends. `thread_end` is for threads: it blocks, and has the methods of `queue.Queue`.
`loop_end` is for the loop: it is awaited, and has those of `asyncio.Queue`; neither has `join` and
`task_done`. Either can put, get and close, and both see one bounded queue: items come out in the
order in which they were put, each once, and one that was taken in is given out even after `close`.

Nothing polls. Who waits is in a line and is woken: a thread by a lock that it sleeps on, a
coroutine by a future that is set through the loop. Somebody who was woken is in no line any more,
so however many items are put until it runs, the loop is called once.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar

from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.queue_state import QueueState, Waiter
from gwproactor.actors.waits import Limit, SleepingThread, WaitingTask, limit_of, refuse_on_a_loop
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
        # its holder may take it again: the garbage collector or a signal handler comes in between
        lock = threading.RLock()
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

    def __init__(self, state: QueueState[T], lock: AbstractContextManager[bool]) -> None:
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

    def put(
        self,
        item: T,
        block: bool = True,
        timeout: float | None = None,
        *,
        interrupt: Interrupt | None = None,
    ) -> None:
        """Put an item in, and wait for room if there is none. Never on the loop's own thread.

        Args:
            item: The item.
            block: Wait at all.
            timeout: The longest wait in seconds; None for as long as it takes.
            interrupt: Ends the wait when it is set.

        Raises:
            QueueFullError: No room in time, or before the interrupt; the item was not taken.
            QueueClosedError: It was closed, before or meanwhile; the item was not taken.
            UsageError: It would hold up an event loop, which runs on this thread; or the timeout
                is no number of seconds.
        """
        limit = limit_of(block, timeout, interrupt)
        while True:
            with self._lock:
                if self._state.has_room or limit.is_reached:
                    self._state.put(item)
                    return
                waiter = SleepingThread()
                self._state.writers.append(waiter)
            self._sleep(waiter, limit)

    def get(
        self,
        block: bool = True,
        timeout: float | None = None,
        *,
        interrupt: Interrupt | None = None,
    ) -> T:
        """Take the oldest item out, and wait for one. Never on the loop's own thread.

        Args:
            block: Wait at all.
            timeout: The longest wait in seconds; None for as long as it takes.
            interrupt: Ends the wait when it is set.

        Raises:
            QueueEmptyError: None came in time, or before the interrupt.
            QueueClosedError: It was closed, and all that it took is read.
            UsageError: It would hold up an event loop, which runs on this thread; or the timeout
                is no number of seconds.
        """
        limit = limit_of(block, timeout, interrupt)
        while True:
            with self._lock:
                if self._state.has_news or limit.is_reached:
                    return self._state.get()
                waiter = SleepingThread()
                self._state.readers.append(waiter)
            self._sleep(waiter, limit)

    def __iter__(self) -> Iterator[T]:
        """Iterate over the items as they come, until the queue is closed and empty."""
        while True:
            try:
                item = self.get()
            except QueueClosedError:
                return
            yield item

    def _sleep(self, waiter: SleepingThread, limit: Limit) -> None:
        """Sleep until woken or at the limit; nothing is lost where that is interrupted."""
        woken = False
        try:
            refuse_on_a_loop()
            woken = limit.sleep(waiter)
        finally:
            if not woken:
                self._leave(waiter)


class QueueHost(Protocol):
    """Who reads a queue of many threads, and serves each by itself. From any thread."""

    def open_queue(self, loop: asyncio.AbstractEventLoop) -> ThreadEnd[Any]:
        """One more queue for a thread, which closes it in the end; `loop` is the reader's."""
        ...

    def hear(self, item: Any) -> bool:
        """Take an item in at once, where it is to wait for nothing; whether it was taken.

        Raises:
            UsageError: It is nothing that the host could take.
        """
        ...

    def receiver_of(self, item: Any) -> Hashable:
        """For whose room an item waits; None where it waits for nobody's."""
        ...


class LoopEnd(_End[T]):
    """The end for one event loop, which waits without blocking; with `asyncio.Queue`'s methods.

    What does not wait (`put_nowait`, `get_nowait`, `close`) may be called from any thread.
    """

    def __init__(
        self, state: QueueState[T], lock: AbstractContextManager[bool], thread_end: ThreadEnd[T]
    ) -> None:
        super().__init__(state, lock)
        self.thread_end = thread_end
        """The other end of the same queue."""
        self.host: QueueHost | None = None
        """Who reads it, where that offers threads more than this one queue."""

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
                waiter = WaitingTask()
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
                waiter = WaitingTask()
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

    async def _wait(self, waiter: WaitingTask) -> None:
        try:
            await waiter.woken
        except BaseException:
            self._leave(waiter)
            raise
