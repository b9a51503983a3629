"""Nodes whose power is cut again and again: what was promised before, holds afterwards.

The disk is a real folder, from which a cut takes any part of what was not synced.
"""

import asyncio
import errno
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

import pytest

from gwproactor.errors import StoreError
from gwproactor.events.core.inbox import Inbox
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.incoming import IncomingEvents, ReceivedEvent
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.log.seen_log import SeenLog
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.persisters.persister_store import PersisterStore
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.events.store import EventStore
from gwproactor_test.clients import until
from gwproactor_test.disk import UnreliableDisk

MAX_UNMARKED = 8
CUTS = [12, pytest.param(400, marks=pytest.mark.prove)]


class Power:
    """The disks of one run of a node, which stop working all at once."""

    def __init__(self) -> None:
        self.disks: list[UnreliableDisk] = []

    def disk(self) -> UnreliableDisk:
        self.disks.append(UnreliableDisk())
        return self.disks[-1]

    def cut(self) -> None:
        """From here on nothing reaches a disk."""
        for disk in self.disks:
            disk.fail(0, 10**9, errno.EIO)

    def lose_unsynced(self, random: Random) -> None:
        for disk in self.disks:
            disk.end_process()
            disk.lose_unsynced(random.randint)


class Receiver:
    """One run of a receiving node, and what the world saw of it."""

    def __init__(self, folder: Path) -> None:
        self.power = Power()
        self.acked: set[str] = set()
        self.got: Counter[str] = Counter()
        self.events = IncomingEvents(
            LogStore(folder / "inbox", segment_bytes=2000, files=self.power.disk()),
            LogStore(folder / "dead", files=self.power.disk()),
            SeenLog(folder / "seen", ids_per_file=50, max_ids=10**5, files=self.power.disk()),
            Inbox(max_unmarked=MAX_UNMARKED),
            handler=self.handle,
            acknowledge=lambda link_name, event_id: self.acked.add(event_id),
            report=lambda summary, details: None,
        )

    async def handle(self, event: ReceivedEvent) -> None:
        self.got[event.event_id] += 1

    async def live(self, to_send: list[str], enough: int, random: Random) -> None:
        """Receive until the power is cut, at the latest when so many have been acknowledged."""
        await self.events.open()
        run = asyncio.create_task(self.events.run())
        for event_id in to_send:
            self.events.receive("child", event_id, b"{}")
            if random.random() < 0.2:
                await asyncio.sleep(0.001)
            if len(self.acked) > enough:
                break
        self.power.cut()
        acked, got = set(self.acked), Counter(self.got)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        with suppress(StoreError):
            await self.events.close()
        self.acked, self.got = acked, got  # what comes after the cut, nobody saw
        self.power.lose_unsynced(random)


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost_and_little_comes_twice(
    tmp_path: Path, cuts: int
) -> None:
    random = Random(cuts)
    acked: set[str] = set()
    got: Counter[str] = Counter()
    sent = 0
    for _ in range(cuts):
        unacked = [f"e{n}" for n in range(sent) if f"e{n}" not in acked]
        fresh = [f"e{n}" for n in range(sent, sent + 100)]
        sent += 100
        receiver = Receiver(tmp_path)
        await receiver.live([*unacked, *fresh], random.randrange(150), random)
        acked |= receiver.acked
        got += receiver.got
    last = Receiver(tmp_path)
    await last.events.open()
    run = asyncio.create_task(last.events.run())
    for n in range(sent):
        last.events.receive("child", f"e{n}", b"{}")
    await until(lambda: last.events.pending_count == 0)
    await last.events.close()
    await run
    got += last.got
    assert set(got) == {f"e{n}" for n in range(sent)}
    assert got.total() - len(got) <= MAX_UNMARKED * cuts


OpenStore = Callable[[FileCalls], EventStore]


class Sender:
    """One run of a sending node, and what the world saw of it."""

    def __init__(self, open_store: OpenStore, random: Random) -> None:
        self.power = Power()
        self.random = random
        self.stored: set[str] = set()
        self.arrived: set[str] = set()
        self.events = OutgoingEvents(
            open_store(self.power.disk()),
            Outbox(),
            on_stored=lambda ref: self.stored.add(ref.event_id),
            on_acked=lambda ref: None,
            report=lambda summary, details: None,
            memory_bytes=random.choice([0, 10**6]),
        )

    async def live(self, prefix: str) -> None:
        """Post events until the power is cut."""
        await self.events.open()
        run = asyncio.create_task(self.events.run())
        self.events.activated()
        for n in range(self.random.randrange(1, 150)):
            self.events.post(f"{prefix}{n}", b"{}")
            if self.random.random() < 0.2:
                await asyncio.sleep(0.001)
                await self.send_some()
        self.power.cut()
        stored = set(self.stored)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        with suppress(StoreError):
            await self.events.close()
        self.stored = stored  # what comes after the cut, nobody saw
        self.power.lose_unsynced(self.random)

    async def send_some(self) -> None:
        """Let the peer take what may be sent now, and acknowledge most of it."""
        sending = asyncio.create_task(self.events.next_to_send())
        await asyncio.wait([sending], timeout=0.01)
        if not sending.cancel():
            for event in sending.result():
                self.arrived.add(event.event_id)
                if self.random.random() < 0.8:
                    self.events.acked(event.event_id)
        await asyncio.gather(sending, return_exceptions=True)
        if self.random.random() < 0.1:
            self.events.deactivated()
            self.events.activated()


def log(folder: Path, files: FileCalls) -> EventStore:
    return LogStore(folder, segment_bytes=2000, files=files)


def files_by_day(folder: Path, files: FileCalls) -> EventStore:
    return PersisterStore(TimedRollingFilePersister(folder, files=files))


@pytest.mark.parametrize("kind", [log, files_by_day])
@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.timeout(300)
async def test_nothing_stored_is_lost(
    tmp_path: Path, cuts: int, kind: Callable[[Path, FileCalls], EventStore]
) -> None:
    random = Random(cuts)
    stored: set[str] = set()
    arrived: set[str] = set()
    for run in range(cuts):
        sender = Sender(partial(kind, tmp_path), random)
        await sender.live(f"e{run}-")
        stored |= sender.stored
        arrived |= sender.arrived
    store = kind(tmp_path, FileCalls())
    assert await store.open() == []
    pending = {ref.event_id for ref in store.pending()}
    await store.close()
    assert stored <= pending | arrived
    assert len(stored) > cuts
