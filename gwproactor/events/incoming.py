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

from gwproactor.events.core.batch_receipt import BatchReceipt
from gwproactor.events.core.inbox import Inbox, Key, Reception
from gwproactor.events.core.owed_answers import OwedAnswers
from gwproactor.events.dead_letters import DEFAULT_MAX_DEAD_BYTES, DeadLetters
from gwproactor.events.delivery import Delivery
from gwproactor.events.disk.reserve import Reserve
from gwproactor.events.inbox_stores import InboxStores
from gwproactor.events.late_reading import LateReading
from gwproactor.events.log.seen_log import Seen
from gwproactor.events.payloads import DEFAULT_MEMORY_BYTES, Payloads
from gwproactor.events.reporting import ReportedTrouble, ReportProblem, report_damages
from gwproactor.events.slices import in_slices
from gwproactor.events.store import Damage, EventRef, EventStore, StoredEvent, one_line
from gwproactor.events.writer import GroupCommitter
from gwproactor.wire.payloads import MAX_ID_CHARACTERS


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


class IncomingEvents:
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
        self._store = store
        letters = DeadLetters(dead_letters, max_dead_bytes)
        self._stores = InboxStores(store, letters, seen, reserve)
        self._inbox = inbox
        self._report = report
        self._payloads = Payloads(store, "received events", max_bytes=memory_bytes, report=report)
        self._writer = GroupCommitter(
            "The inbox", commit=self._stores.commit, committed=self._committed, report=report
        )
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
        self._owed = OwedAnswers(acknowledge)
        self._held_back: dict[Key, bytes] = {}
        """Refused events that the broker keeps and their sender does not: no more than Receive
        Maximum lets through. They are tried again when there may be room."""
        self._refused = ReportedTrouble("Taking in events", report)
        self._running = False
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

    # Events come in

    @property
    def pending_count(self) -> int:
        """How many events are not yet dealt with."""
        return self._inbox.pending_count

    def receive(
        self,
        link_name: str,
        event_id: str,
        payload: bytes,
        ack_required: bool = True,
        safe: Callable[[], None] | None = None,
    ) -> None:
        """Take in an event that has arrived; it is acknowledged when it may be.

        What cannot be taken in, for lack of room, or before `open` or after `close`, is dropped
        without an acknowledgement: its sender has it still.

        Args:
            link_name: The link it came over.
            event_id: Its id.
            payload: Its JSON in UTF-8.
            ack_required: Its sender waits for an acknowledgement.
            safe: Called when it may be acknowledged, whether its sender wants that or not; and at
                once where it was refused and its sender knows that by the missing ack.
        """
        if not self._running:
            return
        key = link_name, event_id
        if safe is not None:
            self._owed.hold_copy(key, safe)
        if not event_id or len(event_id) > MAX_ID_CHARACTERS:
            self._refuse(f"an event from {link_name} has an id of {len(event_id)} characters")
            self._owed.let_go(key)
        else:
            self._take(key, payload, ack_required=ack_required)

    def receive_batch(
        self,
        link_name: str,
        events: Sequence[tuple[str, bytes]],
        answer: Callable[[Sequence[int]], None],
    ) -> None:
        """Take in events that have arrived in one message, of which each wants to be acknowledged.

        Before `open` or after `close` they are dropped, and nothing is answered.

        Args:
            link_name: The link they came over.
            events: Id and JSON in UTF-8 of each; the ids are checked.
            answer: Called once, when each is durable or refused, with the places of those that
                were refused: their sender has them still. It may be called before this returns.
        """
        if not self._running:
            return
        receipt = BatchReceipt(len(events), answer)
        for place, (event_id, payload) in enumerate(events):
            self._take_batched((link_name, event_id), payload, receipt, place)

    def _take_batched(self, key: Key, payload: bytes, receipt: BatchReceipt, place: int) -> None:
        reception, ref = self._inbox.receive(*key, len(payload), seen=self._stores.has_seen(key))
        if reception is Reception.KNOWN:
            receipt.taken()
        elif reception is Reception.REFUSED:
            receipt.refused(place)
            self._refuse(self._writer.trouble or "the inbox is full")
        else:
            self._owed.claim(key, receipt, place)
            if ref is not None:
                self._owed.ack_wanted(key, wanted=False)  # none of its own
                self._keep(ref, payload)

    def _keep(self, ref: EventRef, payload: bytes) -> None:
        event = StoredEvent(ref.sequence, ref.event_id, payload, ref.tag)
        self._payloads.keep(event)
        self._writer.put(event)
        self._refused.worked()

    def _take(self, key: Key, payload: bytes, *, ack_required: bool) -> None:
        payload = one_line(payload)
        reception, ref = self._inbox.receive(*key, len(payload), seen=self._stores.has_seen(key))
        if ack_required or ref is not None:
            self._owed.ack_wanted(key, wanted=ack_required)
        if ref is not None:
            self._keep(ref, payload)
        elif reception is Reception.KNOWN:
            self._owed.ack_wanted(key, wanted=ack_required)
            self._owed.safe(key)
        elif reception is Reception.REFUSED:
            self._refuse(self._writer.trouble or "the inbox is full")
            if ack_required:
                self._owed.let_go(key)
            elif self._owed.holds_copy(key):
                self._held_back[key] = payload

    def _take_held_back(self) -> None:
        held_back, self._held_back = self._held_back, {}
        for key, payload in held_back.items():
            self._take(key, payload, ack_required=False)

    def _refuse(self, cause: str) -> None:
        cause += "; events are dropped without an acknowledgement, their sender keeps them"
        self._refused.failed(cause)

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
