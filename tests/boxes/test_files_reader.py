"""The reader of event files: what a node would find, in its order, read one by one."""

import errno
from pathlib import Path

import pytest

from gwproactor.boxes.files_reader import FilesReader
from gwproactor.errors import StoreError
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.disk import UnreliableDisk

ODD_ID = "a/b" * 50
"""Cannot stand in a name."""


def content(uid: str) -> bytes:
    return AnyEvent(MessageId=uid).model_dump_json(indent=2).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    persister = TimedRollingFilePersister(tmp_path / "event", durable=False)
    for uid in ("first", ODD_ID, "third", "last"):
        persister.persist(uid, content(uid))
    return tmp_path / "event"


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.uid*"))


def ids(reader: FilesReader) -> list[str]:
    return [event.event_id for event in reader]


def test_events_come_in_the_order_of_their_times_in_one_line(folder: Path) -> None:
    reader = FilesReader(folder)
    assert ids(reader) == ["first", ODD_ID, "third", "last"]
    assert all(b"\n" not in event.payload for event in reader)
    assert (len(reader), reader.file_count) == (4, 4)
    assert reader.file_bytes == reader.live_bytes == sum(f.stat().st_size for f in files_of(folder))
    assert reader.damages == []


def test_it_is_read_in_the_turn_of_its_event_and_may_be_gone_by_then(folder: Path) -> None:
    reader = FilesReader(folder)
    found = iter(reader)
    assert next(found).event_id == "first"
    for path in files_of(folder)[2:]:
        path.unlink()
    assert [event.event_id for event in found] == [ODD_ID]
    assert reader.damages == []


def test_one_event_is_found_without_reading_others(folder: Path) -> None:
    files_of(folder)[0].write_bytes(b"damaged")
    reader = FilesReader(folder)
    found = reader.find("third")
    assert found is not None
    assert found.event_id == "third"
    assert reader.find("nothing") is None
    assert reader.damages == []
    assert reader.find("first") is None
    assert [damage.event_id for damage in reader.damages] == ["first"]


def test_of_two_files_of_one_id_the_newer_counts_unless_it_is_empty(folder: Path) -> None:
    day = files_of(folder)[0].parent
    (day / "9000-01-01T00:00:00+00:00.uid[first].json").write_bytes(content("first"))
    (day / "9000-01-01T00:00:01+00:00.uid[third].json").touch()
    assert ids(FilesReader(folder)) == [ODD_ID, "third", "last", "first"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not JSON"),
        (b"{ no \xff", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"MessageId": "fourth"}', "its MessageId is 'fourth'"),
    ],
)
def test_what_is_damaged_is_named_and_costs_no_other(folder: Path, text: bytes, said: str) -> None:
    path = files_of(folder)[2]
    path.write_bytes(text)
    reader = FilesReader(folder)
    assert ids(reader) == ["first", ODD_ID, "last"]
    [damage] = reader.damages
    assert (damage.place, damage.event_id) == (str(path), "third")
    assert said in damage.reason


def test_a_file_without_its_id_is_named(folder: Path) -> None:
    [path] = folder.rglob("*.uid.event")
    path.write_bytes(b"no id\n{}")
    reader = FilesReader(folder)
    assert ids(reader) == ["first", "third", "last"]
    assert [damage.reason for damage in reader.damages] == ["there is no id in its first line"]


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    path = files_of(folder)[0]
    path.unlink()
    path.mkdir()
    reader = FilesReader(folder)
    assert ids(reader) == [ODD_ID, "third", "last"]
    assert [damage.reason for damage in reader.damages] == ["Is a directory (EISDIR)"]


def test_nothing_is_changed(folder: Path) -> None:
    day = files_of(folder)[0].parent
    (day / "unfinished.tmp").write_text("half")
    (folder / "2001-01-01T00:00:00+00:00").mkdir()
    before = sorted(folder.rglob("*"))
    ids(FilesReader(folder))
    assert sorted(folder.rglob("*")) == before


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert ids(FilesReader(tmp_path / "nothing")) == []


def test_a_folder_that_cannot_be_read_is_an_error_with_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = UnreliableDisk()
    monkeypatch.setattr("gwproactor.boxes.files_reader.FileCalls", lambda: disk)
    disk.fail(0, 1, errno.EIO)
    with pytest.raises(StoreError, match=r"cannot read .*EIO"):
        FilesReader(folder)
