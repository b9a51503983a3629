"""The log against a model of what it promises, with errors, kills and power cuts in between."""

import errno
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gwproactor.errors import StoreError, StoreFormatError, StoreUnusableError
from gwproactor.events.segment_log import SegmentLog
from gwproactor.events.segments import encode_header, encode_put
from gwproactor.events.store import StoredEvent
from gwproactor_test.disk import ERRORS, PowerCut, UnreliableDisk

SEGMENT_BYTES = 600
"""A handful of events: segments fill, empty and are compacted all the time."""


def event(sequence: int, text: str = "") -> StoredEvent:
    payload = f'{{"n": {sequence}, "text": "{text}"}}'.encode()
    return StoredEvent(sequence, f"id-{sequence}", payload, "line")


def segment_paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("events-*"))


class LogMachine(RuleBasedStateMachine):
    """One log, its folder, and what must be in it.

    `stored` is what was reported committed and not removed. `doubtful` is what may be there after
    a restart or not: what commits that failed would have put or removed, and, after a power cut,
    what was removed without a sync.
    """

    durable = True

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name) / "outbox"
        self.disk = UnreliableDisk()
        self.stored: dict[int, StoredEvent] = {}
        self.doubtful: dict[int, StoredEvent] = {}
        self.unsynced_removals: dict[int, StoredEvent] = {}
        self.next_sequence = 1

    @initialize()
    def start(self) -> None:
        self.log = SegmentLog(
            self.folder, durable=self.durable, segment_bytes=SEGMENT_BYTES, files=self.disk
        )
        assert self.log.open() == []

    def teardown(self) -> None:
        self.disk.work()
        self.log.close()
        self.home.cleanup()

    # What the application does

    @rule(data=st.data(), puts=st.integers(0, 4), sync_removals=st.booleans())
    def commit(self, data: st.DataObject, puts: int, sync_removals: bool) -> None:
        events, removed = self.batch(data, puts)
        self.log.commit(events, removed, sync_removals=sync_removals)
        self.done(events, removed)
        if events or (sync_removals and removed):
            self.unsynced_removals.clear()

    def batch(self, data: st.DataObject, puts: int) -> tuple[list[StoredEvent], list[int]]:
        events = []
        for _ in range(puts):
            events.append(event(self.next_sequence, data.draw(st.sampled_from(["", "x" * 150]))))
            self.next_sequence += 1
        if not self.stored:
            return events, []
        choice = st.sampled_from(sorted(self.stored))
        return events, data.draw(st.lists(choice, unique=True, max_size=5))

    def done(self, events: list[StoredEvent], removed: list[int]) -> None:
        self.stored |= {event.sequence: event for event in events}
        for sequence in removed:
            self.unsynced_removals[sequence] = self.stored.pop(sequence)

    @rule(
        data=st.data(),
        puts=st.integers(1, 3),
        first=st.integers(0, 5),
        count=st.integers(1, 4),
        error=st.sampled_from(ERRORS),
        short=st.booleans(),
        repeat=st.booleans(),
    )
    def commit_with_errors(
        self,
        data: st.DataObject,
        puts: int,
        first: int,
        count: int,
        error: int,
        short: bool,
        repeat: bool,
    ) -> None:
        events, removed = self.batch(data, puts)
        self.disk.fail(first, count, error, short=short)
        try:
            self.log.commit(events, removed)
        except StoreError as failure:
            assert errno.errorcode[error] in str(failure)
            self.disk.work()
            if not repeat:
                self.doubtful |= {event.sequence: event for event in events}
                self.doubtful |= {sequence: self.stored[sequence] for sequence in removed}
                return
            self.log.commit(events, removed)
        finally:
            self.disk.work()
        self.done(events, removed)
        self.unsynced_removals.clear()

    @rule()
    def tidy(self) -> None:
        if self.log.needs_tidying:
            self.log.tidy()

    @rule(first=st.integers(0, 6), count=st.integers(1, 3), error=st.sampled_from(ERRORS))
    def tidy_with_errors(self, first: int, count: int, error: int) -> None:
        self.disk.fail(first, count, error)
        self.log.tidy()
        self.disk.work()

    # What happens to the process and the machine

    @rule()
    def stop(self) -> None:
        self.log.close()
        self.restart()

    @rule()
    def kill(self) -> None:
        self.restart()

    @rule(data=st.data())
    def cut_power(self, data: st.DataObject) -> None:
        self.disk.lose_unsynced(chooser(data))
        self.doubtful |= self.unsynced_removals
        self.restart()

    @rule(
        data=st.data(),
        puts=st.integers(0, 3),
        first=st.integers(0, 5),
        tidy=st.booleans(),
        power=st.booleans(),
    )
    def die_in_the_middle(
        self, data: st.DataObject, puts: int, first: int, tidy: bool, power: bool
    ) -> None:
        events, removed = ([], []) if tidy else self.batch(data, puts)
        self.disk.cut_power_during(first)
        try:
            if tidy:
                self.log.tidy()
            else:
                self.log.commit(events, removed)
                self.done(events, removed)
        except PowerCut:
            self.doubtful |= {event.sequence: event for event in events}
            self.doubtful |= {sequence: self.stored.pop(sequence) for sequence in removed}
        self.disk.work()
        if power:
            self.disk.lose_unsynced(chooser(data))
            self.doubtful |= self.unsynced_removals
        self.restart()

    def restart(self) -> None:
        self.start_again()
        found = {ref.sequence for ref in self.log.pending()}
        assert found >= set(self.stored) - set(self.doubtful), "a stored event is lost"
        assert found <= {*self.stored, *self.doubtful}, "a removed event is back"
        possible = self.stored | self.doubtful
        self.stored = {sequence: possible[sequence] for sequence in found}
        self.doubtful.clear()
        self.unsynced_removals.clear()
        assert self.log.next_sequence > max(found, default=0)

    def start_again(self) -> None:
        self.disk.end_process()
        self.log = SegmentLog(
            self.folder, durable=self.durable, segment_bytes=SEGMENT_BYTES, files=self.disk
        )
        assert self.log.open() == []

    # What always holds

    @invariant()
    def pending_is_what_is_stored(self) -> None:
        if hasattr(self, "log"):
            assert [ref.sequence for ref in self.log.pending()] == sorted(self.stored)

    @rule(data=st.data())
    @precondition(lambda self: self.stored)
    def read(self, data: st.DataObject) -> None:
        sequences = data.draw(st.lists(st.sampled_from(sorted(self.stored)), unique=True))
        events, damages = self.log.read([*sequences, 10**9])
        assert list(events) == [self.stored[sequence] for sequence in sequences]
        assert damages == []

    @rule()
    def files_are_few_and_true(self) -> None:
        while self.log.needs_tidying:
            before = self.log.size_bytes
            self.log.tidy()
            if self.log.size_bytes >= before:
                break
        on_disk = sum(path.stat().st_size for path in segment_paths(self.folder))
        assert on_disk >= self.log.size_bytes


def chooser(data: st.DataObject) -> Callable[[int, int], int]:
    return lambda low, high: data.draw(st.integers(low, high))


SETTINGS = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_log_keeps_its_promises() -> None:
    run_state_machine_as_test(LogMachine, settings=SETTINGS)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_log_keeps_its_promises_at_length() -> None:
    long = settings(SETTINGS, max_examples=3000, stateful_step_count=60)
    run_state_machine_as_test(LogMachine, settings=long)
