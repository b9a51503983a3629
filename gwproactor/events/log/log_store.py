"""The event store on disk: a log of readable lines, as the `EventStore` port.

The log itself is `gwproactor.events.log.segment_log`; here its blocking calls are made from a
thread of their own, one call for each commit, so that group commit costs one hop to the thread, one
write and one sync, however many events it covers.
"""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from gwproactor.events.disk.disk_thread import DiskThread
from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.log.segment_log import DEFAULT_SEGMENT_BYTES, SegmentLog
from gwproactor.events.reporting import ReportedTrouble, ReportProblem, no_report
from gwproactor.events.store import Damage, EventRef, FoundLate, ReadBack, StoredEvent


class LogStore:
    """Events in append-only segments in a folder.

    Args:
        folder: Where the segments lie; created when missing, private to the user. One process at
            a time: see `gwproactor.events.disk.folder`.
        durable: Durability `fsync`: what is put is synced before `commit` returns. Without it,
            durability `os`: it is handed to the system. For `none` there is `MemoryStore`.
        segment_bytes: A new segment is begun when one has reached this size.
        report: Is told, at a bounded rate, of a segment that cannot be read any more while the log
            is in use. Must not raise.
        files: The file operations; a test gives its own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        report: ReportProblem = no_report,
        files: FileCalls | None = None,
    ) -> None:
        self._log = SegmentLog(folder, durable=durable, segment_bytes=segment_bytes, files=files)
        self._disk = DiskThread(f"gwproactor-store-{folder.name}")
        self._trouble = ReportedTrouble(f"The event log {folder}", report)
        self._closed = False

    async def open(self) -> Sequence[Damage]:
        """Read every segment once, and return what is damaged; see `EventStore.open`."""
        return await self._disk.run(self._log.open)

    def pending(self) -> Iterable[EventRef]:
        """Give what is stored and not removed, in order of sequence; for right after `open`.

        Later it is read from the segments, which holds up the loop; see `EventStore.pending`.
        """
        if self._log.knows_pending:
            return self._log.pending()
        # In the thread, as everything that must not meet a segment on its way out.
        return self._disk.call(lambda: list(self._log.pending()))

    async def read_again(self) -> FoundLate:
        """Try once more the segments that could not be read; see `EventStore.read_again`."""
        return await self._disk.run(self._log.read_again)

    @property
    def next_sequence(self) -> int:
        """A number above every sequence that this store has ever seen."""
        return self._log.next_sequence

    def skip_to(self, next_sequence: int) -> None:
        """Give out nothing below it; for right after `open`."""
        self._log.skip_to(next_sequence)

    @property
    def size_bytes(self) -> int:
        """The size of the files, in bytes."""
        return self._log.size_bytes

    async def commit(
        self, puts: Sequence[StoredEvent], removed: Sequence[int], *, sync_removals: bool = False
    ) -> None:
        """Put and remove in one write and at most one sync; see `EventStore.commit`."""
        needs_tidying = await self._disk.run(self._commit, puts, removed, sync_removals)
        if needs_tidying and not self._closed:
            # Behind the scenes, so that nobody who waits for a commit waits for this too.
            self._disk.submit(self._tidy).add_done_callback(self._tell)

    def _tidy(self) -> tuple[list[str], list[str]]:
        """Return what could not be read in this try, and what still cannot be."""
        self._log.tidy()
        return self._log.take_failures(), self._log.passed_over

    def _tell(self, tidied: asyncio.Future[tuple[list[str], list[str]]]) -> None:
        if self._closed or tidied.cancelled() or tidied.exception():
            return
        failures, passed_over = tidied.result()
        for failure in failures:
            self._trouble.failed(f"{failure}. It is kept, and tried again; the others go on")
        if not passed_over:
            self._trouble.worked()

    def _commit(
        self, puts: Sequence[StoredEvent], removed: Sequence[int], sync_removals: bool
    ) -> bool:
        self._log.commit(puts, removed, sync_removals=sync_removals)
        return self._log.needs_tidying

    async def read(self, sequences: Sequence[int]) -> ReadBack:
        """Read events back, in the order asked for; see `EventStore.read`."""
        return await self._disk.run(self._log.read, sequences)

    async def close(self) -> None:
        """Sync what is not synced, and end the thread. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._disk.run_last(self._log.close)
