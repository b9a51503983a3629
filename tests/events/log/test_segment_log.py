"""The log against a model of what it promises, with errors, kills and power cuts in between."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from zlib import crc32

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
from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.log.segment_log import DEFAULT_SEGMENT_BYTES, SegmentLog
from gwproactor.events.log.segments import encode_header
from gwproactor.events.store import StoredEvent
from gwproactor_test.disk import ERRORS, PowerCut, UnreliableDisk, worst

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
        if not self.works(events, removed, errno.errorcode[error]):
            self.disk.work()
            if not repeat:
                self.doubtful |= {event.sequence: event for event in events}
                self.doubtful |= {sequence: self.stored[sequence] for sequence in removed}
                return
            self.log.commit(events, removed)
        self.disk.work()
        self.done(events, removed)
        self.unsynced_removals.clear()

    def works(self, events: list[StoredEvent], removed: list[int], error_name: str) -> bool:
        try:
            self.log.commit(events, removed)
        except StoreError as error:
            if error_name not in str(error):
                raise
            return False
        return True

    @rule()
    def tidy(self) -> None:
        if self.log.needs_tidying:
            self.log.tidy()

    @rule(first=st.integers(0, 6), count=st.integers(1, 3), error=st.sampled_from(ERRORS))
    def tidy_with_errors(self, first: int, count: int, error: int) -> None:
        self.disk.fail(first, count, error)
        self.log.tidy()
        self.disk.work()

    @rule(data=st.data())
    def spoil(self, data: st.DataObject) -> None:
        """Let a file be unreadable for a while."""
        names = [path.name for path in segment_paths(self.folder)]
        if names:
            self.disk.unreadable.add(data.draw(st.sampled_from(names)))

    @rule()
    def mend(self) -> None:
        self.disk.unreadable.clear()

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
        self.disk.unreadable.clear()  # a start without some is the affair of test_unread_segments
        self.log = SegmentLog(
            self.folder, durable=self.durable, segment_bytes=SEGMENT_BYTES, files=self.disk
        )
        assert self.log.open() == []

    # What always holds

    @invariant()
    def pending_is_what_is_stored(self) -> None:
        if hasattr(self, "log") and (self.log.knows_pending or not self.disk.unreadable):
            assert [ref.sequence for ref in self.log.pending()] == sorted(self.stored)

    @rule(data=st.data())
    @precondition(lambda self: self.stored and not self.disk.unreadable)
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


@pytest.fixture(autouse=True)
def try_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read is tried again by the next call."""
    monkeypatch.setattr("gwproactor.events.log.tidying._PASSED_PAUSE_SECONDS", 0.0)


def test_log_keeps_its_promises() -> None:
    run_state_machine_as_test(LogMachine, settings=SETTINGS)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_log_keeps_its_promises_at_length() -> None:
    long = settings(SETTINGS, max_examples=3000, stateful_step_count=60)
    run_state_machine_as_test(LogMachine, settings=long)


class OpenLog(Protocol):
    """Makes a log on a folder and opens it; it is closed at the end of the test."""

    def __call__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        disk: FileCalls | None = None,
        damages: int = 0,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> SegmentLog: ...


