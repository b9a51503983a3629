"""A disk that an outbox has filled: nothing stored is lost, and acks alone make room again."""

import asyncio
import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from gwproactor.errors import StoreError
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.store import StoredEvent
from gwproactor_test.clients import until
from gwproactor_test.disk import UnreliableDisk

SEGMENT_BYTES = 10_000
CAPACITY_BYTES = 10 * SEGMENT_BYTES


class SmallDisk(UnreliableDisk):
    """A disk with room for so many bytes in the files of one folder."""

    def __init__(self, folder: Path, capacity_bytes: int = CAPACITY_BYTES) -> None:
        super().__init__()
        self._folder = folder
        self.capacity_bytes = capacity_bytes

    def used_bytes(self) -> int:
        return sum(path.stat().st_size for path in self._folder.iterdir() if path.is_file())

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write what there is room for."""
        room_bytes = self.capacity_bytes - self.used_bytes()
        if room_bytes <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(descriptor, data[:room_bytes])


def event(sequence: int) -> StoredEvent:
    return StoredEvent(sequence, f"e{sequence}", b'{"x": "%b"}' % (b"x" * 400))


def filled(folder: Path) -> tuple[SegmentLog, SmallDisk, int]:
    """Fill a disk to the last byte; return how many events have been stored."""
    disk = SmallDisk(folder)
    log = SegmentLog(folder, segment_bytes=SEGMENT_BYTES, files=disk)
    log.open()
    count = 0
    with suppress(StoreError):
        while True:
            log.commit([event(count + 1)], ())
            count += 1
    disk.capacity_bytes = disk.used_bytes()
    return log, disk, count


def test_removals_that_do_not_fit_delete_what_they_empty(tmp_path: Path) -> None:
    log, _, count = filled(tmp_path)
    log.commit((), range(1, count))
    assert [ref.sequence for ref in log.pending()] == [count]
    log.commit([event(count + 1)], ())
    log.close()
    log = SegmentLog(tmp_path)
    assert log.open() == []
    assert [ref.sequence for ref in log.pending()] == [count, count + 1]
    log.close()


def test_removals_that_empty_no_segment_wait_for_more(tmp_path: Path) -> None:
    log, _, count = filled(tmp_path)
    with pytest.raises(StoreError, match="ENOSPC"):
        log.commit((), range(2, count))  # the oldest segment is needed still
    log.commit((), range(1, count + 1))
    assert list(log.pending()) == []
    log.close()
    log = SegmentLog(tmp_path)
    assert log.open() == []
    assert list(log.pending()) == []
    assert log.next_sequence == count + 1
    log.close()


async def test_acks_make_room_on_a_disk_that_the_outbox_has_filled(tmp_path: Path) -> None:
    reports: list[str] = []
    events = OutgoingEvents(
        LogStore(tmp_path, segment_bytes=SEGMENT_BYTES, files=SmallDisk(tmp_path)),
        Outbox(),
        on_stored=lambda ref: None,
        on_acked=lambda ref: None,
        report=lambda summary, details: reports.append(summary),
    )
    await events.open()
    run = asyncio.create_task(events.run())
    posted = 0
    while not reports:
        events.post(f"e{posted}", event(posted).payload)
        posted += 1
        with suppress(StoreError):
            await events.flush()
    events.activated()
    taken: list[str] = []

    async def peer() -> None:
        while True:
            for sent in await events.next_to_send():
                taken.append(sent.event_id)
                events.acked(sent.event_id)

    peer_task = asyncio.create_task(peer())
    await until(lambda: events.pending_count == 0)
    assert taken == [f"e{n}" for n in range(posted)]
    assert reports == ["The event store is in trouble", "The event store works again"]
    peer_task.cancel()
    await asyncio.gather(peer_task, return_exceptions=True)
    await events.close()
    await run
