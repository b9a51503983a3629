"""The port between events and what keeps them: value types and the `EventStore` protocol.

A store holds events under a *sequence*, a number that the application counts upwards and never
uses twice. The sequence is the order of the events, wherever their bytes lie on disk. A store
knows nothing of sending, acknowledging or delivering: it puts, removes and reads back, and what it
has said is committed it gives back after whatever happened in between, or names as damaged.

`gwproactor.events.log.log_store` keeps events on disk, `gwproactor.events.memory_store` in memory.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from gwproactor.errors import UsageError
from gwproactor.wire.payloads import MAX_ID_CHARACTERS

DEFAULT_MAX_BYTES = 500 * 1024 * 1024
"""Room for about a million ordinary events: weeks of an outage, on the smallest usual SD card."""

RECORD_OVERHEAD_BYTES = 64
"""What a store adds to an event, at most, when id and payload are plain text."""

MAX_PRIORITY = 99
"""Enough ranks for anybody, and short in a record."""


class StoredEvent(NamedTuple):
    """One event as a store keeps it.

    Attributes:
        sequence: Its place in the order; unique in its store for ever.
        event_id: What an acknowledgement refers to.
        payload: The event's JSON in UTF-8, in one line without its newline.
        tag: A small word that the application wants back with the event.
        source: Whose event it is: those of one source keep their order. Empty when not known.
        priority: What it is worth, -99 to 99; where there is no room, the lowest may go first.
    """

    sequence: int
    event_id: str
    payload: bytes
    tag: str = ""
    source: str = ""
    priority: int = 0

    @property
    def ref(self) -> "EventRef":
        """The same event without its payload."""
        return EventRef(
            self.sequence, self.event_id, self.size_bytes, self.tag, self.source, self.priority
        )

    @property
    def size_bytes(self) -> int:
        """What the event counts against a limit, in bytes."""
        return event_size_bytes(self.event_id, len(self.payload), self.tag, self.source)


class EventRef(NamedTuple):
    """An event whose payload is left where it is; `size_bytes` is what it counts in a budget."""

    sequence: int
    event_id: str
    size_bytes: int
    tag: str = ""
    source: str = ""
    priority: int = 0


class Damage(NamedTuple):
    """Something in a store that cannot be read any more.

    Attributes:
        place: File and byte range.
        reason: Why it cannot be read.
        event_id: The event that was there, as far as its id can still be read, else "".
        sequence: The event's sequence, when it is known for certain.
    """

    place: str
    reason: str
    event_id: str = ""
    sequence: int | None = None


class ReadBack(NamedTuple):
    """What a store could read, and what it could not."""

    events: Sequence[StoredEvent]
    damages: Sequence[Damage]


class FoundLate(NamedTuple):
    """What a further try has found of what could not be read at the start.

    Attributes:
        refs: Events that count from now on, in order of sequence.
        damages: What of it is damaged.
        unread: What still cannot be read: file and reason, a line each.
        moved: Events whose sequence had been given to others: id and new sequence, a line each.
    """

    refs: Sequence[EventRef]
    damages: Sequence[Damage]
    unread: Sequence[str]
    moved: Sequence[str] = ()


ALL_READ = FoundLate((), (), ())
"""Nothing was left."""


class EventStore(Protocol):
    """Keeps events until they are removed. Every method is for the loop's thread.

    Cancelling any of the awaits is safe: what was begun is completed behind the scenes, in the
    order in which it was asked for, and repeating a commit changes nothing.
    """

    async def open(self) -> Sequence[Damage]:
        """Read what is there, and return what of it is damaged.

        Raises:
            StoreUnusableError: The folder cannot be made, read or written.
            StoreFormatError: The folder was written by a newer version.
        """
        ...

    def pending(self) -> Iterable[EventRef]:
        """Give what is stored and not removed, in order of sequence; for right after `open`.

        Raises:
            StoreError: It was asked for later than that, and the disk cannot be read now.
        """
        ...

    async def read_again(self) -> FoundLate:
        """Try once more what could not be read at the start; after `pending` was asked for."""
        ...

    @property
    def next_sequence(self) -> int:
        """A number above every sequence that this store has ever seen."""
        ...

    def skip_to(self, next_sequence: int) -> None:
        """Let `next_sequence` be no lower; for right after `open`, where another store has more."""
        ...

    @property
    def size_bytes(self) -> int:
        """What the store takes up, in bytes, with what it has yet to tidy away."""
        ...

    async def commit(
        self, puts: Sequence[StoredEvent], removed: Sequence[int], *, sync_removals: bool = False
    ) -> None:
        """Put events and remove others, all of it or none.

        Args:
            puts: Events to keep. A sequence that is there already is replaced.
            removed: Sequences to forget; an unknown one is no error.
            sync_removals: Let no power cut bring back what is removed. Without it, removals are
                handed to the operating system at once (a kill takes none of them back) and
                synced with the next events that are put.

        Raises:
            StoreError: Nothing of it counts as done; the message names the cause. Calling again
                with the same arguments is the way to go on.
        """
        ...

    async def read(self, sequences: Sequence[int]) -> ReadBack:
        """Read events back, in the order asked for; unknown sequences are left out.

        Raises:
            StoreError: The store as a whole cannot be read now; trying again later may help.
        """
        ...

    async def close(self) -> None:
        """Let go of files and threads. A second call does nothing."""
        ...


def event_size_bytes(event_id: str, payload_bytes: int, tag: str, source: str = "") -> int:
    """What an event counts against a limit: its text, and the overhead of keeping it."""
    return payload_bytes + len(event_id) + len(tag) + len(source) + RECORD_OVERHEAD_BYTES


def one_line(payload: bytes) -> bytes:
    """Return JSON text without line breaks: outside of its strings they are mere white space."""
    return payload.replace(b"\n", b" ") if b"\n" in payload else payload


def check_priority(priority: int) -> None:
    """Raise UsageError when `priority` is not a small number."""
    if abs(priority) > MAX_PRIORITY:
        raise UsageError(f"priority is {priority}; it is from -{MAX_PRIORITY} to {MAX_PRIORITY}")


def check_event_id(event_id: str) -> None:
    """Raise UsageError when `event_id` is empty or longer than any id should be."""
    if not event_id:
        raise UsageError("an event needs an id: MessageId is empty")
    if len(event_id) > MAX_ID_CHARACTERS:
        raise UsageError(
            f"the event's MessageId has {len(event_id)} characters; at most {MAX_ID_CHARACTERS}"
        )
