"""How events are parted into messages, and what an answer means for them."""

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.events.store import StoredEvent
from gwproactor.links.core.batching import Answered, Batching
from gwproactor.wire.batches import MAX_BATCH_COUNT, BatchLimits


def batching(count: int = 1000, size_bytes: int = 262_144) -> Batching:
    found = Batching()
    assert found.heard([BatchLimits(count, size_bytes).announcement])
    return found


def events(*payload_bytes: int) -> list[StoredEvent]:
    return [StoredEvent(n, f"e{n}", b"x" * size) for n, size in enumerate(payload_bytes)]


@given(st.lists(st.integers(1, 3000), max_size=60), st.integers(1, 40), st.integers(2, 30))
def test_groups_keep_order_and_limits(sizes: list[int], count: int, most: int) -> None:
    limits = BatchLimits(most, 6000)
    groups = list(batching(*limits).groups(events(*sizes), count))
    assert [event for group in groups for event in group] == events(*sizes)
    for group in groups:
        assert 1 <= len(group) <= max(1, min(count, most))
        assert len(group) == 1 or sum(len(e.payload) + 1 for e in group) <= limits.max_bytes


def test_no_batch_is_larger_than_an_answer_can_name() -> None:
    groups = list(batching(5000).groups(events(*[10] * 1500), 4096))
    assert [len(group) for group in groups] == [MAX_BATCH_COUNT, 500]


def test_after_one_that_was_too_long_they_are_shorter() -> None:
    found = batching()
    many = events(*[200] * 400)
    first = next(iter(found.groups(many, 400)))
    found.too_long(first)
    second = next(iter(found.groups(many, 400)))
    assert len(second) <= len(first) // 2
    found.forget()
    assert found.heard([BatchLimits(1000, 262_144).announcement])
    assert len(next(iter(found.groups(many, 400)))) == len(second)
    found.connected()  # to another broker, maybe
    assert len(next(iter(found.groups(many, 400)))) == len(first)


def test_after_one_without_an_answer_they_are_shorter_to_a_bound() -> None:
    found = batching()
    many = events(*[200] * 400)
    lengths = []
    for number in range(6):
        batch = next(iter(found.groups(many, 400)))
        lengths.append(len(batch))
        found.sent(f"b{number}", batch, 1.0)
        assert found.overdue(f"b{number}") == tuple(event.event_id for event in batch)
    assert lengths == [400, 200, 100, 50, 40, 40]
    assert found.overdue("unknown") == ()
    assert found.answered("b0") is not None  # an answer that comes late still counts


def test_what_was_refused_goes_alone_until_it_is_acked() -> None:
    found = batching()
    three = events(10, 10, 10)
    found.sent("b", three, 1.0)
    found.refused("b", [1])
    assert found.answered("b") == Answered(("e0", "e2"), ("e1",), 1.0)
    assert found.answered("b") is None
    assert [len(group) for group in found.groups(three, 3)] == [1, 1, 1]
    found.landed("e1")
    assert [len(group) for group in found.groups(three, 3)] == [3]


def test_a_peer_that_says_nothing_of_batches_gets_single_events() -> None:
    found = batching()
    assert found.heard([])
    assert [len(group) for group in found.groups(events(1, 1), 5)] == [1, 1]
