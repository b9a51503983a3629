"""The events that the peer has not acknowledged, and what becomes of them: the outbox core.

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

What is sent when, and how often, is the affair of its `departures`
(`gwproactor.events.core.departures`).

**Budget.** What is pending counts, by `size_bytes`, against a limit. An event beyond it is refused,
or others are dropped for it, as the policy says (`gwproactor.events.core.drop_order`). What is in
flight is not dropped: its ack is on its way, and will make room by itself. What is acked is not
either: its room is as good as free. An ack of a dropped event is harmless.
"""

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import NamedTuple

from gwproactor.config.limit_policy import LimitPolicy
from gwproactor.errors import StoreFullError
from gwproactor.events.core.backlog import Backlog
from gwproactor.events.core.departures import MAX_WINDOW_BYTES, Departures
from gwproactor.events.core.drop_order import DropOrder, Needed
from gwproactor.events.core.pending import NEAR_COUNT, Pending
from gwproactor.events.core.refusals import MAX_SEND_TRIES
from gwproactor.events.core.window import Window
from gwproactor.events.store import DEFAULT_MAX_BYTES, EventRef, event_size_bytes


class Added(NamedTuple):
    """What became of an event given to the outbox.

    Attributes:
        ref: Its ref.
        is_new: Whether it is a new one.
        dropped: What was dropped for it, and whether each was stored: what was is to be removed.
    """

    ref: EventRef
    is_new: bool
    dropped: Sequence[tuple[EventRef, bool]] = ()


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
        when_full: What happens to an event for which there is no room.
        near_count: How many events are kept at hand; the others are packed.
        max_tries: So often an event is sent that the peer does not take, while it takes others.
    """

    def __init__(
        self,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        window: Window | None = None,
        max_window_bytes: int = MAX_WINDOW_BYTES,
        when_full: LimitPolicy = LimitPolicy.refuse,
        near_count: int = NEAR_COUNT,
        max_tries: int = MAX_SEND_TRIES,
    ) -> None:
        self._max_bytes = max_bytes
        self._next_sequence = 1
        self._pending: Pending[str] = Pending(_event_id, near_count)
        self._drop_order = DropOrder(when_full, self._pending.at)
        self._unstored: set[int] = set()
        self._acked: set[int] = set()
        self._dropped_unstored: set[int] = set()
        self.departures = Departures(self._pending, window or Window(), max_window_bytes, max_tries)
        """What is sent when."""
        self.backlog = Backlog()
        """What of it was there at the last activation."""

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

    def is_pending(self, ref: EventRef) -> bool:
        """Whether this very event is still there."""
        return ref in self._pending

    def is_stored(self, ref: EventRef) -> bool:
        """Whether this event is durable, or was until the peer had it."""
        return ref.sequence not in self._unstored and ref.sequence not in self._dropped_unstored

    def is_acked(self, ref: EventRef) -> bool:
        """Whether the peer has a pending event, and its removal is not yet written."""
        return ref.sequence in self._acked

    def find(self, event_id: str) -> EventRef | None:
        """The pending event of that id."""
        return self._pending.get(event_id)

    # Events come in

    def restore(self, refs: Iterable[EventRef], next_sequence: int) -> list[EventRef]:
        """Take in what a store kept from earlier runs, in order of sequence; only at the start.

        It is all taken in, also where the limit was higher then. What is returned is to be removed
        from the store: a power cut may have brought an event back whose id was posted once more.
        """
        new, doubles = self._pending.add_all(refs)
        for ref in new:
            self.departures.add(ref)
            self._drop_order.add(ref)
            self._pending.let_go_far(ref)
        self._next_sequence = max(self._next_sequence, next_sequence)
        return doubles

    def restore_late(self, refs: Iterable[EventRef]) -> list[EventRef]:
        """Take in what a store could not read at the start; each goes to its place. See there."""
        new, doubles = self._pending.add_all(refs)
        self.departures.add_late(new)
        self._drop_order.add_late(new)
        self.backlog.came_late(new)
        above = max((ref.sequence + 1 for ref in (*new, *doubles)), default=1)
        self._next_sequence = max(self._next_sequence, above)
        return doubles

    def skip_sequence(self) -> int:
        """Give a sequence that no event of the outbox gets."""
        self._next_sequence += 1
        return self._next_sequence - 1

    def add(
        self,
        event_id: str,
        payload_bytes: int,
        tag: str = "",
        *,
        source: str = "",
        priority: int = 0,
    ) -> Added:
        """Take in a new event; one whose id is pending already is kept once, as it was.

        Raises:
            StoreFullError: There is no room for it; it was not taken in, and nothing dropped.
        """
        current = self._pending.get(event_id)
        if current is not None:
            return Added(current, is_new=False)
        size_bytes = event_size_bytes(event_id, payload_bytes, tag, source)
        dropped = self._make_room(Needed(size_bytes, priority))
        ref = EventRef(self._next_sequence, event_id, size_bytes, tag, source, priority)
        self._next_sequence += 1
        self._pending.add(ref)
        self._unstored.add(ref.sequence)
        self.departures.add(ref)
        self._drop_order.add(ref)
        return Added(ref, is_new=True, dropped=dropped)

    def _make_room(self, needed: Needed) -> Sequence[tuple[EventRef, bool]]:
        """Drop what must go for a new event, if anything.

        Raises:
            StoreFullError: Nothing may go, or not enough.
        """
        excess_bytes = self.pending_bytes + needed.size_bytes - self._max_bytes
        if excess_bytes <= 0:
            return ()
        victims = None
        if needed.size_bytes <= self._max_bytes:
            victims = self._drop_order.victims(
                Needed(excess_bytes, needed.priority), self._may_be_dropped
            )
        if victims is None:
            raise StoreFullError(
                f"the event was refused: {self.pending_bytes} bytes are pending, and with its"
                f" {needed.size_bytes} they would be more than max_bytes = {self._max_bytes};"
                " raise the limit, or let the upstream link become active to empty the store"
            )
        return [(ref, self._drop(ref)) for ref in victims]

    def _may_be_dropped(self, ref: EventRef) -> bool:
        return not self.departures.is_in_flight(ref) and ref.sequence not in self._acked

    def _drop(self, ref: EventRef) -> bool:
        """Forget an event for good; return whether it was stored."""
        was_stored = ref.sequence not in self._unstored
        if not was_stored:
            self._dropped_unstored.add(ref.sequence)  # removed when it has been written
        self.removed([ref])
        return was_stored

    def stored(self, refs: Iterable[EventRef]) -> list[EventRef]:
        """Note that these events are durable; return those to be removed, acked or dropped."""
        remove = []
        for ref in refs:
            self._unstored.discard(ref.sequence)
            if ref.sequence in self._acked:
                remove.append(ref)
            elif ref.sequence in self._dropped_unstored:
                self._dropped_unstored.remove(ref.sequence)
                remove.append(ref)
            elif not self.departures.is_in_flight(ref):
                self._pending.let_go_far(ref)
        return remove

    def activate(self) -> None:
        """The link has become active: what is there now is the backlog."""
        self.departures.activate()
        self.backlog = Backlog(self._next_sequence, self.unacked_count)

    # Events are done

    def acked(self, event_id: str) -> tuple[Ack, EventRef | None]:
        """The peer has acknowledged an event by itself, whether it was in flight or not."""
        ref = self._pending.get(event_id)
        if ref is not None and self.departures.is_in_flight(ref):
            self.departures.window.acked()
        return self.acked_in_batch(event_id)

    def acked_in_batch(self, event_id: str) -> tuple[Ack, EventRef | None]:
        """The peer has acknowledged an event together with others; tell the window of all."""
        ref = self._pending.get(event_id)
        if ref is None:
            return Ack.UNKNOWN, None
        if ref.sequence in self._acked:
            return Ack.REPEATED, ref
        self._acked.add(ref.sequence)
        self.departures.acked(ref)
        self.backlog.left(ref)
        return (Ack.HELD if ref.sequence in self._unstored else Ack.REMOVE), ref

    def removed(self, refs: Iterable[EventRef]) -> None:
        """Forget events: their removal is written, or they are lost."""
        for ref in refs:
            was_pending = self._pending.remove(ref)
            was_done = ref.sequence in self._acked
            self._acked.discard(ref.sequence)
            self._unstored.discard(ref.sequence)
            if was_pending:
                self.departures.forget(ref)
                self._drop_order.forget(ref, len(self._pending))
                if not was_done:
                    self.backlog.left(ref)


def _event_id(ref: EventRef) -> str:
    return ref.event_id
