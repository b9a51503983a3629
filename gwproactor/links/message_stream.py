"""Messages for those who iterate over them instead of giving a handler.

While anybody iterates, messages go to the iterators, each of which gets all of them. A message of
QoS 1 or 2 is done, so that the broker may forget it, when the last iterator that got it asks for
the next one or is left.

Packets are acknowledged in their order, so one that is never done would in the end stop all that
comes with QoS 1. So who leaves an iteration, by `aclose` or by simply letting the iterator go, owes
nothing any more: the message in hand is done, and those that nobody has seen go to the handler, as
if nobody had iterated. Only at the end of the link they are left as they are: a broker that kept
the session delivers them again.
"""

import asyncio
import contextlib
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

    __slots__ = ("_readers", "_seen", "received")

    def __init__(self, received: ReceivedMessage, readers: int) -> None:
        self.received = received
        self._readers = readers
        self._seen = False

    def seen(self) -> ReceivedMessage:
        """One iterator gives it out now."""
        self._seen = True
        return self.received

    def finished(self) -> None:
        """One iterator is done with it."""
        self._readers -= 1
        if self._readers == 0:
            self.received.done()

    def left(self) -> bool:
        """One iterator was left before it saw it. Returns whether nobody saw or will see it."""
        if self._readers == 1 and not self._seen:
            return True
        self.finished()
        return False


class MessageStream:
    """The messages that one iterator has not finished with. For the loop only.

    Args:
        max_waiting: How many may wait.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting: deque[Delivery] = deque()
        self._current: Delivery | None = None
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

    async def next(self) -> ReceivedMessage | None:
        """The next message; None after the last one. Cancel-safe. The one before it is finished."""
        self._finish_current()
        while not self._waiting:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        self._finish_current()  # where several ask at once
        self._current = self._waiting.popleft()
        return self._current.seen()

    def leave(self) -> list[ReceivedMessage]:
        """The iterator takes no more. Returns what nobody has seen, in its order."""
        if self._ended:
            return []
        self.end()
        self._finish_current()
        waiting, self._waiting = self._waiting, deque()
        return [delivery.received for delivery in waiting if delivery.left()]

    def _finish_current(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            current.finished()


class MessageStreams:
    """All who iterate over one link's messages. For the loop only.

    Args:
        hand_back: Takes each message that nobody saw before the iteration was left.
    """

    def __init__(self, hand_back: Callable[[ReceivedMessage], None]) -> None:
        self._hand_back = hand_back
        self._streams: set[MessageStream] = set()

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
        """Put nothing more into a stream that is left, and hand back what waits in it."""
        self._streams.discard(stream)
        for received in stream.leave():
            self._hand_back(received)

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

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ReceivedMessage:
        if self._stream is None:
            self._stream = self._begin()
        received = await self._stream.next()
        if received is None:
            await self.aclose()
            raise StopAsyncIteration
        return received

    def _begin(self) -> MessageStream:
        stream = self._streams.open(self._max_waiting, ended=self._is_stopped())
        loop = asyncio.get_running_loop()
        weakref.finalize(self, _let_go, loop, self._streams, stream).atexit = False
        return stream

    async def aclose(self) -> None:
        """End the iteration; a second call does nothing."""
        stream, self._stream = self._stream, MessageStream(self._max_waiting)
        self._stream.end()
        if stream is not None:
            self._streams.close(stream)


def _let_go(
    loop: asyncio.AbstractEventLoop, streams: MessageStreams, stream: MessageStream
) -> None:
    """Nobody holds an iterator any more, which may be noticed in any thread and at any moment."""
    with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the link
        loop.call_soon_threadsafe(streams.close, stream)
