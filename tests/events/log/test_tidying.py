"""Segments that the disk does not give back while the log is in use: all others go."""

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gwproactor.boxes.box import Boxes
from gwproactor.boxes.verify import verify
from gwproactor.errors import StoreError
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.store import StoredEvent
from gwproactor_test.clients import until
from gwproactor_test.disk import UnreliableDisk

SEGMENT_BYTES = 600
"""Some eight events."""


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> UnreliableDisk:
    """A disk, and no pause between tries to read."""
    pause_for(monkeypatch, 0.0)
    return UnreliableDisk()


def pause_for(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr("gwproactor.events.log.tidying._PASSED_PAUSE_SECONDS", seconds)


def event(sequence: int) -> StoredEvent:
    return StoredEvent(sequence, f"e{sequence}", b'{"n": %04d}' % sequence, "line")


def opened(folder: Path, disk: UnreliableDisk) -> SegmentLog:
    log = SegmentLog(folder, segment_bytes=SEGMENT_BYTES, files=disk)
    assert log.open() == []
    return log


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("events-*"))


def pending(log: SegmentLog) -> list[int]:
    return [ref.sequence for ref in log.pending()]


def tidied(log: SegmentLog) -> None:
    """Tidy as often as a few commits would have it."""
    for _ in range(10):
        if log.needs_tidying:
            log.tidy()


def come_and_go(log: SegmentLog, first: int, last: int) -> None:
    """Events that are put, and removed by the next one."""
    for sequence in range(first, last + 1):
        log.commit([event(sequence)], [sequence - 1])
        tidied(log)


def spoiled(folder: Path, disk: UnreliableDisk) -> tuple[SegmentLog, Path]:
    """A log whose oldest segment cannot be read; of its first events two are left."""
    log = opened(folder, disk)
    log.commit([event(sequence) for sequence in range(1, 9)], ())
    (bad,) = segments(folder)
    for sequence in range(2, 8):
        log.commit([event(sequence + 7)], [sequence])
    disk.unreadable.add(bad.name)
    log.commit((), range(9, 15))
    return log, bad


@pytest.fixture
def log_and_bad(tmp_path: Path, disk: UnreliableDisk) -> Iterator[tuple[SegmentLog, Path]]:
    log, bad = spoiled(tmp_path, disk)
    come_and_go(log, 15, 600)
    yield log, bad
    log.close()


def test_those_behind_it_go_and_it_stays(
    tmp_path: Path, log_and_bad: tuple[SegmentLog, Path]
) -> None:
    log, bad = log_and_bad
    assert bad in segments(tmp_path)
    assert log.size_bytes < 8 * SEGMENT_BYTES
    assert sum(path.stat().st_size for path in segments(tmp_path)) == log.size_bytes
    assert [str(bad) in line and "EIO" in line for line in log.passed_over] == [True]


def test_when_it_can_be_read_its_events_are_there_and_it_goes(
    tmp_path: Path, disk: UnreliableDisk, log_and_bad: tuple[SegmentLog, Path]
) -> None:
    log, bad = log_and_bad
    with pytest.raises(StoreError, match="EIO"):
        log.read([1])
    disk.unreadable.clear()
    assert list(log.read([1, 8]).events) == [event(1), event(8)]
    come_and_go(log, 601, 900)
    assert log.passed_over == []
    assert bad not in segments(tmp_path)
    assert pending(log) == [1, 8, 900]


def test_a_restart_brings_back_nothing_that_was_removed(
    tmp_path: Path, disk: UnreliableDisk, log_and_bad: tuple[SegmentLog, Path]
) -> None:
    """Its acks stood in segments that went before it."""
    assert log_and_bad[0].passed_over
    disk.end_process()
    disk.lose_unsynced(lambda low, _: low)
    disk.unreadable.clear()
    assert pending(opened(tmp_path, disk)) == [1, 8, 600]


def test_verify_knows_that_those_behind_it_went_before_it(
    tmp_path: Path, disk: UnreliableDisk
) -> None:
    folder = tmp_path / "outbox"
    log, bad = spoiled(folder, disk)
    come_and_go(log, 15, 600)
    log.close()
    assert verify(Boxes(tmp_path)) == []  # here it can be read
    for restarts in range(2):
        disk.unreadable.clear()
        log = opened(folder, disk)
        come_and_go(log, 601 + 100 * restarts, 700 + 100 * restarts)
        log.close()
        assert verify(Boxes(tmp_path)) == []
    assert bad not in segments(folder)
    assert not (folder / "passed-over").exists()


