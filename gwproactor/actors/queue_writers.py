"""How a thread writes to a queue of the loop, and the loop to a queue of the thread.

`AsyncQueueWriter` is one way, `SyncAsyncQueueWriter` both. Each takes either end of a
`SyncAsyncQueue`, which is what it is meant for, or a queue of the standard library. The queue of
the loop that a proactor gives out, `async_receive_queue`, is such an end; by it each writer gets
bounded queues of its own, one for each receiver, so that a thread waits which writes faster than
its receiver reads.

So it is with an `asyncio.Queue`: what is in the writer's queue goes to it as long as it has room.
One without a `maxsize` always has, so that a thread faster than its reader would fill the memory;
the log says so.
"""

import asyncio
import contextlib
import logging
import queue
import weakref
from typing import Any, Protocol

from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.pulse import steps
from gwproactor.actors.queues import DEFAULT_MAX_ITEMS, LoopEnd, QueueHost, ThreadEnd
from gwproactor.actors.thread_queues import QueuesByReceiver, ThreadQueues
from gwproactor.errors import NotRunningError
from gwproactor.interfaces import ReceiveQueue

_LOGGER = logging.getLogger(__name__)


class BlockingQueue(Protocol):
    """A queue that threads wait at: a `ThreadEnd`, or a `queue.Queue`."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item in, and wait for room."""
        ...

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take an item out, and wait for one."""
        ...


class AsyncQueueWriter:
    """Lets a thread write to a queue of the loop."""

    def __init__(self) -> None:
        self._queue: ThreadEnd[Any] | QueuesByReceiver | None = None
        self._host: QueueHost | None = None
        self._end_own: weakref.finalize[..., Any] | None = None

    def set_async_loop(self, loop: asyncio.AbstractEventLoop, async_queue: ReceiveQueue) -> None:
        """Say where to write; before the first `put`. From any thread.

        Args:
            loop: The loop that reads.
            async_queue: The queue that it reads: a `LoopEnd`, or an `asyncio.Queue`.
        """
        self.close()
        self._host = host = async_queue.host if isinstance(async_queue, LoopEnd) else None
        if isinstance(async_queue, LoopEnd) and host is None:
            self._queue = async_queue.thread_end
            return
        self._queue = own = (
            _before(async_queue).open(loop)
            if host is None
            else QueuesByReceiver(lambda: host.open_queue(loop), host.receiver_of)
        )
        self._end_own = weakref.finalize(self, own.close)  # a writer may be forgotten, not closed
        self._end_own.atexit = False

    def put(self, item: Any, *, interrupt: Interrupt | None = None) -> None:
        """Write an item, and wait for room if there is none. From any thread but the loop's own.

        A sign of life to the watchdog of a proactor counts at once, and never waits; nor does what
        is for the proactor itself wait behind data for an actor.

        Args:
            item: The item.
            interrupt: Ends the wait when it is set.

        Raises:
            QueueClosedError: The loop reads no more, or this was closed; the item was not taken.
            QueueFullError: There was no room before the interrupt; the item was not taken.
            NotRunningError: Nobody has said where to write.
            UsageError: A proactor reads there, and it is no message.
        """
        if self._queue is None:
            raise NotRunningError("set_async_loop must say where to, before anything is put")
        if self._host is None or not self._host.hear(item):
            self._queue.put(item, interrupt=interrupt)

    def close(self) -> None:
        """Write no more; what was written is still read. From any thread, and again.

        It ends the queues that this writer has of its own; a `SyncAsyncQueue` to which others write
        as well is not closed by it.
        """
        if self._end_own is not None:
            self._end_own()


class SyncAsyncQueueWriter:
    """A way to a queue of the loop, and one to a queue of a thread.

    Args:
        sync_queue: The queue that the thread reads: the `thread_end` of a `SyncAsyncQueue`, or a
            `queue.Queue`; None where nothing is to be told to the thread.
    """

    sync_queue: BlockingQueue | None

    def __init__(self, sync_queue: BlockingQueue | None = None) -> None:
        self.sync_queue = sync_queue
        self._to_loop = AsyncQueueWriter()

    def set_async_loop(self, loop: asyncio.AbstractEventLoop, async_queue: ReceiveQueue) -> None:
        """Say where the thread writes; see `AsyncQueueWriter.set_async_loop`."""
        self._to_loop.set_async_loop(loop, async_queue)

    def put_to_sync_queue(
        self, item: Any, block: bool = True, timeout: float | None = None
    ) -> None:
        """Write to the thread. From any thread; on a loop give `block=False`.

        Raises:
            queue.Full: There was no room in time; of a `SyncAsyncQueue` it is a QueueFullError.
            QueueClosedError: The thread reads no more.
            NotRunningError: There is no queue of the thread.
            UsageError: It would hold up an event loop.
        """
        self._of_thread().put(item, block=block, timeout=timeout)

    def put_to_async_queue(self, item: Any, *, interrupt: Interrupt | None = None) -> None:
        """Write to the loop; see `AsyncQueueWriter.put`."""
        self._to_loop.put(item, interrupt=interrupt)

    def get_from_sync_queue(
        self,
        block: bool = True,
        timeout: float | None = None,
        *,
        interrupt: Interrupt | None = None,
    ) -> Any:
        """Read what was written to the thread. For the thread.

        Args:
            block: Wait at all.
            timeout: The longest wait in seconds; None for as long as it takes.
            interrupt: Ends the wait when it is set; a `queue.Queue` knows none.

        Raises:
            queue.Empty: Nothing came in time; of a `SyncAsyncQueue` it is a QueueEmptyError.
            QueueClosedError: Nothing will come any more.
            NotRunningError: There is no queue of the thread.
        """
        found = self._of_thread()
        if isinstance(found, ThreadEnd):
            return found.get(block=block, timeout=timeout, interrupt=interrupt)
        return _get_with_a_pulse(found, timeout) if block else found.get(block=False)

    def close(self) -> None:
        """Let the thread be written to no more, where its queue can be closed."""
        if isinstance(self.sync_queue, ThreadEnd):
            self.sync_queue.close()

    def close_async_queue(self) -> None:
        """Let the thread write no more; see `AsyncQueueWriter.close`."""
        self._to_loop.close()

    def _of_thread(self) -> BlockingQueue:
        if self.sync_queue is None:
            raise NotRunningError("there is no queue to the thread: give sync_queue one")
        return self.sync_queue


def _get_with_a_pulse(waiting: BlockingQueue, timeout: float | None) -> Any:
    for step in steps(timeout):
        with contextlib.suppress(queue.Empty):
            return waiting.get(timeout=step)
    raise queue.Empty


def _before(async_queue: ReceiveQueue) -> ThreadQueues:
    """Queues of threads before a queue of the standard library."""
    if getattr(async_queue, "maxsize", 1) <= 0:
        _LOGGER.warning(
            "a thread writes to a queue without a bound, so that it fills the memory where it is"
            " faster than its reader: give asyncio.Queue a maxsize, or take"
            " SyncAsyncQueue().loop_end"
        )
    return ThreadQueues(async_queue.put, DEFAULT_MAX_ITEMS)
