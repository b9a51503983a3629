"""Segments that the disk does not give back now: the others are used, and they are when it does."""

import asyncio
import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.events.core.inbox import Inbox
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.incoming import IncomingEvents, ReceivedEvent
from gwproactor.events.late_reading import LateReading
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.log.seen_log import SeenLog
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.store import StoredEvent
from gwproactor_test.clients import until
from gwproactor_test.disk import UnreliableDisk

SEGMENT_BYTES = 300


@pytest.fixture(autouse=True)
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gwproactor.events.log.segment_opening._READ_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("gwproactor.events.late_reading._FIRST_DELAY_SECONDS", 0.01)


def event(sequence: int) -> StoredEvent:
    return StoredEvent(sequence, f"e{sequence}", b"{%b}" % (b"x" * 60), "link", "source")


def name_of(number: int) -> str:
    return f"events-{number:010}.log"


def written(folder: Path, count: int, removed: list[int]) -> list[int]:
    """Put events, remove some, and return the numbers of the segments."""
    log = SegmentLog(folder, durable=False, segment_bytes=SEGMENT_BYTES)
    log.open()
    for sequence in range(1, count + 1):
        log.commit([event(sequence)], [each for each in removed if each == sequence - 2])
    log.close()
    return sorted(int(path.stem.partition("-")[2]) for path in folder.glob("events-*"))


def opened(folder: Path, disk: UnreliableDisk | None = None) -> SegmentLog:
    log = SegmentLog(folder, durable=True, segment_bytes=SEGMENT_BYTES, files=disk)
    assert log.open() == []
    return log


def pending(log: SegmentLog) -> list[int]:
    return [ref.sequence for ref in log.pending()]


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_the_others_are_there_and_it_is_when_it_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    removed = data.draw(st.lists(st.integers(1, 10), unique=True))
    numbers = written(folder, 12, removed)
    everything = pending(opened(folder))
    bad = data.draw(st.sampled_from(numbers))
    disk = UnreliableDisk(name_of(bad))
    log = opened(folder, disk)
    at_first = pending(log)
    assert log.next_sequence > 12
    assert set(at_first) < {*everything, *removed} or not everything
    done = [each for each in at_first if data.draw(st.booleans())]
    log.commit([event(log.next_sequence)], done)
    log.tidy()
    refs, damages, unread, moved = log.read_again()
    assert (refs, damages, moved) == ([], [], [])
    assert name_of(bad) in unread[0]
    assert "EIO" in unread[0]
    disk.unreadable.clear()
    found = log.read_again()
    assert found.unread == []
    late = [ref.sequence for ref in found.refs]
    assert late == sorted(set(everything) - set(at_first))
    assert [each.sequence for each in log.read(late).events] == late
    assert set(pending(log)) >= set(everything) - set(done)
    log.commit((), pending(log))
    log.tidy()
    assert pending(log) == []
    log.close()
    assert not (folder / name_of(bad)).exists() or bad == max(numbers)
    again = opened(folder)
    assert pending(again) == []
    again.close()


def test_what_is_put_is_not_taken_for_removed(tmp_path: Path) -> None:
    """That would take memory for every event behind the unread segment."""
    numbers = written(tmp_path, 12, [3])
    log = opened(tmp_path, UnreliableDisk(name_of(numbers[0])))
    log.commit([event(log.next_sequence)], ())
    assert [n for n in range(20) if log._index.was_removed(n)] == [3]
    log.close()


def test_it_is_never_deleted_whatever_goes_beside_it(tmp_path: Path) -> None:
    numbers = written(tmp_path, 12, [])
    bad = numbers[1]
    log = opened(tmp_path, UnreliableDisk(name_of(bad)))
    for sequence in range(1, 40):
        log.commit([event(log.next_sequence)], [sequence])
        log.tidy()
    log.close()
    assert (tmp_path / name_of(bad)).exists()
    assert not (tmp_path / name_of(numbers[0])).exists()


def test_no_sequence_of_the_youngest_is_used_again(tmp_path: Path) -> None:
    numbers = written(tmp_path, 12, [])
    log = opened(tmp_path, UnreliableDisk(name_of(numbers[-1])))
    assert log.next_sequence > 12
    log.close()


FAR = 5_000_000
"""The sequence of an event that stands alone, after a long life of its log."""


def far_event(folder: Path) -> None:
    """Leave one event in one small segment, as compaction does."""
    log = opened(folder)
    log.commit([StoredEvent(FAR, "old", b"{}", "link")], ())
    log.close()


def test_new_events_never_reach_those_of_the_only_segment(tmp_path: Path) -> None:
    far_event(tmp_path)
    log = opened(tmp_path, UnreliableDisk(name_of(1)))
    assert log.next_sequence > 1 << 32
    log.close()


