"""A ticket for each event handed in: what one awaits to know that it is durable, or acknowledged.

A ticket costs nothing until somebody awaits it: only then a future is made. The office answers all
tickets: it looks into the outbox, and lets those wait for whom it is too early.
"""

import asyncio
from collections import defaultdict

from gwproactor.errors import EventDroppedError, GwproactorError, NotRunningError
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.store import EventRef

_MAX_LOST_REMEMBERED = 1000
"""Lost events whose tickets can still say so; more than that at once is a lost disk."""

_MAX_DROPPED_REMEMBERED = 100_000
"""Some 10 MB, while more events are dropped than anybody awaits."""

ENDED = "the node has stopped; what is stored is sent by its next run"


class EventTicket:
    """Follows one event that was handed in. For the loop's thread, any number of waiters.

    Attributes:
        ref: The event.
    """

    __slots__ = ("_office", "ref")

    def __init__(self, office: "TicketOffice", ref: EventRef) -> None:
        self._office = office
        self.ref = ref

    @property
    def event_id(self) -> str:
        """The event's id."""
        return self.ref.event_id

    async def stored(self) -> None:
        """Wait until the event is durable. Cancelling is safe.

        Raises:
            StoreError: It could not be stored before the end.
            EventDroppedError: It was dropped before that, to make room.
        """
        await self._office.wait_stored(self.ref)

    async def acked(self) -> None:
        """Wait until the peer has acknowledged the event. Cancelling is safe.

        Raises:
            StoreError: The event was damaged on the disk, and cannot be sent any more.
            EventDroppedError: It was dropped to make room for others.
            EventRefusedError: The peer does not take it; it is set aside.
            NotRunningError: The node stopped first; a stored event is sent by its next run.
        """
        await self._office.wait_acked(self.ref)


class Waiters:
    """Futures of those who wait for something about an event, by its sequence."""

    def __init__(self) -> None:
        self._futures: defaultdict[int, list[asyncio.Future[None]]] = defaultdict(list)

    async def wait(self, sequence: int) -> None:
        """Wait until `done` or `failed` is called for `sequence`."""
        future = asyncio.get_running_loop().create_future()
        self._futures[sequence].append(future)
        try:
            await future
        finally:
            self._leave(sequence, future)

    def _leave(self, sequence: int, future: asyncio.Future[None]) -> None:
        futures = self._futures.get(sequence, [])
        if future in futures:
            futures.remove(future)
        if not futures:
            self._futures.pop(sequence, None)

    def done(self, sequence: int) -> None:
        """It has happened."""
        if self._futures:
            for future in self._futures.pop(sequence, ()):
                if not future.done():
                    future.set_result(None)

    def failed(self, sequence: int, error: Exception) -> None:
        """It will never happen."""
        for future in self._futures.pop(sequence, ()):
            if not future.done():
                future.set_exception(error)

    def all_failed(self, error: Exception) -> None:
        """None of it will ever happen."""
        for sequence in list(self._futures):
            self.failed(sequence, error)


class TicketOffice:
    """Knows what became of each event. For the loop's thread.

    Args:
        outbox: What is pending and durable.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._stored = Waiters()
        self._acked = Waiters()
        self._lost: dict[int, GwproactorError] = {}
        self._dropped: dict[int, bool] = {}
        """Whether it was stored before that, for the last that were dropped."""
        self._end: GwproactorError | None = None

    def ticket(self, ref: EventRef) -> EventTicket:
        """Give out a ticket for an event."""
        return EventTicket(self, ref)

    def stored(self, ref: EventRef) -> None:
        """An event is durable."""
        self._stored.done(ref.sequence)

    def acked(self, ref: EventRef) -> None:
        """The peer has an event, and the store has been told."""
        self._acked.done(ref.sequence)

    def lost(self, ref: EventRef, error: GwproactorError) -> None:
        """An event is damaged on the disk, or set aside: the peer will not acknowledge it."""
        self._lost[ref.sequence] = error
        if len(self._lost) > _MAX_LOST_REMEMBERED:
            del self._lost[next(iter(self._lost))]
        self._acked.failed(ref.sequence, error)

    def dropped(self, ref: EventRef, *, was_stored: bool) -> None:
        """An event made room for others."""
        self._dropped[ref.sequence] = was_stored
        if len(self._dropped) > _MAX_DROPPED_REMEMBERED:
            del self._dropped[next(iter(self._dropped))]
        self._stored.failed(ref.sequence, _dropped_error(ref))
        self._acked.failed(ref.sequence, _dropped_error(ref))

    def is_dropped(self, ref: EventRef) -> bool:
        """Whether an event made room for others, lately."""
        return ref.sequence in self._dropped

    def close(self, end: GwproactorError) -> None:
        """Nothing more will happen; `end` is what those hear whose events are not stored."""
        self._end = end
        self._stored.all_failed(end)
        self._acked.all_failed(NotRunningError(ENDED))

    async def wait_stored(self, ref: EventRef) -> None:
        """Wait until an event is durable; see `EventTicket.stored`."""
        if not self._dropped.get(ref.sequence, True):
            raise _dropped_error(ref)
        if self._outbox.is_stored(ref):
            return
        if self._end is not None:
            raise self._end
        await self._stored.wait(ref.sequence)

    async def wait_acked(self, ref: EventRef) -> None:
        """Wait until the peer has an event; see `EventTicket.acked`."""
        if ref.sequence in self._lost:
            raise self._lost[ref.sequence]
        if ref.sequence in self._dropped:
            raise _dropped_error(ref)
        if not self._outbox.is_pending(ref):
            return
        if self._end is not None:
            raise NotRunningError(ENDED)
        await self._acked.wait(ref.sequence)


def _dropped_error(ref: EventRef) -> EventDroppedError:
    return EventDroppedError(
        f"event {ref.event_id} was dropped to make room for others: the event store is full"
    )
