"""Events of the inbox go to the handler, one at a time, as the inbox core decides.

An event whose handler fails comes again later; after too many tries it is set aside among the dead
letters. While these are full it is tried on and on. One that the disk does not give back now comes
later, one that it does not give back any more is lost, and the others go on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gwproactor.events.core.inbox import Inbox
from gwproactor.events.dead_letters import DeadLetters
from gwproactor.events.payloads import READ_AHEAD_BYTES, READ_AHEAD_COUNT, Payloads
from gwproactor.events.reporting import ReportedTrouble, ReportProblem
from gwproactor.events.store import Damage, EventRef, StoredEvent
from gwproactor.texts import traceback_text
from gwproactor.waiting import is_being_cancelled

MAX_TRACEBACK_BYTES = 2000
"""Of each try, and of each event that is set aside: there may be many."""


class Delivery:
    """The task that calls the handler; see the module's description. For the loop's thread.

    Args:
        inbox: Says which event comes when.
        payloads: Gives the events.
        dead_letters: Where those go that failed too often.
        handler: Is given each event. When it raises, it gets the event again later.
        settled: Told of each event that was handled or set aside.
        lost: Told of each event that cannot be read any more.
        report: Told of trouble. None of these three may raise.
    """

    def __init__(
        self,
        inbox: Inbox,
        payloads: Payloads,
        dead_letters: DeadLetters,
        *,
        handler: Callable[[StoredEvent], Awaitable[None]],
        settled: Callable[[EventRef], None],
        lost: Callable[[EventRef, Damage], None],
        report: ReportProblem,
    ) -> None:
        self._inbox = inbox
        self._payloads = payloads
        self._dead_letters = dead_letters
        self._handler = handler
        self._settled = settled
        self._lost = lost
        self._report = report
        self._handling = ReportedTrouble("The handler of received events", report)
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def wake(self) -> None:
        """Something has changed in the inbox."""
        self._news.set()

    async def run(self) -> None:
        """Deliver, until `close`. Cancelling also cancels the handler in mid-event."""
        self._task = asyncio.current_task()
        while not self._stopping:
            self._news.clear()
            ref = self._inbox.next_delivery(time.monotonic())
            if ref is None:
                await self._wait_for_news()
            elif event := await self._event(ref):
                await self._hand_over(ref, event)

    async def close(self, handler_seconds: float) -> None:
        """End `run`: let the handler finish its event, and cancel it when that takes too long.

        Cancelling is safe.
        """
        self._stopping = True
        self._news.set()
        if self._task is None:
            return
        _, running = await asyncio.wait([self._task], timeout=handler_seconds)
        if running:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=handler_seconds)

    async def _wait_for_news(self) -> None:
        """Wait for news, or until it is time to try an event again."""
        wake_at = self._inbox.wake_at_seconds()
        delay = None if wake_at is None else max(0.0, wake_at - time.monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._news.wait()

    async def _event(self, ref: EventRef) -> StoredEvent | None:
        """Get an event; None when that failed, and what follows from it is done."""
        event = self._payloads.get(ref)
        if event is not None:
            return event
        ahead = self._inbox.upcoming(READ_AHEAD_COUNT, READ_AHEAD_BYTES)
        unread = await self._payloads.read_back([ref, *ahead])
        lost, event = dict(unread.lost), self._payloads.get(ref)
        if ref in lost:
            self._lost(ref, lost[ref])
        elif ref in unread.resting:
            self._inbox.postpone(ref, unread.resting[ref])
        elif event is None:
            self._inbox.put_back(ref)
        return event

    async def _hand_over(self, ref: EventRef, event: StoredEvent) -> None:
        """Give one event to the handler, and note how that went."""
        try:
            await self._handler(event)
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                raise
            self._failed(ref, event, error)  # the handler's own affair
        except Exception as error:  # noqa: BLE001 - whatever the application raises
            self._failed(ref, event, error)
        else:
            self._payloads.drop(ref.sequence)
            self._settled(ref)
            self._handling.worked()

    def _failed(self, ref: EventRef, event: StoredEvent, error: BaseException) -> None:
        may_set_aside = self._dead_letters.has_room_for(event)
        failure = self._inbox.failed(ref, time.monotonic(), may_set_aside=may_set_aside)
        if self._payloads.is_full:
            self._payloads.drop(ref.sequence)  # many may wait for their next try, for long
        if failure.retry_seconds is None:
            self._set_aside(ref, event, failure.tries, error)
        else:
            cause = traceback_text(error, MAX_TRACEBACK_BYTES)
            self._handling.failed(f"event {ref.event_id}, try {failure.tries}: {cause}")

    def _set_aside(
        self, ref: EventRef, event: StoredEvent, tries: int, error: BaseException
    ) -> None:
        self._dead_letters.add(event)
        self._payloads.drop(ref.sequence)
        self._settled(ref)
        self._report(
            f"Event {ref.event_id} is set aside: its handler failed {tries} times",
            f"It is kept among the dead letters. {traceback_text(error, MAX_TRACEBACK_BYTES)}",
        )
