"""The payloads that are in memory: those that are needed soon, up to a number of bytes.

Whatever is not here is read back from the store when its turn comes.
"""

from gwproactor.events.store import StoredEvent


class PayloadCache:
    """Events with their payloads, by sequence.

    Args:
        max_bytes: What may stay here for convenience. What is needed now is kept beyond that.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._events: dict[int, StoredEvent] = {}
        self._bytes = 0

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._events

    @property
    def size_bytes(self) -> int:
        """The size of the payloads that are here."""
        return self._bytes

    @property
    def is_full(self) -> bool:
        """Whether events that are not needed now should go."""
        return self._bytes > self._max_bytes

    def keep(self, event: StoredEvent) -> None:
        """Hold an event here."""
        self.drop(event.sequence)
        self._events[event.sequence] = event
        self._bytes += len(event.payload)

    def get(self, sequence: int) -> StoredEvent | None:
        """Give an event, or None when it must be read back."""
        return self._events.get(sequence)

    def drop(self, sequence: int) -> None:
        """Let go of an event; one that is not here is no error."""
        event = self._events.pop(sequence, None)
        if event is not None:
            self._bytes -= len(event.payload)
