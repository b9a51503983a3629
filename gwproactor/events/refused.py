"""Events that the peer never takes are moved out of the outbox, into a store of their own.

The first half of a move, writing the event where it goes, is done here and beside everything else,
so that trouble with that store holds up no other event; the second half, its removal from the
outbox, is the outbox's affair, and comes after the first. A kill in between leaves the event in
both: it is sent again, and moved again if need be.

An event keeps its sequence, so that it can go back to its old place. Only where that is another's
here, as an outbox that is new, or kept in files, numbers from the start again, it gets a fresh one.

Where there is no such store, or it is full, the event stays where it is: kept, and not sent in this
run any more.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gwproactor.errors import StoreError
from gwproactor.events.dead_letters import DEFAULT_MAX_DEAD_BYTES
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.reporting import ReportedTrouble, ReportProblem
from gwproactor.events.store import Damage, EventRef, EventStore, StoredEvent
from gwproactor.events.writer import retry_seconds


class Outgoing(Protocol):
    """What a move needs to know of the outbox, and to tell it; `SendingEvents` does it."""

    async def read_to_move(self, ref: EventRef) -> StoredEvent | None:
        """Give a durable event that is still to be moved, else None; raises StoreError."""
        ...

    def still_refused(self, ref: EventRef) -> bool:
        """Whether the peer has not taken it after all."""
        ...

    def fresh_sequence(self) -> int:
        """Give a number above every sequence of both stores; no other event ever gets it."""
        ...

    def moved(self, ref: EventRef, reason: str) -> None:
        """The event is safe in its new place."""
        ...


class _Move(NamedTuple):
    ref: EventRef
    reason: str


class RefusedEvents:
    """The store of refused events, and the task that moves events into it. For the loop's thread.

    Args:
        store: Where they are kept. This object opens and closes it. None for nowhere.
        report: Is told of trouble with that store, and of events for which it has no room.
        max_bytes: What the store may take up.
    """

    def __init__(
        self,
        store: EventStore | None,
        report: ReportProblem,
        max_bytes: int = DEFAULT_MAX_DEAD_BYTES,
    ) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._report = report
        self._trouble = ReportedTrouble("The store of refused events", report)
        self._moves: deque[_Move] = deque()
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.count = 0
        """How many events were moved since the start."""

    @property
    def kept(self) -> str:
        """Where the events are that were moved, in words."""
        if isinstance(self._store, MemoryStore):
            return "Kept in memory, until the node stops"
        return "Kept among the refused events; `gwproactor events requeue` lets them be sent again"

    @property
    def next_sequence(self) -> int:
        """A number above every sequence that the store has ever seen."""
        return 1 if self._store is None else self._store.next_sequence

    async def open(self) -> Sequence[Damage]:
        """Open the store; see `EventStore.open`."""
        return [] if self._store is None else await self._store.open()

    async def close(self) -> None:
        """End `run` and close the store. What is not moved yet stays in the outbox."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._store is not None:
            await self._store.close()

    def add(self, ref: EventRef, reason: str) -> None:
        """Let an event be moved."""
        self._moves.append(_Move(ref, reason))
        self._work.set()

    async def run(self, outgoing: Outgoing) -> None:
        """Move what is added, until `close`. Cancelling is safe."""
        self._task = asyncio.current_task()
        delays = retry_seconds()
        while not self._closed:
            await self._work.wait()
            try:
                await self._next_move(outgoing)
            except StoreError as error:
                self._trouble.failed(str(error))
                self._moves.rotate(-1)  # the trouble may be with this one alone
                await asyncio.sleep(next(delays))
            else:
                self._trouble.worked()
                delays = retry_seconds()

    async def _next_move(self, outgoing: Outgoing) -> None:
        ref, reason = self._moves[0]
        event = await outgoing.read_to_move(ref)
        if event is not None and self._has_room_for(event, reason):
            await self._move(outgoing, event, reason)
        self._moves.popleft()
        if not self._moves:
            self._work.clear()

    async def _move(self, outgoing: Outgoing, event: StoredEvent, reason: str) -> None:
        assert self._store is not None
        place = await self._place(self._store, outgoing, event)
        await self._store.commit([event._replace(sequence=place)], ())
        if outgoing.still_refused(event.ref):
            self.count += 1
            outgoing.moved(event.ref, reason)
        else:
            await self._store.commit((), [place])

    async def _place(self, store: EventStore, outgoing: Outgoing, event: StoredEvent) -> int:
        """The event's own sequence, or a fresh one rather than to replace another event."""
        there = await store.read([event.sequence])
        if there.damages or any(other.event_id != event.event_id for other in there.events):
            return outgoing.fresh_sequence()
        return event.sequence

    def _has_room_for(self, event: StoredEvent, reason: str) -> bool:
        if self._store is None:
            why = "there is no store of refused events"
        elif self._store.size_bytes + event.size_bytes > self._max_bytes:
            why = f"the store of refused events has reached {self._max_bytes} bytes"
        else:
            return True
        self._report(
            f"Event {event.event_id} cannot be sent",
            f"{reason}. It stays where it is, for {why}, and is not tried again in this run.",
        )
        return False
