"""Which events go first when there is no room: by the policy of the limit.

With `drop_oldest` the oldest, whatever it is; with `drop_lowest_priority` the oldest of the lowest
priority, but never one of a higher priority than the new event. With `refuse` none, and nothing is
kept here.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from gwproactor.config.limit_policy import LimitPolicy
from gwproactor.events.core.sequence_queue import SequenceQueue
from gwproactor.events.store import EventRef

_SPARE_COUNT = 1000
"""So many sequences of events that are gone may stay in the queues."""


class Needed(NamedTuple):
    """What is to be made room for."""

    size_bytes: int
    priority: int


class DropOrder:
    """The order in which events may be dropped.

    Args:
        policy: What happens at the limit.
        find: Gives a pending event by its sequence, None for one that is gone.
    """

    def __init__(self, policy: LimitPolicy, find: Callable[[int], EventRef | None]) -> None:
        self._policy = policy
        self._find = find
        self._queues: dict[int, SequenceQueue] = {}
        self._queued_count = 0

    def add(self, ref: EventRef) -> None:
        """Take in a pending event, the youngest."""
        if self._policy is LimitPolicy.refuse:
            return
        self._queues.setdefault(self._rank(ref.priority), SequenceQueue()).append(ref.sequence)
        self._queued_count += 1

    def add_late(self, refs: Iterable[EventRef]) -> None:
        """Take in pending events that are older than others."""
        if self._policy is LimitPolicy.refuse:
            return
        by_rank: dict[int, list[int]] = {}
        for ref in refs:
            by_rank.setdefault(self._rank(ref.priority), []).append(ref.sequence)
        for rank, sequences in by_rank.items():
            self._queues.setdefault(rank, SequenceQueue()).put_back(sequences)
            self._queued_count += len(sequences)

    def _rank(self, priority: int) -> int:
        return priority if self._policy is LimitPolicy.drop_lowest_priority else 0

    def forget(self, ref: EventRef, pending_count: int) -> None:
        """Take note that an event is gone, and that so many are left."""
        if self._policy is LimitPolicy.refuse:
            return
        rank = self._rank(ref.priority)
        queue = self._queues.get(rank)
        while queue and self._find(queue.first) is None:
            queue.popleft()
            self._queued_count -= 1
        if queue is not None and not queue:
            del self._queues[rank]
        if self._queued_count > 2 * pending_count + _SPARE_COUNT:
            self._tidy()

    def _tidy(self) -> None:
        """Forget what is gone, though something before it stays."""
        queues, self._queues, self._queued_count = self._queues, {}, 0
        for queue in queues.values():
            for sequence in queue:
                ref = self._find(sequence)
                if ref is not None:
                    self.add(ref)

    def victims(
        self, needed: Needed, may_drop: Callable[[EventRef], bool]
    ) -> list[EventRef] | None:
        """Give the events that make room together; None when there are not enough of them."""
        victims: list[EventRef] = []
        missing_bytes = needed.size_bytes
        for rank in sorted(self._queues):
            if rank > self._rank(needed.priority):
                break
            for sequence in self._queues[rank]:
                ref = self._find(sequence)
                if ref is None or not may_drop(ref):
                    continue
                victims.append(ref)
                missing_bytes -= ref.size_bytes
                if missing_bytes <= 0:
                    return victims
        return None
