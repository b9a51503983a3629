"""Events in batches, as a link sends them: what the peer takes, and what is under way. Pure.

docs/batches.md specifies the extension. What the peer takes is known from its last ping or ack, and
forgotten whenever the link leaves `active`, so a peer that is replaced by one that knows no batches
never gets one. An event that the peer refused in a batch is sent again by itself, as a plain
message: then everything is as with a peer that knows nothing else.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gwproactor.events.store import StoredEvent
from gwproactor.wire.batches import (
    MAX_BATCH_BYTES,
    MAX_BATCH_COUNT,
    BatchLimits,
    announced_limits,
)

_REMEMBERED = 256
"""Batches whose late answers are still understood: several windows full."""

_SHORTEST_BYTES = 8 * 1024
"""No shorter for an answer that did not come: it may have had other reasons, and some forty events
in a message are nearly as good as a thousand."""

_ENVELOPE_BYTES = 1024
"""Kept free for the first line of a batch and the properties of its packet."""


class SentBatch(NamedTuple):
    """A batch under way.

    Attributes:
        event_ids: Its events.
        sent_at: When it was sent, monotonic seconds.
        size_bytes: The size of its events.
    """

    event_ids: tuple[str, ...]
    sent_at: float
    size_bytes: int


class Answered(NamedTuple):
    """What an answer says of the events of a batch."""

    taken: tuple[str, ...]
    refused: tuple[str, ...]
    sent_at: float


class Batching:
    """What one link knows of batches to its peer."""

    def __init__(self) -> None:
        self.limits: BatchLimits | None = None
        """What the peer takes; None where it takes single events only."""
        self._sent: dict[str, SentBatch] = {}
        self._refused: dict[str, frozenset[int]] = {}
        self._alone: set[str] = set()
        self._longest_bytes = MAX_BATCH_BYTES
        """Of a batch, as far as broker and peer have shown what they take on this connection."""

    def heard(self, user_properties: Sequence[tuple[str, str]]) -> bool:
        """Take note of a ping or an ack of the peer; return whether what it takes has changed."""
        before, self.limits = self.limits, announced_limits(user_properties)
        return (before is None) != (self.limits is None)

    def forget(self) -> None:
        """The link is not active any more."""
        self.limits = None
        self._alone.clear()

    def connected(self) -> None:
        """There is a new connection, and maybe another broker."""
        self._longest_bytes = MAX_BATCH_BYTES

    def groups(self, events: Sequence[StoredEvent], count: int) -> Iterator[list[StoredEvent]]:
        """Part events into messages, in order; a group of one is sent by itself.

        Args:
            events: What may be sent now.
            count: How many should go into one message.
        """
        if self.limits is None or count < 2:
            yield from ([event] for event in events)
            return
        count = min(count, self.limits.max_count, MAX_BATCH_COUNT)  # no answer could name more
        room = max_bytes = min(self.limits.max_bytes, self._longest_bytes) - _ENVELOPE_BYTES
        group: list[StoredEvent] = []
        for event in events:
            line_bytes = len(event.payload) + 1
            alone = event.event_id in self._alone
            if group and (alone or len(group) >= count or line_bytes > room):
                yield group
                group, room = [], max_bytes
            if alone or line_bytes > max_bytes:
                yield [event]
                continue
            group.append(event)
            room -= line_bytes
        if group:
            yield group

    def sent(self, batch_id: str, events: Sequence[StoredEvent], now: float) -> None:
        """Remember a batch until its answer."""
        event_ids = tuple(event.event_id for event in events)
        self._sent[batch_id] = SentBatch(event_ids, now, _lines_bytes(events))
        if len(self._sent) > _REMEMBERED:
            oldest = next(iter(self._sent))
            del self._sent[oldest]
            self._refused.pop(oldest, None)

    def too_long(self, events: Sequence[StoredEvent]) -> None:
        """The broker takes no batch as long as that of these events: the next ones are shorter."""
        self._shorten(_lines_bytes(events) // 2)

    def overdue(self, batch_id: str) -> tuple[str, ...]:
        """A batch was not answered in time: give its events; none where it is no batch of ours.

        The next batches of this connection are shorter. There are brokers that pass over what is
        too long for them and say nothing, and a slow peer is served by that, too.
        """
        batch = self._sent.get(batch_id)
        if batch is None:
            return ()
        self._shorten(max(_SHORTEST_BYTES, batch.size_bytes // 2))
        return batch.event_ids

    def _shorten(self, size_bytes: int) -> None:
        self._longest_bytes = min(self._longest_bytes, size_bytes + _ENVELOPE_BYTES)

    def refused(self, batch_id: str, refused: Sequence[int]) -> None:
        """Take note of the events that the answer, which is about to be told, names as refused."""
        if batch_id in self._sent and refused:
            self._refused[batch_id] = frozenset(refused)

    def answered(self, batch_id: str) -> Answered | None:
        """The answer to a batch has come; None where it is none that we know."""
        batch = self._sent.pop(batch_id, None)
        if batch is None:
            return None
        refused = self._refused.pop(batch_id, frozenset())
        taken = tuple(
            event_id for index, event_id in enumerate(batch.event_ids) if index not in refused
        )
        not_taken = tuple(
            event_id for index, event_id in enumerate(batch.event_ids) if index in refused
        )
        self._alone.update(not_taken)
        return Answered(taken, not_taken, batch.sent_at)

    def landed(self, event_id: str) -> None:
        """An event was acknowledged by itself."""
        self._alone.discard(event_id)


def _lines_bytes(events: Sequence[StoredEvent]) -> int:
    return sum(len(event.payload) + 1 for event in events)
