"""The reader of a log: it gives what the log itself gives, and names what it cannot read."""

import shutil
import tempfile
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.boxes.log_reader import LogReader
from gwproactor.errors import StoreError, StoreFormatError
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.store import StoredEvent

COUNT = 12


def event(sequence: int, word: str = "x") -> StoredEvent:
    payload = b'{"text": "%b"}' % word.encode()
    return StoredEvent(sequence, f"e{sequence}", payload, "tag", "d1.s", sequence % 3)


def filled(folder: Path) -> list[StoredEvent]:
    log = SegmentLog(folder, segment_bytes=300, durable=False)
    log.open()
    events = [event(sequence) for sequence in range(1, COUNT + 1)]
    for each in events:
        log.commit([each], ())
    log.close()
    return events


steps = st.lists(
    st.tuples(st.integers(1, 4), st.lists(st.integers(1, 40), max_size=6), st.booleans()),
    max_size=25,
)


@given(steps)
@settings(deadline=None)
def test_it_gives_what_the_log_gives(rounds: list[tuple[int, list[int], bool]]) -> None:
    """Also when the log was compacted, so that an old event stands behind younger ones."""
    with tempfile.TemporaryDirectory() as home:
        log = SegmentLog(Path(home), segment_bytes=250, durable=False)
        log.open()
        for count, removed, restart in rounds:
            first = log.next_sequence
            log.commit([event(first + n) for n in range(count)], removed)
            log.tidy()
            if restart:
                log.close()
                log = SegmentLog(Path(home), segment_bytes=250, durable=False)
                log.open()
        log.close()
        again = SegmentLog(Path(home))
        again.open()
        reader = LogReader(Path(home))
        assert [each.ref for each in reader] == list(again.pending())
        assert reader.damages == []
        assert len(reader) == len(list(again.pending()))
        again.close()
        assert reader.file_bytes == sum(path.stat().st_size for path in Path(home).iterdir())


def test_the_first_few_are_read_without_the_others(tmp_path: Path) -> None:
    events = filled(tmp_path)
    reader = LogReader(tmp_path)
    found = iter(reader)
    assert next(found) == events[0]
    for path in sorted(tmp_path.iterdir())[1:]:
        path.unlink()
    assert len(list(found)) < COUNT - 1, "what a node removes meanwhile is passed over"


def test_what_becomes_damaged_meanwhile_is_named(tmp_path: Path) -> None:
    filled(tmp_path)
    reader = LogReader(tmp_path)
    path = sorted(tmp_path.iterdir())[1]
    data = bytearray(path.read_bytes())
    place = data.index(b'"text"')
    data[place] ^= 1
    path.write_bytes(data)
    assert len(list(reader)) == COUNT - 1
    [damage] = reader.damages
    assert str(path) in damage.place
    assert damage.event_id.startswith("e")


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list(LogReader(tmp_path / "nothing")) == []


def test_what_cannot_be_read_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "events-0000000001.log").mkdir()
    with pytest.raises(StoreError, match=r"events-0000000001.log: Is a directory \(EISDIR\)"):
        LogReader(tmp_path)
    shutil.rmtree(tmp_path)
    tmp_path.write_text("no folder")
    with pytest.raises(StoreError, match="Not a directory"):
        LogReader(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    text = "# gwproactor event log, format 003, next 00000000000000000001"
    path = tmp_path / "events-0000000001.log"
    path.write_text(f"{text}, crc {crc32(text.encode()):08x}\n")
    with pytest.raises(StoreFormatError, match="format 3"):
        LogReader(tmp_path)
