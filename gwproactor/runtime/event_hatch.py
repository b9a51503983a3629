"""The way in for events that other threads make: in order, bounded, never in the loop's way.

A thread puts its event into a queue and gets a future; the loop is woken once for all that waits.
There each event is posted like any other, and its future is done when the event is durable.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from gwproactor.errors import GwproactorError, NotRunningError, StoreFullError
from gwproactor.events.tickets import EventTicket
from gwproactor.wire.payloads import EventBase

MAX_WAITING = 10_000
"""Events that the loop has not taken yet: some tenths of a second of its work."""

_NOT_RUNNING = "the proactor does not run: start it before other threads post events"


class EventHatch:
    """Takes in events from any thread.

    Args:
        post: Posts an event, on the loop.
        reject: Is told on the loop what an event that nobody waits for has failed with.
        max_waiting: How many may wait for the loop.
    """

    def __init__(
        self,
        post: Callable[[EventBase], EventTicket],
        reject: Callable[[EventBase, BaseException], None],
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._post = post
        self._reject = reject
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[tuple[EventBase, Future[None]]] = deque()
        self._posted: deque[tuple[EventTicket, Future[None]]] = deque()
        self._news = asyncio.Event()

    def open(self) -> None:
        """Take events from now on; on the loop."""
        self._loop = asyncio.get_running_loop()

    def put(self, event: EventBase) -> "Future[None]":
        """Hand in an event. From any thread; it never waits.

        Returns:
            Done when the event is durable; or it has the exception of `Proactor.post_event`, or
            StoreError where the event could not be stored before the end. Cancelling it takes the
            event back as long as the loop has not taken it.

        Raises:
            NotRunningError: The proactor does not run.
            StoreFullError: The loop does not keep up.
        """
        future: Future[None] = Future()
        with self._lock:
            if self._loop is None:
                raise NotRunningError(_NOT_RUNNING)
            if len(self._waiting) >= self._max_waiting:
                raise StoreFullError(
                    f"the event was refused: {self._max_waiting} wait for the event loop already;"
                    " post fewer at a time, or wait for what the last ones returned"
                )
            self._waiting.append((event, future))
            if len(self._waiting) == 1:
                self._loop.call_soon_threadsafe(self._take)
        return future

    def give(self, event: EventBase) -> None:
        """Hand in an event that nobody waits for. See `put`."""

        def ended(future: "Future[None]") -> None:
            error = future.exception()
            if error is not None:
                self._reject(event, error)

        self.put(event).add_done_callback(ended)

    def close(self) -> None:
        """Take no more, and post what waits; on the loop. A second call does nothing."""
        with self._lock:
            self._loop = None
        self._take()

    async def run(self) -> None:
        """Tell the threads what has become durable, until cancelled; see `settle`."""
        while True:
            self._news.clear()
            await self.settle()
            await self._news.wait()

    async def settle(self) -> None:
        """Wait until everything posted is durable or given up. Cancelling is safe."""
        while self._posted:
            ticket, future = self._posted[0]
            try:
                await ticket.stored()
            except GwproactorError as error:
                future.set_exception(error)
            else:
                future.set_result(None)
            self._posted.popleft()

    def _take(self) -> None:
        """Post what waits; on the loop."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for event, future in waiting:
            if not future.set_running_or_notify_cancel():
                continue
            try:
                self._posted.append((self._post(event), future))
            except Exception as error:  # noqa: BLE001 - it belongs to the thread that waits for it
                future.set_exception(error)
        self._news.set()
