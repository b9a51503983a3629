"""Handing the events of the outbox to a link, and hearing what became of them there.

The half of `gwproactor.events.outgoing` that looks at the wire. Payloads stay in memory while they
are few; the others are read back in batches when their turn comes. An event that cannot be read
now, and one that the peer does not take, wait apart, and the others go on; what is never taken is
moved to the refused events (`gwproactor.events.refused`).
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from gwproactor.errors import EventRefusedError, NotRunningError, StoreError
from gwproactor.events.core import breakers
from gwproactor.events.core.outbox import Ack, Outbox
from gwproactor.events.counted_reports import CountedReports, say_refused
from gwproactor.events.payloads import READ_AHEAD_BYTES, READ_AHEAD_COUNT, Payloads
from gwproactor.events.refused import RefusedEvents
from gwproactor.events.reporting import ReportProblem, report_damages
from gwproactor.events.store import Damage, EventRef, StoredEvent
from gwproactor.events.tickets import ENDED, TicketOffice
from gwproactor.events.writer import GroupCommitter


class SendingEvents:
    """What a link asks and tells of events; `OutgoingEvents` is built on it. For the loop's thread.

    Args:
        outbox: The order, the window and the budget.
        payloads: Gives the events.
        writer: Is told what is to be removed from the store.
        refused_events: Takes what the peer never takes.
        report: Told of events that cannot be read or sent.
    """

    def __init__(
        self,
        outbox: Outbox,
        payloads: Payloads,
        writer: GroupCommitter,
        refused_events: RefusedEvents,
        report: ReportProblem,
    ) -> None:
        self._outbox = outbox
        self._departures = outbox.departures
        self._payloads = payloads
        self._writer = writer
        self._refused = refused_events
        self._report = report
        self._refusals = CountedReports(report, partial(say_refused, refused_events.kept))
        self._tickets = TicketOffice(outbox)
        self._sendable = asyncio.Event()
        self._released = asyncio.Event()
        self._released.set()
        self._empty = asyncio.Event()
        self._running = False

    # The link

    def activated(self) -> None:
        """The upstream link has become active: hand out events, from the oldest un-acked on."""
        self._outbox.activate()
        self._sendable.set()

    def deactivated(self, *, connection_lost: bool = False) -> None:
        """The upstream link is not active any more: what was in flight will be sent again.

        Args:
            connection_lost: It is not, because the connection was lost.
        """
        if connection_lost:
            for ref in self._departures.connection_lost(time.monotonic()):
                self._refused.add(ref, breakers.REASON)
        self._departures.deactivate()
        self._sendable.set()

    @property
    def batch_count(self) -> int:
        """How many events should go into one message, where the peer takes several."""
        return self._departures.window.batch_count

    def allow_batches(self, allowed: bool) -> None:
        """The peer takes many events in one message, or does so no longer."""
        self._departures.window.allow_batches(allowed)
        self._sendable.set()

    # Events go out

    @property
    def in_flight_count(self) -> int:
        """How many events have been sent since the activation and not been acked."""
        return self._departures.in_flight_count

    @property
    def unacked_count(self) -> int:
        """How many of them the peer has not acknowledged."""
        return self._outbox.unacked_count

    @property
    def backlog_count(self) -> int:
        """How many the peer has not acknowledged of those posted before the link became active."""
        return self._outbox.backlog.left_count

    @property
    def backlog_sent_count(self) -> int:
        """How many of those posted before the link became active have been sent since then."""
        return self._outbox.backlog.sent_count

    @property
    def refused_count(self) -> int:
        """How many events were set aside since the start because the peer does not take them."""
        return self._refused.count

    def hold(self) -> None:
        """Give nothing to send until `release`: who hears of acks cannot keep up."""
        self._released.clear()

    def release(self) -> None:
        """Go on after `hold`."""
        self._released.set()

    async def next_to_send(self) -> Sequence[StoredEvent]:
        """Wait until something may be sent, and give it, at least one event, in order.

        What is returned counts as in flight. Cancelling is safe: nothing counts that was not
        returned.

        Raises:
            NotRunningError: After `close`.
        """
        while True:
            await self._until_sendable()
            await self._released.wait()
            if not self._running:
                raise NotRunningError(ENDED)
            now = time.monotonic()
            refs = self._departures.sendable(now)
            events = [event for ref in refs if (event := self._payloads.get(ref))]
            if not refs:
                self._sendable.clear()
            elif len(events) == len(refs):
                self._departures.sent(refs, now)
                self._outbox.backlog.sent(refs)
                return events
            else:
                await self._read_back(refs)

    async def _until_sendable(self) -> None:
        """Wait for news, or until it is time to try an event again."""
        if self._sendable.is_set():
            return
        wake_at = self._departures.wake_at_seconds()
        if wake_at is None:
            await self._sendable.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, wake_at - time.monotonic())):
                await self._sendable.wait()
        self._sendable.set()  # what has come back may have to be read first

    async def _read_back(self, refs: Sequence[EventRef]) -> None:
        """Get what is needed now, and some of what follows, into memory."""
        ahead = self._departures.upcoming(READ_AHEAD_COUNT, READ_AHEAD_BYTES)
        unread = await self._payloads.read_back([*refs, *ahead])
        for ref, damage in unread.lost:
            if self._outbox.is_pending(ref):
                self._lose(ref, damage)
        for ref in refs:
            if ref in unread.resting and self._departures.is_queued(ref):
                self._departures.put_off(ref, unread.resting[ref])
        for ref in (*refs, *ahead):
            if not self._outbox.is_pending(ref):
                self._payloads.forget(ref.sequence)  # acked meanwhile
        self._note_count()

    def _lose(self, ref: EventRef, damage: Damage) -> None:
        self._outbox.removed([ref])
        self._tickets.lost(ref, StoreError(f"{damage.place}: {damage.reason}"))
        self._writer.remove(ref)
        report_damages(self._report, "A stored event", [damage])

    # What became of them

    def acked(self, event_id: str) -> bool:
        """The peer has acknowledged `event_id`; return whether it is an event of ours."""
        ack, ref = self._outbox.acked(event_id)
        self._note_ack(ack, ref)
        return ref is not None

    def acked_many(self, event_ids: Sequence[str], waited: float) -> None:
        """The peer has acknowledged these events by one message.

        Args:
            event_ids: The events.
            waited: How long that took, as a share of the ack timeout.
        """
        self._departures.window.acked(len(event_ids), waited)
        for event_id in event_ids:
            self._note_ack(*self._outbox.acked_in_batch(event_id))

    def _note_ack(self, ack: Ack, ref: EventRef | None) -> None:
        if ref is None:
            return
        self._payloads.forget(ref.sequence)  # it is never sent again
        if ack is Ack.REMOVE:
            self._writer.remove(ref)
        if self._outbox.unacked_count > self._departures.in_flight_count:
            self._sendable.set()  # else there is nothing that the ack has made room for

    def refused(self, event_ids: Sequence[str]) -> None:
        """The peer has said that it did not take these events of a batch: they are sent again."""
        self._departures.returned(event_ids)
        self._outbox.backlog.came_back(event_ids)
        self._sendable.set()

    def overdue(self, event_ids: Sequence[str], *, in_batch: bool) -> None:
        """The peer has not acknowledged these events in time, though the link was active.

        Args:
            event_ids: The events of one message; others than ours are passed over.
            in_batch: That message was a batch.
        """
        now = time.monotonic()
        for ref in self._departures.overdue(event_ids, now, in_batch=in_batch):
            self._refused.add(ref, "the peer has not taken it, though it takes others")

    def unsendable(self, event_id: str, reason: str, *, for_ever: bool = True) -> None:
        """An event that was given to be sent cannot be; the others go on without it.

        Args:
            event_id: The event.
            reason: Why not.
            for_ever: It can never be; else it is tried again a few times, as another broker may
                take it.
        """
        ref = self._outbox.find(event_id)
        if ref is None:
            return
        self._outbox.backlog.came_back([event_id])
        if for_ever:
            self._departures.withhold(ref)
        if for_ever or self._departures.try_failed(ref, time.monotonic()):
            self._refused.add(ref, reason)
        self._sendable.set()

    # What is never taken

    def still_refused(self, ref: EventRef) -> bool:
        """Whether an event is still to be moved: the peer may have taken it after all."""
        return self._outbox.is_pending(ref) and not self._outbox.is_acked(ref)

    async def read_to_move(self, ref: EventRef) -> StoredEvent | None:
        """Give a durable event that is still to be moved, else None.

        Raises:
            StoreError: It is not durable, or cannot be read, now.
        """
        await self._writer.flush()
        unread = await self._payloads.read_back([ref])
        if not self.still_refused(ref):
            return None
        for lost, damage in unread.lost:
            self._lose(lost, damage)
            return None
        event = self._payloads.get(ref)
        if event is None:
            raise StoreError(f"event {ref.event_id} cannot be read now")
        return event

    def fresh_sequence(self) -> int:
        """Give a number above every sequence of both stores; no other event ever gets it.

        It is written down as removed, for a sequence that is missing would look like a loss.
        """
        sequence = self._outbox.skip_sequence()
        self._writer.remove(EventRef(sequence, "", 0))
        return sequence

    def moved(self, ref: EventRef, reason: str) -> None:
        """An event is safe among those refused: take it out of the outbox."""
        self._outbox.removed([ref])
        self._payloads.forget(ref.sequence)
        self._tickets.lost(ref, EventRefusedError(f"event {ref.event_id} is set aside: {reason}"))
        self._writer.remove(ref)
        self._refusals.note(f"{ref.event_id}: {reason}")
        self._note_count()

    async def drained(self) -> None:
        """Wait until nothing is pending. Cancelling is safe."""
        await self._empty.wait()

    def _note_count(self) -> None:
        if self._outbox.pending_count == 0:
            self._empty.set()
        else:
            self._empty.clear()