@pytest.fixture
def opened() -> Iterator[OpenLog]:
    logs: list[SegmentLog] = []

    def open_log(
        folder: Path,
        *,
        durable: bool = True,
        disk: FileCalls | None = None,
        damages: int = 0,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> SegmentLog:
        log = SegmentLog(folder, durable=durable, segment_bytes=segment_bytes, files=disk)
        assert len(log.open()) == damages
        logs.append(log)
        return log

    yield open_log
    for log in logs:
        log.close()


def pending(log: SegmentLog) -> list[int]:
    return [ref.sequence for ref in log.pending()]


def test_refs_come_back_whole(tmp_path: Path, opened: OpenLog) -> None:
    log = opened(tmp_path / "outbox")
    stored = [
        StoredEvent(7, "é\n\ud800", b'{"a": 1}', "line"),
        StoredEvent(9, "x", b"{}", "", "src", -1),
    ]
    log.commit(stored, ())
    log.close()
    log = opened(tmp_path / "outbox")
    assert list(log.pending()) == [event.ref for event in stored]
    assert list(log.pending()) == [event.ref for event in stored]  # from the disk
    assert log.read([9, 7]) == (list(reversed(stored)), [])
    assert log.next_sequence == 10


def test_what_is_written_is_private_whatever_the_umask(tmp_path: Path, opened: OpenLog) -> None:
    before = os.umask(0)
    try:
        log = opened(tmp_path / "outbox")
        log.commit([event(1)], ())
    finally:
        os.umask(before)
    log.close()
    assert stat.S_IMODE((tmp_path / "outbox").stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in segment_paths(tmp_path / "outbox")] == [
        0o600
    ]


def test_one_stuck_event_does_not_pin_the_disk(tmp_path: Path, opened: OpenLog) -> None:
    log = opened(tmp_path)
    log.commit([event(1)], ())
    for sequence in range(2, 2000):
        log.commit([event(sequence)], [sequence - 1] if sequence > 2 else [])
        while log.needs_tidying:
            log.tidy()
    assert pending(log) == [1, 1999]
    assert sum(path.stat().st_size for path in segment_paths(tmp_path)) < 5 * SEGMENT_BYTES
    log.close()
    assert pending(opened(tmp_path)) == [1, 1999]


def test_what_was_compacted_outlives_a_power_cut(tmp_path: Path, opened: OpenLog) -> None:
    """Its old place is gone, so the new one must have been synced before."""
    disk = UnreliableDisk()
    log = opened(tmp_path, disk=disk)
    log.commit([event(1)], ())
    (first,) = segment_paths(tmp_path)
    sequence = 1
    while first.exists():
        sequence += 1
        log.commit([event(sequence)], [sequence - 1] if sequence > 2 else [])
        log.tidy()
    disk.end_process()
    disk.lose_unsynced(worst)
    assert pending(opened(tmp_path)) == [1, sequence]


def test_an_old_segment_does_not_come_back_without_the_younger_one_that_empties_it(
    tmp_path: Path, opened: OpenLog
) -> None:
    disk = UnreliableDisk()
    log = opened(tmp_path, disk=disk, segment_bytes=1)
    for sequence in range(1, 6):
        log.commit([event(sequence)], [sequence - 1] if sequence > 1 else [])
    log.tidy()
    disk.end_process()
    first_comes_back = iter([1, 0, 0, 0, 0, 0])
    disk.lose_unsynced(lambda low, high: next(first_comes_back) if high == 1 else low)
    assert pending(opened(tmp_path)) == [5]


def test_compaction_gives_a_record_back_the_newline_that_a_power_cut_took(
    tmp_path: Path, opened: OpenLog
) -> None:
    log = opened(tmp_path)
    log.commit([event(1), event(2)], ())
    log.close()
    (first,) = segment_paths(tmp_path)
    first.write_bytes(first.read_bytes().removesuffix(b"\n"))
    log = opened(tmp_path)
    sequence = 2
    while first.exists():
        sequence += 1
        log.commit([event(sequence)], [sequence - 1] if sequence > 3 else [])
        log.tidy()
    log.commit([event(sequence + 1)], ())
    kept = [1, 2, sequence, sequence + 1]
    assert log.read(kept) == ([event(n) for n in kept], [])
    log.close()
    assert pending(opened(tmp_path)) == kept


def test_many_restarts_leave_few_files(tmp_path: Path, opened: OpenLog) -> None:
    for sequence in range(1, 100):
        log = opened(tmp_path)
        log.commit([event(sequence)], ())
        while log.needs_tidying:
            log.tidy()
        log.close()
    log = opened(tmp_path)
    assert pending(log) == list(range(1, 100))
    assert len(segment_paths(tmp_path)) < 50  # 99 events of a tenth of a segment each


def test_sequences_grow_on_when_all_events_are_gone(tmp_path: Path, opened: OpenLog) -> None:
    log = opened(tmp_path)
    for sequence in range(1, 100):
        log.commit([event(sequence)], [sequence - 1])
        log.tidy()
    log.commit((), [99])
    log.close()
    log = opened(tmp_path)
    assert pending(log) == []
    assert log.next_sequence == 100


def test_a_segment_goes_for_good_before_the_one_with_its_removals(
    tmp_path: Path, opened: OpenLog
) -> None:
    folder, disk = tmp_path / "outbox", UnreliableDisk()
    for puts, removed in (([event(1)], ()), ([event(2)], (1,)), ([event(3)], (2,))):
        log = opened(folder, disk=disk)
        log.commit(puts, removed)
        log.close()
    log = opened(folder, disk=disk)
    disk.fail(1, 1, errno.EIO)  # the first segment is removed, and the folder not synced
    log.tidy()
    disk.work()
    disk.cut_power_during(1)
    with suppress(PowerCut):
        log.tidy()
    disk.work()
    kept = iter([1])  # of what is gone, the first comes back
    disk.lose_unsynced(lambda low, high: next(kept, low) if high == 1 else high)
    disk.end_process()
    assert pending(opened(folder, disk=disk)) == [3]


def test_removals_reach_the_disk_before_they_are_many(tmp_path: Path, opened: OpenLog) -> None:
    disk = UnreliableDisk()
    log = opened(tmp_path, disk=disk, segment_bytes=DEFAULT_SEGMENT_BYTES)
    log.commit([event(sequence) for sequence in range(20_000)], ())
    for sequence in range(20_000):
        log.commit((), [sequence])
    disk.end_process()
    disk.lose_unsynced(lambda low, _: low)
    back = pending(opened(tmp_path))
    assert back == list(range(20_000 - len(back), 20_000))
    assert 0 < len(back) < 4000


def flip(path: Path, text: bytes) -> None:
    data = path.read_bytes()
    at = data.index(text)
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_damage_is_named_once_and_kept_aside(tmp_path: Path, opened: OpenLog) -> None:
    log = opened(tmp_path)
    log.commit([event(1), event(2), event(3)], ())
    log.close()
    (path,) = segment_paths(tmp_path)
    flip(path, b'{"n": 2')
    broken = path.read_bytes()

    log = SegmentLog(tmp_path)
    (damage,) = log.open()
    assert damage.event_id == "id-2"
    assert str(path) in damage.place
    assert "checksum" in damage.reason
    assert pending(log) == [1, 3]
    assert log.read([1, 3]) == ([event(1), event(3)], [])
    assert [p.read_bytes() for p in (tmp_path / "damaged").iterdir()] == [broken]
    log.close()

    log = SegmentLog(tmp_path)
    assert log.open() == []
    assert pending(log) == [1, 3]


def test_a_damaged_header_costs_no_event(tmp_path: Path, opened: OpenLog) -> None:
    log = opened(tmp_path)
    log.commit([event(41)], ())
    log.close()
    flip(segment_paths(tmp_path)[0], b"gwproactor")
    log = SegmentLog(tmp_path)
    assert [damage.reason for damage in log.open()] == ["the header is damaged"]
    assert pending(log) == [41]
    log.close()
    log = SegmentLog(tmp_path)
    assert log.open() == []
    assert log.next_sequence == 42


def test_damage_found_later_is_named_and_the_segment_kept(tmp_path: Path, opened: OpenLog) -> None:
    log = opened(tmp_path)
    log.commit([event(1), event(2)], ())
    path = segment_paths(tmp_path)[0]
    flip(path, b'{"n": 1')
    events, (damage,) = log.read([1, 2])
    assert events == [event(2)]
    assert (damage.sequence, damage.event_id) == (1, "id-1")
    log.commit([event(3, "x" * SEGMENT_BYTES), event(4)], [1, 2])
    log.commit([event(5)], [3, 4])
    log.tidy()
    assert not path.exists()
    assert [p.name for p in (tmp_path / "damaged").iterdir()] == [path.name]


def test_a_line_in_the_place_of_another_is_damage(tmp_path: Path, opened: OpenLog) -> None:
    """As when a file was replaced by an older copy of it: no event is given out for another."""
    log = opened(tmp_path)
    log.commit([event(1), event(2), event(3)], ())
    (path,) = segment_paths(tmp_path)
    header, first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + second + first + third)
    events, damages = log.read([1, 2, 3])
    assert events == [event(3)]
    assert [damage.sequence for damage in damages] == [1, 2]


