"""The port between a link and MQTT: what a connection to a broker must be able to do.

A link never touches an MQTT package. It asks a `Connector` for a connection, and the connection
serves until it is lost; there is no reconnecting inside it, and a new one is made each time, so
nothing of an old connection can reach a new one. The one adapter is
`gwproactor.links.mqtt.aiomqtt_transport`.

Everything here is used on the event loop only. Sending never waits: acks and pings must not stand
behind anything. Who sends in bulk waits in `drain`. Receiving is in batches, because a task switch
for each message would cost more than the message.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NoReturn, Protocol

from gwproactor.config.mqtt import MQTTClient

CONNECT_TIMEOUT_SECONDS = 10.0
"""Longest attempt to connect, from the name look-up to CONNACK: a TCP handshake that loses three
SYNs takes 7 s, and beyond that a fresh attempt, perhaps to another broker, is worth more."""

RECEIVE_MAXIMUM = 64
"""QoS 1 messages that an MQTT 5 broker may have under way to us unacknowledged."""

REFUSED_REASON_CODE = 0x80
"""A reason code from here on is a refusal; below it, in a SUBACK, it is the granted QoS."""


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """One PUBLISH from the broker.

    Args:
        topic: The topic it was published on.
        payload: Its payload.
        qos: The QoS it was delivered with. From 1 on it waits for `Connection.acknowledge`.
        retain: Whether the broker had kept it from before the subscription.
        user_properties: Pairs that the sender attached; always empty with MQTT 3.1.1.
        content_type: What the sender says the payload is; None with MQTT 3.1.1.
        correlation_data: What tells the request that this answers; None with MQTT 3.1.1.
        response_topic: Where the sender wants an answer; None with MQTT 3.1.1.
        expiry_seconds: How long from now on the message is worth anything; None for ever.
        duplicate: Whether the broker delivered it before, and was not told that it arrived.
        packet_id: Identifies it in its acknowledgement; 0 with QoS 0.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    user_properties: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None
    correlation_data: bytes | None = None
    response_topic: str | None = None
    expiry_seconds: int | None = None
    duplicate: bool = False
    packet_id: int = 0


