"""What goes first when there is no room; and what is gone is not kept in mind."""

import pytest

from gwproactor.config.limit_policy import LimitPolicy
from gwproactor.events.core.drop_order import DropOrder, Needed
from gwproactor.events.store import EventRef


class Events:
    """Pending events, and the order in which they go."""

    def __init__(self, policy: LimitPolicy, priorities: list[int]) -> None:
        self.pending: dict[int, EventRef] = {}
        self.order = DropOrder(policy, self.pending.get)
        for sequence, priority in enumerate(priorities):
            self.add(sequence, priority)

    def add(self, sequence: int, priority: int = 0) -> EventRef:
        ref = EventRef(sequence, f"e{sequence}", 10, "", "", priority)
        self.pending[sequence] = ref
        self.order.add(ref)
        return ref

    def victims(self, size_bytes: int, priority: int = 0) -> list[int] | None:
        refs = self.order.victims(Needed(size_bytes, priority), lambda ref: ref.sequence != 1)
        return None if refs is None else [ref.sequence for ref in refs]


def test_the_oldest_go_whatever_they_are_worth() -> None:
    events = Events(LimitPolicy.drop_oldest, [9, 0, 5, 0])
    assert events.victims(15) == [0, 2]  # 1 may not be dropped
    assert events.victims(31) is None


def test_the_lowest_go_first_and_none_that_is_worth_more() -> None:
    events = Events(LimitPolicy.drop_lowest_priority, [1, 0, 0, -1, 0, 2])
    assert events.victims(25) == [3, 2, 4]
    assert events.victims(35) is None
    assert events.victims(35, 1) == [3, 2, 4, 0]


def test_where_events_are_refused_none_goes() -> None:
    assert Events(LimitPolicy.refuse, [0, 0]).victims(1) is None


@pytest.mark.parametrize("policy", [LimitPolicy.drop_oldest, LimitPolicy.drop_lowest_priority])
def test_behind_one_that_stays_nothing_piles_up(policy: LimitPolicy) -> None:
    events = Events(policy, [0])
    for sequence in range(1, 10_000):
        ref = events.add(sequence)
        del events.pending[sequence]
        events.order.forget(ref, 1)
    assert sum(map(len, events.order._queues.values())) < 2000
    assert events.victims(10) == [0]