def test_a_repair_that_is_cut_short_costs_no_sound_event(tmp_path: Path, opened: OpenLog) -> None:
    for calls in range(20):
        folder, disk = tmp_path / str(calls), UnreliableDisk()
        log = opened(folder, disk=disk)
        log.commit([event(1), event(2), event(3)], ())
        log.close()
        flip(segment_paths(folder)[0], b'{"n": 2')
        disk.cut_power_during(calls)
        with suppress(PowerCut):
            SegmentLog(folder, files=disk).open()
        disk.end_process()
        disk.lose_unsynced(worst)
        again = SegmentLog(folder)
        again.open()
        assert pending(again) == [1, 3]


def test_damage_that_cannot_be_repaired_is_named_again(tmp_path: Path, opened: OpenLog) -> None:
    log = opened(tmp_path)
    log.commit([event(1), event(2)], ())
    log.close()
    flip(segment_paths(tmp_path)[0], b'{"n": 2')
    for _ in range(2):
        disk = UnreliableDisk()
        disk.fail(5, 100, errno.EROFS)  # after the folder was read
        log = opened(tmp_path, durable=False, disk=disk, damages=1)
        assert pending(log) == [1]
    assert sorted(path.name for path in tmp_path.iterdir()) in (
        ["events-0000000001.log"],
        ["damaged", "events-0000000001.log"],
    )


