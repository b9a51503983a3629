"""What has been received, and what is to be done about it next: the inbox core.

It decides and never does: time comes in as a number of seconds, what to do comes out. A received
event goes through these stages, each told by one call::

    receive ──▶ waiting for commit ──committed──▶ durable, acknowledged
                                                       │ next_delivery
                 later again ◀──failed── being handled ◀┘
                      │                      │ succeeded
                      └─▶ (next_delivery)    ▼
                                          handled ──marked──▶ forgotten here, remembered as seen

**Acknowledged once durable.** `committed` tells what to acknowledge; with `ack_when_handled`, for
an inbox that is in memory only, `marked` does. A repeat of something durable is acknowledged again
and not delivered again; a repeat of something that still waits changes nothing.

**At most `max_unmarked`** events are being handled, or handled and not yet marked, at any time: so
many may be delivered a second time after a kill, no more.

**Order.** Events are delivered one at a time in the order of their arrival. One whose handler
raised comes again later, after a growing delay, and holds up nobody; after `max_tries` it is to be
set aside. Tries are counted anew after a restart. One that cannot be read now comes later, too.

**Bounded.** Beyond `max_bytes` in all, or `max_waiting_bytes` waiting for commit, an event is
refused: it is not acknowledged, so its sender keeps it and sends it again.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from heapq import heappop, heappush
from typing import NamedTuple

from gwproactor.events.core.pending import Pending, first_within
from gwproactor.events.core.sequence_queue import SequenceQueue
from gwproactor.events.store import DEFAULT_MAX_BYTES, EventRef, event_size_bytes

MAX_UNMARKED = 64
"""The contract's bound on what a kill may deliver twice."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""What a slow disk may hold up in memory: some hundred thousand ordinary events."""

MAX_TRIES = 10
"""With the delays below, a handler has about 50 s to get over its trouble."""

FIRST_RETRY_SECONDS = 0.1
MAX_RETRY_SECONDS = 30.0

Key = tuple[str, str]
"""A link's name and an event's id."""


FENCE_TRIES = 20
"""So often an event without room keeps the others out: minutes of its sender's tries."""


class Reception(Enum):
    """What became of a received event."""

    NEW = auto()
    """Make it durable."""
    WAITING = auto()
    """It is on its way already; its acknowledgement will come."""
    KNOWN = auto()
    """Acknowledge it again; it is not delivered again."""
    REFUSED = auto()
    """There is no room; do not acknowledge it."""


class Received(NamedTuple):
    """What became of a received event, and its ref where it is new."""

    reception: Reception
    ref: EventRef | None = None


class Failure(NamedTuple):
    """What follows from a handler's failure: how often it was tried, and what happens next.

    Attributes:
        tries: How often the event was given to the handler.
        retry_seconds: It comes again after so long; None when it is to be set aside.
    """

    tries: int
    retry_seconds: float | None


