"""The events in a log of segments, found by one look at all of it and read one by one.

The look cannot be shorter: the removal of the oldest event may stand in the youngest segment. So it
is quick, which is why it reads no event. One segment is in memory at a time, and a number for each
event: a box of a million events can be looked at on a small computer.
"""

from collections.abc import Iterator
from pathlib import Path

from gwproactor.boxes.box import Progress, no_progress
from gwproactor.events.disk.file_calls import FileCalls, store_error
from gwproactor.events.log.flaws import flaw_damage
from gwproactor.events.log.segment_index import segment_name, segment_numbers
from gwproactor.events.log.segments import (
    Flaw,
    Line,
    Removal,
    decode_put,
    guess_id,
    locate_events,
)
from gwproactor.events.store import Damage, StoredEvent


class LogReader:
    """Reads one log; see `gwproactor.boxes.reader.BoxReader`.

    Args:
        path: The folder of the segments; one that is not there is empty.
        progress: Told of segments looked at.

    Raises:
        StoreError: The folder or a segment cannot be read.
        StoreFormatError: A newer version wrote it.
    """

    def __init__(self, path: Path, progress: Progress = no_progress) -> None:
        self.damages: list[Damage] = []
        self.file_count = 0
        self.file_bytes = 0
        self.live_bytes = 0
        self._path = path
        self._files = FileCalls()
        self._places: dict[int, int] = {}
        self._open: tuple[int, int] | None = None
        numbers = segments_in(self._files, path)
        for done, number in enumerate(numbers):
            progress(done, len(numbers))
            self._look_at(number)
        progress(len(numbers), len(numbers))

    def _look_at(self, number: int) -> None:
        path = self._path / segment_name(number)
        data = read_segment(self._files, path)
        if data is None:
            return
        self.file_count += 1
        self.file_bytes += len(data)
        for found in locate_events(data, str(path)):
            match found:
                case Line():
                    self._forget(found.sequence)
                    self._places[found.sequence] = _packed(number, found)
                    self.live_bytes += found.line_bytes
                case Removal():
                    for sequence in found.sequences:
                        self._forget(sequence)
                case Flaw():
                    self.damages.append(flaw_damage(path, found))

    def _forget(self, sequence: int) -> None:
        place = self._places.pop(sequence, None)
        if place is not None:
            self.live_bytes -= place & _MASK

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[StoredEvent]:
        """Give the events, the oldest first."""
        try:
            for sequence in sorted(self._places):
                event = self._event(self._places[sequence])
                if event is not None:
                    yield event
        finally:
            self._close()

    def find(self, event_id: str) -> StoredEvent | None:
        """The event of that id: ids stand in the events only, so those before it are read, too."""
        return next((event for event in self if event.event_id == event_id), None)

    def _event(self, place: int) -> StoredEvent | None:
        number, offset, line_bytes = place >> 64, place >> 32 & _MASK, place & _MASK
        path = self._path / segment_name(number)
        try:
            line = self._files.read_at(self._descriptor(number), line_bytes, offset)
        except FileNotFoundError:
            return None  # a running node has removed it, and with it all that was in it
        except OSError as error:
            raise store_error("read", path, error) from error
        event = decode_put(line)
        if event is None:  # it was sound a moment ago
            flaw = Flaw(offset, offset + line_bytes, "its checksum does not fit", guess_id(line))
            self.damages.append(flaw_damage(path, flaw))
        return event

    def _descriptor(self, number: int) -> int:
        if self._open is None or self._open[0] != number:
            self._close()
            self._open = number, self._files.open_to_read(self._path / segment_name(number))
        return self._open[1]

    def _close(self) -> None:
        if self._open is not None:
            self._files.close(self._open[1])
            self._open = None


def segments_in(files: FileCalls, folder: Path) -> list[int]:
    """The numbers of the segments in a folder, oldest first; of one that is not there, none.

    Raises:
        StoreError: The folder cannot be read.
    """
    try:
        return segment_numbers(files.names(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise store_error("read", folder, error) from error


def read_segment(files: FileCalls, path: Path) -> bytes | None:
    """The bytes of a segment; None where a running node has removed it meanwhile.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        return files.read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise store_error("read", path, error) from error


_MASK = (1 << 32) - 1


def _packed(number: int, line: Line) -> int:
    """Segment, offset and length in one number: a tuple of them takes three times the memory."""
    return number << 64 | line.offset << 32 | line.line_bytes
