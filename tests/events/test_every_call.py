"""Faults below the file system calls: every single call fails, and bytes of every file are flipped.

A scenario is run once to count the calls it makes, and then for each of them with that call
failing, and with all calls from that one on failing for a while. Whatever fails: what was reported
stored is there or has arrived, nothing comes twice, nothing is called damaged, and when the disk
works again everything goes on without a restart. What a flipped byte has damaged is named, all else
survives.
"""

import asyncio
import errno
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.boxes.box import Boxes
from gwproactor.boxes.verify import verify
from gwproactor.errors import StoreError
from gwproactor.events.core.inbox import Inbox
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.incoming import IncomingEvents, ReceivedEvent
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.log.seen_log import SeenLog
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.persisters.persister_store import PersisterStore
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.events.store import EventStore, StoredEvent
from gwproactor_test.clients import until
from gwproactor_test.disk import ERRORS, UnreliableDisk

PAYLOAD = b'{"text": "%b"}' % (b"x" * 150)
SEGMENT_BYTES = 600
"""Two or three events: segments fill, are tidied and compacted within a short scenario."""

FOR_A_WHILE = 7
"""Calls that fail in a row: longer than one commit with its try again."""

OpenStore = Callable[[Path, UnreliableDisk], EventStore]


def log(folder: Path, disk: UnreliableDisk) -> EventStore:
    return LogStore(folder / "outbox", segment_bytes=SEGMENT_BYTES, files=disk)


def files_by_day(folder: Path, disk: UnreliableDisk) -> EventStore:
    return PersisterStore(TimedRollingFilePersister(folder / "event", files=disk))


async def until_it_works(call: Callable[[], Awaitable[None]]) -> None:
    """Call again and again, as whoever starts a node, or waits for its disk."""
    for _ in range(3 * FOR_A_WHILE):
        with suppress(StoreError):
            await call()
            return
    raise AssertionError("it does not work though the disk does")


EventsT = TypeVar("EventsT", OutgoingEvents, IncomingEvents)


async def opened(make: Callable[[], EventsT]) -> EventsT:
    """Make and open, until it can be opened."""
    done: list[EventsT] = []

    async def open_once() -> None:
        events = make()
        try:
            await events.open()
        except StoreError:
            with suppress(StoreError):
                await events.close()
            raise
        done.append(events)

    await until_it_works(open_once)
    return done[0]


class Sender:
    """One folder, several runs of what sends, and what the world saw of it."""

    def __init__(self, folder: Path, disk: UnreliableDisk, open_store: OpenStore) -> None:
        self.folder = folder
        self.disk = disk
        self.open_store = open_store
        self.stored: set[str] = set()
        self.acked: list[str] = []
        self.arrived: Counter[str] = Counter()
        self.reports: list[str] = []
        self.events: OutgoingEvents

    async def start(self) -> None:
        self.events = await opened(self.make)

    def make(self) -> OutgoingEvents:
        return OutgoingEvents(
            self.open_store(self.folder, self.disk),
            Outbox(),
            on_stored=lambda ref: self.stored.add(ref.event_id),
            on_acked=lambda ref: self.acked.append(ref.event_id),
            report=lambda summary, details: self.reports.append(f"{summary}: {details}"),
            memory_bytes=500,
        )

    async def post(self, first: int, end: int) -> None:
        for number in range(first, end):
            self.events.post(f"e{number}", PAYLOAD)
        await until_it_works(self.events.flush)

    async def deliver(self, count: int) -> None:
        """Let the peer take so many events, and acknowledge them."""
        self.events.activated()
        taken = 0
        while taken < count:
            async with asyncio.timeout(20):
                for event in await self.events.next_to_send():
                    taken += 1
                    if taken <= count:
                        self.arrived[event.event_id] += 1
                        self.events.acked(event.event_id)
        self.events.deactivated()
        await until_it_works(self.events.flush)

    async def stop(self) -> None:
        with suppress(StoreError):
            await self.events.close()


async def send(folder: Path, disk: UnreliableDisk, open_store: OpenStore) -> Sender:
    """Two runs that post, commit, acknowledge, tidy and compact."""
    sender = Sender(folder, disk, open_store)
    await sender.start()
    await sender.post(0, 4)
    await sender.deliver(3)
    await sender.post(4, 12)
    await sender.deliver(6)
    await sender.stop()
    await sender.start()
    await sender.post(12, 15)
    await sender.deliver(2)
    await sender.stop()
    return sender


def everything(first: int, last: int) -> set[str]:
    return {f"e{number}" for number in range(first, last)}


