"""What a queue between threads and a loop holds, and who waits for it. Pure.

It knows no lock, thread or loop: its owner calls it with a lock held. A waiter is anything that can
be woken; to be woken is a hint to try again, not a gift, so an item stays in the queue until
somebody takes it, and a waiter that was woken and goes away instead loses nothing: it says so by
`leave`, and the hint goes to the next.

The rule that everything here keeps: while there are items, somebody who waits to read has been
woken and has not tried again yet, or nobody waits to read; the same for room and writers.
"""

from collections import deque
from typing import Generic, Protocol, TypeVar

from gwproactor.errors import QueueClosedError, QueueEmptyError, QueueFullError

T = TypeVar("T")


class Waiter(Protocol):
    """Somebody who waits for an item, or for room."""

    def wake(self) -> bool:
        """Let it try again; False where it cannot any more. Must neither block nor raise."""
        ...


class QueueState(Generic[T]):
    """The items of a bounded queue in their order, and two lines of those who wait.

    Args:
        max_items: How many it holds.
    """

    __slots__ = ("closed", "items", "max_items", "readers", "writers")

    def __init__(self, max_items: int) -> None:
        self.max_items = max_items
        self.items: deque[T] = deque()
        self.closed = False
        self.readers: deque[Waiter] = deque()
        self.writers: deque[Waiter] = deque()

    @property
    def has_room(self) -> bool:
        """Whether it takes an item, or says that it is closed, without waiting."""
        return self.closed or len(self.items) < self.max_items

    @property
    def has_news(self) -> bool:
        """Whether it gives an item, or says that it is closed, without waiting."""
        return self.closed or bool(self.items)

    def put(self, item: T) -> None:
        """Take an item in.

        Raises:
            QueueClosedError: It is closed.
            QueueFullError: There is no room.
        """
        if self.closed:
            raise QueueClosedError("the queue is closed: it takes nothing more")
        if len(self.items) >= self.max_items:
            raise QueueFullError(f"the queue is full: {self.max_items} items wait to be read")
        self.items.append(item)
        if self.readers:
            _wake_one(self.readers)

    def get(self) -> T:
        """Give the oldest item out.

        Raises:
            QueueEmptyError: There is none.
            QueueClosedError: There is none, and none can come.
        """
        if not self.items:
            if self.closed:
                raise QueueClosedError("the queue is closed, and all that it took is read")
            raise QueueEmptyError("the queue is empty")
        item = self.items.popleft()
        if self.writers:
            _wake_one(self.writers)
        return item

    def close(self) -> None:
        """Take nothing more, and wake everybody; what is in it can still be read."""
        self.closed = True
        for line in (self.readers, self.writers):
            while line:
                _wake_one(line)

    def leave(self, waiter: Waiter) -> None:
        """Let somebody go who waited and does not try again; a hint it got goes to the next."""
        for line in (self.readers, self.writers):
            if waiter in line:
                line.remove(waiter)
                return
        if self.readers and self.has_news:
            _wake_one(self.readers)
        if self.writers and self.has_room:
            _wake_one(self.writers)


def _wake_one(line: deque[Waiter]) -> None:
    """Wake the first who can be woken."""
    while line and not line.popleft().wake():
        pass
