"""Reading single events back from the segments of a log. It blocks.

Each segment is opened once for all that is read from it in one go. A call that fails says nothing
about an event: a loose cable or a bus that is reset passes, and reading is tried again later.
Damaged is only what was read and is wrong, or is not there any more; that is named, and its
segment is marked, so that it is kept aside and not deleted when its time has come.
"""

from collections.abc import Sequence
from pathlib import Path

from gwproactor.events.disk.file_calls import FileCalls, store_error
from gwproactor.events.log.segment_index import Place, Segment, SegmentIndex
from gwproactor.events.log.segments import decode_put, guess_id
from gwproactor.events.store import Damage, ReadBack, StoredEvent


class SegmentReader:
    """Reads one batch of events; a new one is made for each batch.

    Args:
        files: The file operations.
        index: Where the events are.
    """

    def __init__(self, files: FileCalls, index: SegmentIndex) -> None:
        self._files = files
        self._index = index
        self._descriptors: dict[Path, int] = {}

    def read(self, sequences: Sequence[int]) -> ReadBack:
        """Read events in the order asked for; unknown ones are left out.

        Raises:
            StoreError: A segment cannot be read now.
        """
        found = [self._index.find(sequence) for sequence in sequences]
        try:
            results = [self._event(*place) for place in found if place is not None]
        finally:
            for descriptor in self._descriptors.values():
                self._files.close(descriptor)
        events = [result for result in results if isinstance(result, StoredEvent)]
        damages = [result for result in results if isinstance(result, Damage)]
        return ReadBack(events, damages)

    def _event(self, segment: Segment, place: Place) -> StoredEvent | Damage:
        try:
            line = self._line(segment.path, place)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self._is_gone(segment.path):
                return self._damage(segment, place, "the file is gone")
            raise store_error("read", segment.path, error) from error
        event = decode_put(line)
        if event is None or event.sequence != place.sequence:
            return self._damage(segment, place, "its checksum does not fit", guess_id(line))
        return event

    def _is_gone(self, path: Path) -> bool:
        """Whether just this file is missing, and not its folder, as when a disk is unmounted."""
        try:
            return path.name not in self._files.names(path.parent)
        except OSError:
            return False

    def _line(self, path: Path, place: Place) -> bytes:
        if path not in self._descriptors:
            self._descriptors[path] = self._files.open_to_read(path)
        return self._files.read_at(self._descriptors[path], place.line_bytes, place.offset)

    def _damage(self, segment: Segment, place: Place, reason: str, event_id: str = "") -> Damage:
        segment.damaged = True
        where = f"{segment.path}, bytes {place.offset} to {place.offset + place.line_bytes}"
        return Damage(where, reason, event_id, place.sequence)