def test_a_read_that_fails_once_at_the_start_costs_nothing(tmp_path: Path, opened: OpenLog) -> None:
    log = opened(tmp_path)
    log.commit([event(1)], ())
    log.close()
    disk = UnreliableDisk()
    disk.fail(3, 1, errno.EIO)  # after the folder was read
    log = opened(tmp_path, disk=disk)
    assert pending(log) == [1]
    assert log.next_sequence == 2


@pytest.mark.parametrize("error", [errno.EACCES, errno.EPERM])
def test_a_segment_that_this_process_may_not_read_is_a_refusal(
    tmp_path: Path, opened: OpenLog, error: int
) -> None:
    log = opened(tmp_path)
    log.commit([event(1)], ())
    log.close()
    disk = UnreliableDisk()
    disk.fail(3, 100, error)
    with pytest.raises(StoreUnusableError, match=r"events-0000000001\.log.*E(ACCES|PERM)"):
        SegmentLog(tmp_path, durable=False, files=disk).open()
    assert [path.name for path in tmp_path.iterdir()] == ["events-0000000001.log"]
    assert pending(opened(tmp_path)) == [1]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("error", [errno.EMFILE, errno.EIO, errno.ENOENT])
def test_a_reading_error_condemns_no_event(
    tmp_path: Path, opened: OpenLog, error: int, first: int
) -> None:
    disk = UnreliableDisk()
    log = opened(tmp_path, disk=disk)
    log.commit([event(1)], ())
    disk.fail(first, 1, error)
    with pytest.raises(StoreError, match=errno.errorcode[error]):
        log.read([1])
    assert log.read([1]) == ([event(1)], [])


def test_events_of_a_file_that_is_gone_are_damaged(tmp_path: Path, opened: OpenLog) -> None:
    log = opened(tmp_path)
    log.commit([event(1)], ())
    segment_paths(tmp_path)[0].unlink()
    events, (damage,) = log.read([1])
    assert events == []
    assert (damage.sequence, damage.reason) == (1, "the file is gone")


def test_a_folder_that_is_gone_may_come_back(tmp_path: Path, opened: OpenLog) -> None:
    log = opened(tmp_path / "outbox")
    log.commit([event(1)], ())
    (tmp_path / "outbox").rename(tmp_path / "unmounted")
    with pytest.raises(StoreError, match="ENOENT"):
        log.read([1])
    (tmp_path / "unmounted").rename(tmp_path / "outbox")
    assert log.read([1]) == ([event(1)], [])


