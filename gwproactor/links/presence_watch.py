"""The presence record on one connection: read, judged, written. See `core.presence`.

SUBSCRIBE and UNSUBSCRIBE go out together: a broker handles them in order, so the record that it
keeps comes before the answer to the second, and nothing of it comes later. In the same way a second
UNSUBSCRIBE tells that our record was written: a write that was lost with its connection must not
make the record of a dead node look like one in the place of our own. None of this concerns the comm
state.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from gwproactor.errors import ConnectionLostError, UsageError
from gwproactor.links.core.presence import Intruder, Presence, presence_topic
from gwproactor.links.transport import Connection, ReceivedPacket, SendOptions
from gwproactor.wire.payloads import now_ms

_KEPT = SendOptions(retain=True)


class PresenceWatch:
    """Looks after the record on one connection. For the loop only.

    Args:
        presence: What the link knows.
        connection: The connection.
        place: The broker.
        client_id: Under which it is connected.
        conflict: Called once, when another node is proven.
    """

    def __init__(
        self,
        presence: Presence,
        connection: Connection,
        place: str,
        client_id: str,
        conflict: Callable[[Intruder], None],
    ) -> None:
        self._presence = presence
        self._connection = connection
        self._place = place
        self._topic = presence_topic(client_id)
        self._conflict = conflict
        self._record: bytes | None = None

    def begin(self) -> None:
        """Read what is there, and write when that was no proof; on an armed link only."""
        if not self._presence.armed or not self._connection.can_retain:
            return
        with contextlib.suppress(ConnectionLostError, UsageError):
            self._connection.subscribe([(self._topic, 0)])
            self._connection.unsubscribe([self._topic]).add_done_callback(self._was_read)

    def take(self, packet: ReceivedPacket) -> bool:
        """Take a packet where it is the record. Returns whether it was."""
        if packet.topic != self._topic:
            return False
        self._record = packet.payload
        return True

    def end(self) -> None:
        """Take our record away: this node stops in good order."""
        if self._presence.has_written(self._place):
            with contextlib.suppress(ConnectionLostError):
                self._connection.publish(self._topic, b"", _KEPT)

    def _was_read(self, answer: "asyncio.Future[Sequence[int]]") -> None:
        if answer.cancelled() or answer.exception() is not None:
            return
        # What came with the answer is taken by the reader of the connection in its next turn.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._judge)

    def _judge(self) -> None:
        intruder = self._presence.judge(self._place, self._record)
        if intruder is not None:
            self._conflict(intruder)
            return
        with contextlib.suppress(ConnectionLostError):
            self._connection.publish(self._topic, self._presence.record(now_ms()), _KEPT)
            self._connection.unsubscribe([self._topic]).add_done_callback(self._was_written)

    def _was_written(self, answer: "asyncio.Future[Sequence[int]]") -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._presence.wrote(self._place)
