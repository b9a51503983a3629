"""The log itself: segments in a folder, written and read. Every call blocks.

`gwproactor.events.log.log_store` makes the calls from a thread of its own, one at a time.

**Writing.** A commit is one write and, where asked for, one sync. Every run begins a segment of its
own with its first commit, and another one when that is full: nothing is ever appended to what an
earlier run left behind, whatever its end looks like. After an error the segment is abandoned; the
commit, when it is repeated, goes into a fresh one, together with all that had been written without
a sync.

**Tidying** is `gwproactor.events.log.tidying`; at any moment the folder can be read back whole.

**Damage** that is found at the start (`gwproactor.events.log.segment_opening`) is repaired; a
segment in which it is found later is set aside when its time has come, not deleted.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from gwproactor.errors import StoreError
from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.log.log_tail import LogTail
from gwproactor.events.log.segment_index import Place, SegmentIndex
from gwproactor.events.log.segment_opening import open_segments
from gwproactor.events.log.segment_reader import SegmentReader
from gwproactor.events.log.segments import encode_put, encode_removal
from gwproactor.events.log.tidying import Tidying
from gwproactor.events.log.unread_segments import UnreadSegments
from gwproactor.events.store import Damage, EventRef, FoundLate, ReadBack, StoredEvent

DEFAULT_SEGMENT_BYTES = 4 * 1024 * 1024
"""Small enough to be rewritten in a fraction of a second on an SD card, large enough to be few."""

_REMOVALS_IN_A_LINE = 1000
"""Keeps a line short enough to be looked at."""

_READ_BACK_COUNT = 1000
"""Events in memory at a time where only their refs are wanted."""


class SegmentLog:
    """Events in the segments of one folder; see the module's description.

    Args:
        folder: Where the segments lie; created when missing, private to the user.
        durable: Sync what is put. Without it everything is only handed to the system.
        segment_bytes: A new segment is begun when one has reached this size.
        files: The file operations.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        files: FileCalls | None = None,
    ) -> None:
        self.next_sequence = 1
        self._folder = folder
        self._durable = durable
        self._segment_bytes = segment_bytes
        self._files = files or FileCalls()
        self._index = SegmentIndex()
        self._unread = UnreadSegments(self._files, self._index, lambda puts: self.commit(puts, ()))
        self._tail = LogTail(
            self._files, folder, self._index, durable=durable, segment_bytes=segment_bytes
        )
        self._tidying = Tidying(
            self._files, folder, self._index, self._write_again, durable, segment_bytes
        )

    @property
    def size_bytes(self) -> int:
        """The size of all segments."""
        return self._index.total_bytes

    @property
    def knows_pending(self) -> bool:
        """Whether `pending` needs no disk: once, right after `open`."""
        return self._index.restored is not None

    def pending(self) -> Iterator[EventRef]:
        """Give what is stored and not removed, in order of sequence.

        Right after `open` that is known from there. Later it is read from the segments.

        Raises:
            StoreError: A segment cannot be read now.
        """
        restored, self._index.restored = self._index.restored, None
        if restored is not None:
            yield from restored
            return
        sequences = list(self._index.sequences())
        for start in range(0, len(sequences), _READ_BACK_COUNT):
            events, _ = self.read(sequences[start : start + _READ_BACK_COUNT])
            yield from (event.ref for event in events)

    # Opening

    def open(self, *, tells: bool = True) -> list[Damage]:
        """Read every segment once; repair what is damaged, and return it.

        Args:
            tells: The caller tells the world what is damaged; else it is not repaired.

        Raises:
            StoreUnusableError: The folder cannot be made or read, or a segment not by this process.
            StoreFormatError: A newer version wrote it.
        """
        found = open_segments(
            self._files,
            self._folder,
            self._index,
            self._unread,
            durable=self._durable,
            tells=tells,
        )
        self._tail.begin_after(found.last_number)
        self._saw(found.next_sequence - 1)
        return found.damages

    def open_whole(self) -> None:
        """Open where there is nobody to try again: what cannot be read now is an error.

        Raises:
            StoreError: A segment cannot be read now, or as `open` says.
        """
        self.open(tells=False)
        if self._unread.reasons:
            files = "; ".join(self._unread.reasons)
            raise StoreError(f"nothing was done, for not all can be read: {files}; try again")

    def read_again(self) -> FoundLate:
        """Try once more what could not be read at the start; see `UnreadSegments`."""
        found = self._unread.read_again()
        self._saw(self._unread.next_sequence - 1)
        return found

    def skip_to(self, next_sequence: int) -> None:
        """Give out nothing below `next_sequence`: another store has used what is there.

        The next segment that is begun says so, also to a later run.
        """
        self._saw(next_sequence - 1)

    def _saw(self, sequence: int) -> None:
        self.next_sequence = max(self.next_sequence, sequence + 1)

    # Writing

    def commit(
        self, puts: Sequence[StoredEvent], removed: Sequence[int], *, sync_removals: bool = False
    ) -> None:
        """Put and remove in one write; see `EventStore.commit`.

        Raises:
            StoreError: Nothing of it counts as done; repeat it. Of removals alone, some may be.
        """
        if not puts and not removed:
            return
        sync = bool(puts) or sync_removals
        try:
            self._write(puts, removed, sync=sync)
        except StoreError:
            if puts or not self._tidying.make_room(removed):
                raise
            self._write(puts, removed, sync=sync)
        for sequence in removed:
            self._index.remove(sequence)
        self._tidying.committed()

    def _write_again(self, puts: Sequence[StoredEvent], removed: Sequence[int]) -> None:
        """Put events once more, and say once more that others are removed; both are synced."""
        self._write(puts, removed, sync=True)

    def _write(self, puts: Sequence[StoredEvent], removed: Sequence[int], *, sync: bool) -> None:
        """Write lines, and note where the events are that stand in them now.

        Raises:
            StoreError: Nothing of it counts.
        """
        self._index.restored = None
        lines = [encode_put(event) for event in puts]
        data = b"".join((*lines, *_removal_lines(removed)))
        segment, offset = self._tail.append(data, self.next_sequence, sync=sync)
        for event, line in zip(puts, lines, strict=True):
            self._index.put(segment, Place(event.sequence, offset, len(line)))
            self._saw(event.sequence)
            offset += len(line)

    def close(self) -> None:
        """Sync what is not yet synced, and close; an error is no loss that was not allowed."""
        self._tail.close()

    # Reading

    def read(self, sequences: Sequence[int]) -> ReadBack:
        """Read events back in the order asked for; see `EventStore.read`.

        Raises:
            StoreError: A segment cannot be opened now.
        """
        return SegmentReader(self._files, self._index).read(sequences)

    # Tidying

    @property
    def needs_tidying(self) -> bool:
        """Whether `tidy` has something to do."""
        return self._tidying.is_due

    def tidy(self) -> None:
        """Let segments go that are not needed any more; see `Tidying.tidy`."""
        self._tidying.tidy()

    @property
    def passed_over(self) -> list[str]:
        """Segments that cannot be read while the log is in use: file and reason, a line each."""
        return self._tidying.passed_over

    def take_failures(self) -> list[str]:
        """What of them could not be read since this was last asked."""
        return self._tidying.take_failures()


def _removal_lines(sequences: Sequence[int]) -> list[bytes]:
    return [
        encode_removal(sequences[start : start + _REMOVALS_IN_A_LINE])
        for start in range(0, len(sequences), _REMOVALS_IN_A_LINE)
    ]
