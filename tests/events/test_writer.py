"""Group commit: one at a time, whole, in order, until it succeeds."""

import asyncio
import errno
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import pytest

from gwproactor.errors import StoreError
from gwproactor.events.disk.file_calls import store_error
from gwproactor.events.store import EventRef, StoredEvent
from gwproactor.events.writer import GroupCommitter, retry_seconds
from gwproactor_test.clients import until


def event(number: int, size: int = 10) -> StoredEvent:
    return StoredEvent(number, f"e{number}", b"x" * size)


class Disk:
    """Takes commits, one after the other, as the test lets it."""

    def __init__(self) -> None:
        self.commits: list[tuple[list[int], list[int]]] = []
        self.done: list[int] = []
        self.removed: list[int] = []
        self.reports: list[str] = []
        self.failures = 0
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = asyncio.Event()
        self.writer = GroupCommitter(
            "The disk",
            commit=self.commit,
            committed=self.committed,
            report=lambda summary, details: self.reports.append(f"{summary}: {details}"),
        )

    async def commit(self, puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        self.commits.append(([e.sequence for e in puts], [ref.sequence for ref in removals]))
        self.waiting.set()
        await self.open.wait()
        if self.failures:
            self.failures -= 1
            raise StoreError("no space")

    def committed(self, puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        self.done += [event.sequence for event in puts]
        self.removed += [ref.sequence for ref in removals]


@asynccontextmanager
async def running(disk: Disk) -> AsyncIterator[None]:
    task = asyncio.create_task(disk.writer.run())
    try:
        yield
    finally:
        disk.open.set()
        disk.failures = 0
        await disk.writer.close()
        await task


async def test_an_unhurried_event_is_written_without_being_asked_for() -> None:
    disk = Disk()
    async with running(disk):
        disk.writer.put(event(1), urgent=False)
        disk.writer.put(event(2), urgent=False)
        assert disk.commits == []
        await disk.waiting.wait()
        assert disk.commits == [([1, 2], [])]


async def test_an_unhurried_event_shares_the_commit_of_an_urgent_one() -> None:
    disk = Disk()
    async with running(disk):
        disk.writer.put(event(1), urgent=False)
        disk.writer.put(event(2))
        await disk.writer.flush()
        assert disk.commits == [([1, 2], [])]


async def test_the_end_writes_what_was_unhurried() -> None:
    disk = Disk()
    async with running(disk):
        disk.writer.put(event(1), urgent=False)
    assert disk.done == [1]


async def test_what_waits_goes_into_one_commit() -> None:
    disk = Disk()
    async with running(disk):
        disk.open.clear()
        disk.writer.put(event(1))
        await disk.waiting.wait()
        for number in range(2, 100):
            disk.writer.put(event(number))
            disk.writer.remove(event(number - 1).ref)
        assert disk.writer.waiting_count == 99
        disk.open.set()
        await disk.writer.flush()
        assert disk.commits == [([1], []), (list(range(2, 100)), list(range(1, 99)))]
        assert disk.done == list(range(1, 100))
        assert disk.removed == list(range(1, 99))
        assert disk.writer.waiting_count == 0
        assert disk.writer.waiting_bytes == 0


async def test_a_commit_is_bounded() -> None:
    disk = Disk()
    for number in range(10):
        disk.writer.put(event(number, 300_000))
    await disk.writer.flush()
    assert disk.done == list(range(10))
    assert max(len(puts) for puts, _ in disk.commits) == 4


async def test_a_failed_commit_is_repeated_whole_and_told_once() -> None:
    disk = Disk()
    async with running(disk):
        disk.failures = 3
        disk.writer.put(event(1))
        await until(lambda: len(disk.commits) >= 2)
        assert disk.writer.trouble == "no space"
        disk.writer.put(event(2))
        await until(lambda: disk.done == [1, 2])
        assert disk.commits[:4] == [([1], [])] * 4
    assert disk.reports == [
        "The disk is in trouble: no space",
        "The disk works again: the trouble was: no space",
    ]


async def test_a_cancelled_run_forgets_nothing() -> None:
    disk = Disk()
    disk.open.clear()
    task = asyncio.create_task(disk.writer.run())
    disk.writer.put(event(1))
    await disk.waiting.wait()
    disk.writer.put(event(2))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    disk.open.set()
    await disk.writer.close()
    assert disk.done == [1, 2]


async def test_flush_works_without_run_and_raises_what_fails() -> None:
    disk = Disk()
    disk.failures = 1
    disk.writer.put(event(1))
    with pytest.raises(StoreError, match="no space"):
        await disk.writer.flush()
    await disk.writer.flush()
    assert disk.done == [1]


async def test_flush_waits_for_puts_and_removals_alike() -> None:
    disk = Disk()
    for number in range(10_000):
        disk.writer.put(event(number))
    flushed = asyncio.create_task(disk.writer.flush())
    await disk.waiting.wait()
    for number in range(10_000):
        disk.writer.remove(event(number).ref)
    await flushed
    assert len(disk.done) == 10_000


async def test_closing_tries_twice_and_says_what_failed() -> None:
    disk = Disk()
    disk.failures = 100
    disk.writer.put(event(1))
    with pytest.raises(StoreError, match="no space"):
        await disk.writer.close()
    assert len(disk.commits) == 2
    assert disk.writer.waiting_count == 1


async def test_closing_ends_a_pause() -> None:
    disk = Disk()
    disk.failures = 10**6
    task = asyncio.create_task(disk.writer.run())
    disk.writer.put(event(1))
    await until(lambda: len(disk.commits) >= 4)
    disk.failures = 0
    await disk.writer.close()
    await task
    assert disk.done == [1]


def test_the_first_retry_is_at_once_and_the_delays_are_bounded() -> None:
    delays = list(islice(retry_seconds(), 30))
    assert delays[0] == 0
    assert delays == sorted(delays)
    assert delays[-1] == 5


class FullDisk(Disk):
    """Takes removals only, until there is room."""

    is_full = True

    async def commit(self, puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        self.failures = 1 if puts and self.is_full else 0
        await super().commit(puts, removals)


async def test_removals_do_not_wait_for_events_that_do_not_fit() -> None:
    disk = FullDisk()
    async with running(disk):
        disk.writer.put(event(3))
        disk.writer.remove(event(1).ref)
        await until(lambda: disk.removed == [1])
        disk.writer.remove(event(2).ref)
        disk.writer.remove(event(3).ref)  # is not put yet: that one has to wait
        await until(lambda: disk.removed == [1, 2])
        assert disk.done == []
        disk.is_full = False
        await until(lambda: disk.done == [3] and disk.removed == [1, 2, 3])
    assert disk.writer.waiting_bytes == 0


class TightDisk(Disk):
    """Has room for so many more events, and says so in the way of the file system."""

    room = 5

    async def commit(self, puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        if len(puts) > self.room:
            self.commits.append(([e.sequence for e in puts], [ref.sequence for ref in removals]))
            full = OSError(errno.ENOSPC, "full")
            raise store_error("write", Path("here"), full) from full
        await super().commit(puts, removals)
        self.room -= len(puts)


async def test_what_fits_is_written_where_not_all_does() -> None:
    disk = TightDisk()
    async with running(disk):
        for number in range(20):
            disk.writer.put(event(number))
        disk.writer.remove(event(1).ref)
        disk.writer.remove(event(19).ref)
        await until(lambda: disk.done == [0, 1, 2, 3, 4])
        assert disk.removed == [1]
        await until(lambda: bool(disk.writer.trouble))
        assert disk.writer.waiting_count == 15
        assert disk.writer.waiting_bytes == sum(event(n).size_bytes for n in range(5, 20))
        disk.room = 100
        await until(lambda: disk.done == list(range(20)))
        assert disk.removed == [1, 19]


async def test_the_end_writes_what_fits() -> None:
    disk = TightDisk()
    for number in range(20):
        disk.writer.put(event(number))
    with pytest.raises(StoreError, match="ENOSPC"):
        await disk.writer.close()
    assert disk.done == [0, 1, 2, 3, 4]
    assert disk.writer.waiting_count == 15
