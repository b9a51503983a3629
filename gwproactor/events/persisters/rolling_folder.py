"""A folder of day folders, with a file for each event: writing, reading and removing them.

A file is written beside, synced and renamed into place, so it is whole or not there. A file that
could not be removed, or of which it is not known whether it is there, is remembered as a stray of
its id, and goes before the last file of that id goes: nothing that was removed comes back.

Every call blocks and raises OSError. Which ids are kept, and how many bytes of them, is the
business of `gwproactor.events.persisters.timed_rolling_files`.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.disk.repair import DAMAGED_FOLDER
from gwproactor.events.disk.whole_files import write_whole
from gwproactor.events.persisters.rolling_names import Stamps, file_name, folder_name, head_of
from gwproactor.events.persisters.rolling_scan import Found, Pace, Scan
from gwproactor.problems import Problems


class EventFile(NamedTuple):
    """A file that holds an event."""

    uid: str
    path: Path
    size_bytes: int

    @property
    def head(self) -> bytes:
        """What stands before the content."""
        return head_of(self.path.name, self.uid)

    @property
    def content_bytes(self) -> int:
        """The size of the content."""
        return max(0, self.size_bytes - len(self.head))


class RollingFolder:
    """The files under one folder. For one thread at a time.

    Args:
        files: The file operations.
        path: The folder; created when missing.
        durable: Sync what is written and removed.

    Attributes:
        path: The folder.
        current: The day folder that the last file went to, or the next one goes to.
    """

    def __init__(self, files: FileCalls, path: Path, *, durable: bool) -> None:
        self.path = path
        self.current = path / folder_name(datetime.now(UTC))
        self._files = files
        self._durable = durable
        self._stamps = Stamps()
        self._strays: dict[str, list[Path]] = {}
        self._unsynced: set[Path] = set()

    def scan(self, pace: Pace, problems: Problems) -> list[EventFile]:
        """Find what there is, the oldest first, each id once; what cannot be seen is a problem."""
        scan = Scan(self._files, self.path, pace, problems)
        found = scan.run()
        if found:
            self._stamps.saw(found[-1].time)
        self._strays.clear()
        kept = self._newest_of_each(found)
        for folder in scan.folders:
            if folder != self.current:
                self._remove_if_empty(folder)
        self._unsynced |= {self.path, *scan.folders}
        return kept

    def _newest_of_each(self, found: Sequence[Found]) -> list[EventFile]:
        """One file of each id; an empty one is all that came of an attempt to replace another."""
        kept: dict[str, EventFile] = {}
        for _, uid, path, size_bytes in found:
            older = kept.get(uid)
            if older is not None and older.size_bytes and not size_bytes:
                self.remove_if_possible(uid, path)
                continue
            if older is not None:
                self.remove_if_possible(uid, kept.pop(uid).path)
            kept[uid] = EventFile(uid, path, size_bytes)
        return list(kept.values())

    # Writing and reading

    def place(self, uid: str) -> Path:
        """The path for a new file of `uid`; each is later, in order of names, than all before."""
        stamp = self._stamps.next()
        return self.path / folder_name(stamp) / file_name(stamp, uid)

    def write(self, uid: str, path: Path, content: bytes) -> EventFile:
        """Write a file, to outlive a power cut. After an error it does not count."""
        last, self.current = self.current, path.parent
        if last != self.current:
            self._remove_if_empty(last)
        data = head_of(path.name, uid) + content
        try:
            write_whole(self._files, path, data, durable=self._durable)
        except OSError:
            self.remove_if_possible(uid, path)
            raise
        return EventFile(uid, path, len(data))

    def read(self, file: EventFile) -> bytes:
        """Read the content of a file."""
        return self._files.read(file.path).removeprefix(file.head)

    def is_gone(self, path: Path) -> bool:
        """Whether a file is missing, and not the whole folder, as when a disk is unmounted.

        Raises:
            OSError: That cannot be told now.
        """
        try:
            self._files.size_bytes(path)
        except FileNotFoundError:
            self._files.names(self.path)
            return True
        return False

    # Removing

    def remove(self, file: EventFile) -> bool:
        """Remove all files of an id, this one last; return whether it was there."""
        self.remove_strays(file.uid)
        was_there = not self.is_gone(file.path)
        self._files.remove(file.path)
        self._unsynced.add(file.path.parent)
        if file.path.parent != self.current:
            self._remove_if_empty(file.path.parent)
        return was_there

    def remove_strays(self, uid: str) -> None:
        """Remove what is there of an id and does not count."""
        for path in self._strays.get(uid, ()):
            self._files.remove(path)
            self._unsynced.add(path.parent)
        self._strays.pop(uid, None)

    def remove_if_possible(self, uid: str, path: Path) -> None:
        """Remove a file that does not count, or see to it that it goes when `uid` goes."""
        try:
            self._files.remove(path)
        except OSError:
            self._strays.setdefault(uid, []).append(path)
        self._unsynced.add(path.parent)

    def _remove_if_empty(self, folder: Path) -> None:
        with suppress(OSError):
            self._files.remove_folder(folder)
            self._unsynced.add(folder.parent)

    def set_aside(self, file: EventFile) -> None:
        """Move a file into the folder `damaged`, unread."""
        folder = self.path / DAMAGED_FOLDER
        self.remove_strays(file.uid)
        self._files.make_folder(folder)
        self._files.rename(file.path, folder / file.path.name)
        self._unsynced |= {folder, file.path.parent}

    def sync_removals(self) -> None:
        """Let no power cut bring back what has been removed."""
        for folder in sorted(self._unsynced, reverse=True) if self._durable else ():
            with suppress(FileNotFoundError):  # it was removed, which is synced with its parent
                self._files.sync_folder(folder)
            self._unsynced.discard(folder)
