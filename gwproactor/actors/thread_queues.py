"""Queues for the threads that write to the loop, so that only who is too fast waits.

What a thread has written is sent on one by one; where the receiver has no room, the sending waits
for it, the queue fills up, and then the thread waits. The others have their own queues, and so has
each receiver that a thread writes to: what is for one who has room waits behind nothing else. A
queue that is closed is forgotten when all of it is sent on.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.queues import SyncAsyncQueue, ThreadEnd
from gwproactor.waiting import Progress

MESSAGES_IN_A_TURN = 100
"""Of threads, sent on before the loop does something else: a queue that threads fill as fast as it
is emptied would never let it."""


class QueuesByReceiver:
    """The queues of one thread, each opened with the first item for its receiver. For any thread.

    Args:
        open_queue: Makes a queue.
        receiver_of: For whose room an item waits.
    """

    def __init__(
        self, open_queue: Callable[[], ThreadEnd[Any]], receiver_of: Callable[[Any], Hashable]
    ) -> None:
        self._open_queue = open_queue
        self._receiver_of = receiver_of
        self._queues: dict[Hashable, ThreadEnd[Any]] = {}
        self._closed = False
        self._lock = threading.RLock()  # a signal handler may close while its thread opens

    def put(self, item: Any, *, interrupt: Interrupt | None = None) -> None:
        """Put an item into the queue for its receiver; see `ThreadEnd.put`."""
        receiver = self._receiver_of(item)
        queue = self._queues.get(receiver)
        if queue is None:
            queue = self._opened(receiver)
        queue.put(item, interrupt=interrupt)

    def close(self) -> None:
        """Take nothing more; what was taken is still read."""
        with self._lock:
            self._closed = True
            for queue in self._queues.values():
                queue.close()

    def _opened(self, receiver: Hashable) -> ThreadEnd[Any]:
        with self._lock:
            if receiver not in self._queues:
                self._queues[receiver] = self._open_queue()
            if self._closed:
                self._queues[receiver].close()
            return self._queues[receiver]


class ThreadQueues:
    """The queues of all threads. For the event loop's thread, but for `open`.

    Args:
        send_on: Sends a message on, and waits until its receiver has room; must not raise.
        max_messages: So many may wait in each queue.
    """

    def __init__(self, send_on: Callable[[Any], Awaitable[None]], max_messages: int) -> None:
        self._send_on = send_on
        self._max_messages = max_messages
        self._pumps: dict[asyncio.Task[None], SyncAsyncQueue[Any]] = {}
        self._progress: dict[SyncAsyncQueue[Any], Progress] = {}
        self._closed = False
        self._cut_short = 0

    def __len__(self) -> int:
        """How many queues are open, or not all sent on."""
        return len(self._pumps)

    def open(self, loop: asyncio.AbstractEventLoop) -> ThreadEnd[Any]:
        """One more queue, to be closed by who writes to it; from any thread.

        After `close`, and after the end of the loop, it takes nothing.

        Args:
            loop: The loop of this object.
        """
        queue: SyncAsyncQueue[Any] = SyncAsyncQueue(self._max_messages)
        try:
            loop.call_soon_threadsafe(self._begin, queue)
        except RuntimeError:  # the loop has ended
            queue.close()
        if self._closed:  # and if it is closed only after this, `settle` knows of the queue
            queue.close()
        return queue.thread_end

    def close(self) -> None:
        """Take nothing more; what was taken is still sent on."""
        self._closed = True
        for queue in self._pumps.values():
            queue.close()

    async def sent_on(self) -> None:
        """Wait until what was written before now is sent on. Cancelling is safe."""
        await asyncio.sleep(0)  # threads that have opened theirs just now count too
        for queue, progress in tuple(self._progress.items()):
            await progress.through(len(queue))

    async def settle(self, timeout_seconds: float) -> int:
        """Wait until all is sent on, after `close`; then end. Returns how many were left."""
        await asyncio.sleep(0)  # threads that have opened theirs just now count too
        pumps = dict(self._pumps)
        if not pumps:
            return 0
        try:
            _, late = await asyncio.wait(pumps, timeout=timeout_seconds)
        finally:
            for pump in pumps:
                pump.cancel()
        await asyncio.wait(pumps)
        return self._cut_short + sum(len(pumps[pump]) for pump in late)

    def _begin(self, queue: SyncAsyncQueue[Any]) -> None:
        if self._closed:
            queue.close()
        if queue.closed and not len(queue):
            return
        pump = asyncio.create_task(self._pump(queue), name="messages of a thread")
        self._pumps[pump] = queue
        self._progress[queue] = Progress()
        self._progress[queue].start()
        pump.add_done_callback(self._forget)

    def _forget(self, pump: asyncio.Task[None]) -> None:
        queue = self._pumps.pop(pump)
        queue.close()  # else who waits for room would wait for ever
        self._progress.pop(queue).stop()

    async def _pump(self, queue: SyncAsyncQueue[Any]) -> None:
        count = 0
        progress = self._progress[queue]
        async for message in queue.loop_end:
            progress.took_one()
            try:
                await self._send_on(message)
            except asyncio.CancelledError:
                self._cut_short += 1
                raise
            progress.is_done_with_it()
            count += 1
            if count % MESSAGES_IN_A_TURN == 0:
                await asyncio.sleep(0)
