"""The boxes of a data folder, and reading them beside a node that runs.

Reading changes nothing and takes no lock: segments are only ever appended to, and what a running
node removes meanwhile is passed over. One segment is in memory at a time, and a number for each
event, so a store of a million events can be looked at on a small computer.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from gwproactor.errors import UsageError
from gwproactor.events.disk.file_calls import FileCalls, store_error
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.log.segment_index import segment_name, segment_numbers
from gwproactor.events.log.segments import Put, decode_put, decode_segment
from gwproactor.events.store import Damage, StoredEvent

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


def no_progress(_done: int, _of: int) -> None:
    """Nobody looks."""


class Box(StrEnum):
    """What holds events in a data folder."""

    outbox = "outbox"
    """On their way to the upstream peer."""
    inbox = "inbox"
    """Received and not yet dealt with."""
    dead_letters = "dead-letters"
    """Received, and failed by their handler too often."""

    def path(self, data: Path) -> Path:
        """Its folder."""
        return data / self.value


def checked_data(data: Path) -> Path:
    """Return the data folder; raises UsageError where there is none."""
    if not any(box.path(data).is_dir() for box in Box):
        raise UsageError(
            f"{data} is no data folder of a node: it has none of {', '.join(Box)};"
            " give the folder that the node was given as --data"
        )
    return data


def holder_of(data: Path) -> str:
    """Who runs on a data folder, as far as can be told without disturbing; "" for nobody."""
    process_id, name = DataFolder(data, "").holder()
    if process_id is None:
        return ""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass  # somebody else's, and alive
    return f"{name} (process {process_id})"


class BoxReader:
    """Reads one box; what it found when it was made is what it gives.

    Args:
        path: The box's folder; one that is not there is empty.
        progress: Told of segments read.

    Raises:
        StoreError: The folder cannot be read.
        StoreFormatError: A newer version wrote it.
    """

    def __init__(self, path: Path, progress: Progress = no_progress) -> None:
        self._path = path
        self._files = FileCalls()
        self._places: dict[int, int] = {}
        self._open: tuple[int, int] | None = None
        self.damages: list[Damage] = []
        """What cannot be read."""
        self.segments = 0
        """How many segments there are."""
        self.file_bytes = 0
        """Their size."""
        self.live_bytes = 0
        """The size of the lines of the events that are there."""
        numbers = self._numbers()
        for done, number in enumerate(numbers):
            progress(done, len(numbers))
            with suppress(FileNotFoundError):
                self._scan(number)
        progress(len(numbers), len(numbers))

    def _numbers(self) -> list[int]:
        try:
            return segment_numbers(self._files.names(self._path))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise store_error("read", self._path, error) from error

    def _scan(self, number: int) -> None:
        path = self._path / segment_name(number)
        try:
            data = self._files.read(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise store_error("read", path, error) from error
        contents = decode_segment(data, str(path))
        self.segments += 1
        self.file_bytes += len(data)
        for record in contents.records:
            if isinstance(record, Put):
                self._forget(record.event.sequence)
                self._places[record.event.sequence] = _packed(number, record)
                self.live_bytes += record.line_bytes
            else:
                for sequence in record.sequences:
                    self._forget(sequence)
        for flaw in contents.flaws:
            where = f"{path}, bytes {flaw.offset} to {flaw.end}"
            self.damages.append(Damage(where, flaw.reason, flaw.event_id))

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

    def _event(self, place: int) -> StoredEvent | None:
        number, offset, line_bytes = place >> 64, place >> 32 & _MASK, place & _MASK
        try:
            line = self._files.read_at(self._descriptor(number), line_bytes, offset)
        except FileNotFoundError:
            return None  # a running node has removed it, and with it all that was in it
        except OSError as error:
            raise store_error("read", self._path / segment_name(number), error) from error
        return decode_put(line)

    def _descriptor(self, number: int) -> int:
        if self._open is None or self._open[0] != number:
            self._close()
            self._open = number, self._files.open_to_read(self._path / segment_name(number))
        return self._open[1]

    def _close(self) -> None:
        if self._open is not None:
            self._files.close(self._open[1])
            self._open = None


_MASK = (1 << 32) - 1


def _packed(number: int, put: Put) -> int:
    """Segment, offset and length in one number: a tuple of them takes three times the memory."""
    return number << 64 | put.offset << 32 | put.line_bytes
