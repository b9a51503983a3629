"""Events on their way to the upstream peer: the outbox core, a store, and the writer between them.

An event that is posted goes three ways at once: into the outbox, which gives it its place; to the
writer, which makes it durable with whatever else waits; and into memory, from where the link may
send it before the commit is done (`gwproactor.events.sending`). What is reported, `stored` and
later `acked`, follows the disk, never the wire.
"""

import asyncio
from collections.abc import Callable, Sequence

from gwproactor.errors import GwproactorError, NotRunningError, StoreError, StoreFullError
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.counted_reports import CountedReports, say_dropped
from gwproactor.events.late_reading import LateReading
from gwproactor.events.payloads import DEFAULT_MEMORY_BYTES, Payloads
from gwproactor.events.refused import RefusedEvents
from gwproactor.events.reporting import ReportProblem, report_damages
from gwproactor.events.sending import SendingEvents
from gwproactor.events.slices import in_slices
from gwproactor.events.store import (
    EventRef,
    EventStore,
    StoredEvent,
    check_event_id,
    check_priority,
    event_size_bytes,
    one_line,
)
from gwproactor.events.tickets import ENDED, EventTicket
from gwproactor.events.writer import GroupCommitter

DEFAULT_MAX_WAITING_BYTES = 32 * 1024 * 1024
"""Events in memory that the disk has not taken yet: a burst of 100,000, or minutes of trouble."""

_MAX_STORED_AGAIN = 100_000
"""Repeated posts of pending events that wait for the disk to be reported."""


