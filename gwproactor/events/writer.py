"""Group commit: all that waits is written in one commit, and meanwhile the next one gathers.

The writer loop runs as one task. When a commit fails it is repeated, whole, until it succeeds,
after growing delays; what is handed in meanwhile waits in memory. Where the disk has no room for
many events, half of them are tried, and half of these, so that what fits is stored. Only removals
go ahead: they are what makes room on a disk that is full, so they must not wait for events that do
not fit. What
nobody waits for does not start a commit, but shares the next one, at the latest after the commit
interval. Trouble and its end are reported at a bounded rate.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from gwproactor.errors import StoreError
from gwproactor.events.disk.file_calls import is_no_room
from gwproactor.events.reporting import ReportedTrouble, ReportProblem
from gwproactor.events.store import EventRef, StoredEvent

_MAX_BATCH_BYTES = 1024 * 1024
"""A commit that an SD card writes in about 0.1 s: the first in it must not wait for all others."""

_MAX_BATCH_COUNT = 4096

UNHURRIED_SECONDS = 0.02
"""The commit interval: how long an event that nobody waits for may wait for others to share its
commit. Long enough to keep the disk out of a link's way while it reconnects."""

_FIRST_RETRY_SECONDS = 0.05
_MAX_RETRY_SECONDS = 5.0

Commit = Callable[[Sequence[StoredEvent], Sequence[EventRef]], Awaitable[None]]
"""Makes puts and removals durable, all or none; raises StoreError."""

Committed = Callable[[Sequence[StoredEvent], Sequence[EventRef]], None]
"""Is told what is done, once, in the order in which it was handed in."""


class Batch(NamedTuple):
    """What goes into one commit."""

    puts: list[StoredEvent]
    removals: list[EventRef]
    size_bytes: int


@dataclass(slots=True)
class _Count:
    """How many of each there have been."""

    puts: int
    removals: int


def retry_seconds() -> Iterator[float]:
    """How long to wait before each further try: at once, then ever longer up to a few seconds."""
    yield 0.0  # a fresh file may be all it takes
    delay_seconds = _FIRST_RETRY_SECONDS
    while True:
        yield delay_seconds
        delay_seconds = min(2 * delay_seconds, _MAX_RETRY_SECONDS)


