"""Which events are on their way to the peer, and what is to be done next: the outbox core.

It decides and never does: no clock, no file, no socket. An event goes through these stages, each
told by one call::

    add ──▶ waiting for commit ──stored──▶ stored
                 │                           │
                 └──────────acked────────────┤
                                             ▼
                                  acked and stored ──removed──▶ forgotten

Beside that, and at the same time, it is queued or in flight: publishing may overlap the commit,
reporting may not. An ack that comes before the commit is held back; the removal of an event is
asked for when it is both stored and acked, and only when that has been written, too, is the event
forgotten, and may be reported acked.

**Order and window.** Events are sent strictly in their order. At most as many as the window says
(`gwproactor.events.core.window`) are in flight, and never more than so many bytes, except that one
event alone is always let through. What was in flight when the link became inactive goes back to the
head of the queue, and so does what the peer refused.

An event that this node finds it cannot send, as after a change of its settings, is parked: kept in
the store for the next run, and no longer in the way.

**Budget.** What is pending counts, by `size_bytes`, against a limit; an event beyond it is refused.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import NamedTuple

from gwproactor.errors import StoreFullError
from gwproactor.events.core.pending import Pending, first_within
from gwproactor.events.core.window import Window
from gwproactor.events.store import DEFAULT_MAX_BYTES, EventRef, event_size_bytes

MAX_WINDOW_BYTES = 4 * 1024 * 1024
"""Large events must not flood the broker, nor fill the memory while they wait for their acks."""


class Added(NamedTuple):
    """What became of an event given to the outbox: its ref, and whether it is a new one."""

    ref: EventRef
    is_new: bool


class Ack(Enum):
    """What an ack meant."""

    UNKNOWN = auto()
    """No pending event has this id; harmless."""
    REPEATED = auto()
    """The event was acked before."""
    HELD = auto()
    """The event is not yet stored: the ack takes effect with the commit."""
    REMOVE = auto()
    """The event is to be removed from the store."""


class Outbox:
    """The events that the peer has not acknowledged; see the module's description.

    Args:
        max_bytes: What may be pending in all.
        window: How many events may be in flight.
        max_window_bytes: And so many bytes.
    """

    def __init__(
        self,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        window: Window | None = None,
        max_window_bytes: int = MAX_WINDOW_BYTES,
    ) -> None:
        self._max_bytes = max_bytes
        self.window = window or Window()
        """How many events may be in flight, and how many go into one message."""
        self._max_window_bytes = max_window_bytes
        self._next_sequence = 1
        self._pending: Pending[str] = Pending(lambda ref: ref.event_id)
        self._unstored: set[int] = set()
        self._acked: set[int] = set()
        self._parked: set[int] = set()
        self._queue: deque[EventRef] = deque()
        self._in_flight: dict[str, EventRef] = {}
        self._in_flight_bytes = 0
        self._active = False

    # What there is

    @property
    def pending_count(self) -> int:
        """How many events are not yet acked, or not yet forgotten."""
        return len(self._pending)

    @property
    def stored_count(self) -> int:
        """How many of them are durable."""
        return len(self._pending) - len(self._unstored)

    @property
    def pending_bytes(self) -> int:
        """What they count against the limit."""
        return self._pending.size_bytes

    @property
    def unacked_count(self) -> int:
        """How many events the peer has not acknowledged, whatever is written of it."""
        return self.pending_count - len(self._acked)

    @property
    def in_flight_count(self) -> int:
        """How many events have been sent since the activation and not been acked."""
        return len(self._in_flight)

    @property
    def active(self) -> bool:
        """Whether events may be sent."""
        return self._active

    def is_pending(self, ref: EventRef) -> bool:
        """Whether this very event is still there."""
        return ref in self._pending

    def is_stored(self, ref: EventRef) -> bool:
        """Whether this event is durable, or was until the peer had it."""
        return ref.sequence not in self._unstored

    def is_in_flight(self, ref: EventRef) -> bool:
        """Whether this event has been sent and not been acked."""
        return ref.event_id in self._in_flight

    # Events come in

    def restore(self, refs: Iterable[EventRef], next_sequence: int) -> list[EventRef]:
        """Take in what a store kept from earlier runs, in order of sequence; only at the start.

        It is all taken in, also where the limit was higher then. What is returned is to be removed
        from the store: a power cut may have brought an event back whose id was posted once more.
        """
        doubles = []
        for ref in refs:
            if self._pending.add(ref):
                self._queue.append(ref)
            else:
                doubles.append(ref)
        self._next_sequence = max(self._next_sequence, next_sequence)
        return doubles

    def add(self, event_id: str, payload_bytes: int, tag: str = "") -> Added:
        """Take in a new event; one whose id is pending already is kept once, as it was.

        Raises:
            StoreFullError: There is no room for it; it was not taken in.
        """
        current = self._pending.get(event_id)
        if current is not None:
            return Added(current, is_new=False)
        size_bytes = event_size_bytes(event_id, payload_bytes, tag)
        if self._pending.size_bytes + size_bytes > self._max_bytes:
            raise StoreFullError(
                f"the event was refused: {self.pending_bytes} bytes are pending, and with its"
                f" {size_bytes} they would be more than max_bytes = {self._max_bytes};"
                " raise the limit, or let the upstream link become active to empty the store"
            )
        ref = EventRef(self._next_sequence, event_id, size_bytes, tag)
        self._next_sequence += 1
        self._pending.add(ref)
        self._unstored.add(ref.sequence)
        self._queue.append(ref)
        return Added(ref, is_new=True)

    def stored(self, refs: Iterable[EventRef]) -> list[EventRef]:
        """Note that these events are durable; return those to be removed, acked before."""
        remove = []
        for ref in refs:
            self._unstored.discard(ref.sequence)
            if ref.sequence in self._acked:
                remove.append(ref)
        return remove

    # Events go out

    def activate(self) -> None:
        """The link has become active: send from the oldest un-acked event on."""
        self.deactivate()
        self._active = True
        self.window.restart()

    def deactivate(self) -> None:
        """The link is not active any more: nothing is in flight, everything is to be sent again."""
        self._active = False
        self._return(list(self._in_flight.values()))

    def sendable(self) -> list[EventRef]:
        """Give the events that may be sent now, in order; none while the link is not active."""
        self._skip_done()
        if not self._active:
            return []
        refs: list[EventRef] = []
        room = self.window.count - len(self._in_flight)
        room_bytes = self._max_window_bytes - self._in_flight_bytes
        for ref in self._queue:
            if not self._is_due(ref):
                continue
            room -= 1
            room_bytes -= ref.size_bytes
            alone = not refs and not self._in_flight
            if room < 0 or (room_bytes < 0 and not alone):
                break
            refs.append(ref)
        return refs

    def upcoming(self, count: int, size_bytes: int) -> list[EventRef]:
        """Give the next events of the queue, at most so many, whether they may be sent or not."""
        return [ref for ref in first_within(self._queue, count, size_bytes) if self._is_due(ref)]

    def sent(self, refs: Sequence[EventRef]) -> None:
        """Note that these events, as `sendable` gave them, are in flight."""
        for ref in refs:
            while self._queue.popleft() is not ref:
                pass  # acked before their turn came
            self._in_flight[ref.event_id] = ref
            self._in_flight_bytes += ref.size_bytes

    def refused(self, event_ids: Iterable[str]) -> None:
        """The peer has not taken these events, and said so: they are sent again."""
        found = (self._in_flight.get(event_id) for event_id in event_ids)
        self._return([ref for ref in found if ref is not None])

    def _return(self, refs: Sequence[EventRef]) -> None:
        """Put events that were in flight back to their places at the head of the queue."""
        for ref in refs:
            self._land(ref)
        returned = list(refs)
        last = max((ref.sequence for ref in refs), default=0)
        while self._queue and self._queue[0].sequence < last:
            returned.append(self._queue.popleft())
        self._queue.extendleft(sorted(returned, key=_sequence, reverse=True))

    def park(self, event_id: str) -> None:
        """Set an event aside that cannot be sent: it is kept, and holds up nobody in this run."""
        ref = self._pending.get(event_id)
        if ref is not None:
            self._parked.add(ref.sequence)
            self._land(ref)

    def _skip_done(self) -> None:
        while self._queue and not self._is_due(self._queue[0]):
            self._queue.popleft()

    def _is_due(self, ref: EventRef) -> bool:
        done = ref.sequence in self._acked or ref.sequence in self._parked
        return not done and ref in self._pending

    # Events are done

    def acked(self, event_id: str) -> tuple[Ack, EventRef | None]:
        """The peer has acknowledged an event by itself, whether it was in flight or not."""
        in_flight = event_id in self._in_flight
        outcome = self.acked_in_batch(event_id)
        if in_flight and outcome[0] is not Ack.REPEATED:
            self.window.acked()
        return outcome

    def acked_in_batch(self, event_id: str) -> tuple[Ack, EventRef | None]:
        """The peer has acknowledged an event together with others; tell the window of all."""
        ref = self._pending.get(event_id)
        if ref is None:
            return Ack.UNKNOWN, None
        if ref.sequence in self._acked:
            return Ack.REPEATED, ref
        self._acked.add(ref.sequence)
        self._land(ref)
        return (Ack.HELD if ref.sequence in self._unstored else Ack.REMOVE), ref

    def removed(self, refs: Iterable[EventRef]) -> None:
        """Forget events: their removal is written, or they are lost."""
        for ref in refs:
            if self._pending.remove(ref):
                self._land(ref)
            self._acked.discard(ref.sequence)
            self._parked.discard(ref.sequence)
            self._unstored.discard(ref.sequence)

    def _land(self, ref: EventRef) -> bool:
        if self._in_flight.pop(ref.event_id, None) is None:
            return False
        self._in_flight_bytes -= ref.size_bytes
        return True


def _sequence(ref: EventRef) -> int:
    return ref.sequence
