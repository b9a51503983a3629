"""Events that the application failed to handle, kept until somebody looks at them.

An event is set aside in two steps, so that no moment finds it in neither place: `add` notes it, and
the commit that removes it from the inbox first writes it here.
"""

from collections.abc import Iterable, Sequence

from gwproactor.events.store import Damage, EventRef, EventStore, StoredEvent

DEFAULT_MAX_DEAD_BYTES = 100 * 1024 * 1024
"""Room for the events that the application failed to handle, until somebody looks at them."""


class DeadLetters:
    """What is set aside, and what is about to be. For the loop's thread.

    Args:
        store: Where they are kept. This object opens and closes it.
        max_bytes: What the store may take up.
    """

    def __init__(self, store: EventStore, max_bytes: int = DEFAULT_MAX_DEAD_BYTES) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._next_sequence = 1
        self._dying: dict[int, StoredEvent] = {}

    async def open(self) -> Sequence[Damage]:
        """Open the store; see `EventStore.open`."""
        damages = await self._store.open()
        self._next_sequence = self._store.next_sequence
        return damages

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    def has_room_for(self, event: StoredEvent) -> bool:
        """Whether an event may be set aside."""
        return self._store.size_bytes + event.size_bytes <= self._max_bytes

    def add(self, event: StoredEvent) -> None:
        """Note that an event of the inbox is to be set aside."""
        self._dying[event.sequence] = event._replace(sequence=self._next_sequence)
        self._next_sequence += 1

    async def commit(self, removals: Iterable[EventRef]) -> None:
        """Write those of the events about to leave the inbox that are to be set aside.

        May be repeated without harm.

        Raises:
            StoreError: They are not written.
        """
        dying = [self._dying[ref.sequence] for ref in removals if ref.sequence in self._dying]
        if dying:
            await self._store.commit(dying, ())

    def committed(self, removals: Iterable[EventRef]) -> None:
        """Note that these events have left the inbox."""
        for ref in removals:
            self._dying.pop(ref.sequence, None)
