"""Events by key: each key stands once, and the bytes are those of what is there."""

from gwproactor.events.core.pending import Pending, first_within
from gwproactor.events.store import EventRef


def ref(sequence: int, event_id: str, size_bytes: int = 10) -> EventRef:
    return EventRef(sequence, event_id, size_bytes)


def by_id() -> Pending[str]:
    return Pending(lambda ref: ref.event_id)


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
