"""What a program sends over a link: messages, replies, acks and pings."""

from collections.abc import Callable, Iterable
from typing import Any

from gwproactor.errors import UsageError
from gwproactor.links.core.send_options import checked_options
from gwproactor.links.link_handle import LinkHandle
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.sent_messages import SentMessage
from gwproactor.links.transport import SendOptions
from gwproactor.wire.envelope import Message


class LinkSending(LinkHandle):
    """The part of `Link` for who has something to say. Made as a `LinkHandle`."""

    def send(
        self,
        payload: Any,
        *,
        receiver: str = "",
        ack_required: bool = True,
        qos: int | None = None,
        user_properties: Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
        expiry_seconds: int | None = None,
    ) -> SentMessage:
        """Send a message to the peer, now; it is not kept and not repeated.

        What neither socket nor broker has taken waits in memory, up to 64 MiB, and of QoS 1 and 2
        up to 10,000 messages. At that limit the connection is given up: a broker that takes so
        little takes no pings either. Who sends much awaits acks, or posts events.

        Args:
            payload: A model with a `TypeName`; its `MessageId`, where it has one, is the message's.
            receiver: An actor of the peer that it is for; the peer itself when not given.
            ack_required: The peer is to acknowledge the message; `await sent.acked()` then says
                whether it did. A missing ack also ends `active`.
            qos: The QoS to publish with; the link's when not given.
            user_properties: Pairs of texts for the receiver. MQTT 5 only, as all that follow.
            content_type: What the payload is.
            expiry_seconds: How long brokers keep it for a peer that is away; the link's when not
                given.

        Raises:
            ConnectionLostError: The link has no connection, or gave it up at that limit.
            NotRunningError: The link is stopped, or removed.
            UsageError: The payload has no `TypeName` of which a topic can be made, or holds what
                JSON cannot; or the broker speaks MQTT 3.1.1, which lacks what was asked for.
            PacketTooLargeError: The broker takes no message so long.
        """
        options = self._options_to_send(qos, user_properties, content_type, expiry_seconds)
        return self._conversation.sender.send(
            payload, options, ack_required=ack_required, receiver=receiver
        )

    def tell_of_sent(self, on_sent: Callable[[str, str, str], None]) -> None:
        """Have every message told that goes out on the link: link's name, topic, awaited id."""
        self._conversation.sender.on_sent = on_sent

    def publish(
        self,
        message: Message[Any],
        *,
        qos: int | None = None,
        user_properties: Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
        expiry_seconds: int | None = None,
        context: object = None,
    ) -> SentMessage:
        """Send a message that has its header already, as it is, on the topic that it names.

        Args:
            message: A message of this library or of `gridworks-protocol`.
            context: Anything to find again in what is returned, and where no ack comes.
            qos: See `send`, as all that follow.
            user_properties: See `send`.
            content_type: See `send`.
            expiry_seconds: See `send`.

        Raises:
            ConnectionLostError: See `send`.
            NotRunningError: See `send`.
            UsageError: See `send`.
            PacketTooLargeError: See `send`.
        """
        options = self._options_to_send(qos, user_properties, content_type, expiry_seconds)
        return self._conversation.sender.publish(message, options, context)

    def publish_bytes(self, topic: str, payload: bytes, *, qos: int | None = None) -> None:
        """Publish bytes on any topic over the link's connection, past its codec; no ack is awaited.

        Raises:
            ConnectionLostError: See `send`.
            NotRunningError: See `send`.
            UsageError: It is no topic to publish on, or no QoS.
            PacketTooLargeError: See `send`.
        """
        self._conversation.sender.publish_bytes(
            topic, payload, self._options_to_send(qos, (), None, None)
        )

    async def ping(self) -> None:
        """Ask the peer for a sign of life, now; without a connection nothing happens."""
        self._conversation.sender.ping()

    def acknowledge(self, message_id: str) -> None:
        """Acknowledge a received message that asked for it, once it is accepted.

        Without a connection nothing happens: the peer will send the message again.

        Raises:
            UsageError: No message has such an id.
        """
        self._conversation.sender.acknowledge(message_id)

    def reply(
        self,
        received: ReceivedMessage,
        payload: Any,
        *,
        ack_required: bool = True,
        qos: int | None = None,
        user_properties: Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
    ) -> SentMessage:
        """Reply to a request of the peer.

        Args:
            received: The request.
            payload: See `send`, as all that follow.
            ack_required: See `send`.
            qos: See `send`.
            user_properties: See `send`.
            content_type: See `send`.

        Raises:
            ConnectionLostError: See `send`.
            NotRunningError: See `send`.
            UsageError: The message is no request; or see `send`.
            PacketTooLargeError: See `send`.
        """
        correlation_data = received.packet.correlation_data
        if correlation_data is None:
            raise UsageError("that message is no request: it has no correlation data to reply with")
        options = self._options_to_send(qos, user_properties, content_type, None, correlation_data)
        return self._conversation.sender.send(payload, options, ack_required=ack_required)

    def _options_to_send(
        self,
        qos: int | None,
        user_properties: Iterable[tuple[str, str]],
        content_type: str | None,
        expiry_seconds: int | None,
        correlation_data: bytes | None = None,
    ) -> SendOptions:
        self._require_not_stopped()
        default_expiry = self._settings.message_expiry_seconds
        return checked_options(
            self._settings.qos if qos is None else qos,
            user_properties,
            content_type,
            default_expiry if expiry_seconds is None else expiry_seconds,
            correlation_data,
        )
