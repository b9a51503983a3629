"""Files by day: what is kept survives faults at every call, and what was left is found again."""

import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from result import Err, Ok, Result

from gwproactor.events.persisters.persister_errors import (
    ContentTooLarge,
    FileExistedWarning,
    FileMissing,
    FileMissingWarning,
    PersisterError,
    PersisterWarning,
    ReadFailed,
    ReindexError,
    TrimFailed,
    TrimmedWarning,
    UIDExistedWarning,
    UIDMissingWarning,
    WriteFailed,
)
from gwproactor.events.persisters.simple_directory_writer import SimpleDirectoryWriter
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.problems import Problems
from gwproactor_test.disk import ERRORS, PowerCut, UnreliableDisk, worst

TODAY = datetime.now(UTC)
OLD_DAY = "2024-05-06T00:00:00+00:00"


def opened(folder: Path, disk: UnreliableDisk | None = None) -> TimedRollingFilePersister:
    persister = TimedRollingFilePersister(folder, files=disk)
    assert persister.reindex() == Ok(True)
    return persister


def problems(result: Result[object, Problems]) -> list[type[BaseException]]:
    """The kinds of all there was to say, errors first."""
    if isinstance(result, Ok):
        return []
    found = result.err_value
    return [type(each) for each in (*found.errors, *found.warnings)]


def old_file(folder: Path, uid: str, content: bytes, second: int = 0) -> Path:
    path = folder / OLD_DAY / f"2024-05-06T07:08:{second:02}.123456+00:00.uid[{uid}].json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_what_is_persisted_is_there_until_it_is_cleared(tmp_path: Path) -> None:
    persister = opened(tmp_path / "events")
    for uid in ("a", "b/c"):
        assert persister.persist(uid, b"content of " + uid.encode()) == Ok(True)
    assert persister.pending_ids() == ["a", "b/c"]
    assert "b/c" in persister
    assert persister.retrieve("b/c") == Ok(b"content of b/c")
    assert persister.content_bytes("b/c") == len(b"content of b/c")
    assert persister.clear("a") == Ok(True)
    assert persister.retrieve("a") == Ok(None)
    again = opened(tmp_path / "events")
    assert again.pending_dict() == persister.pending_dict()
    assert (again.num_pending, again.curr_bytes) == (1, persister.curr_bytes)
    assert again.clear("b/c") == Ok(True)
    assert again.curr_bytes == 0
    assert (persister.num_persists, persister.num_retrieves, persister.num_clears) == (2, 2, 1)


def test_everything_lies_where_the_predecessor_looks_and_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        persister = opened(tmp_path / "events")
        persister.persist("a", b"{}")
    finally:
        os.umask(before)
    (path,) = persister.pending_paths()
    assert path == persister.get_path("a")
    assert path.parent == persister.curr_dir
    assert persister.curr_dir.parent == persister.base_dir == tmp_path / "events"
    assert datetime.fromisoformat(path.parent.name).hour == 0
    time, rest = path.name.split(".uid")
    assert datetime.fromisoformat(time) >= TODAY
    assert rest == "[a].json"
    assert path.read_bytes() == b"{}"
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, *path.parents[:2])] == [
        *(0o600, 0o700, 0o700)
    ]
    assert list(path.parent.iterdir()) == [path]


def test_persisting_again_replaces_and_says_so(tmp_path: Path) -> None:
    persister = opened(tmp_path)
    for uid in ("a", "b"):
        persister.persist(uid, b"old")
    result = persister.persist("a", b"new")
    assert problems(result) == [UIDExistedWarning, FileExistedWarning]
    assert persister.retrieve("a") == Ok(b"new")
    assert persister.pending_ids() == ["b", "a"]
    persister.pending_paths()[0].unlink()
    assert problems(persister.persist("b", b"new")) == [UIDExistedWarning, FileMissingWarning]
    assert opened(tmp_path).pending_ids() == ["a", "b"]
    assert persister.curr_bytes == 6


def test_what_is_not_there_is_a_warning(tmp_path: Path) -> None:
    persister = opened(tmp_path)
    assert problems(persister.clear("a")) == [UIDMissingWarning]
    assert problems(persister.set_aside("a")) == [UIDMissingWarning]
    assert persister.content_bytes("a") == 0
    assert persister.get_path("a") is None
    persister.persist("a", b"{}")
    persister.pending_paths()[0].unlink()
    assert problems(persister.retrieve("a")) == [FileNotFoundError, FileMissing]
    assert problems(persister.clear("a")) == [FileMissingWarning]
    assert persister.num_pending == 0


