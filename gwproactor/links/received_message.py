"""A message as the program around a link gets it: what was said, and how it came."""

from collections.abc import Callable
from typing import Any

from gwproactor.links.transport import ReceivedPacket
from gwproactor.wire.envelope import Message


class ReceivedMessage:
    """A message, and the MQTT packet in which it came.

    Args:
        link_name: The link it came over.
        message: The message, as the link's codec made it.
        packet: Topic, QoS, user properties, content type and whatever else MQTT says of it.
        received_at: When it came, monotonic seconds.
        wants_ack: The peer waits for an ack; see `Link.acknowledge`.
        finish: Called once, with the packet, by `done`.
    """

    __slots__ = ("_finish", "link_name", "message", "packet", "received_at", "wants_ack")

    def __init__(
        self,
        link_name: str,
        message: Message[Any],
        packet: ReceivedPacket,
        received_at: float,
        *,
        wants_ack: bool = False,
        finish: Callable[[ReceivedPacket], None] | None = None,
    ) -> None:
        self.link_name = link_name
        self.message = message
        self.packet = packet
        self.received_at = received_at
        self.wants_ack = wants_ack
        self._finish = finish

    @property
    def holds_broker(self) -> bool:
        """Whether the broker keeps the message until `done`, to deliver it again where that fails.

        So it is with QoS 1 and 2; after `done` it is so no more.
        """
        return self._finish is not None

    def expired(self, now: float) -> bool:
        """Whether the message is worth nothing any more, by what its sender said.

        Args:
            now: The present moment, monotonic seconds.
        """
        seconds = self.packet.expiry_seconds
        return seconds is not None and now >= self.received_at + seconds

    def done(self) -> None:
        """Say that the message was processed: the broker may forget it.

        With QoS 0 there is nothing to say. A second call changes nothing, nor does one after the
        connection is gone: then the broker delivers the message again, to a session that it kept.
        """
        finish, self._finish = self._finish, None
        if finish is not None:
            finish(self.packet)

    def stands_for(self, again: "ReceivedMessage") -> bool:
        """Take over what the broker delivers again, after a reconnection, while this one waits.

        So it is processed once, and `done` is said of the delivery that the broker remembers: it
        comes with the same packet id (MQTT 5, 4.4.0-1) and is marked as a duplicate.

        Args:
            again: What came now.

        Returns:
            Whether it is the same message and this one is not done; otherwise nothing happens.
        """
        if not (self.holds_broker and again.packet.duplicate and self._equals(again)):
            return False
        self.done()  # void on the connection that is gone; nothing may wait for it on one that is
        self.packet, self._finish = again.packet, again.hand_over()
        return True

    def hand_over(self) -> Callable[[ReceivedPacket], None] | None:
        """Leave it to another to say that this one is done; returns how."""
        finish, self._finish = self._finish, None
        return finish

    def _equals(self, other: "ReceivedMessage") -> bool:
        mine, others = self.packet, other.packet
        return (
            self.link_name == other.link_name
            and mine.packet_id == others.packet_id
            and mine.topic == others.topic
            and mine.payload == others.payload
        )

    def __repr__(self) -> str:
        return f"ReceivedMessage({self.link_name!r}, {self.message!r}, {self.packet.topic!r})"
