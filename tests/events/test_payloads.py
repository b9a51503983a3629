"""Payloads in memory and read back: what is kept is there, and what is gone is named."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.errors import StoreError
from gwproactor.events import payloads as payloads_module
from gwproactor.events import reporting
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.payloads import Payloads
from gwproactor.events.store import EventRef, ReadBack, StoredEvent


def event(sequence: int, payload: bytes = b"12345") -> StoredEvent:
    return StoredEvent(sequence, f"e{sequence}", payload)


def payloads(store: MemoryStore, max_bytes: int = 10) -> Payloads:
    def report(summary: str, details: str) -> None:
        raise AssertionError(summary, details)

    return Payloads(store, "events", max_bytes=max_bytes, report=report)


def test_what_is_kept_is_there_until_it_is_dropped() -> None:
    kept = payloads(MemoryStore())
    kept.keep(event(1))
    kept.keep(event(1))
    assert kept.get(event(1).ref) == event(1)
    assert kept.size_bytes == 5
    kept.drop(1)
    kept.drop(1)
    assert kept.get(event(1).ref) is None
    assert kept.size_bytes == 0


def test_full_is_beyond_the_limit() -> None:
    kept = payloads(MemoryStore())
    full = []
    for sequence in range(3):
        kept.keep(event(sequence))
        full.append(kept.is_full)
    assert full == [False, False, True]
    assert kept.get(event(2).ref) is not None  # what is needed is kept all the same


async def test_the_missing_are_read_and_the_gone_are_named() -> None:
    store = MemoryStore()
    await store.commit([event(1), event(2)], ())
    kept = payloads(store)
    kept.keep(event(3))
    gone = EventRef(4, "e4", 10)
    ((ref, damage),), _ = await kept.read_back([event(n).ref for n in (1, 2, 3)] + [gone])
    assert ref == gone
    assert (damage.event_id, damage.sequence) == ("e4", 4)
    assert [kept.get(event(n).ref) for n in (1, 2, 3)] == [event(n) for n in (1, 2, 3)]


class BadSectors(MemoryStore):
    """A store that cannot read some of its events now."""

    def __init__(self, *bad: int) -> None:
        super().__init__()
        self.bad = set(bad)
        self.reads = 0

    async def read(self, sequences: Sequence[int]) -> ReadBack:
        self.reads += 1
        if self.bad.intersection(sequences):
            raise StoreError("bad sector")
        return await super().read(sequences)


class Reading:
    """Events in a store of which some cannot be read, a clock that a test moves, and reports."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *bad: int, **options: int) -> None:
        self.store = BadSectors(*bad)
        self.now = 1000.0
        self.reports: list[str] = []
        moved = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(payloads_module, "time", moved)
        monkeypatch.setattr(reporting, "time", moved)
        self.kept = Payloads(
            self.store,
            "events",
            max_bytes=10,
            report=lambda summary, details: self.reports.append(f"{summary}: {details}"),
            **options,
        )

    async def read(self, refs: Sequence[EventRef]) -> tuple[list[int], dict[int, float]]:
        """Which are in memory then, and which wait for how long."""
        lost, resting = await self.kept.read_back(refs)
        assert lost == []
        here = [ref.sequence for ref in refs if self.kept.get(ref)]
        return here, {ref.sequence: due_at - self.now for ref, due_at in resting.items()}


async def stored(reading: Reading, count: int) -> list[EventRef]:
    events = [event(n) for n in range(1, count + 1)]
    await reading.store.commit(events, ())
    return [each.ref for each in events]


@settings(deadline=None)
@given(bad=st.sets(st.integers(1, 40), max_size=5), count=st.integers(1, 40))
async def test_bad_sectors_hold_up_no_other_and_lose_nothing(bad: set[int], count: int) -> None:
    bad = {sequence for sequence in bad if sequence <= count}
    with pytest.MonkeyPatch.context() as patch:
        reading = Reading(patch, *bad)
        refs = await stored(reading, count + 1)
        good = [ref.sequence for ref in refs if ref.sequence not in bad]
        here, resting = await reading.read(refs)
        assert here == good
        assert resting == dict.fromkeys(bad, pytest.approx(0.05))
        assert [report.partition(":")[0] for report in reading.reports] == [
            "Reading events back is in trouble"
        ] * bool(bad)


async def test_a_bad_sector_is_tried_ever_later_and_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading = Reading(monkeypatch, 2)
    refs = await stored(reading, 3)
    waited = []
    for _ in range(5):
        here, resting = await reading.read(refs)
        assert here == [1, 3]
        waited.append(resting[2])
        reads = reading.store.reads
        assert (await reading.read(refs))[0] == [1, 3]
        assert reading.store.reads == reads  # it is not due yet
        reading.now += resting[2]
    assert waited == [pytest.approx(0.05 * 2**n) for n in range(5)]
    assert len(reading.reports) == 1


async def test_others_that_can_be_read_do_not_end_the_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading = Reading(monkeypatch, 2)
    refs = await stored(reading, 5)
    await reading.read(refs[:3])
    await reading.read(refs[3:])
    assert len(reading.reports) == 1
    reading.store.bad.clear()
    reading.now += 60
    assert await reading.read(refs) == ([1, 2, 3, 4, 5], {})
    assert reading.reports[1:] == ["Reading events back works again: the trouble was: bad sector"]


async def test_where_only_the_bad_one_is_missing_another_tells_that_the_store_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading = Reading(monkeypatch, 1)
    refs = await stored(reading, 2)
    reading.kept.keep(event(2))
    assert (await reading.read(refs))[1] == {1: pytest.approx(0.05)}


async def test_a_store_that_cannot_be_read_at_all_is_asked_little_and_keeps_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading = Reading(monkeypatch, *range(1, 301))
    refs = await stored(reading, 300)
    assert await reading.read(refs) == ([], {})
    assert reading.store.reads < 20
    reading.store.bad.clear()
    assert (await reading.read(refs))[0] == list(range(1, 301))
    assert len(reading.reports) == 2


async def test_what_was_not_tried_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many fail for any to be tried alone, but one in memory tells that the store works."""
    reading = Reading(monkeypatch, *range(1, 10_001))
    refs = await stored(reading, 10_001)
    reading.kept.keep(event(10_001))
    here, _ = await reading.read(refs)  # which asserts that none is called lost
    assert here == [10_001]


async def test_a_store_that_cannot_be_read_loses_nothing_however_much_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading = Reading(monkeypatch, *range(1, 10_001))
    refs = await stored(reading, 10_000)
    assert await reading.read(refs) == ([], {})
    reading.store.bad.clear()
    assert (await reading.read(refs))[0] == list(range(1, 10_001))
