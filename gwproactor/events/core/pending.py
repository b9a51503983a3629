"""Events that are not yet dealt with, by key, and what they count in bytes: for outbox and inbox.

A store hands events back in the order of their sequence, and a power cut may have brought one back
whose key was taken again since. Here each key stands once, for the event that came first.

Events are *near*, as objects in dicts, or *far*, packed into tables: looking one up there takes a
little longer, and a million of them take some 50 MB. The owner says which events may go far, and
as long as they are few they stay near.
"""

from collections.abc import Callable, Hashable, Iterable
from itertools import islice
from typing import Generic, TypeVar

from gwproactor.events.core.hash_index import HashIndex
from gwproactor.events.core.ref_table import RefTable
from gwproactor.events.store import EventRef

KeyT = TypeVar("KeyT", bound=Hashable)

NEAR_COUNT = 10_000
"""So many may be near, whether they are needed or not; they take about 6 MB."""


class Pending(Generic[KeyT]):
    """Refs of events by their key; `in` tells whether this very event is there.

    Args:
        key: Gives the key of an event.
        near_count: How many stay near.
    """

    def __init__(self, key: Callable[[EventRef], KeyT], near_count: int = NEAR_COUNT) -> None:
        self._key = key
        self._near_count = near_count
        self._refs: dict[KeyT, EventRef] = {}
        self._by_sequence: dict[int, EventRef] = {}
        self._far = RefTable()
        self._far_keys: HashIndex | None = None
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._refs) + len(self._far)

    def __contains__(self, ref: EventRef) -> bool:
        current = self.at(ref.sequence)
        return current is not None and self._key(current) == self._key(ref)

    @property
    def size_bytes(self) -> int:
        """What all of them count."""
        return self._size_bytes

    def has(self, sequence: int) -> bool:
        """Whether the event of this sequence is there."""
        return sequence in self._by_sequence or sequence in self._far

    def at(self, sequence: int) -> EventRef | None:
        """Give the event of this sequence, if it is there."""
        return self._by_sequence.get(sequence) or self._far.get(sequence)

    def get(self, key: KeyT) -> EventRef | None:
        """Give the event of this key, if there is one."""
        ref = self._refs.get(key)
        if ref is None and self._far:
            return self._get_far(key)
        return ref

    def _get_far(self, key: KeyT) -> EventRef | None:
        assert self._far_keys is not None
        for sequence in self._far_keys.find(hash(key)):
            ref = self._far.get(sequence)
            if ref is not None and self._key(ref) == key:
                return ref
        return None

    def add(self, ref: EventRef) -> bool:
        """Take in an event, unless its key is there already; return whether it was taken in."""
        key = self._key(ref)
        if self.get(key) is not None:
            return False
        self._refs[key] = self._by_sequence[ref.sequence] = ref
        self._size_bytes += ref.size_bytes
        return True

    def add_all(self, refs: Iterable[EventRef]) -> tuple[list[EventRef], list[EventRef]]:
        """Take in events as `add` does; return those taken in, and the others."""
        new: list[EventRef] = []
        doubles: list[EventRef] = []
        for ref in refs:
            (new if self.add(ref) else doubles).append(ref)
        return new, doubles

    def remove(self, ref: EventRef) -> bool:
        """Forget an event; return whether this very event was there."""
        if ref not in self:
            return False
        self.bring_near(ref)
        del self._by_sequence[ref.sequence]
        self._size_bytes -= self._refs.pop(self._key(ref)).size_bytes
        return True

    def let_go_far(self, ref: EventRef) -> None:
        """Pack an event that is there and not needed soon, unless few are near."""
        if len(self._refs) <= self._near_count or self._by_sequence.pop(ref.sequence, None) is None:
            return
        key = self._key(ref)
        del self._refs[key]
        self._far_keys = self._far_keys or HashIndex()
        self._far_keys.add(hash(key), ref.sequence)
        self._far.put(ref)

    def bring_near(self, ref: EventRef) -> None:
        """Unpack an event, which is needed now."""
        if self._far_keys is None or ref.sequence not in self._far:
            return
        key = self._key(ref)
        self._far.remove(ref.sequence)
        self._far_keys.remove(hash(key), ref.sequence)
        self._refs[key] = self._by_sequence[ref.sequence] = ref


def first_within(refs: Iterable[EventRef], count: int, size_bytes: int) -> list[EventRef]:
    """Give the first of `refs`, at most so many, and no more than so many bytes."""
    first = []
    for ref in islice(refs, count):
        size_bytes -= ref.size_bytes
        if size_bytes < 0:
            break
        first.append(ref)
    return first
