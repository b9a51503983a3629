"""An event store in memory: for tests, and for those who choose durability `none`."""

from collections.abc import Iterable, Sequence

from gwproactor.events.store import (
    ALL_READ,
    Damage,
    EventRef,
    FoundLate,
    ReadBack,
    StoredEvent,
)


class MemoryStore:
    """The `EventStore` port with nothing behind it: a restart of the process empties it."""

    def __init__(self) -> None:
        self._events: dict[int, StoredEvent] = {}
        self._next_sequence = 1
        self._size_bytes = 0

    async def open(self) -> Sequence[Damage]:
        """Nothing to read, nothing damaged."""
        return []

    def pending(self) -> Iterable[EventRef]:
        """Give what is stored, in order of sequence."""
        return [self._events[sequence].ref for sequence in sorted(self._events)]

    async def read_again(self) -> FoundLate:
        """Nothing to read."""
        return ALL_READ

    @property
    def next_sequence(self) -> int:
        """A number above every sequence put so far."""
        return self._next_sequence

    def skip_to(self, next_sequence: int) -> None:
        """Give out nothing below it."""
        self._next_sequence = max(self._next_sequence, next_sequence)

    @property
    def size_bytes(self) -> int:
        """What the events count, in bytes."""
        return self._size_bytes

    async def commit(
        self, puts: Sequence[StoredEvent], removed: Sequence[int], *, sync_removals: bool = False
    ) -> None:
        """Put and remove at once; never fails."""
        del sync_removals  # memory has nothing to sync
        for event in puts:
            self._forget(event.sequence)
            self._events[event.sequence] = event
            self._size_bytes += event.size_bytes
            self._next_sequence = max(self._next_sequence, event.sequence + 1)
        for sequence in removed:
            self._forget(sequence)

    def _forget(self, sequence: int) -> None:
        event = self._events.pop(sequence, None)
        if event is not None:
            self._size_bytes -= event.size_bytes

    async def read(self, sequences: Sequence[int]) -> ReadBack:
        """Give the events back, in the order asked for."""
        found = [self._events[sequence] for sequence in sequences if sequence in self._events]
        return ReadBack(found, [])

    async def close(self) -> None:
        """Nothing to let go of; the events stay readable."""