async def check_sender(sender: Sender) -> None:
    assert sender.stored == everything(0, 15)
    assert [report for report in sender.reports if "damaged" in report] == []
    sender.disk.work()
    await sender.start()
    await sender.deliver(sender.events.unacked_count)
    assert sender.events.pending_count == 0
    await sender.stop()
    assert set(sender.arrived) == everything(0, 15)
    assert max(sender.arrived.values()) == 1, "what was acked was not sent again"
    assert sorted(sender.acked) == sorted(sender.arrived)
    assert verify(Boxes(sender.folder)) == [], "nothing is missing, and nothing half written"


class Receiver:
    """One folder, several runs of what receives, and what the world saw of it."""

    def __init__(self, folder: Path, disk: UnreliableDisk) -> None:
        self.folder = folder
        self.disk = disk
        self.acked: Counter[str] = Counter()
        self.got: Counter[str] = Counter()
        self.reports: list[str] = []
        self.events: IncomingEvents
        self.run: asyncio.Task[None]

    async def handle(self, event: ReceivedEvent) -> None:
        if event.event_id == "e3":
            raise ValueError("never this one")
        self.got[event.event_id] += 1

    async def start(self) -> None:
        self.events = await opened(self.make)
        self.run = asyncio.create_task(self.events.run())

    def make(self) -> IncomingEvents:
        return IncomingEvents(
            LogStore(self.folder / "inbox", segment_bytes=SEGMENT_BYTES, files=self.disk),
            LogStore(self.folder / "dead-letters", files=self.disk),
            SeenLog(self.folder / "seen", ids_per_file=4, files=self.disk),
            Inbox(max_tries=1),
            handler=self.handle,
            acknowledge=lambda link_name, event_id: self.acked.update([event_id]),
            report=lambda summary, details: self.reports.append(f"{summary}: {details}"),
        )

    async def take(self, first: int, end: int) -> None:
        """Receive events until each is acknowledged and dealt with."""
        for number in range(first, end):
            self.events.receive("child", f"e{number}", PAYLOAD)
        await until(lambda: self.events.pending_count == 0)
        assert everything(first, end) <= set(self.acked)

    async def stop(self) -> None:
        with suppress(StoreError):
            await self.events.close()
        await self.run


async def receive(folder: Path, disk: UnreliableDisk) -> Receiver:
    """Two runs that take in, handle, mark and set aside, and are given again what they had."""
    receiver = Receiver(folder, disk)
    await receiver.start()
    await receiver.take(0, 5)
    await receiver.take(3, 9)
    await receiver.stop()
    await receiver.start()
    await receiver.take(5, 12)
    await receiver.stop()
    return receiver


async def check_receiver(receiver: Receiver) -> None:
    assert [report for report in receiver.reports if "damaged" in report] == []
    receiver.disk.work()
    await receiver.start()
    await receiver.take(0, 12)
    await receiver.stop()
    assert set(receiver.got) == everything(0, 12) - {"e3"}
    assert max(receiver.got.values()) == 1, "each is handled once"
    dead = LogStore(receiver.folder / "dead-letters")
    assert await dead.open() == []
    assert {ref.event_id for ref in dead.pending()} == {"e3"}
    await dead.close()
    assert verify(Boxes(receiver.folder)) == []


IN_TURN = [0, *(pytest.param(turn, marks=pytest.mark.prove) for turn in range(1, len(ERRORS)))]
"""Each call fails in one way in each round, and in every way in all of them together."""


def faults(calls: int, turn: int) -> Iterator[tuple[int, int, int, bool]]:
    """Every call, how many fail from there, how, and whether a write takes half before."""
    for first in range(calls):
        error = ERRORS[(first + turn) % len(ERRORS)]
        yield first, 1, error, bool((first + turn) % 2)
        yield first, FOR_A_WHILE, error, not (first + turn) % 2


async def bear(
    folder: Path, turn: int, scenario: Callable[[Path, UnreliableDisk], Awaitable[None]]
) -> None:
    """Run a scenario once for each of its calls, in which that call fails."""
    counting = UnreliableDisk()
    await scenario(folder / "counting", counting)
    assert counting.calls > 50
    some_at_once = asyncio.Semaphore(8)

    async def once(first: int, count: int, error: int, short: bool) -> None:
        disk = UnreliableDisk()
        disk.fail(first, count, error, short=short)
        async with some_at_once:
            try:
                await scenario(folder / f"{first}-{count}", disk)
            except Exception as problem:
                problem.add_note(f"{count} calls from {first} on failed: {errno.errorcode[error]}")
                raise

    async with asyncio.TaskGroup() as group:
        for fault in faults(counting.calls, turn):
            group.create_task(once(*fault))


@pytest.mark.parametrize("turn", IN_TURN)
@pytest.mark.parametrize("open_store", [log, files_by_day])
@pytest.mark.timeout(180)
async def test_a_sender_bears_a_fault_at_every_call(
    tmp_path: Path, open_store: OpenStore, turn: int
) -> None:
    async def scenario(folder: Path, disk: UnreliableDisk) -> None:
        await check_sender(await send(folder, disk, open_store))

    await bear(tmp_path, turn, scenario)


