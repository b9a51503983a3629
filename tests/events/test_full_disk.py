"""A disk full to the last byte: nothing stored is lost, and what is done makes room again."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gwproactor.errors import StoreError
from gwproactor.events.core.inbox import Inbox
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.disk.reserve import Reserve
from gwproactor.events.incoming import IncomingEvents, ReceivedEvent
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.log.seen_log import SeenLog
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.store import StoredEvent
from gwproactor_test.clients import until
from gwproactor_test.disk import UnreliableDisk
from gwproactor_test.event_runs import running_events

SEGMENT_BYTES = 10_000
CAPACITY_BYTES = 10 * SEGMENT_BYTES
INBOX_CAPACITY_BYTES = 40 * SEGMENT_BYTES


class SmallDisk(UnreliableDisk):
    """A disk with room for so many bytes in the files below one folder."""

    def __init__(self, folder: Path, capacity_bytes: int = CAPACITY_BYTES) -> None:
        super().__init__()
        self._folder = folder
        self.capacity_bytes = capacity_bytes

    def used_bytes(self) -> int:
        used_bytes = 0
        for path in self._folder.rglob("*"):
            with suppress(FileNotFoundError):  # another thread has removed it
                used_bytes += path.stat().st_size if path.is_file() else 0
        return used_bytes

    def disk_bytes(self, path: Path) -> tuple[int, int]:
        """All of it, and what is left of it."""
        del path
        return self.capacity_bytes, self.capacity_bytes - self.used_bytes()

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


class FullInbox:
    """Incoming events on a small disk, with a handler that is let go, and may fail for ever."""

    def __init__(self, folder: Path) -> None:
        self.acked: list[str] = []
        self.handled: list[str] = []
        self.reports: list[str] = []
        self.may_handle = asyncio.Event()
        self.unwanted: set[str] = set()
        disks = [SmallDisk(folder, INBOX_CAPACITY_BYTES) for _ in range(4)]
        self.events = IncomingEvents(
            LogStore(folder / "inbox", segment_bytes=SEGMENT_BYTES, files=disks[0]),
            LogStore(folder / "dead", segment_bytes=SEGMENT_BYTES, files=disks[1]),
            SeenLog(folder / "seen", files=disks[2]),
            Inbox(max_tries=1),
            handler=self.handle,
            acknowledge=lambda _link_name, event_id: self.acked.append(event_id),
            report=lambda summary, details: self.reports.append(summary),
            reserve=Reserve(folder / "reserve", files=disks[3]),
        )

    async def handle(self, event: ReceivedEvent) -> None:
        await self.may_handle.wait()
        if event.event_id in self.unwanted:
            raise ValueError(event.event_id)
        self.handled.append(event.event_id)

    async def receive(self, number: int) -> None:
        """Take in an event, and wait until it is acknowledged or there is trouble."""
        event_id = f"e{number}"
        self.events.receive("child", event_id, event(number).payload)
        await until(lambda: event_id in self.acked or self.is_in_trouble)

    @property
    def is_in_trouble(self) -> bool:
        return "The inbox is in trouble" in self.reports


@asynccontextmanager
async def running(inbox: FullInbox) -> AsyncIterator[FullInbox]:
    async with running_events(inbox.events):
        yield inbox


@pytest.mark.parametrize("fails", [False, True])
async def test_an_inbox_that_has_filled_its_disk_frees_itself(tmp_path: Path, fails: bool) -> None:
    async with running(FullInbox(tmp_path)) as inbox:
        received = 0
        while not inbox.is_in_trouble:
            if fails and received % 7 == 0:
                inbox.unwanted.add(f"e{received}")
            await inbox.receive(received)
            received += 1
        assert received > INBOX_CAPACITY_BYTES // 2 // len(event(0).payload)
        inbox.may_handle.set()
        await until(lambda: inbox.events.pending_count == 0)
        await until(lambda: "The inbox works again" in inbox.reports)
        assert inbox.acked == [f"e{number}" for number in range(received)]
        assert inbox.handled == [e for e in inbox.acked if e not in inbox.unwanted]
        late = f"e{received}"
        await inbox.receive(received)
        await until(lambda: late in inbox.handled)
    assert any((tmp_path / "reserve").iterdir())  # kept again


async def test_a_disk_with_little_room_at_the_start_takes_what_fits(tmp_path: Path) -> None:
    """No more is insisted on than could be kept then."""
    (tmp_path / "filler").write_bytes(bytes(INBOX_CAPACITY_BYTES - 4000))
    async with running(FullInbox(tmp_path)) as inbox:
        inbox.may_handle.set()
        await inbox.receive(0)
        await until(lambda: inbox.handled == ["e0"])
    assert not inbox.is_in_trouble