class Inbox:
    """The events that are not yet dealt with; see the module's description.

    Args:
        max_bytes: What may be in the inbox in all.
        max_waiting_bytes: What of it may wait for commit.
        max_unmarked: How many events may be handled and not yet marked done.
        max_tries: So often an event is given to the handler before it is set aside.
        ack_when_handled: Acknowledge when the handler has succeeded, not when durable.
    """

    def __init__(
        self,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        max_unmarked: int = MAX_UNMARKED,
        max_tries: int = MAX_TRIES,
        ack_when_handled: bool = False,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_waiting_bytes = max_waiting_bytes
        self._max_unmarked = max_unmarked
        self._max_tries = max_tries
        self._ack_when_handled = ack_when_handled
        self._next_sequence = 1
        self._pending: Pending[Key] = Pending(lambda ref: (ref.tag, ref.event_id))
        self._waiting: set[int] = set()
        self._waiting_bytes = 0
        self._fence_bytes = 0  # the longest event that was refused since there was room for it
        self._fence_tries = 0  # and how often
        self._queue = SequenceQueue()
        self._later: list[tuple[float, int, EventRef]] = []
        self._tries: dict[int, int] = {}
        self._unmarked: set[int] = set()

    @property
    def pending_count(self) -> int:
        """How many events are not yet dealt with."""
        return len(self._pending)

    @property
    def pending_bytes(self) -> int:
        """What they count against the limit."""
        return self._pending.size_bytes

    @property
    def unmarked_count(self) -> int:
        """How many events are being handled, or handled and not yet marked done."""
        return len(self._unmarked)

    # Events come in

    def restore(self, refs: Iterable[EventRef], next_sequence: int) -> list[EventRef]:
        """Take in what a store kept from earlier runs, in order of sequence; only at the start.

        What is returned is to be removed from the store: a power cut may have brought it back.
        """
        new, doubles = self._pending.add_all(refs)
        for ref in new:
            self._queue.append(ref.sequence)
            self._pending.let_go_far(ref)
        self._next_sequence = max(self._next_sequence, next_sequence)
        return doubles

    def restore_late(self, refs: Iterable[EventRef]) -> list[EventRef]:
        """Take in what a store could not read at the start; each goes to its place. See there."""
        new, doubles = self._pending.add_all(refs)
        self._queue.put_back(ref.sequence for ref in new)
        above = max((ref.sequence + 1 for ref in (*new, *doubles)), default=1)
        self._next_sequence = max(self._next_sequence, above)
        return doubles

    def receive(self, link_name: str, event_id: str, payload_bytes: int, *, seen: bool) -> Received:
        """Take in an event from a link, unless it is known or there is no room for it.

        Args:
            link_name: Where it came from.
            event_id: Its id.
            payload_bytes: The length of its payload.
            seen: Whether it is remembered as dealt with.
        """
        current = self._pending.get((link_name, event_id))
        if current is not None:
            owed = self._ack_when_handled or current.sequence in self._waiting
            return Received(Reception.WAITING if owed else Reception.KNOWN)
        if seen:
            return Received(Reception.KNOWN)
        size_bytes = event_size_bytes(event_id, payload_bytes, link_name)
        if not self._has_room(size_bytes):
            return Received(Reception.REFUSED)
        ref = EventRef(self._next_sequence, event_id, size_bytes, link_name)
        self._next_sequence += 1
        self._pending.add(ref)
        self._waiting.add(ref.sequence)
        self._waiting_bytes += size_bytes
        return Received(Reception.NEW, ref)

    def _has_room(self, size_bytes: int) -> bool:
        """Whether an event is taken now: those that fit do not pass one that was refused.

        To its sender they would be the proof that it is this very event that is refused. After
        `FENCE_TRIES` it is: what lies in the inbox may stay there for ever, and block everything.
        """
        if self._has_room_for(max(size_bytes, self._fence_bytes)):
            self._fence_bytes = self._fence_tries = 0
            return True
        if self._has_room_for(size_bytes) and self._fence_tries >= FENCE_TRIES:
            return True
        longest_bytes = min(self._max_bytes, self._max_waiting_bytes)  # no other will ever fit
        if self._fence_bytes <= size_bytes <= longest_bytes:
            self._fence_bytes = size_bytes
            self._fence_tries += 1
        return False

    def _has_room_for(self, size_bytes: int) -> bool:
        return (
            self._pending.size_bytes + size_bytes <= self._max_bytes
            and self._waiting_bytes + size_bytes <= self._max_waiting_bytes
        )

    def committed(self, refs: Iterable[EventRef]) -> list[EventRef]:
        """These events are durable: queue them, and return those to acknowledge."""
        acknowledge = []
        for ref in refs:
            self._waiting.discard(ref.sequence)
            self._waiting_bytes -= ref.size_bytes
            self._queue.append(ref.sequence)
            self._pending.let_go_far(ref)
            if not self._ack_when_handled:
                acknowledge.append(ref)
        return acknowledge

    # Events are delivered

    def next_delivery(self, now_seconds: float) -> EventRef | None:
        """Give the event to hand to the handler now, and note that it is being handled."""
        if len(self._unmarked) >= self._max_unmarked:
            return None
        if self._later and self._later[0][0] <= now_seconds:
            ref = heappop(self._later)[2]
        elif self._queue:
            first = self._pending.at(self._queue.popleft())
            assert first is not None  # what is queued is pending
            ref = first
        else:
            return None
        self._unmarked.add(ref.sequence)
        return ref

    def wake_at_seconds(self) -> float | None:
        """When to ask for the next delivery though nothing has happened; None for never."""
        if self._later and len(self._unmarked) < self._max_unmarked:
            return self._later[0][0]
        return None

    def upcoming(self, count: int, size_bytes: int) -> list[EventRef]:
        """Give the next events of the queue, at most so many, leaving them there."""
        return first_within(self._queued(), count, size_bytes)

    def _queued(self) -> Iterator[EventRef]:
        refs = map(self._pending.at, self._queue)
        return (ref for ref in refs if ref is not None)

    def put_back(self, ref: EventRef) -> None:
        """The delivery did not take place: the event is the next one again."""
        self._unmarked.discard(ref.sequence)
        self._queue.put_back([ref.sequence])

    def postpone(self, ref: EventRef, until_seconds: float) -> None:
        """The delivery did not take place: the event comes later, and others pass meanwhile."""
        self._unmarked.discard(ref.sequence)
        heappush(self._later, (until_seconds, ref.sequence, ref))

    def failed(self, ref: EventRef, now_seconds: float, *, may_set_aside: bool = True) -> Failure:
        """The handler raised: the event comes again later, or is to be set aside.

        Args:
            ref: The event.
            now_seconds: The time.
            may_set_aside: Whether there is room for it where it would be set aside.
        """
        tries = self._tries.get(ref.sequence, 0) + 1
        self._tries[ref.sequence] = tries
        if tries >= self._max_tries and may_set_aside:
            return Failure(tries, None)
        doublings = min(tries - 1, 30)  # far beyond the longest delay; keeps the power small
        delay_seconds = min(MAX_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2**doublings)
        self.postpone(ref, now_seconds + delay_seconds)
        return Failure(tries, delay_seconds)

    def marked(self, refs: Iterable[EventRef]) -> list[EventRef]:
        """These events are marked done, or set aside, or lost: return those to acknowledge."""
        done = []
        for ref in refs:
            self._unmarked.discard(ref.sequence)
            self._tries.pop(ref.sequence, None)
            if self._pending.remove(ref):
                done.append(ref)
        return done if self._ack_when_handled else []
