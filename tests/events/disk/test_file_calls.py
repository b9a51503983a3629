"""File operations: what they create is private, its name is there to stay, all of it is written."""

import errno
import os
import stat
from pathlib import Path

import pytest

from gwproactor.events.disk.file_calls import FileCalls, write_all


class NotedSyncs(FileCalls):
    """Notes which folders are synced, and with what in them; may fail at it."""

    def __init__(self) -> None:
        self.synced: dict[Path, list[str]] = {}
        self.fails = False

    def sync_folder(self, folder: Path) -> None:
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync_folder(folder)
        self.synced[folder] = self.names(folder)


def test_every_folder_that_is_made_is_private_and_its_name_synced(tmp_path: Path) -> None:
    files = NotedSyncs()
    before = os.umask(0)
    try:
        files.make_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    made = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 3
    assert files.synced == {path.parent: [path.name] for path in made}


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o750)
    files = NotedSyncs()
    files.make_folder(tmp_path / "a")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o750
    assert files.synced == {}


def test_a_folder_whose_name_cannot_be_synced_is_not_there(tmp_path: Path) -> None:
    files = NotedSyncs()
    files.fails = True
    with pytest.raises(OSError, match="Input/output"):
        files.make_folder(tmp_path / "a")
    files.fails = False
    files.make_folder(tmp_path / "a")
    assert files.synced == {tmp_path: ["a"]}


class Slow(FileCalls):
    """Takes few bytes at a time, and from some byte on none."""

    def __init__(self, takes: int) -> None:
        self.taken = b""
        self._takes = takes

    def write(self, descriptor: int, data: memoryview) -> int:
        few = bytes(data[: min(3, self._takes - len(self.taken))])
        self.taken += few
        return len(few)


def test_all_is_written_however_little_is_taken_at_a_time() -> None:
    slow = Slow(100)
    write_all(slow, 0, b"0123456789")
    assert slow.taken == b"0123456789"


def test_a_disk_that_takes_nothing_more_is_an_error() -> None:
    """Else what was cut short would count as written, or the disk be asked for ever."""
    with pytest.raises(OSError, match="takes no bytes"):
        write_all(Slow(7), 0, b"0123456789")
