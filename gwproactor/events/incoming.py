"""Events from peers: the inbox core, a store, the memory of what was seen, and the handler.

Two tasks run. The writer makes durable what has arrived and then acknowledges it; and it marks done
what has been handled, and removes it (`gwproactor.events.inbox_stores`). The delivery hands the
events to the handler, one at a time.

So a slow handler, or one that fails, costs the link nothing: events are acknowledged all the same,
and wait on the disk.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from gwproactor.events.core.inbox import Inbox
from gwproactor.events.core.owed_answers import OwedAnswers
from gwproactor.events.dead_letters import DEFAULT_MAX_DEAD_BYTES, DeadLetters
from gwproactor.events.delivery import Delivery
from gwproactor.events.disk.reserve import Reserve
from gwproactor.events.inbox_stores import InboxStores
from gwproactor.events.late_reading import LateReading
from gwproactor.events.log.seen_log import Seen
from gwproactor.events.payloads import DEFAULT_MEMORY_BYTES, Payloads
from gwproactor.events.receiving import ReceivingEvents
from gwproactor.events.reporting import ReportProblem, report_damages
from gwproactor.events.slices import in_slices
from gwproactor.events.store import Damage, EventRef, EventStore, StoredEvent
from gwproactor.events.writer import GroupCommitter


class ReceivedEvent(NamedTuple):
    """An event as the handler gets it.

    Attributes:
        link_name: The link it came over.
        event_id: Its id.
        payload: Its JSON in UTF-8, in one line.
    """

    link_name: str
    event_id: str
    payload: bytes


class IncomingEvents(ReceivingEvents):
    """Takes in events, acknowledges and delivers them. Everything is for the loop's thread.

    With a memory store, `MemorySeen` and an inbox made with `ack_when_handled`, nothing is kept on
    disk, and an event is acknowledged when the handler has succeeded.

    Args:
        store: Where received events are kept. This object opens and closes all three stores.
        dead_letters: Where events go that the handler failed with too often.
        seen: The ids of the events dealt with.
        inbox: What is decided by; fresh.
        handler: Is given each event once. When it raises, it gets the event again later. It is
            cancelled only when `run` is, or when `close` has waited long enough for it.
        acknowledge: Called with a link's name and an event's id, when the event may be
            acknowledged; each time the peer sends it. Must not raise.
        report: Called with a summary and details when something is wrong. Must not raise.
        reserve: Room on the disk for marking events done when there is no other; opened and closed
            here.
        memory_bytes: Payloads that stay in memory for convenience.
        max_dead_bytes: What may be set aside; beyond it, failing events are tried on and on.
    """

    def __init__(
        self,
        store: EventStore,
        dead_letters: EventStore,
        seen: Seen,
        inbox: Inbox,
        *,
        handler: Callable[[ReceivedEvent], Awaitable[None]],
        acknowledge: Callable[[str, str], None],
        report: ReportProblem,
        reserve: Reserve | None = None,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        max_dead_bytes: int = DEFAULT_MAX_DEAD_BYTES,
    ) -> None:
        letters = DeadLetters(dead_letters, max_dead_bytes)
        stores = InboxStores(store, letters, seen, reserve)
        writer = GroupCommitter(
            "The inbox", commit=stores.commit, committed=self._committed, report=report
        )
        payloads = Payloads(store, "received events", max_bytes=memory_bytes, report=report)
        super().__init__(inbox, stores, payloads, writer, OwedAnswers(acknowledge), report)
        self._store = store
        self._report = report
        self._delivery = Delivery(
            inbox,
            self._payloads,
            letters,
            handler=lambda event: handler(ReceivedEvent(event.tag, event.event_id, event.payload)),
            settled=self._writer.remove,
            lost=self._lose,
            report=report,
        )
        self._late = LateReading(store, "A received event", self._take_late, report)
        self._closed = False

    # Starting and stopping

    async def open(self) -> None:
        """Open the stores, and take in what earlier runs left.

        Raises:
            StoreError: A store cannot be used.
        """
        damages = await self._stores.open()
        self._restore(())
        async for refs in in_slices(self._store.pending()):
            self._restore(refs)
        self._running = True
        self._delivery.wake()
        report_damages(self._report, "A received event", damages)

    def _restore(self, refs: Sequence[EventRef]) -> None:
        self._leave_doubles(self._inbox.restore(self._undone(refs), self._store.next_sequence))

    def _take_late(self, refs: Sequence[EventRef]) -> None:
        self._leave_doubles(self._inbox.restore_late(self._undone(refs)))
        self._delivery.wake()

    def _undone(self, refs: Sequence[EventRef]) -> list[EventRef]:
        undone: list[EventRef] = []
        for ref in refs:
            if self._stores.has_seen((ref.tag, ref.event_id)):
                self._writer.remove(ref)  # marked done; a power cut took the removal back
            else:
                undone.append(ref)
        return undone

    def _leave_doubles(self, refs: Sequence[EventRef]) -> None:
        for double in refs:
            self._stores.leave_unseen(double)
            self._writer.remove(double)

    async def run(self) -> None:
        """Write and deliver, until `close`.

        Cancelling also cancels the handler in mid-event, which then is given it again by the next
        run. The gentle end is `close`.
        """
        async with asyncio.TaskGroup() as group:
            self._late.start(group)
            group.create_task(self._delivery.run(), name="gwproactor inbox delivery")
            await self._writer.run()
            self._late.stop()

    async def close(self, *, handler_seconds: float = 1.0) -> None:
        """Let the handler finish its event, mark what is done, and close the stores.

        Cancelling is safe. A second call does nothing.

        Args:
            handler_seconds: How long to wait for the handler.

        Raises:
            StoreError: Something received or handled could not be written. What was not written
                was not acknowledged; what was not marked will be delivered again.
        """
        if self._closed:
            return
        self._running = False
        self._late.stop()
        try:
            await self._delivery.close(handler_seconds)
            await self._writer.close()
        finally:
            self._closed = True
            await self._stores.close()

    # What there is, and what was written of it

    @property
    def pending_count(self) -> int:
        """How many events are not yet dealt with."""
        return self._inbox.pending_count

    def _committed(self, puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        acknowledge = self._inbox.committed([event.ref for event in puts])
        acknowledge += self._inbox.marked(removals)
        for event in puts:
            if self._payloads.is_full:
                self._payloads.drop(event.sequence)
        self._stores.committed(removals)
        for ref in acknowledge:
            self._owed.safe((ref.tag, ref.event_id))
        if removals:
            self._take_held_back()
        self._delivery.wake()

    # Events are delivered

    def _lose(self, ref: EventRef, damage: Damage) -> None:
        """Go on without an event that cannot be read; if it ever comes again, it is a new one."""
        self._stores.leave_unseen(ref)
        self._writer.remove(ref)
        report_damages(self._report, "A received event", [damage])