def test_a_folder_that_is_gone_may_come_back(tmp_path: Path) -> None:
    persister = opened(tmp_path / "events")
    persister.persist("a", b"{}")
    (tmp_path / "events").rename(tmp_path / "unmounted")
    assert problems(persister.retrieve("a")) == [FileNotFoundError, ReadFailed]
    assert problems(persister.clear("a")) == [FileNotFoundError, PersisterError]
    (tmp_path / "unmounted").rename(tmp_path / "events")
    assert persister.retrieve("a") == Ok(b"{}")
    assert persister.clear("a") == Ok(True)


def test_a_folder_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    persister = opened(tmp_path / "events")
    persister.persist("a", b"{}")
    (tmp_path / "events").rename(tmp_path / "elsewhere")
    assert persister.persist("b", b"{}") == Ok(True)
    assert opened(tmp_path / "events").pending_ids() == ["b"]


# Limits


def test_the_oldest_goes_when_it_is_full_and_that_is_said(tmp_path: Path) -> None:
    persister = TimedRollingFilePersister(tmp_path, 30)
    assert persister.max_bytes == 30
    for uid in ("a", "b", "c"):
        assert persister.persist(uid, b"x" * 10) == Ok(True)
    result = persister.persist("d", b"x" * 15)
    assert problems(result) == [TrimmedWarning, TrimmedWarning]
    assert "id a" in str(result.unwrap_err().warnings[0])
    assert opened(tmp_path).pending_ids() == persister.pending_ids() == ["c", "d"]
    assert persister.curr_bytes == 25


def test_what_is_replaced_makes_room_and_is_not_dropped(tmp_path: Path) -> None:
    persister = TimedRollingFilePersister(tmp_path, 30)
    for uid in ("a", "b"):
        persister.persist(uid, b"x" * 15)
    assert problems(persister.persist("a", b"y" * 15)) == [UIDExistedWarning, FileExistedWarning]
    assert TrimmedWarning in problems(persister.persist("a", b"y" * 30))
    assert persister.pending_ids() == ["a"]


def test_content_that_can_never_fit_is_refused(tmp_path: Path) -> None:
    persister = TimedRollingFilePersister(tmp_path, 30)
    persister.persist("a", b"x")
    assert problems(persister.persist("b", b"x" * 31)) == [ContentTooLarge]
    assert persister.pending_ids() == ["a"]


def test_nothing_is_dropped_where_that_is_not_wanted(tmp_path: Path) -> None:
    persister = TimedRollingFilePersister(tmp_path, 30, trim=False)
    persister.persist("a", b"x" * 20)
    assert problems(persister.persist("b", b"x" * 20)) == [TrimFailed]
    assert persister.pending_ids() == ["a"]


