"""The events in a folder with a file for each, as `store = files` and the predecessor keep them.

Names tell ids and order, so a file is read only when the turn of its event comes. Of several files
of one id the newest counts that is not empty, as it does for a node that starts.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from gwproactor.boxes.box import Progress, no_progress
from gwproactor.errors import DecodingError
from gwproactor.events.disk.file_calls import FileCalls, describe, store_error
from gwproactor.events.persisters.rolling_names import (
    head_of,
    parse_head,
    parse_name,
    parse_time,
)
from gwproactor.events.store import Damage, StoredEvent, one_line
from gwproactor.wire.codec import parse_json_object


class _File(NamedTuple):
    """A file that holds an event."""

    uid: str
    path: Path


_Found = tuple[datetime, str, _File]
"""The time in its name, the name, and the file: sorted, the oldest comes first."""


class FilesReader:
    """Reads one folder; see `gwproactor.boxes.reader.BoxReader`.

    Args:
        path: The folder of the day folders; one that is not there is empty.
        progress: Told of day folders looked at.

    Raises:
        StoreError: A folder cannot be read.
    """

    def __init__(self, path: Path, progress: Progress = no_progress) -> None:
        self.damages: list[Damage] = []
        self._calls = FileCalls()
        found: list[_Found] = []
        days = [name for name in self._names(path) if parse_time(name)]
        for done, day in enumerate(days):
            progress(done, len(days))
            found += self._look_at(path / day)
        progress(len(days), len(days))
        self._files = self._newest_of_each(found)

    def _names(self, folder: Path) -> list[str]:
        try:
            return self._calls.names(folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise store_error("read", folder, error) from error

    def _look_at(self, day: Path) -> Iterator[_Found]:
        for name in self._names(day):
            parsed = parse_name(name)
            if parsed is None:
                continue
            time, uid = parsed
            if uid is None:
                uid = self._id_inside(day / name)
            if uid is not None:
                yield time, name, _File(uid, day / name)

    def _id_inside(self, path: Path) -> str | None:
        content = self._read(path)
        if content is None:
            return None
        uid = parse_head(content.partition(b"\n")[0])
        if uid is None:
            self.damages.append(Damage(str(path), "there is no id in its first line"))
        return uid

    def _newest_of_each(self, found: list[_Found]) -> list[_File]:
        kept: dict[str, _File] = {}
        for _, _, file in sorted(found):
            if file.uid in kept and not self._size_bytes(file.path):
                continue  # all that came of an attempt to replace another
            kept.pop(file.uid, None)
            kept[file.uid] = file
        return list(kept.values())

    def _size_bytes(self, path: Path) -> int:
        try:
            return self._calls.size_bytes(path)
        except OSError:
            return 0  # a running node has removed it; or whoever reads it will say why

    @property
    def file_count(self) -> int:
        """How many files there are."""
        return len(self._files)

    @cached_property
    def file_bytes(self) -> int:
        """Their size."""
        return sum(self._size_bytes(file.path) for file in self._files)

    @property
    def live_bytes(self) -> int:
        """All of it is of events that are there."""
        return self.file_bytes

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[StoredEvent]:
        """Give the events, the oldest first."""
        for place, file in enumerate(self._files, 1):
            event = self._event(place, file)
            if event is not None:
                yield event

    def find(self, event_id: str) -> StoredEvent | None:
        """The event of that id; no other one is read."""
        for place, file in enumerate(self._files, 1):
            if file.uid == event_id:
                return self._event(place, file)
        return None

    def _event(self, place: int, file: _File) -> StoredEvent | None:
        content = self._read(file.path)
        if content is None:
            return None
        content = content.removeprefix(head_of(file.path.name, file.uid))
        fault = _fault(content, file.uid)
        if fault:
            self.damages.append(Damage(str(file.path), fault, file.uid))
            return None
        return StoredEvent(place, file.uid, one_line(content))

    def _read(self, path: Path) -> bytes | None:
        """What is in a file; None where it is not there any more, or damaged."""
        try:
            return self._calls.read(path)
        except FileNotFoundError:
            return None  # a running node has removed it
        except OSError as error:
            self.damages.append(Damage(str(path), describe(error)))
            return None


def _fault(content: bytes, uid: str) -> str:
    """What is wrong with the content of a file; "" for nothing."""
    try:
        inside = parse_json_object(content).get("MessageId", uid)
    except DecodingError as error:
        return str(error)
    return "" if inside == uid else f"its name says one id, and its MessageId is {inside!r}"
