"""Messages for those who iterate over them instead of giving a handler.

While anybody iterates, messages go to the iterators, each of which gets all of them. A message of
QoS 1 or 2 is done, so that the broker may forget it, when the last iterator that got it asks for
the next one; where an iteration ends over a message, the broker keeps it.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator

from gwproactor.links.received_message import ReceivedMessage


class Delivery:
    """One message, and how many iterators have not finished with it.

    Args:
        received: The message.
        readers: How many iterators get it.
    """

    __slots__ = ("_readers", "received")

    def __init__(self, received: ReceivedMessage, readers: int) -> None:
        self.received = received
        self._readers = readers

    def finished(self) -> None:
        """One iterator is done with it."""
        self._readers -= 1
        if self._readers == 0:
            self.received.done()


class MessageStream:
    """The messages that one iterator has not seen yet. For the loop only.

    Args:
        max_waiting: How many may wait.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting: deque[Delivery] = deque()
        self._ended = False
        self._changed = asyncio.Event()

    def has_room(self, received: ReceivedMessage) -> bool:
        """Whether it may be put: always where the broker bounds how many there can be."""
        return received.holds_broker or len(self._waiting) < self._max_waiting

    def has_already(self, received: ReceivedMessage) -> bool:
        """Whether a first copy waits here, which then stands for this one too."""
        return received.packet.duplicate and any(
            delivery.received.stands_for(received) for delivery in self._waiting
        )

    def put(self, delivery: Delivery) -> None:
        """Add a message."""
        self._waiting.append(delivery)
        self._changed.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._changed.set()

    async def next(self) -> Delivery | None:
        """The next message; None after the last one. Cancel-safe."""
        while not self._waiting:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()


class MessageStreams:
    """All who iterate over one link's messages. For the loop only."""

    def __init__(self) -> None:
        self._streams: set[MessageStream] = set()

    def __bool__(self) -> bool:
        return bool(self._streams)

    @contextlib.contextmanager
    def open(self, max_waiting: int, *, ended: bool) -> Iterator[MessageStream]:
        """A stream of what comes from now on.

        Args:
            max_waiting: How many may wait in it.
            ended: The link is stopped already.
        """
        stream = MessageStream(max_waiting)
        if ended:
            stream.end()
        self._streams.add(stream)
        try:
            yield stream
        finally:
            self._streams.discard(stream)

    def put(self, received: ReceivedMessage) -> bool:
        """Hand a message to every iterator with room. Returns False when there was none.

        What the broker delivers again, after a reconnection, is not put beside its first copy.
        """
        if any(stream.has_already(received) for stream in self._streams):
            return True
        takers = [stream for stream in self._streams if stream.has_room(received)]
        delivery = Delivery(received, len(takers))
        for stream in takers:
            stream.put(delivery)
        return bool(takers)

    def end(self) -> None:
        """The link is stopped."""
        for stream in self._streams:
            stream.end()
