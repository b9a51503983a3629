"""How a thread writes to a queue of the loop, and the loop to a queue of the thread.

`AsyncQueueWriter` is one way, `SyncAsyncQueueWriter` both. Each takes either end of a
`SyncAsyncQueue`, which is what it is meant for, or a queue of the standard library. The queue of
the loop that a proactor gives out, `async_receive_queue`, is such an end; by it each writer gets a
bounded queue of its own, so that a thread waits which writes faster than its receiver reads.

With an `asyncio.Queue` there is nothing to wait on: what is put goes to it by the loop's next turn,
and one that is full raises `asyncio.QueueFull` there.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.queues import LoopEnd, ThreadEnd
from gwproactor.errors import NotRunningError, QueueClosedError
from gwproactor.interfaces import ReceiveQueue
from gwproactor.message import KnownNames
from gwproactor.wire.envelope import Message


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
        self._put: Callable[[Any, Interrupt | None], None] | None = None

    def set_async_loop(self, loop: asyncio.AbstractEventLoop, async_queue: ReceiveQueue) -> None:
        """Say where to write; before the first `put`.

        Args:
            loop: The loop that reads.
            async_queue: The queue that it reads: a `LoopEnd`, or an `asyncio.Queue`.
        """
        if isinstance(async_queue, LoopEnd):
            shared, own = async_queue.thread_end, async_queue.own_thread_end(loop)
            self._put = lambda item, interrupt: (shared if _is_pat(item) else own).put(
                item, interrupt=interrupt
            )
        else:
            self._put = lambda item, _interrupt: _put_soon(loop, async_queue, item)

    def put(self, item: Any, *, interrupt: Interrupt | None = None) -> None:
        """Write an item, and wait for room if there is none. From any thread but the loop's own.

        Args:
            item: The item.
            interrupt: Ends the wait when it is set.

        Raises:
            QueueClosedError: The loop reads no more; the item was not taken.
            QueueFullError: There was no room before the interrupt; the item was not taken.
            NotRunningError: Nobody has said where to write.
        """
        if self._put is None:
            raise NotRunningError("set_async_loop must say where to, before anything is put")
        self._put(item, interrupt)


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
        queue = self._of_thread()
        if isinstance(queue, ThreadEnd):
            return queue.get(block=block, timeout=timeout, interrupt=interrupt)
        return queue.get(block=block, timeout=timeout)

    def close(self) -> None:
        """Let the thread be written to no more, where its queue can be closed."""
        if isinstance(self.sync_queue, ThreadEnd):
            self.sync_queue.close()

    def _of_thread(self) -> BlockingQueue:
        if self.sync_queue is None:
            raise NotRunningError("there is no queue to the thread: give sync_queue one")
        return self.sync_queue


def _is_pat(item: Any) -> bool:
    """Whether it is for the watchdog, which would take one that waits behind others for a hang."""
    return isinstance(item, Message) and item.Header.Dst == KnownNames.watchdog_manager


def _put_soon(loop: asyncio.AbstractEventLoop, queue: ReceiveQueue, item: Any) -> None:
    try:
        loop.call_soon_threadsafe(queue.put_nowait, item)
    except RuntimeError:
        raise QueueClosedError("the loop that reads has ended") from None
