"""Payloads in memory and read back: what is kept is there, and what is gone is named."""

from collections.abc import Sequence

from gwproactor.errors import StoreError
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
    ((ref, damage),) = await kept.read_back([event(n).ref for n in (1, 2, 3)] + [gone])
    assert ref == gone
    assert (damage.event_id, damage.sequence) == ("e4", 4)
    assert [kept.get(event(n).ref) for n in (1, 2, 3)] == [event(n) for n in (1, 2, 3)]


class BadSector(MemoryStore):
    """A store that cannot read one of its events now."""

    bad = 3

    async def read(self, sequences: Sequence[int]) -> ReadBack:
        if self.bad in sequences:
            raise StoreError("bad sector")
        return await super().read(sequences)


async def test_a_bad_sector_holds_up_nothing_before_it_and_loses_nothing() -> None:
    store = BadSector()
    await store.commit([event(n) for n in range(1, 5)], ())
    reports: list[str] = []
    kept = Payloads(
        store, "events", max_bytes=10, report=lambda summary, details: reports.append(summary)
    )
    refs = [event(n).ref for n in range(1, 5)]
    for _ in range(4):
        assert await kept.read_back(refs) == []
    assert [kept.get(ref) for ref in refs] == [event(1), event(2), None, None]
    store.bad = 0
    for _ in range(2):
        assert await kept.read_back(refs) == []
    assert [kept.get(ref) for ref in refs] == [event(n) for n in range(1, 5)]
    assert reports[0] == "Reading events back is in trouble"
