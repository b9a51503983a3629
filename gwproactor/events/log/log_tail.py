"""The end of a log, where it is written to: one segment after the other, each a file of its own.

The first append begins a segment, and another one when that is full. After an error the file is
given up, and what had been appended to it without a sync is carried over into the next one, before
anything else: what a later sync says is then true of it, too. A folder that has vanished is made
anew, and the log goes on in it.
"""

from pathlib import Path

from gwproactor.events.disk.append_file import AppendFile
from gwproactor.events.disk.file_calls import FileCalls, make_vanished_folder, store_error
from gwproactor.events.log.segment_index import Segment, SegmentIndex, segment_name
from gwproactor.events.log.segments import encode_header

_MAX_UNSYNCED_BYTES = 64 * 1024
"""About 8,000 removals: what a power cut may bring back, and what is held in memory for it."""


class LogTail:
    """Appends to the youngest segment. Every call blocks.

    Args:
        files: The file operations.
        folder: Where the segments lie; it is there.
        index: Is told of new segments and of their sizes.
        durable: Whether `sync=True` means anything.
        segment_bytes: A new segment is begun when one has reached this size.
    """

    def __init__(
        self,
        files: FileCalls,
        folder: Path,
        index: SegmentIndex,
        *,
        durable: bool,
        segment_bytes: int,
    ) -> None:
        self._files = files
        self._folder = folder
        self._index = index
        self._durable = durable
        self._segment_bytes = segment_bytes
        self._file: AppendFile | None = None
        self._segment: Segment | None = None
        self._carried = b""
        self._next_number = 1

    def begin_after(self, number: int) -> None:
        """Number the first segment of this run; before anything is appended."""
        self._next_number = number + 1

    def append(self, data: bytes, next_sequence: int, *, sync: bool) -> tuple[Segment, int]:
        """Write `data` at the end of the log; return where it begins.

        Args:
            data: Whole lines.
            next_sequence: What the header of a segment says that is begun with them.
            sync: Let no power cut take them. Without it, they are synced when there are many.

        Raises:
            StoreError: The file has been given up; repeat it.
        """
        try:
            file, segment = self._room(next_sequence)
            carried = self._carried
            sync = self._durable and (sync or file.unsynced_bytes + len(data) > _MAX_UNSYNCED_BYTES)
            offset = file.append(carried + data, sync=sync) + len(carried)
        except OSError as error:
            path = self._folder if self._file is None else self._file.path
            self._give_up()
            make_vanished_folder(self._files, self._folder, error)
            raise store_error("write", path, error) from error
        self._carried = b""
        if segment.size_bytes == 0:
            self._index.add(segment)
            self._next_number += 1
        self._index.grow(segment, file.size_bytes)
        return segment, offset

    def close(self) -> None:
        """Sync what is not yet synced, and close; an error is no loss that was not allowed."""
        if self._file is not None:
            try:
                self._file.finish()
            except OSError:
                self._give_up()
        self._file = self._segment = None

    def _room(self, next_sequence: int) -> tuple[AppendFile, Segment]:
        """Return the file to write to: a new one when the last is full or given up."""
        if self._file is not None and self._file.size_bytes >= self._segment_bytes:
            self._file.finish()
            self._file = self._segment = None
        if self._file is None or self._segment is None:
            path = self._folder / segment_name(self._next_number)
            header = encode_header(next_sequence)
            self._file = AppendFile(self._files, path, header, durable=self._durable)
            self._segment = Segment(self._next_number, path)
        return self._file, self._segment

    def _give_up(self) -> None:
        if self._file is not None:
            self._carried += self._file.abandon()
        self._file = self._segment = None