def test_a_folder_that_vanished_is_made_anew_and_nothing_new_is_lost(
    tmp_path: Path, opened: OpenLog
) -> None:
    """What lay in it is named when it is asked for; a commit never goes into a removed file."""
    folder = tmp_path / "outbox"
    log = opened(folder)
    log.commit([event(1)], ())
    shutil.rmtree(folder)
    with pytest.raises(StoreError, match="ENOENT"):
        log.commit([event(2)], ())
    log.commit([event(2)], ())
    events, (damage,) = log.read([1, 2])
    assert events == [event(2)]
    assert (damage.sequence, damage.reason) == (1, "the file is gone")
    log.close()
    assert pending(opened(folder)) == [2]


def test_a_folder_replaced_while_it_is_used_takes_a_fresh_segment(
    tmp_path: Path, opened: OpenLog
) -> None:
    folder = tmp_path / "outbox"
    log = opened(folder)
    log.commit([event(1)], ())
    folder.rename(tmp_path / "elsewhere")
    shutil.copytree(tmp_path / "elsewhere", folder)
    (path,) = segment_paths(folder)
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="another file"):
        log.commit([event(2)], ())
    log.commit([event(2)], ())
    log.close()
    assert pending(opened(folder)) == [2]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_at_any_call_loses_nothing_and_leaves_no_junk(
    tmp_path: Path, error: int, opened: OpenLog
) -> None:
    for first in range(6):
        folder = tmp_path / str(first)
        disk = UnreliableDisk()
        log = opened(folder, disk=disk)
        log.commit([event(1)], ())
        files = len(list(folder.iterdir()))
        for attempt in range(4):
            disk.fail(0 if attempt else first, 1, error)
            with suppress(StoreError):
                log.commit([event(2)], [1])
            disk.work()
            assert len(list(folder.iterdir())) <= files + 1
        log.commit([event(2)], [1])
        assert pending(log) == [2]
        log.close()
        assert pending(opened(folder)) == [2]


def test_what_a_killed_run_has_not_synced_the_next_one_syncs(
    tmp_path: Path, opened: OpenLog
) -> None:
    """From the start on it is pending, and may be called stored."""
    disk = UnreliableDisk()
    log = opened(tmp_path, disk=disk)
    disk.cut_power_during(2)  # of a commit that creates, writes, and syncs
    with pytest.raises(PowerCut):
        log.commit([event(1)], ())
    disk.end_process()
    assert pending(opened(tmp_path, disk=disk)) == [1]
    disk.end_process()
    disk.lose_unsynced(worst)
    assert pending(opened(tmp_path)) == [1]


@pytest.mark.parametrize("committed_before", [0, 1])
def test_what_a_failed_commit_has_written_is_not_found_by_the_next_run(
    tmp_path: Path, opened: OpenLog, committed_before: int
) -> None:
    """What was refused as not stored is not sent after all, where the disk lets us cut it off."""
    disk = UnreliableDisk()
    log = opened(tmp_path, disk=disk)
    before = list(range(1, committed_before + 1))
    for sequence in before:
        log.commit([event(sequence)], ())
    disk.fail(1 if before else 2, 1, errno.EIO)  # the sync, when all is written
    with pytest.raises(StoreError, match="EIO"):
        log.commit([event(7)], ())
    log.close()
    assert pending(opened(tmp_path)) == before


def test_a_folder_that_cannot_be_made_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusableError, match="file"):
        SegmentLog(tmp_path / "file" / "outbox").open()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    text = encode_header(1).replace(b"format 002", b"format 007").split(b", crc")[0]
    (tmp_path / "events-0000000001.log").write_bytes(b"%b, crc %08x\n" % (text, crc32(text)))
    with pytest.raises(StoreFormatError, match=r"events-0000000001\.log.*format 7"):
        SegmentLog(tmp_path).open()


def test_other_files_are_left_alone(tmp_path: Path, opened: OpenLog) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "events-0000000001.log.tmp").write_text("left by a kill")
    log = opened(tmp_path)
    log.commit([event(1)], ())
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "events-0000000001.log.tmp").exists()