def test_starts_with_another_unread_segment_each_use_no_sequence_twice(tmp_path: Path) -> None:
    far_event(tmp_path)
    used = [FAR]
    for bad in (1, 2, 1, 3, 4, 2):
        log = opened(tmp_path, UnreliableDisk(name_of(bad)))
        new = [log.next_sequence + place for place in range(3)]
        log.commit([event(sequence) for sequence in new], ())
        used += new
        log.close()
    assert len(set(used)) == len(used)
    assert pending(opened(tmp_path)) == sorted(used)


def test_the_highest_sequence_fits_everywhere(tmp_path: Path) -> None:
    youngest = (1 << 32) - 2
    far_event(tmp_path)
    (tmp_path / name_of(1)).rename(tmp_path / name_of(youngest))
    log = opened(tmp_path, UnreliableDisk(name_of(youngest)))
    highest = log.next_sequence
    assert 1 << 63 < highest < 1 << 64
    log.commit([event(highest)], ())
    log.close()
    outbox = Outbox()
    log = opened(tmp_path)
    outbox.restore(log.pending(), log.next_sequence)
    assert outbox.find(f"e{highest}") is not None
    log.close()


def used_again(folder: Path) -> tuple[SegmentLog, UnreliableDisk]:
    """A log in which another event has the sequence of the unread one, as of an older version."""
    far_event(folder)
    disk = UnreliableDisk(name_of(1))
    log = opened(folder, disk)
    log.commit([event(FAR)], ())
    disk.unreadable.clear()
    return log, disk


def test_an_event_whose_sequence_is_anothers_is_put_again_before_all_new(tmp_path: Path) -> None:
    log, _ = used_again(tmp_path)
    found = log.read_again()
    (ref,) = found.refs
    assert ref.event_id == "old"
    assert FAR < ref.sequence < log.next_sequence
    assert found.moved == [f"old, now {ref.sequence}"]
    assert [each.event_id for each in log.read([FAR, ref.sequence]).events] == [f"e{FAR}", "old"]
    log.close()
    again = opened(tmp_path)
    assert [(r.sequence, r.event_id) for r in again.pending()] == [
        (FAR, f"e{FAR}"),
        (ref.sequence, "old"),
    ]
    again.close()


