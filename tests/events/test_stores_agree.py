"""Every store against every other: what one says is stored, all say, whatever happens to them.

One machine does the same to a store in memory, a log, and a persister behind its adapter. The
store in memory is never killed: it is what must be there. After each restart the stores on disk may
have more than that, of what was never reported done or was removed and not synced; that is removed
again, and from there on all agree.
"""

import asyncio
import errno
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gwproactor.errors import StoreError
from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.persisters.persister_store import PersisterStore
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.events.store import EventStore, StoredEvent
from gwproactor_test.disk import ERRORS, PowerCut, UnreliableDisk

IDS = ["plain", "a/b", "..", "x.uid[y].json", "é\n\ud800", "%2F", "long " * 50, "2.uid[", "]", " "]
SEGMENT_BYTES = 600

Put = tuple[str, bytes, str]
"""Id, payload and tag of an event; each store gives it a sequence of its own."""

puts = st.lists(
    st.tuples(
        st.sampled_from(IDS), st.integers(0, 10**6), st.sampled_from(["", "line"])
    ).map(lambda parts: (parts[0], b'{"n": %d}' % parts[1], parts[2])),
    max_size=4,
    unique_by=lambda put: put[0],
)  # fmt: skip


class Numbered:
    """One store, and how it numbers what all of them have."""

    def __init__(self, open_store: Callable[[FileCalls], EventStore], runner: asyncio.Runner):
        self.disk = UnreliableDisk()
        self._open_store = open_store
        self._run = runner.run
        self.start()

    def start(self) -> None:
        self.store = self._open_store(self.disk)
        damages = self._run(self.store.open())
        assert damages == [], damages
        self.sequences = {ref.event_id: ref.sequence for ref in self.store.pending()}
        assert len(self.sequences) == len(self.ids()), "an id is there twice"

    def ids(self) -> list[str]:
        return [ref.event_id for ref in self.store.pending()]

    def commit(self, new: Sequence[Put], gone: Sequence[str], *, sync: bool = False) -> None:
        sequence = self.store.next_sequence
        events = [StoredEvent(sequence + n, *put) for n, put in enumerate(new)]
        removed = [self.sequences[uid] for uid in gone]
        try:
            self._run(self.store.commit(events, removed, sync_removals=sync))
        finally:
            self._run(self.store.read([]))  # what is done behind the scenes is done, too
        for uid in gone:
            del self.sequences[uid]
        self.sequences |= {event.event_id: event.sequence for event in events}

    def read(self, ids: Sequence[str]) -> list[tuple[str, bytes]]:
        events, damages = self._run(self.store.read([self.sequences[uid] for uid in ids]))
        assert damages == []
        return [(event.event_id, event.payload) for event in events]

    def stop(self) -> None:
        self._run(self.store.close())

    def die(self) -> None:
        self.disk.work()
        self.disk.fail(0, 10**9, errno.EIO)  # nothing that is done from here on is done
        self.stop()
        self.disk.end_process()
        self.disk.work()