@pytest.mark.parametrize("turn", IN_TURN)
@pytest.mark.timeout(180)
async def test_a_receiver_bears_a_fault_at_every_call(tmp_path: Path, turn: int) -> None:
    async def scenario(folder: Path, disk: UnreliableDisk) -> None:
        await check_receiver(await receive(folder, disk))

    await bear(tmp_path, turn, scenario)


# Flipped bytes


FLIPS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=5)


def files_below(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


def flip(path: Path, flips: list[tuple[int, int]]) -> int:
    """Damage a file; return how many bytes of it are others now.

    Its last newline is spared: without it a line whose checksum fits is read all the same, and one
    whose checksum does not fit is what a power cut leaves.
    """
    data = bytearray(path.read_bytes())
    before = bytes(data)
    for offset, mask in flips:
        data[offset % (len(data) - 1)] ^= mask
    path.write_bytes(data)
    return sum(a != b for a, b in zip(before, data, strict=True))


def flip_last(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@given(flips=FLIPS, which=st.integers(0, 10))
@settings(deadline=None, max_examples=60)
def test_bytes_flipped_in_a_segment_are_named_and_cost_no_other_event(
    flips: list[tuple[int, int]], which: int
) -> None:
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(_flip_in_a_segment(Path(home), flips, which))


async def _flip_in_a_segment(folder: Path, flips: list[tuple[int, int]], which: int) -> None:
    store = LogStore(folder, segment_bytes=SEGMENT_BYTES)
    await store.open()
    for sequence in range(1, 13):
        await store.commit([StoredEvent(sequence, f"e{sequence}", PAYLOAD)], ())
    await store.close()
    paths = files_below(folder, "events-*")
    flipped = flip(paths[which % len(paths)], flips)
    again = LogStore(folder)
    damages = await again.open()
    left = list(again.pending())
    events, unreadable = await again.read([ref.sequence for ref in left])
    await again.close()
    assert unreadable == []
    assert all(event.payload == PAYLOAD for event in events), "nothing comes back changed"
    lost = 12 - len(left)
    assert lost <= flipped
    assert len(damages) <= 2 * flipped
    assert damages or not lost, "an event may be whole though the newline behind it is not"
    assert again.next_sequence > 12 - lost


async def test_a_flipped_last_newline_costs_nothing(tmp_path: Path) -> None:
    store = LogStore(tmp_path)
    await store.open()
    await store.commit([StoredEvent(1, "e1", PAYLOAD)], ())
    await store.close()
    (path,) = files_below(tmp_path, "events-*")
    flip_last(path)
    again = LogStore(tmp_path)
    assert await again.open() == []
    events, damages = await again.read([1])
    await again.close()
    assert [event.payload for event in events] == [PAYLOAD]
    assert damages == []


@given(flips=FLIPS)
@settings(deadline=None, max_examples=60)
def test_bytes_flipped_among_dead_letters_and_seen_ids_cost_nothing_else(
    flips: list[tuple[int, int]],
) -> None:
    """What is damaged there is named; the inbox works, and at worst handles again what is gone."""
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(_flip_in_a_receiver(Path(home), flips))


async def _flip_in_a_receiver(folder: Path, flips: list[tuple[int, int]]) -> None:
    receiver = Receiver(folder, UnreliableDisk())
    await receiver.start()
    await receiver.take(0, 9)
    await receiver.stop()
    (dead,) = files_below(folder / "dead-letters", "events-*")
    flipped = flip(dead, flips)
    for path in files_below(folder / "seen", "seen-*"):
        flip(path, flips)
    receiver.reports.clear()
    await receiver.start()
    await receiver.take(0, 12)
    await receiver.stop()
    assert set(receiver.got) == everything(0, 12) - {"e3"}
    assert any("damaged" in report for report in receiver.reports) or not flipped


@given(flips=FLIPS, which=st.integers(0, 10))
@settings(deadline=None, max_examples=40)
def test_bytes_flipped_in_a_file_of_an_event_cost_no_other(
    flips: list[tuple[int, int]], which: int
) -> None:
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(_flip_in_a_file(Path(home), flips, which))


async def _flip_in_a_file(folder: Path, flips: list[tuple[int, int]], which: int) -> None:
    store = files_by_day(folder, UnreliableDisk())
    await store.open()
    for sequence in range(1, 5):
        await store.commit([StoredEvent(sequence, f"e{sequence}", PAYLOAD)], ())
    await store.close()
    paths = files_below(folder, "*")
    flip(paths[which % 4], flips)
    again = files_by_day(folder, UnreliableDisk())
    await again.open()
    refs = list(again.pending())
    events, _ = await again.read([ref.sequence for ref in refs])
    await again.close()
    sound = {event.event_id for event in events if event.payload == PAYLOAD}
    assert len(sound) >= 3
