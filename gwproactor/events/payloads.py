"""The payloads of pending events: in memory while they are few or needed, else on the disk.

What is not in memory is read back from the store when its turn comes, together with some of what
follows, so that one call to the disk serves many events. An event that cannot be read now, as on a
bad sector, does not keep the others from being read: it is left out until its next try.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

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

_FAILURES_OF_A_STORE = 12
"""Reads that fail, and none that works, before a store as a whole is taken to be in trouble: enough
to find one bad event among the first thousand."""

_PROBES = 3
"""Events in memory that are read all the same, where nothing else can be."""

Lost = tuple[EventRef, Damage]
"""An event that cannot be read any more, and why."""


class Unread(NamedTuple):
    """What could not be brought into memory.

    Attributes:
        lost: What cannot be read any more.
        resting: What cannot be read now, and when to ask again, monotonic seconds.
    """

    lost: Sequence[Lost]
    resting: Mapping[EventRef, float]


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
        self._bad: dict[int, _Bad] = {}
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

    def forget(self, sequence: int) -> None:
        """Let go of an event that is not needed any more."""
        self._bad.pop(sequence, None)
        self.drop(sequence)

    def drop(self, sequence: int) -> None:
        """Let go of an event for now; one that is not here is no error."""
        event = self._events.pop(sequence, None)
        if event is not None:
            self._size_bytes -= len(event.payload)

    async def read_back(self, refs: Sequence[EventRef]) -> Unread:
        """Bring events into memory, and return those that were not brought.

        What cannot be read though others can is tried again later, after growing delays. When the
        store as a whole cannot be read now, this returns after a pause, with nothing lost and
        nothing brought. Either is reported, and that it is over, when everything can be read that
        was tried. Cancelling is safe.
        """
        now = time.monotonic()
        missing = [ref for ref in refs if ref.sequence not in self._events]
        late = [ref for ref in missing if not self._is_resting(ref, now)]
        reading = _Reading(self._store)
        await reading.read(late)
        await reading.probe([ref for ref in refs if ref.sequence in self._events])
        if reading.cause and not reading.succeeded:
            self._trouble.failed(reading.cause)
            await asyncio.sleep(next(self._delays))
            return Unread([], {})
        await reading.read(reading.untried(late))
        self._note_outcome(reading)
        resting = {ref: self._bad[ref.sequence].due_at for ref in missing if self._is_bad(ref)}
        return Unread(self._lost(reading), resting)

    def _note_outcome(self, reading: "_Reading") -> None:
        for ref in reading.failed:
            self._bad.setdefault(ref.sequence, _Bad()).failed()
        for event in reading.events:
            self.keep(event)
            self._bad.pop(event.sequence, None)
        if reading.failed:
            self._trouble.failed(reading.cause)
        elif reading.succeeded:
            self._delays = retry_seconds()
            if not self._bad:
                self._trouble.worked()

    def _lost(self, reading: "_Reading") -> list[Lost]:
        """Name what was read, and is not what it was."""
        reasons = {damage.sequence: damage for damage in reading.damages}
        gone = [ref for ref in reading.answered if ref.sequence not in self._events]
        for ref in gone:
            self._bad.pop(ref.sequence, None)
        lost = ((ref, reasons.get(ref.sequence, _gone(ref))) for ref in gone)
        return [(ref, damage._replace(event_id=ref.event_id)) for ref, damage in lost]

    def _is_bad(self, ref: EventRef) -> bool:
        return ref.sequence in self._bad

    def _is_resting(self, ref: EventRef, now_seconds: float) -> bool:
        return self._is_bad(ref) and self._bad[ref.sequence].due_at > now_seconds


class _Bad:
    """An event that could not be read, and when it is tried again."""

    def __init__(self) -> None:
        self._delays = retry_seconds()
        self.due_at = 0.0

    def failed(self) -> None:
        """It could not be read just now."""
        self.due_at = time.monotonic() + (next(self._delays) or next(self._delays))


class _Reading:
    """One attempt to read events: what fails is halved, until each fault stands alone.

    Args:
        store: What is read from.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.events: list[StoredEvent] = []
        self.damages: list[Damage] = []
        self.failed: list[EventRef] = []
        self.answered: list[EventRef] = []
        self.cause = ""
        self.succeeded = False
        self._failures = 0

    async def read(self, refs: Sequence[EventRef]) -> None:
        """Read all of them, or give up where nothing at all can be read."""
        if not refs or (self._failures >= _FAILURES_OF_A_STORE and not self.succeeded):
            return
        try:
            events, damages = await self._store.read([ref.sequence for ref in refs])
        except StoreError as error:
            self.cause = str(error)
            self._failures += 1
            if len(refs) == 1:
                self.failed.extend(refs)
                return
            half = len(refs) // 2
            await self.read(refs[:half])
            await self.read(refs[half:])
        else:
            self.succeeded = self.succeeded or bool(events or damages)
            self.answered.extend(refs)
            self.events.extend(events)
            self.damages.extend(damages)

    def untried(self, refs: Sequence[EventRef]) -> list[EventRef]:
        """Those that were given up before the store had shown that it works."""
        tried = {ref.sequence for ref in (*self.answered, *self.failed)}
        return [ref for ref in refs if ref.sequence not in tried]

    async def probe(self, refs: Sequence[EventRef]) -> None:
        """Where nothing could be read, try others, to tell bad events from a bad store."""
        for ref in refs[:_PROBES]:
            if self.cause and not self.succeeded:
                with suppress(StoreError):
                    events, _ = await self._store.read([ref.sequence])
                    self.succeeded = bool(events)


def _gone(ref: EventRef) -> Damage:
    return Damage("the store", "it is not there", ref.event_id, ref.sequence)
