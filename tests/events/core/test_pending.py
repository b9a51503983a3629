"""Events by key: each key stands once, and the bytes are those of what is there."""

import tracemalloc
from uuid import uuid4

import pytest

from gwproactor.events.core.pending import Pending, first_within
from gwproactor.events.store import EventRef


def ref(sequence: int, event_id: str, size_bytes: int = 10) -> EventRef:
    return EventRef(sequence, event_id, size_bytes)


def by_id(near_count: int = 100) -> Pending[str]:
    return Pending(lambda ref: ref.event_id, near_count)


def test_a_key_stands_for_the_event_that_came_first() -> None:
    pending = by_id()
    assert pending.add(ref(1, "a"))
    assert not pending.add(ref(2, "a"))
    assert pending.get("a") == ref(1, "a")
    assert pending.get("b") is None
    assert (len(pending), pending.size_bytes) == (1, 10)


def test_only_this_very_event_is_there() -> None:
    pending = by_id()
    pending.add(ref(1, "a"))
    assert ref(1, "a") in pending
    assert ref(2, "a") not in pending
    assert ref(1, "b") not in pending


def test_what_is_removed_counts_no_more_and_only_once() -> None:
    pending = by_id()
    pending.add(ref(1, "a", 10))
    pending.add(ref(2, "b", 20))
    assert not pending.remove(ref(3, "a", 10))
    assert pending.remove(ref(1, "a", 10))
    assert not pending.remove(ref(1, "a", 10))
    assert (len(pending), pending.size_bytes) == (1, 20)


def test_an_event_given_twice_is_taken_in_once() -> None:
    pending = by_id()
    once = ref(1, "a")
    assert pending.add(once)
    assert not pending.add(once)
    assert pending.size_bytes == 10


def test_the_first_end_at_the_count_or_at_the_bytes() -> None:
    refs = [ref(n, str(n), 10) for n in range(5)]
    assert first_within(refs, 2, 1000) == refs[:2]
    assert first_within(refs, 100, 35) == refs[:3]
    assert first_within(refs, 100, 5) == []


@pytest.mark.parametrize("near_count", [0, 1, 2])
def test_near_or_far_is_the_same(near_count: int) -> None:
    pending = by_id(near_count)
    refs = [EventRef(n, f"e{n}", 10, "tag", "source", n) for n in range(1, 4)]
    for each in refs:
        assert pending.add(each)
        pending.let_go_far(each)
    assert not pending.add(ref(9, "e1"))
    assert [pending.get(each.event_id) for each in refs] == refs
    assert [pending.at(each.sequence) for each in refs] == refs
    assert all(each in pending and pending.has(each.sequence) for each in refs)
    pending.bring_near(refs[0])
    assert (len(pending), pending.size_bytes) == (3, 30)
    for each in refs:
        assert pending.remove(each)
        assert not pending.remove(each)
        assert pending.get(each.event_id) is None
    assert (len(pending), pending.size_bytes) == (0, 0)


def test_what_waits_is_small() -> None:
    count = 50_000
    refs = (EventRef(n, str(uuid4()), 300, "tag", "source") for n in range(count))
    tracemalloc.start()
    try:
        pending = by_id(near_count=0)
        for each in refs:
            pending.add(each)
            pending.let_go_far(each)
        size_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size_bytes < 100 * count