def test_verify_misses_what_is_missing_elsewhere(tmp_path: Path, disk: UnreliableDisk) -> None:
    folder = tmp_path / "outbox"
    log, _ = spoiled(folder, disk)
    come_and_go(log, 15, 600)
    log.commit([event(number) for number in range(601, 640)], ())
    log.commit([event(number) for number in range(640, 680)], ())
    log.commit([event(680)], ())
    log.close()
    gone = segments(folder)[-2]
    gone.unlink()
    missing, gap = verify(Boxes(tmp_path))
    assert (missing.place, missing.reason) == (str(gone), "it is missing")
    assert "are missing" in gap.reason


def test_it_goes_when_its_last_event_is_removed(
    tmp_path: Path, log_and_bad: tuple[SegmentLog, Path]
) -> None:
    log, bad = log_and_bad
    log.commit((), [1, 8])
    tidied(log)
    assert bad not in segments(tmp_path)
    assert log.passed_over == []


def test_several_of_them_keep_their_acks(tmp_path: Path, disk: UnreliableDisk) -> None:
    """One that has acks of an older one stays as long as that one, for they cannot be read."""
    log, oldest = spoiled(tmp_path, disk)
    second = segments(tmp_path)[1]
    disk.unreadable.add(second.name)
    come_and_go(log, 15, 600)
    assert {oldest, second} <= set(segments(tmp_path))
    assert log.size_bytes < 9 * SEGMENT_BYTES
    log.commit((), [1, 8])
    tidied(log)
    assert not {oldest, second} & set(segments(tmp_path))
    log.close()
    assert pending(opened(tmp_path, disk)) == [600]


def test_damage_that_compaction_finds_keeps_nobody(tmp_path: Path, disk: UnreliableDisk) -> None:
    log = opened(tmp_path, disk)
    log.commit([event(1), event(2)], ())
    (bad,) = segments(tmp_path)
    bad.write_bytes(bad.read_bytes().replace(b"0001", b"0009"))
    come_and_go(log, 15, 600)
    assert log.size_bytes < 8 * SEGMENT_BYTES
    assert bad in segments(tmp_path)
    events, [damage] = log.read([1, 2])
    assert (list(events), damage.event_id) == ([event(2)], "e1")
    log.commit((), [1, 2])
    tidied(log)
    assert bad not in segments(tmp_path)
    assert (tmp_path / "damaged" / bad.name).exists()
    log.close()


def test_it_is_not_tried_again_at_once(
    tmp_path: Path, disk: UnreliableDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause_for(monkeypatch, 3600.0)
    log, bad = spoiled(tmp_path, disk)
    come_and_go(log, 15, 600)
    assert len(log.take_failures()) == 1
    assert log.take_failures() == []
    assert bad in segments(tmp_path)
    log.close()


def test_one_that_is_empty_goes_at_once(
    tmp_path: Path, disk: UnreliableDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause_for(monkeypatch, 3600.0)
    log, bad = spoiled(tmp_path, disk)
    come_and_go(log, 15, 600)
    log.commit((), [1, 8])
    tidied(log)
    assert bad not in segments(tmp_path)
    log.close()


async def test_the_world_is_told_once_and_when_it_is_over(
    tmp_path: Path, disk: UnreliableDisk
) -> None:
    reports: list[str] = []
    store = LogStore(
        tmp_path,
        segment_bytes=SEGMENT_BYTES,
        files=disk,
        report=lambda summary, details: reports.append(f"{summary}: {details}"),
    )
    await store.open()
    await store.commit([event(1)], ())
    disk.unreadable.add(segments(tmp_path)[0].name)
    sequence = 1

    async def churn() -> None:
        nonlocal sequence
        for _ in range(50):
            sequence += 1
            await store.commit([event(sequence)], [sequence - 1] if sequence > 2 else [])

    async with asyncio.timeout(20):
        while not reports:
            await churn()
        await churn()
    assert [os.strerror(errno.EIO) in report for report in reports] == [True]
    assert "is in trouble" in reports[0]
    disk.unreadable.clear()
    await churn()
    await until(lambda: len(reports) == 2)
    assert "works again" in reports[1]
    await store.close()
