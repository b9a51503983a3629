"""Where a log is written to; `test_segment_log` holds the whole of it against a model."""

import errno
from pathlib import Path

import pytest

from gwproactor.errors import StoreError
from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.log.log_tail import LogTail
from gwproactor.events.log.segment_index import SegmentIndex, segment_name, segment_numbers
from gwproactor.events.log.segments import encode_header

LINE = b"0123456789\n"
HEADER = encode_header(7)


class FailingFiles(FileCalls):
    """A disk that does not sync while `fails` is set."""

    fails = False

    def sync(self, descriptor: int) -> None:
        if self.fails:
            raise OSError(errno.EIO, "no")
        super().sync(descriptor)


class Tail:
    """The end of a log in `folder` whose last run ended with segment 4."""

    def __init__(self, folder: Path) -> None:
        self.files = FailingFiles()
        self.index = SegmentIndex()
        self.tail = LogTail(self.files, folder, self.index, durable=True, segment_bytes=100)
        self.tail.begin_after(4)

    def append(self, *, sync: bool = True) -> tuple[int, int]:
        """Append a line; return the number of its segment, and the offset."""
        segment, offset = self.tail.append(LINE, 7, sync=sync)
        return segment.number, offset


@pytest.fixture
def tail(tmp_path: Path) -> Tail:
    return Tail(tmp_path)


def content(folder: Path, number: int) -> bytes:
    return (folder / segment_name(number)).read_bytes()


def test_names_and_numbers_are_each_others_reverse() -> None:
    names = [segment_name(number) for number in (12, 3)]
    assert segment_numbers([*names, "events-3.log", "x" + names[0], names[0] + "x"]) == [3, 12]


def test_nothing_is_there_before_the_first_append(tail: Tail, tmp_path: Path) -> None:
    tail.tail.close()
    assert list(tmp_path.iterdir()) == []
    assert not tail.index.segments


def test_lines_follow_each_other_behind_the_header(tail: Tail, tmp_path: Path) -> None:
    assert tail.append() == (5, len(HEADER))
    assert tail.append(sync=False) == (5, len(HEADER) + len(LINE))
    tail.tail.close()
    assert content(tmp_path, 5) == HEADER + LINE + LINE
    assert [segment.number for segment in tail.index.segments] == [5]
    assert tail.index.total_bytes == len(HEADER + LINE + LINE)


def test_a_full_segment_is_followed_by_another(tail: Tail) -> None:
    numbers = [tail.append()[0] for _ in range(30)]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 2
    tail.tail.close()
    assert sorted(set(numbers)) == [segment.number for segment in tail.index.segments]


def test_what_was_not_synced_is_carried_over_an_error(tail: Tail, tmp_path: Path) -> None:
    tail.append(sync=False)
    tail.files.fails = True
    with pytest.raises(StoreError, match=r"cannot write .*EIO"):
        tail.append()
    tail.files.fails = False
    assert tail.append() == (6, len(HEADER) + len(LINE))
    tail.tail.close()
    assert content(tmp_path, 6) == HEADER + LINE + LINE


def test_closing_bears_with_a_disk_that_fails(tail: Tail) -> None:
    tail.append(sync=False)
    tail.files.fails = True
    tail.tail.close()
    tail.tail.close()
