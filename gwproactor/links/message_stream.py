"""Messages for those who iterate over them instead of giving a handler.

While anybody iterates, messages go to the iterators, each of which gets all of them. A message of
QoS 1 or 2 is done, so that the broker may forget it, when the last iterator that got it asks for
the next one; where an iteration ends over a message, the broker keeps it. A link knows its
iterators by weak references, so one that was simply left takes no messages any more.
"""

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from typing import Self

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
        self._streams: weakref.WeakSet[MessageStream] = weakref.WeakSet()

    def __bool__(self) -> bool:
        return bool(self._streams)

    def open(self, max_waiting: int, *, ended: bool) -> MessageStream:
        """A stream of what comes from now on, until `close`.

        Args:
            max_waiting: How many may wait in it.
            ended: The link is stopped already.
        """
        stream = MessageStream(max_waiting)
        if ended:
            stream.end()
        self._streams.add(stream)
        return stream

    def close(self, stream: MessageStream) -> None:
        """Put nothing more into a stream."""
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
        for stream in tuple(self._streams):
            stream.end()


class Messages:
    """An iteration over a link's messages; see `Link.messages`. For the loop only.

    Args:
        streams: All who iterate over this link's messages.
        max_waiting: How many may wait.
        is_stopped: Tells whether the link is stopped.
    """

    def __init__(
        self, streams: MessageStreams, max_waiting: int, is_stopped: Callable[[], bool]
    ) -> None:
        self._streams = streams
        self._max_waiting = max_waiting
        self._is_stopped = is_stopped
        self._stream: MessageStream | None = None
        self._current: Delivery | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ReceivedMessage:
        current, self._current = self._current, None
        if current is not None:
            current.finished()
        if self._stream is None:
            self._stream = self._streams.open(self._max_waiting, ended=self._is_stopped())
        self._current = await self._stream.next()
        if self._current is None:
            await self.aclose()
            raise StopAsyncIteration
        return self._current.received

    async def aclose(self) -> None:
        """End the iteration; a second call does nothing."""
        self._current = None
        if self._stream is not None:
            self._streams.close(self._stream)
        self._stream = MessageStream(self._max_waiting)
        self._stream.end()
