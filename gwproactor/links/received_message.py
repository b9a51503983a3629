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

    def __repr__(self) -> str:
        return f"ReceivedMessage({self.link_name!r}, {self.message!r}, {self.packet.topic!r})"
