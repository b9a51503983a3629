"""Events that are not yet dealt with, by key, and what they count in bytes: for outbox and inbox.

A store hands events back in the order of their sequence, and a power cut may have brought one back
whose key was taken again since. Here each key stands once, for the event that came first.
"""

from collections.abc import Callable, Hashable, Iterable
from itertools import islice
from typing import Generic, TypeVar

from gwproactor.events.store import EventRef

KeyT = TypeVar("KeyT", bound=Hashable)


class Pending(Generic[KeyT]):
    """Refs of events by their key; `in` tells whether this very event is there.

    Args:
        key: Gives the key of an event.
    """

    def __init__(self, key: Callable[[EventRef], KeyT]) -> None:
        self._key = key
        self._refs: dict[KeyT, EventRef] = {}
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._refs)

    def __contains__(self, ref: EventRef) -> bool:
        current = self._refs.get(self._key(ref))
        return current is not None and current.sequence == ref.sequence

    @property
    def size_bytes(self) -> int:
        """What all of them count."""
        return self._size_bytes

    def get(self, key: KeyT) -> EventRef | None:
        """Give the event of this key, if there is one."""
        return self._refs.get(key)

    def add(self, ref: EventRef) -> bool:
        """Take in an event, unless its key is there already; return whether it was taken in."""
        key = self._key(ref)
        if key in self._refs:
            return False
        self._refs[key] = ref
        self._size_bytes += ref.size_bytes
        return True

    def remove(self, ref: EventRef) -> bool:
        """Forget an event; return whether this very event was there."""
        if ref not in self:
            return False
        self._size_bytes -= self._refs.pop(self._key(ref)).size_bytes
        return True


def first_within(refs: Iterable[EventRef], count: int, size_bytes: int) -> list[EventRef]:
    """Give the first of `refs`, at most so many, and no more than so many bytes."""
    first = []
    for ref in islice(refs, count):
        size_bytes -= ref.size_bytes
        if size_bytes < 0:
            break
        first.append(ref)
    return first
