"""The payloads of pending events: in memory while they are few or needed, else on the disk.

What is not in memory is read back from the store when its turn comes, together with some of what
follows, so that one call to the disk serves many events.
"""

import asyncio
from collections.abc import Sequence

from gwproactor.errors import StoreError
from gwproactor.events.reporting import ReportedTrouble, ReportProblem
from gwproactor.events.store import Damage, EventRef, EventStore, StoredEvent
from gwproactor.events.writer import retry_seconds

DEFAULT_MEMORY_BYTES = 8 * 1024 * 1024
"""Payloads kept at hand: some 40,000 ordinary events need not be read back from the disk."""

READ_AHEAD_COUNT = 256
"""One call to the disk reads enough for several windows."""

READ_AHEAD_BYTES = 256 * 1024
"""Unless they are large."""

Lost = tuple[EventRef, Damage]
"""An event that cannot be read any more, and why."""


class Payloads:
    """Payloads by sequence; for the loop's thread.

    Args:
        store: Where they are read back from.
        what: What they are of, for a report: "stored events".
        max_bytes: What may stay in memory for convenience. What is needed is kept beyond that.
        report: Is told of trouble with reading.
    """

    def __init__(
        self, store: EventStore, what: str, *, max_bytes: int, report: ReportProblem
    ) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._trouble = ReportedTrouble(f"Reading {what} back", report)
        self._delays = retry_seconds()
        self._events: dict[int, StoredEvent] = {}
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """The size of the payloads in memory."""
        return self._size_bytes

    @property
    def is_full(self) -> bool:
        """Whether payloads that are not needed now should go."""
        return self._size_bytes > self._max_bytes

    def keep(self, event: StoredEvent) -> None:
        """Hold an event in memory."""
        self.drop(event.sequence)
        self._events[event.sequence] = event
        self._size_bytes += len(event.payload)

    def get(self, ref: EventRef) -> StoredEvent | None:
        """Give an event, or None when it must be read back."""
        return self._events.get(ref.sequence)

    def drop(self, sequence: int) -> None:
        """Let go of an event; one that is not here is no error."""
        event = self._events.pop(sequence, None)
        if event is not None:
            self._size_bytes -= len(event.payload)

    async def read_back(self, refs: Sequence[EventRef]) -> list[Lost]:
        """Bring events into memory, and return those that cannot be read any more.

        When the store as a whole cannot be read now, that is reported, and this returns after a
        pause, with nothing lost and nothing brought. After that only the first of them is read,
        so that one bad sector holds up no event before it. Cancelling is safe.
        """
        missing = {ref.sequence: ref for ref in refs if ref.sequence not in self._events}
        if self._trouble.cause:
            missing = dict(list(missing.items())[:1])
        try:
            events, damages = await self._store.read(list(missing))
        except StoreError as error:
            self._trouble.failed(str(error))
            await asyncio.sleep(next(self._delays))
            return []
        self._trouble.worked()
        self._delays = retry_seconds()
        for event in events:
            self.keep(event)
            del missing[event.sequence]
        reasons = {damage.sequence: damage for damage in damages}
        lost = ((ref, reasons.get(ref.sequence, _gone(ref))) for ref in missing.values())
        return [(ref, damage._replace(event_id=ref.event_id)) for ref, damage in lost]


def _gone(ref: EventRef) -> Damage:
    return Damage("the store", "it is not there", ref.event_id, ref.sequence)