class GroupCommitter:
    """Gathers what is to be written, and writes it; see the module's description.

    Everything is for the loop's thread.

    Args:
        what: What is written to, as the beginning of a sentence.
        commit: Writes one batch.
        committed: Is told when a batch is written.
        report: Is told of trouble.
    """

    def __init__(
        self, what: str, *, commit: Commit, committed: Committed, report: ReportProblem
    ) -> None:
        self._commit = commit
        self._committed = committed
        self._trouble = ReportedTrouble(what, report)
        self._puts: deque[StoredEvent] = deque()
        self._removals: deque[EventRef] = deque()
        self._current: Batch | None = None
        self._waiting_bytes = 0
        self._handed_in = _Count(0, 0)
        self._written = _Count(0, 0)
        self._work = asyncio.Event()
        self._unhurried: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()
        self._stop = asyncio.Event()

    @property
    def waiting_bytes(self) -> int:
        """What the events that wait for their commit count, in bytes."""
        return self._waiting_bytes

    @property
    def waiting_count(self) -> int:
        """How many events wait for their commit."""
        return len(self._puts) + (len(self._current.puts) if self._current else 0)

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present; empty when all is well."""
        return self._trouble.cause

    def put(self, event: StoredEvent, *, urgent: bool = True) -> None:
        """Hand in an event to be kept; one that is not urgent waits a moment for company."""
        self._puts.append(event)
        self._waiting_bytes += event.size_bytes
        self._handed_in.puts += 1
        if urgent:
            self._work.set()
        elif self._unhurried is None:
            loop = asyncio.get_running_loop()
            self._unhurried = loop.call_later(UNHURRIED_SECONDS, self._work.set)

    def remove(self, ref: EventRef) -> None:
        """Hand in an event to be removed."""
        self._removals.append(ref)
        self._handed_in.removals += 1
        self._work.set()

    def wake(self) -> None:
        """Let a round take place, and `committed` be called, though nothing may be to write."""
        self._work.set()

    async def run(self) -> None:
        """Write what is handed in, until `close`. Cancelling is safe: nothing is forgotten."""
        delays = retry_seconds()
        while not self._stop.is_set():
            if self._current is None:
                await self._work.wait()
            try:
                await self._round()
            except StoreError:
                await self._pause(next(delays))
            else:
                delays = retry_seconds()

    async def _pause(self, delay_seconds: float) -> None:
        """Wait, but no longer than until `close`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_seconds):
                await self._stop.wait()

    async def flush(self) -> None:
        """Write all that has been handed in so far. Cancelling is safe.

        Raises:
            StoreError: A commit failed. Nothing is given up: it will be tried again.
        """
        puts, removals = self._handed_in.puts, self._handed_in.removals
        while self._written.puts < puts or self._written.removals < removals:
            await self._round()

    async def close(self) -> None:
        """Write what remains, and end `run`. Cancelling is safe.

        Raises:
            StoreError: Some of it could not be written.
        """
        self._stop.set()
        self._work.set()
        self._forget_unhurried()
        try:
            await self._finish()
        except StoreError:
            await self._finish()  # once more, into a fresh file

    async def _finish(self) -> None:
        while self._current is not None or self._work.is_set():
            await self._round()

    async def _round(self) -> None:
        """Write one batch, or at least the removals that wait.

        Raises:
            StoreError: All of it remains to be written.
        """
        async with self._turn:
            batch = self._current = self._current or self._gather()
            try:
                if batch.puts or batch.removals:
                    await self._commit(batch.puts, batch.removals)
            except StoreError as error:
                self._trouble.failed(str(error))
                if not await self._make_room(batch) and not self._halve(batch, error):
                    raise
                return
            self._current = None
            self._waiting_bytes -= batch.size_bytes
            self._note_written(batch.puts, batch.removals)
            self._trouble.worked()

    def _note_written(self, puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        self._written.puts += len(puts)
        self._written.removals += len(removals)
        self._committed(puts, removals)

    async def _make_room(self, batch: Batch) -> bool:
        """Write removals alone, of a batch that failed and those behind it; True if that worked."""
        if not batch.puts:
            return False
        while self._removals and len(batch.removals) < _MAX_BATCH_COUNT:
            batch.removals.append(self._removals.popleft())
        unwritten = {event.sequence for event in (*batch.puts, *self._puts)}
        removals = [ref for ref in batch.removals if ref.sequence not in unwritten]
        if not removals:
            return False
        try:
            await self._commit((), removals)
        except StoreError:
            return False
        batch.removals[:] = [ref for ref in batch.removals if ref.sequence in unwritten]
        self._note_written((), removals)
        return True

    def _halve(self, batch: Batch, error: StoreError) -> bool:
        """Leave half of a batch that has no room for later; False where that is not possible."""
        keep = len(batch.puts) // 2
        if not keep or not is_no_room(error):
            return False
        self._puts.extendleft(reversed(batch.puts[keep:]))
        unwritten = {event.sequence for event in self._puts}
        waiting = [ref for ref in batch.removals if ref.sequence in unwritten]
        self._removals.extendleft(reversed(waiting))
        removals = [ref for ref in batch.removals if ref.sequence not in unwritten]
        puts = batch.puts[:keep]
        self._current = Batch(puts, removals, sum(event.size_bytes for event in puts))
        self._work.set()
        return True

    def _forget_unhurried(self) -> None:
        if self._unhurried is not None:
            self._unhurried.cancel()
            self._unhurried = None

    def _gather(self) -> Batch:
        """Take all that waits, or as much as one commit should write."""
        self._forget_unhurried()
        puts: list[StoredEvent] = []
        size_bytes = 0
        while self._puts and size_bytes < _MAX_BATCH_BYTES and len(puts) < _MAX_BATCH_COUNT:
            event = self._puts.popleft()
            size_bytes += event.size_bytes
            puts.append(event)
        count = min(len(self._removals), _MAX_BATCH_COUNT)
        removals = [self._removals.popleft() for _ in range(count)]
        if not self._puts and not self._removals:
            self._work.clear()
        return Batch(puts, removals, size_bytes)