class StoresMachine(RuleBasedStateMachine):
    """See the description of this file.

    Of each store on disk, `doubtful` is what may be there after the next restart: what commits that
    failed would have put. `removed` is what a power cut may bring back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name)
        self.runner = asyncio.Runner()
        self.removed: set[str] = set()

    @initialize(durable=st.just(True))
    def start(self, durable: bool) -> None:
        self.memory = Numbered(lambda _: MemoryStore(), self.runner)
        self.log = Numbered(self.open_log, self.runner)
        self.files = Numbered(self.open_files, self.runner)
        self.on_disk = (self.log, self.files)

    def open_log(self, disk: FileCalls) -> EventStore:
        return LogStore(self.folder / "log", segment_bytes=SEGMENT_BYTES, files=disk)

    def open_files(self, disk: FileCalls) -> EventStore:
        self.persister = TimedRollingFilePersister(self.folder / "files", files=disk)
        return PersisterStore(self.persister, report=lambda *_: None)

    def teardown(self) -> None:
        for tested in (self.memory, *self.on_disk):
            tested.disk.work()
            tested.stop()
        self.runner.close()
        self.home.cleanup()

    # What the application does

    def batch(self, new: list[Put], data: st.DataObject) -> tuple[list[Put], list[str]]:
        """Ids that are not there yet, and some of those that are."""
        there = self.memory.ids()
        gone = st.lists(st.sampled_from(there), unique=True, max_size=5) if there else st.just([])
        return [put for put in new if put[0] not in there], data.draw(gone)

    @rule(new=puts, data=st.data(), sync=st.booleans())
    def commit(self, new: list[Put], data: st.DataObject, sync: bool) -> None:
        new, gone = self.batch(new, data)
        for tested in (self.memory, *self.on_disk):
            tested.commit(new, gone, sync=sync)
        self.removed |= set(gone)
        if sync and gone:
            self.removed.clear()

    @rule(
        new=puts,
        data=st.data(),
        first=st.integers(0, 12),
        count=st.integers(1, 4),
        error=st.sampled_from(ERRORS),
        short=st.booleans(),
    )
    def commit_in_spite_of_errors(
        self, new: list[Put], data: st.DataObject, first: int, count: int, error: int, short: bool
    ) -> None:
        new, gone = self.batch(new, data)
        for tested in self.on_disk:
            tested.disk.fail(first, count, error, short=short)
            for _ in range(count):
                with suppress(StoreError):
                    tested.commit(new, gone)
                    break
            else:
                tested.disk.work()
                tested.commit(new, gone)
            tested.disk.work()
        self.memory.commit(new, gone)
        self.removed |= set(gone)

    @rule(data=st.data(), first=st.integers(0, 3), error=st.sampled_from(ERRORS))
    def read_in_spite_of_errors(self, data: st.DataObject, first: int, error: int) -> None:
        for tested in self.on_disk:
            tested.disk.fail(first, 1, error)
            with suppress(StoreError):
                tested.read(self.memory.ids())
            tested.disk.work()

    # What happens to process and machine

    @rule()
    def a_day_passes(self) -> None:
        stamps = self.persister._folder._stamps
        stamps.saw(stamps.next() + timedelta(days=1))

    @rule()
    def stop(self) -> None:
        for tested in self.on_disk:
            tested.stop()
        self.restart(set())

    @rule()
    def kill(self) -> None:
        for tested in self.on_disk:
            tested.die()
        self.restart(set())

    @rule(data=st.data())
    def cut_power(self, data: st.DataObject) -> None:
        for tested in self.on_disk:
            tested.die()
            tested.disk.lose_unsynced(chooser(data))
        self.restart(self.removed)

    @rule(new=puts, data=st.data(), first=st.integers(0, 20), power=st.booleans())
    def die_in_the_middle(
        self, new: list[Put], data: st.DataObject, first: int, power: bool
    ) -> None:
        new, gone = self.batch(new, data)
        for tested in self.on_disk:
            tested.disk.cut_power_during(first)
            with suppress(PowerCut):
                tested.commit(new, gone)
            tested.die()
            if power:
                tested.disk.lose_unsynced(chooser(data))
        self.memory.commit((), gone)
        doubtful = {put[0] for put in new} | set(gone)
        self.restart(doubtful | self.removed if power else doubtful)

    def restart(self, doubtful: set[str]) -> None:
        wanted = set(self.memory.ids())
        for tested in self.on_disk:
            tested.start()
            found = set(tested.ids())
            assert found >= wanted, f"a stored event is lost: {tested.store}"
            assert found <= wanted | doubtful, f"a removed event is back: {tested.store}"
            tested.commit((), sorted(found - wanted), sync=True)
        self.removed.clear()

    # What always holds

    @invariant()
    def all_agree(self) -> None:
        if not hasattr(self, "memory"):
            return
        ids = self.memory.ids()
        for tested in self.on_disk:
            assert tested.ids() == ids
            assert tested.store.next_sequence > max(tested.sequences.values(), default=0)
            assert tested.read(ids[::-1]) == self.memory.read(ids[::-1])

    @invariant()
    def the_persister_counts_what_is_there(self) -> None:
        if not hasattr(self, "memory"):
            return
        sizes = [path.stat().st_size for path in self.persister.pending_paths()]
        assert self.persister.curr_bytes == sum(sizes)
        assert self.persister.num_pending == len(self.memory.ids())


def chooser(data: st.DataObject) -> Callable[[int, int], int]:
    return lambda low, high: data.draw(st.integers(low, high))


SETTINGS = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_stores_agree() -> None:
    run_state_machine_as_test(StoresMachine, settings=SETTINGS)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_stores_agree_at_length() -> None:
    long = settings(SETTINGS, max_examples=1500, stateful_step_count=50)
    run_state_machine_as_test(StoresMachine, settings=long)