class OutgoingEvents(SendingEvents):
    """Keeps and hands out the events for the upstream peer. Everything is for the loop's thread.

    Args:
        store: Where the events are kept. This object opens and closes it.
        outbox: The order, the window and the budget; fresh.
        on_stored: Called when an event is durable; again when its id is posted again while it is
            pending. Must not raise.
        on_acked: Called when the peer has acknowledged an event and the store has been told, so
            that it is not sent again. Always after `on_stored`. Must not raise.
        report: Called with a summary and details when something is wrong with the store or with
            an event in it. It may post an event. Must not raise.
        refused: Where events go that the peer never takes; opened and closed here. Without one
            they stay where they are.
        memory_bytes: Payloads that stay in memory for convenience.
        max_waiting_bytes: Events in memory that the disk has not taken; beyond it, `post` refuses.
    """

    def __init__(
        self,
        store: EventStore,
        outbox: Outbox,
        *,
        on_stored: Callable[[EventRef], None],
        on_acked: Callable[[EventRef], None],
        report: ReportProblem,
        refused: EventStore | None = None,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        max_waiting_bytes: int = DEFAULT_MAX_WAITING_BYTES,
    ) -> None:
        writer = GroupCommitter(
            "The event store", commit=self._commit, committed=self._committed, report=report
        )
        payloads = Payloads(store, "stored events", max_bytes=memory_bytes, report=report)
        super().__init__(outbox, payloads, writer, RefusedEvents(refused, report), report)
        self._store = store
        self._on_stored = on_stored
        self._on_acked = on_acked
        self._max_waiting_bytes = max_waiting_bytes
        self._late = LateReading(store, "A stored event", self._take_late, report)
        self._stored_again: list[EventRef] = []
        self._drops = CountedReports(report, say_dropped)
        self._end: GwproactorError | None = None

    @property
    def trouble(self) -> str:
        """Why nothing can be stored at present; empty when all is well."""
        return self._writer.trouble

    # Starting and stopping

    async def open(self) -> None:
        """Open the store, and take in what earlier runs left.

        Raises:
            StoreError: The store cannot be used.
        """
        damages = [*await self._refused.open(), *await self._store.open()]
        # Both stores know an event by its sequence, so none of those refused is given out again.
        next_sequence = max(self._store.next_sequence, self._refused.next_sequence)
        self._store.skip_to(next_sequence)
        self._outbox.restore((), next_sequence)
        async for refs in in_slices(self._store.pending()):
            for double in self._outbox.restore(refs, next_sequence):
                self._writer.remove(double)
        self._running = True
        self._note_count()
        report_damages(self._report, "A stored event", damages)

    async def run(self) -> None:
        """Make durable what is posted, until `close`. Cancelling is safe; `close` does the rest."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._refused.run(self), name="gwproactor refused events")
            self._late.start(group)
            await self._writer.run()
            self._late.stop()

    def _take_late(self, refs: Sequence[EventRef]) -> None:
        for double in self._outbox.restore_late(refs):
            self._writer.remove(double)
        self._note_count()
        self._sendable.set()

    async def flush(self) -> None:
        """Wait until everything posted so far is durable. Cancelling is safe.

        Raises:
            StoreError: The disk does not take it; nothing is given up.
        """
        await self._writer.flush()

    async def close(self) -> None:
        """Make durable what was posted, and close the store. A second call does nothing.

        Cancelling, as by a deadline, is safe; call again to let go of the store.

        Raises:
            StoreError: Some events could not be stored and are lost; the message says how many.
        """
        if self._end is not None:
            return
        self._running = False
        self._drops.close()
        self._refusals.close()
        self._late.stop()
        self.release()
        self.deactivated()
        try:
            await self._writer.close()
        except StoreError as error:
            count = self._writer.waiting_count
            self._end = StoreError(f"{count} events could not be stored: {error}")
            raise self._end from error
        finally:
            self._end = self._end or NotRunningError(ENDED)
            self._tickets.close(self._end)
            await asyncio.gather(self._refused.close(), self._store.close())

    # Events come in

    @property
    def pending_count(self) -> int:
        """How many events are pending: everything not acked, or acked and not yet reported so."""
        return self._outbox.pending_count

    @property
    def stored_count(self) -> int:
        """How many of them are durable; after `close`, what the next run will find."""
        return self._outbox.stored_count

    @property
    def pending_bytes(self) -> int:
        """What they count against the limit of the outbox."""
        return self._outbox.pending_bytes

    @property
    def dropped_count(self) -> int:
        """How many events were dropped since the start to make room for others."""
        return self._drops.count

    def post(
        self,
        event_id: str,
        payload: bytes,
        tag: str = "",
        *,
        urgent: bool = True,
        source: str = "",
        priority: int = 0,
    ) -> EventTicket:
        """Hand in an event. It is made durable in the order of these calls.

        Events of one source are sent in that order, too; the sources take turns.

        An id that is pending already is kept once, as it was, and `on_stored` is called again.

        Args:
            event_id: Its id, at most 256 characters.
            payload: Its JSON in UTF-8.
            tag: A small word to get back with `on_stored` and `on_acked`, in later runs too.
            urgent: Make it durable at once; otherwise within the commit interval.
            source: Whose event it is. Without one, younger events of any source wait for it.
            priority: What it is worth, -99 to 99, where the limit drops the lowest priority.

        Raises:
            StoreFullError: The budget is used up and nothing may be dropped, or the disk does not
                keep up; nothing was kept.
            NotRunningError: Before `open`, or after `close`.
            UsageError: The id is empty or too long, or the priority not that small.
        """
        if not self._running:
            raise NotRunningError("events can be posted only while the node is running")
        check_event_id(event_id)
        check_priority(priority)
        payload = one_line(payload)
        self._check_waiting(event_size_bytes(event_id, len(payload), tag, source))
        ref, is_new, dropped = self._outbox.add(
            event_id, len(payload), tag, source=source, priority=priority
        )
        if is_new:
            event = StoredEvent(ref.sequence, event_id, payload, tag, source, priority)
            self._payloads.keep(event)
            self._empty.clear()
            self._sendable.set()
            self._writer.put(event, urgent=urgent)
        else:
            self._store_again(ref)
        if dropped:
            self._drop(dropped)
        return self._tickets.ticket(ref)

    def _store_again(self, ref: EventRef) -> None:
        if len(self._stored_again) >= _MAX_STORED_AGAIN:
            raise StoreFullError(f"{ref.event_id} is posted again and again: {self._cause()}")
        self._stored_again.append(ref)
        self._writer.wake()

    def _drop(self, dropped: Sequence[tuple[EventRef, bool]]) -> None:
        """Carry out what the outbox has dropped; what is not stored yet is removed after that."""
        for ref, was_stored in dropped:
            self._payloads.forget(ref.sequence)
            self._tickets.dropped(ref, was_stored=was_stored)
            if was_stored:
                self._writer.remove(ref)
        self._drops.note(*(ref.event_id for ref, _ in dropped))

    def _check_waiting(self, size_bytes: int) -> None:
        waiting_bytes = self._writer.waiting_bytes
        if waiting_bytes and waiting_bytes + size_bytes > self._max_waiting_bytes:
            raise StoreFullError(
                f"the event was refused: {waiting_bytes} bytes wait in memory to be stored"
                f" (at most {self._max_waiting_bytes}): {self._cause()}"
            )

    def _cause(self) -> str:
        return self._writer.trouble or "more is posted than the disk can take"

    async def _commit(self, puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        await self._store.commit(puts, [ref.sequence for ref in removals])

    def _committed(self, puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        refs = [event.ref for event in puts]
        for ref in self._outbox.stored(refs):
            self._writer.remove(ref)
        for ref in refs:
            if self._outbox.is_pending(ref):  # and was not dropped before it was durable
                self._tell_stored(ref)
        self._tell_stored_again()
        done = [ref for ref in removals if self._outbox.is_pending(ref)]  # the others were lost
        self._outbox.removed(done)
        for ref in done:
            self._on_acked(ref)
            self._tickets.acked(ref)
        self._note_count()

    def _tell_stored(self, ref: EventRef) -> None:
        if self._payloads.is_full and not self._departures.is_in_flight(ref):
            self._payloads.drop(ref.sequence)
        self._on_stored(ref)
        self._tickets.stored(ref)

    def _tell_stored_again(self) -> None:
        """Report those posted again that are durable; the others wait for their commit."""
        again, self._stored_again = self._stored_again, []
        for ref in again:
            if self._tickets.is_dropped(ref):
                continue
            if self._outbox.is_stored(ref):
                self._on_stored(ref)
            else:
                self._stored_again.append(ref)
