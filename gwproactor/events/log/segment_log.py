"""The log itself: segments in a folder, written, read and compacted. Every call blocks.

`gwproactor.events.log.log_store` makes the calls from a thread of its own, one at a time.

**Writing.** A commit is one write and, where asked for, one sync. Every run begins a segment of its
own with its first commit, and another one when that is full: nothing is ever appended to what an
earlier run left behind, whatever its end looks like. After an error the segment is abandoned; the
commit, when it is repeated, goes into a fresh one, together with all that had been written without
a sync.

**Tidying.** A removal in one segment is about events in older ones, so segments go strictly from
the oldest on, when nothing in them is live. Where garbage outweighs the rest, the live events of
the oldest are written again at the end, under their old sequence: one event that nobody takes does
not keep the disk full. When there is no room for the record of a removal, the oldest segments that
it empties are deleted without one. At any moment the folder can be read back whole.

**Damage** that is found at the start (`gwproactor.events.log.segment_opening`) is repaired; a
segment in which it is found later is set aside when its time has come, not deleted.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from gwproactor.errors import StoreError
from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.disk.repair import set_aside
from gwproactor.events.log.log_tail import LogTail
from gwproactor.events.log.segment_index import Place, Segment, SegmentIndex
from gwproactor.events.log.segment_opening import open_segments
from gwproactor.events.log.segment_reader import SegmentReader
from gwproactor.events.log.segments import (
    Put,
    decode_segment,
    encode_put,
    encode_removal,
)
from gwproactor.events.log.unread_segments import UnreadSegments
from gwproactor.events.store import Damage, EventRef, FoundLate, ReadBack, StoredEvent

DEFAULT_SEGMENT_BYTES = 4 * 1024 * 1024
"""Small enough to be rewritten in a fraction of a second on an SD card, large enough to be few."""

_REMOVALS_IN_A_LINE = 1000
"""Keeps a line short enough to be looked at."""

_READ_BACK_COUNT = 1000
"""Events in memory at a time where only their refs are wanted."""

_SPARE_SEGMENTS = 8
"""So many small segments, left by restarts, are not worth the work of joining them."""

_COMPACTION_PAUSE_COMMITS = 64
"""After a failed compaction: the disk is in trouble, and the next commit will tell."""


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
        self._compaction_pause = 0
        self._drop_may_come_back = False

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

    def open(self) -> list[Damage]:
        """Read every segment once; repair what is damaged, and return it.

        Raises:
            StoreUnusableError: The folder cannot be made or read, or a segment not by this process.
            StoreFormatError: A newer version wrote it.
        """
        found = open_segments(
            self._files, self._folder, self._index, self._unread, durable=self._durable
        )
        self._tail.begin_after(found.last_number)
        self._saw(found.next_sequence - 1)
        return found.damages

    def open_whole(self) -> None:
        """Open where there is nobody to try again: what cannot be read now is an error.

        Raises:
            StoreError: A segment cannot be read now, or as `open` says.
        """
        self.open()
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
        lines = [encode_put(event) for event in puts]
        removals = _removal_lines(removed)
        if not lines and not removals:
            return
        self._index.restored = None
        data, sync = b"".join((*lines, *removals)), bool(lines) or sync_removals
        try:
            segment, offset = self._tail.append(data, self.next_sequence, sync=sync)
        except StoreError:
            if lines or not self._make_room(removed):
                raise
            segment, offset = self._tail.append(data, self.next_sequence, sync=sync)
        self._note_puts(segment, offset, puts, lines)
        for sequence in removed:
            self._index.remove(sequence)
        self._compaction_pause = max(0, self._compaction_pause - 1)

    def _note_puts(
        self, segment: Segment, offset: int, events: Sequence[StoredEvent], lines: Sequence[bytes]
    ) -> None:
        """Note that the lines of these events stand in `segment`, one after the other."""
        for event, line in zip(events, lines, strict=True):
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
        return self._oldest_is_empty() or self._oldest_is_wasteful()

    def tidy(self) -> None:
        """Remove segments that nothing lives in; compact the oldest where that is worth it.

        An error is kept to itself: nothing is lost by it, and the next commit will tell.
        """
        with suppress(OSError):
            while self._oldest_is_empty():
                self._drop_oldest()
            if self._oldest_is_wasteful() and self._compact_oldest():
                self._drop_oldest()

    def _oldest_is_empty(self) -> bool:
        segments = self._index.segments
        return len(segments) > 1 and not segments[0].live_count

    def _oldest_is_wasteful(self) -> bool:
        segments = self._index.segments
        if len(segments) < 2 or self._compaction_pause:
            return False
        if segments[0].damaged:
            return False  # its damaged events are taken out when their turn to be read comes
        allowed_bytes = 2 * self._index.live_bytes + 2 * self._segment_bytes
        allowed_segments = _SPARE_SEGMENTS + 2 * self._index.total_bytes // self._segment_bytes
        return self._index.total_bytes > allowed_bytes or len(segments) > allowed_segments

    def _make_room(self, removed: Sequence[int]) -> bool:
        """Delete the oldest segments, as far as all in them is to be removed; False if none is.

        On a disk that is full to the last byte there is no room even for the record of a removal,
        and an event whose file is gone needs none.
        """
        segments = self._index.segments
        before = len(segments)
        with suppress(OSError):
            while len(segments) > 1:
                homes = ((sequence, self._index.find(sequence)) for sequence in set(removed))
                here = [sequence for sequence, home in homes if home and home[0] is segments[0]]
                if len(here) < segments[0].live_count:
                    break
                for sequence in here:
                    self._index.remove(sequence)
                self._drop_oldest()
        return len(segments) < before

    def _drop_oldest(self) -> None:
        """Let go of the oldest segment for good.

        Before that of one whose turn was earlier: a power cut might bring that one back, and not
        the younger one that has its removals.

        Raises:
            OSError: It is there as before, or it is gone and a power cut may bring it back.
        """
        self._sync_drop()
        oldest = self._index.segments[0]
        if oldest.damaged:
            set_aside(self._files, oldest.path)
        else:
            self._files.remove(oldest.path)
        self._index.drop_oldest()
        self._drop_may_come_back = self._durable
        self._sync_drop()

    def _sync_drop(self) -> None:
        if self._drop_may_come_back:
            self._files.sync_folder(self._folder)
            self._drop_may_come_back = False

    def _compact_oldest(self) -> bool:
        """Write the live events of the oldest segment again at the end; False if that failed."""
        self._compaction_pause = _COMPACTION_PAUSE_COMMITS
        self._index.restored = None
        oldest = self._index.segments[0]
        found = decode_segment(self._files.read(oldest.path), str(oldest.path)).records
        puts = [record for record in found if isinstance(record, Put)]
        events = [put.event for put in puts if self._index.is_live(oldest, put)]
        if len(events) != oldest.live_count:
            oldest.damaged = True
            return False
        # Encoded anew, not copied: a power cut may have taken the newline of the last one.
        lines = [encode_put(event) for event in events]
        try:
            segment, offset = self._tail.append(b"".join(lines), self.next_sequence, sync=True)
        except StoreError:
            return False
        self._note_puts(segment, offset, events, lines)
        self._compaction_pause = 0
        return True


def _removal_lines(sequences: Sequence[int]) -> list[bytes]:
    return [
        encode_removal(sequences[start : start + _REMOVALS_IN_A_LINE])
        for start in range(0, len(sequences), _REMOVALS_IN_A_LINE)
    ]