def test_what_cannot_be_dropped_is_kept(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    persister = TimedRollingFilePersister(tmp_path, 30, files=disk)
    persister.persist("a", b"x" * 20)
    disk.fail(0, 10**9, errno.EROFS)
    assert problems(persister.persist("b", b"x" * 20)) == [OSError, TrimFailed]
    disk.work()
    assert persister.pending_ids() == opened(tmp_path).pending_ids() == ["a"]


# Faults


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_at_any_call_loses_nothing_and_leaves_no_junk(tmp_path: Path, error: int) -> None:
    for first in range(12):
        for short in (False, True):
            check_an_error(tmp_path / f"{first}{short}", error, first, short)


def check_an_error(folder: Path, error: int, first: int, short: bool) -> None:
    disk = UnreliableDisk()
    persister = opened(folder, disk)
    persister.persist("a", b"old")
    for count in (1, 10**9):
        disk.fail(first, count, error, short=short)
        result = persister.persist("a", b"new")
        disk.work()
        failed = isinstance(result, Err) and bool(result.err_value.errors)
        if failed:
            assert issubclass(problems(result)[0], OSError)
            assert problems(result)[1] == WriteFailed
            assert errno.errorcode[error] in str(result.unwrap_err())
        assert persister.retrieve("a") == Ok(b"old" if failed else b"new")
        persister.persist("a", b"old")
    assert opened(folder).retrieve("a") == Ok(b"old")
    disk.fail(first, 1, error)
    persister.clear("a")
    disk.work()
    persister.clear("a")
    assert persister.num_pending == persister.curr_bytes == 0
    assert opened(folder).pending_ids() == []
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_short_write_is_continued(tmp_path: Path) -> None:
    class Reluctant(UnreliableDisk):
        def write(self, descriptor: int, data: memoryview) -> int:
            return super().write(descriptor, data[:3])

    persister = opened(tmp_path, Reluctant())
    assert persister.persist("a", b"x" * 100) == Ok(True)
    assert persister.retrieve("a") == Ok(b"x" * 100)


def test_a_read_that_fails_is_not_the_end_of_an_event(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    persister = opened(tmp_path, disk)
    persister.persist("a", b"{}")
    disk.fail(0, 1, errno.EIO)
    result = persister.retrieve("a")
    assert problems(result) == [OSError, ReadFailed]
    assert "EIO" in str(result.unwrap_err())
    assert persister.retrieve("a") == Ok(b"{}")


def test_a_power_cut_takes_nothing_that_was_persisted(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    persister = opened(tmp_path, disk)
    for n in range(10):
        persister.persist(f"e{n}", b"{}")
    persister.persist("e0", b'{"n": 0}')
    disk.lose_unsynced(worst)
    again = opened(tmp_path)
    assert again.num_pending == 10
    assert again.retrieve("e0") == Ok(b'{"n": 0}')


@pytest.mark.parametrize("left", [worst, max, min])
def test_a_file_is_whole_or_not_there_whenever_the_power_goes(
    tmp_path: Path, left: Callable[[int, int], int]
) -> None:
    for calls in range(12):
        folder, disk = tmp_path / str(calls), UnreliableDisk()
        persister = opened(folder, disk)
        persister.persist("a", b"old" * 50)
        disk.cut_power_during(calls)
        with suppress(PowerCut):
            persister.persist("a", b"new" * 100)
            persister.persist("b", b"other" * 50)
        disk.end_process()
        disk.lose_unsynced(left)
        again = opened(folder)
        assert again.retrieve("a") in (Ok(b"old" * 50), Ok(b"new" * 100))
        assert again.retrieve("b") in (Ok(None), Ok(b"other" * 50))


def test_a_write_that_fails_leaves_no_half_file(tmp_path: Path) -> None:
    """On a full disk it would keep the others from their room."""
    disk = UnreliableDisk()
    persister = opened(tmp_path, disk)
    persister.persist("a", b"old")
    disk.fail(2, 1, errno.ENOSPC, short=True)
    assert problems(persister.persist("b", b"new")) == [OSError, WriteFailed]
    assert [path.name for path in tmp_path.rglob("*.*") if path.suffix != ".json"] == []


def test_without_durability_nothing_is_synced(tmp_path: Path) -> None:
    class NeverSyncs(UnreliableDisk):
        def sync(self, descriptor: int) -> None:
            raise AssertionError

    persister = TimedRollingFilePersister(tmp_path, durable=False, files=NeverSyncs())
    assert persister.persist("a", b"{}") == Ok(True)
    assert persister.sync_removals() == Ok(True)


def test_removals_that_are_synced_stay(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    persister = opened(tmp_path, disk)
    persister.persist("a", b"{}")
    persister.clear("a")
    disk.fail(0, 1, errno.EIO)
    assert problems(persister.sync_removals()) == [OSError, PersisterError]
    assert persister.sync_removals() == Ok(True)
    disk.lose_unsynced(lambda _, high: high)
    assert opened(tmp_path).pending_ids() == []


def test_damaged_content_is_set_aside(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    persister = opened(tmp_path, disk)
    persister.persist("a", b"rubbish")
    (path,) = persister.pending_paths()
    disk.fail(0, 1, errno.EROFS)
    assert problems(persister.set_aside("a")) == [OSError, PersisterError]
    assert "a" in persister
    assert persister.set_aside("a") == Ok(True)
    assert (tmp_path / "damaged" / path.name).read_bytes() == b"rubbish"
    assert persister.curr_bytes == persister.num_pending == 0
    assert opened(tmp_path).pending_ids() == []


# Finding what earlier runs left


def test_an_old_folder_is_read_in_the_order_of_its_times(tmp_path: Path) -> None:
    old_file(tmp_path, "second", b"{}", 2)
    old_file(tmp_path, "first", b"{}", 1)
    (tmp_path / OLD_DAY / "notes.txt").write_text("mine")
    (tmp_path / "not a day").mkdir()
    (tmp_path / "2024-05-07").write_text("a file")
    persister = opened(tmp_path)
    persister.persist("third", b"{}")
    assert opened(tmp_path).pending_ids() == ["first", "second", "third"]
    for uid in ("first", "second"):
        persister.clear(uid)
    assert (tmp_path / OLD_DAY / "notes.txt").exists()


def test_folders_that_are_empty_go(tmp_path: Path) -> None:
    path = old_file(tmp_path, "a", b"{}")
    (tmp_path / "2024-05-07T00:00:00+00:00").mkdir()
    persister = opened(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == [OLD_DAY]
    persister.clear("a")
    assert not path.parent.exists()


def test_of_two_files_of_one_id_the_newer_stays_unless_it_is_empty(tmp_path: Path) -> None:
    old = old_file(tmp_path, "a", b"old", 1)
    new = old_file(tmp_path, "a", b"new", 2)
    empty = old_file(tmp_path, "a", b"", 3)
    persister = opened(tmp_path)
    assert persister.retrieve("a") == Ok(b"new")
    assert [path.exists() for path in (old, new, empty)] == [False, True, False]


def test_an_older_file_that_will_not_go_goes_with_its_id(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    old_file(tmp_path, "a", b"old", 1)
    old_file(tmp_path, "a", b"new", 2)

    class Clinging(UnreliableDisk):
        clings = True

        def remove(self, path: Path) -> None:
            if self.clings:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().remove(path)

    disk = Clinging()
    persister = opened(tmp_path, disk)
    assert persister.retrieve("a") == Ok(b"new")
    assert PersisterError in problems(persister.clear("a"))
    assert "a" in persister
    disk.clings = False
    assert persister.clear("a") == Ok(True)
    assert opened(tmp_path).pending_ids() == []


def test_what_cannot_be_looked_at_is_named_and_the_rest_is_found(tmp_path: Path) -> None:
    old_file(tmp_path, "a", b"{}", 1)
    bad = old_file(tmp_path, "b", b"{}", 2)

    class OneBadSector(UnreliableDisk):
        def size_bytes(self, path: Path) -> int:
            if path == bad:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().size_bytes(path)

    persister = TimedRollingFilePersister(tmp_path, files=OneBadSector())
    result = persister.reindex()
    assert problems(result) == [OSError, ReindexError]
    assert str(bad) in str(result.unwrap_err())
    assert persister.pending_ids() == ["a"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    persister = opened(tmp_path, disk)
    persister.persist("a", b"{}")
    disk.fail(1, 1, errno.EACCES)
    assert problems(persister.reindex())[-1] is ReindexError


def test_a_file_without_its_id_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / OLD_DAY
    folder.mkdir()
    path = folder / "2024-05-06T07:08:09.123456+00:00.uid.event"
    path.write_bytes(b"no id\n{}")
    persister = TimedRollingFilePersister(tmp_path)
    assert problems(persister.reindex()) == [PersisterWarning]
    assert persister.num_pending == 0
    assert path.exists()


def test_what_a_kill_left_unfinished_goes(tmp_path: Path) -> None:
    path = old_file(tmp_path, "a", b"{}").with_name("unfinished.tmp")
    path.write_bytes(b"half")
    opened(tmp_path)
    assert not path.exists()


def pat_command(folder: Path, status: int = 0) -> list[str]:
    code = f"import sys; open({str(folder / 'pats')!r}, 'a').write('x'); sys.exit({status})"
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("status", [0, 1])
def test_a_long_reindex_pats_the_watchdog_and_says_how_far_it_is(
    tmp_path: Path, status: int
) -> None:
    for n in range(3):
        old_file(tmp_path / "events", f"e{n}", b"{}", n)
    told: list[int] = []
    persister = TimedRollingFilePersister(
        tmp_path / "events",
        pat_watchdog_args=pat_command(tmp_path, status),
        reindex_pat_seconds=0,
        on_progress=told.append,
    )
    assert problems(persister.reindex()) == [PersisterWarning] * status
    assert persister.num_pending == 3
    assert told == [0, 1, 2]
    assert (tmp_path / "pats").read_text() == "xxx"


def test_a_watchdog_that_is_not_there_stops_nothing(tmp_path: Path) -> None:
    old_file(tmp_path, "a", b"{}")
    persister = TimedRollingFilePersister(tmp_path, 30, ["/nonexistent"], 0)
    assert problems(persister.reindex()) == [PersisterWarning]
    assert persister.pending_ids() == ["a"]


def test_pats_come_at_a_bounded_rate(tmp_path: Path) -> None:
    for n in range(3):
        old_file(tmp_path / "events", f"e{n}", b"{}", n)
    TimedRollingFilePersister(tmp_path / "events", 30, pat_command(tmp_path), 3600).reindex()
    assert not (tmp_path / "pats").exists()


# The writer of copies


def test_the_simple_writer_leaves_a_trace_and_keeps_nothing(tmp_path: Path) -> None:
    writer = SimpleDirectoryWriter(tmp_path / "copies")
    for uid in ("a", "a", "b/c"):
        assert writer.persist(uid, b"{}") == Ok(True)
    assert writer.pending_ids() == []
    assert writer.num_persists == 3
    assert len(list((tmp_path / "copies").iterdir())) == 3
    (tmp_path / "file").write_text("")
    failed = SimpleDirectoryWriter(tmp_path / "file").persist("a", b"{}")
    assert problems(failed) == [FileExistsError, WriteFailed]