def test_it_stays_unread_while_it_cannot_be_put_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, disk = used_again(tmp_path)

    def full(_descriptor: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(disk, "write", full)
        found = log.read_again()
    assert found.refs == []
    assert name_of(1) in found.unread[0]
    assert "ENOSPC" in found.unread[0]
    found = log.read_again()
    assert (found.unread, [ref.event_id for ref in found.refs]) == ([], ["old"])
    log.close()
    again = opened(tmp_path)
    assert [ref.event_id for ref in again.pending()] == [f"e{FAR}", "old"]
    again.close()


def test_a_copy_of_the_same_event_is_no_other(tmp_path: Path) -> None:
    far_event(tmp_path)
    disk = UnreliableDisk(name_of(1))
    log = opened(tmp_path, disk)
    log.commit([StoredEvent(FAR, "old", b"{}", "link")], ())
    disk.unreadable.clear()
    assert log.read_again() == ([], [], [], [])
    assert pending(log) == [FAR]
    log.close()


def test_what_is_read_late_counts_for_the_next_sequence(tmp_path: Path) -> None:
    far = 1 << 40
    log = opened(tmp_path)
    log.commit([event(far)], ())
    log.close()
    disk = UnreliableDisk(name_of(1))
    log = opened(tmp_path, disk)
    disk.unreadable.clear()
    refs = log.read_again().refs
    assert log.next_sequence == far + 1
    log.close()
    outbox, inbox = Outbox(), Inbox()
    outbox.restore_late(refs)
    inbox.restore_late(refs)
    assert outbox.add("new", 2).ref.sequence == far + 1
    received = inbox.receive("link", "new", 2, seen=False).ref
    assert received is not None
    assert received.sequence == far + 1


# Through the outbox and the inbox


async def test_the_outbox_numbers_new_events_beyond_what_it_cannot_read(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.commit([StoredEvent(300, "old", b"{}")], ())
    log.close()
    disk = UnreliableDisk(name_of(1))
    events = OutgoingEvents(
        LogStore(tmp_path, files=disk),
        Outbox(),
        on_stored=lambda ref: None,
        on_acked=lambda ref: None,
        report=lambda summary, details: None,
    )
    await events.open()
    run = asyncio.create_task(events.run())
    for number in range(400):
        events.post(f"new{number}", b"{}")
    await events.flush()
    disk.unreadable.clear()
    await until(lambda: events.pending_count == 401)
    await events.close()
    await run
    again = opened(tmp_path)
    ids = [ref.event_id for ref in again.pending()]
    assert ids == ["old", *(f"new{number}" for number in range(400))]
    again.close()


async def test_the_outbox_tells_of_an_event_that_got_a_new_sequence(tmp_path: Path) -> None:
    log, disk = used_again(tmp_path)
    log.close()
    disk.unreadable.add(name_of(1))
    reports: list[str] = []
    store = LogStore(tmp_path, files=disk)
    events = OutgoingEvents(
        store,
        Outbox(),
        on_stored=lambda ref: None,
        on_acked=lambda ref: None,
        report=lambda summary, details: reports.append(f"{summary}: {details}"),
    )
    await events.open()
    run = asyncio.create_task(events.run())
    assert events.pending_count == 1
    disk.unreadable.clear()
    await until(lambda: events.pending_count == 2)
    assert any("A stored event got a new sequence: 1 did: old, now" in each for each in reports)
    await events.close()
    await run


async def test_the_inbox_delivers_what_it_could_not_read_beside_many_new(tmp_path: Path) -> None:
    log = opened(tmp_path / "inbox")
    log.commit([StoredEvent(500, "old", b"{}", "link")], ())
    log.close()
    disk = UnreliableDisk(name_of(1))
    gate = asyncio.Event()
    handled: list[str] = []
    acked: list[str] = []

    async def handle(event: ReceivedEvent) -> None:
        await gate.wait()
        handled.append(event.event_id)

    events = IncomingEvents(
        LogStore(tmp_path / "inbox", files=disk),
        MemoryStore(),
        SeenLog(tmp_path / "seen"),
        Inbox(),
        handler=handle,
        acknowledge=lambda _link_name, event_id: acked.append(event_id),
        report=lambda summary, details: None,
    )
    await events.open()
    run = asyncio.create_task(events.run())
    for number in range(600):
        events.receive("link", f"new{number}", b"{}")
    await until(lambda: len(acked) == 600)
    disk.unreadable.clear()
    await until(lambda: events.pending_count == 601)
    gate.set()
    await until(lambda: len(handled) == 601)
    assert "old" in handled
    await events.close()
    await run


async def test_the_outbox_starts_with_the_rest_and_sends_it_late(tmp_path: Path) -> None:
    numbers = written(tmp_path, 9, [])
    disk = UnreliableDisk(name_of(numbers[1]))
    reports: list[str] = []
    events = OutgoingEvents(
        LogStore(tmp_path, segment_bytes=SEGMENT_BYTES, files=disk),
        Outbox(),
        on_stored=lambda ref: None,
        on_acked=lambda ref: None,
        report=lambda summary, details: reports.append(f"{summary}: {details}"),
    )
    await events.open()
    run = asyncio.create_task(events.run())
    assert 0 < events.pending_count < 9
    await until(lambda: len(reports) > 0)
    assert "Reading a stored event at the start is in trouble" in reports[0]
    assert name_of(numbers[1]) in reports[0]
    events.activated()
    disk.unreadable.clear()
    await until(lambda: events.pending_count == 9)
    acked: list[str] = []
    while len(acked) < 9:
        for sent in await events.next_to_send():
            acked.append(sent.event_id)
            events.acked(sent.event_id)
    assert acked == [f"e{n}" for n in range(1, 10)]
    await until(lambda: len(reports) > 1)
    assert "works again" in reports[1]
    await events.close()
    await run


async def test_the_inbox_starts_with_the_rest_and_delivers_it_late(tmp_path: Path) -> None:
    numbers = written(tmp_path / "inbox", 9, [])
    disk = UnreliableDisk(name_of(numbers[1]))
    handled: list[str] = []

    async def handle(event: ReceivedEvent) -> None:
        handled.append(event.event_id)

    events = IncomingEvents(
        LogStore(tmp_path / "inbox", segment_bytes=SEGMENT_BYTES, files=disk),
        MemoryStore(),
        SeenLog(tmp_path / "seen"),
        Inbox(),
        handler=handle,
        acknowledge=lambda _link_name, _event_id: None,
        report=lambda summary, details: reports.append(f"{summary}: {details}"),
    )
    reports: list[str] = []
    await events.open()
    run = asyncio.create_task(events.run())
    await until(lambda: len(reports) > 0 and events.pending_count == 0)
    assert 0 < len(handled) < 9
    disk.unreadable.clear()
    await until(lambda: sorted(handled) == [f"e{n}" for n in range(1, 10)])
    await until(lambda: events.pending_count == 0)
    await events.close()
    await run


async def test_what_stops_reading_late_stops_it_before_it_began() -> None:
    reading = LateReading(MemoryStore(), "An event", lambda refs: None, lambda *_: None)
    reading.stop()
    async with asyncio.TaskGroup() as group:
        reading.start(group)
        reading.stop()