TakePackets = Callable[[Sequence[ReceivedPacket]], None]
"""Is given the packets that came together, at least one."""


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How a message is published. All but `qos` and `retain` need MQTT 5.

    Args:
        qos: How hard MQTT tries to deliver it, hop by hop.
        retain: Whether the broker keeps it for later subscribers.
        user_properties: Pairs of texts for whoever receives it.
        content_type: What the payload is.
        expiry_seconds: How long brokers keep it for a receiver that is away; None for ever.
        correlation_data: What tells the request that this answers.
        response_topic: Where an answer is wanted.
    """

    qos: int = 0
    retain: bool = False
    user_properties: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None
    expiry_seconds: int | None = None
    correlation_data: bytes | None = None
    response_topic: str | None = None

    def needs_mqtt_5(self) -> bool:
        """Whether MQTT 3.1.1 cannot say all of this."""
        return bool(self.user_properties) or not (
            self.content_type is None
            and self.expiry_seconds is None
            and self.correlation_data is None
            and self.response_topic is None
        )


PLAIN = SendOptions()
"""QoS 0 and nothing else: acks, pings, and whatever nobody said more about."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for us when the connection ends without a DISCONNECT."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Greeting:
    """What goes out right behind CONNECT, without waiting for CONNACK, and saves two round trips.

    MQTT allows it (MQTT 5 and 3.1.1, section 3.1.4): a broker that refuses the connection does not
    look at what follows, any other handles it in order, so the subscriptions stand before the
    answer to the message can come.

    Args:
        subscriptions: Filters, each with the highest QoS wanted. `Connection.subscribe` with these
            very filters returns the answer to them.
        topic: Where a first message is published, with QoS 0.
        payload: That message.
        options: How it is published; with MQTT 3.1.1, without what that cannot say.
    """

    subscriptions: tuple[tuple[str, int], ...]
    topic: str
    payload: bytes
    options: SendOptions = PLAIN


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What a link, not a broker's settings, decides about a connection.

    Args:
        client_id: MQTT client id, unless the broker's settings name one.
        max_packet_bytes: The longest packet that is read; a longer one ends the connection.
        clean_start: Whether a session that the broker may have kept is thrown away.
        session_expiry_seconds: How long the broker keeps the session after the connection.
        receive_maximum: See `RECEIVE_MAXIMUM`.
        will: Published by the broker when we vanish.
        timeout_seconds: Longest attempt to connect.
        greeting: What is sent ahead of CONNACK; None to go step by step.
    """

    client_id: str
    max_packet_bytes: int
    clean_start: bool = True
    session_expiry_seconds: int = 0
    receive_maximum: int = RECEIVE_MAXIMUM
    will: Will | None = None
    timeout_seconds: float = CONNECT_TIMEOUT_SECONDS
    greeting: Greeting | None = None


class Connection(Protocol):
    """One connection to a broker, from CONNACK until it is lost or closed.

    Every method raises ConnectionLostError, with the reason, once the connection is gone; one that
    waits raises it at that moment, and waits for as long as the connection stands: how long is too
    long, the link decides. All of them are cancel-safe and for the loop only.
    """

    @property
    def session_present(self) -> bool:
        """Whether the broker kept our session, with its subscriptions, from before."""
        ...

    @property
    def takes_properties(self) -> bool:
        """Whether messages can carry user properties: with MQTT 5."""
        ...

    @property
    def can_retain(self) -> bool:
        """Whether the broker keeps messages for later subscribers; it ends who asks in vain."""
        ...

    @property
    def last_byte_seconds(self) -> float:
        """When the broker was last heard, on the monotonic clock: any byte counts."""
        ...

    @property
    def dropped_packets(self) -> int:
        """Received packets that were thrown away, un-acked, because nobody took them in time."""
        ...

    def subscribe(
        self, subscriptions: Sequence[tuple[str, int]]
    ) -> "asyncio.Future[Sequence[int]]":
        """Send a SUBSCRIBE for filters, each with the highest QoS wanted.

        Returns:
            The SUBACK's reason code for each, once it has come: the QoS granted, or a refusal
            (`REFUSED_REASON_CODE` and above). Nobody is obliged to wait for it.

        Raises:
            UsageError: A filter is none.
        """
        ...

    def unsubscribe(self, filters: Sequence[str]) -> "asyncio.Future[Sequence[int]]":
        """Send an UNSUBSCRIBE; the same as `subscribe` otherwise. With 3.1.1 there are no codes."""
        ...

    def publish(self, topic: str, payload: bytes, options: SendOptions = PLAIN) -> None:
        """Send a message; it goes out at once where the socket takes it.

        With QoS 1 or 2 it waits where the broker has as many unacknowledged as it wants. A QoS
        higher than the broker has said that it takes is lowered to that. What waits for the socket
        or for the broker's acknowledgement is bounded, in bytes and in number; at the bound the
        connection is given up, for this broker takes nothing. Who sends much waits in `drain`.

        Raises:
            UsageError: The topic is none that MQTT can publish on, or the connection speaks MQTT
                3.1.1 and the options need MQTT 5.
            PacketTooLargeError: The broker has said that it takes no packet so long, or no
                connection does.
        """
        ...

    async def drain(self) -> None:
        """Wait until little enough of what was published still waits for socket or broker."""
        ...

    async def read(self, take: TakePackets) -> NoReturn:
        """Give `take` all packets in their order, as they come, until the connection is lost.

        It is called between two steps of the loop, at once with what has come already. One task at
        a time may read; what comes while none does waits.

        Raises:
            ConnectionLostError: The connection is gone, and everything that came was given.
            Exception: What `take` raises.
        """
        ...

    def acknowledge(self, packet: ReceivedPacket) -> None:
        """Tell the broker that a packet of QoS 1 is safe here, so that it forgets it.

        With QoS 0, or when the connection is gone, nothing happens: there the broker has forgotten
        it already, or will deliver it again.
        """
        ...

    def probe(self) -> None:
        """Ask the broker for a sign of life (PINGREQ); its answer moves `last_byte_seconds`."""
        ...

    def close(self) -> None:
        """End the connection now, without waiting; who waits in it gets ConnectionLostError."""
        ...


class Connector(Protocol):
    """Makes connections."""

    def __call__(
        self, broker: MQTTClient, options: ConnectOptions
    ) -> AbstractAsyncContextManager[Connection]:
        """Connect on entry, close on exit; cancelling either leaves nothing behind.

        Raises:
            ConnectFailedError: On entry: no connection now; trying again soon may help.
            ConnectRefusedError: On entry: login, certificate or protocol refused; the message
                names the cause and the cure.
        """
        ...
