"""MQTT by aiomqtt: what a connection is to a link.

aiomqtt's client keeps the protocol (paho) and its settings; what this module and `aiomqtt_client`
add or override, and why, each line being a fact of aiomqtt 2.5 and paho-mqtt 2:

- Connecting runs in an executor thread, where a frozen host holds it, and a cancelled attempt
  leaves its socket, reader and task behind. So `dialing` makes the socket on the
  loop, paho gets it ready-made (`_create_socket`), and its connect() no longer blocks.
- The socket has no TCP_NODELAY by default, which costs 40 ms a packet. `dial` sets it.
- A client that is entered again repeats what it still holds. So each connection has a fresh one.
- SUBSCRIBE and UNSUBSCRIBE in flight hang until a timeout when the connection goes. So their
  answers are futures of ours, which the loss ends (`_over`); an answer that nobody waits for any
  more is ignored instead of logged as an error.
- Each published message makes paho build an empty reason code with empty properties for a callback
  that nobody needs. So it has none (`on_publish`).
- CONNACK's session-present flag and properties are dropped. `AiomqttClient._on_connect` keeps them.
- A QoS that the broker does not take costs the connection too. `publish` lowers it.
- A packet longer than the broker takes is sent, and costs the connection. `publish` refuses it.
- Messages of QoS 1 and 2 are held in memory until the broker takes them, however many bytes they
  are. `HeldMessages` counts them, and at a limit the connection is given up.
- QoS 1 messages are acknowledged on arrival, also those that a full queue drops. So acknowledging
  is ours (`manual_ack_set`, `ack`), and Receive Maximum bounds what the broker may have under way.
- Each received message makes paho build tables of all properties there are, and each that is sent a
  lock and a condition. So those like nearly all are read and written by `aiomqtt_packets`, past
  paho: `_in_packet` says whether it has begun with one, `_out_packet` whether anything waits to be
  written, `_packet_queue` takes what the socket did not, `_state` is set where CONNACK was read.
- Each message costs two tasks in aiomqtt's iterator. `read` hands over everything at once.
- The writer is registered some loop turns late, and on a socket that may be closed by then (EBADF);
  the loss is kept in a future that nobody may retrieve. Here everything happens on the loop, at
  once, and a loss is a plain attribute.
- Leaving the client waits up to 10 s for a frozen broker. `close` never waits.
- There is no way to ask for a PINGREQ: `_send_pingreq` is paho's own.

Everything private that is used here is held by `tests/links/mqtt/test_aiomqtt_transport.py`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, NoReturn

import aiomqtt
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gwproactor.config.mqtt import MQTTClient, MQTTVersion
from gwproactor.errors import (
    ConnectFailedError,
    ConnectionLostError,
    ConnectRefusedError,
    PacketTooLargeError,
    UsageError,
)
from gwproactor.links.core.connack import connack_error, hints_at_silence
from gwproactor.links.mqtt.aiomqtt_client import AiomqttClient
from gwproactor.links.mqtt.aiomqtt_losses import lost_error
from gwproactor.links.mqtt.dialing import connect_error, dial
from gwproactor.links.mqtt.login import with_login
from gwproactor.links.mqtt.mqtt_properties import publish_bytes, publish_properties
from gwproactor.links.mqtt.name_lookup import is_looked_up
from gwproactor.links.mqtt.packet_socket import PacketSocket
from gwproactor.links.mqtt.send_backlog import MAX_UNSENT_BYTES
from gwproactor.links.transport import (
    PLAIN,
    ConnectOptions,
    ReceivedPacket,
    SendOptions,
    TakePackets,
)

MAX_PAYLOAD_BYTES = MAX_UNSENT_BYTES // 2
"""The longest payload that is sent: one that no connection could have waiting would end each."""


@contextlib.asynccontextmanager
async def connect_with_aiomqtt(
    broker: MQTTClient, options: ConnectOptions
) -> AsyncIterator["AiomqttConnection"]:
    """The `Connector` of this module: see `gwproactor.links.transport.Connector`."""
    connection = await _connected(broker, options)
    try:
        yield connection
    finally:
        connection.close()


async def _connected(broker: MQTTClient, options: ConnectOptions) -> "AiomqttConnection":
    try:
        async with asyncio.timeout(options.timeout_seconds):
            broker = await with_login(broker)
            packet_socket = PacketSocket(await dial(broker), options.max_packet_bytes)
            connection = AiomqttConnection(broker, options, packet_socket)
            await connection.open()
            return connection
    except TimeoutError:
        where = (
            ": the system's resolver does not answer"
            if is_looked_up(broker.host)
            else hints_at_silence(broker)
        )
        raise ConnectFailedError(
            f"{broker}: no connection within {options.timeout_seconds:g} s{where}"
        ) from None


class AiomqttConnection:
    """One connection to a broker: a `gwproactor.links.transport.Connection`."""

    def __init__(
        self, broker: MQTTClient, options: ConnectOptions, packet_socket: PacketSocket
    ) -> None:
        self._broker = broker
        self._greeting = options.greeting
        self._answer_ahead: asyncio.Future[Sequence[int]] | None = None
        self._socket = packet_socket
        try:
            self._client = AiomqttClient(broker, options, packet_socket)
        except BaseException:
            packet_socket.close()
            raise

    async def open(self) -> None:
        """Send CONNECT and wait for CONNACK; closes on failure and when cancelled."""
        try:
            with self._socket.together():
                connected = self._client.connect()
                self._greet()
            await connected
        except aiomqtt.MqttCodeError as error:
            self.close()
            raise self._refused(error.rc) from None
        except OSError as error:
            self.close()
            failure = connect_error(self._broker, error)
            if isinstance(failure, ConnectFailedError):
                failure = ConnectFailedError(f"{failure}{hints_at_silence(self._broker)}")
            raise failure from None
        except BaseException:
            self.close()
            raise

    def _greet(self) -> None:
        if self._greeting is not None:
            self._answer_ahead = self._ask_for(self._greeting.subscriptions)
            options = self._greeting.options if self.takes_properties else PLAIN
            self.publish(self._greeting.topic, self._greeting.payload, options)

    def _refused(self, code: int | ReasonCode | None) -> ConnectFailedError | ConnectRefusedError:
        number = code.value if isinstance(code, ReasonCode) else int(code or 0)
        reference = self._client.server_reference
        return connack_error(self._broker, self._client.identifier, number, str(code), reference)

    @property
    def session_present(self) -> bool:
        """Whether the broker kept our session from before."""
        return self._client.session_present

    @property
    def takes_properties(self) -> bool:
        """Whether messages can carry user properties: with MQTT 5."""
        return self._broker.protocol is MQTTVersion.v5

    @property
    def can_retain(self) -> bool:
        """Whether the broker keeps messages for later subscribers."""
        return self._client.can_retain

    @property
    def last_byte_seconds(self) -> float:
        """When the last byte came from the broker, on the monotonic clock."""
        return self._socket.last_byte_seconds

    @property
    def dropped_packets(self) -> int:
        """Received packets that were dropped because too many waited."""
        return self._client.received.dropped

    def subscribe(self, subscriptions: Sequence[tuple[str, int]]) -> asyncio.Future[Sequence[int]]:
        """Send a SUBSCRIBE; the future has the SUBACK's reason codes."""
        self._check()
        answer, self._answer_ahead = self._answer_ahead, None
        greeting = self._greeting
        if answer is None or greeting is None or tuple(subscriptions) != greeting.subscriptions:
            return self._ask_for(subscriptions)
        return answer

    def _ask_for(self, subscriptions: Sequence[tuple[str, int]]) -> asyncio.Future[Sequence[int]]:
        v5 = self._broker.protocol is MQTTVersion.v5
        filters: list[Any] = [
            (topic_filter, SubscribeOptions(qos=int(qos)) if v5 else int(qos))
            for topic_filter, qos in subscriptions
        ]
        with _usage_errors("not a topic filter"):
            return self._client.ask_for(filters)

    def unsubscribe(self, filters: Sequence[str]) -> asyncio.Future[Sequence[int]]:
        """Send an UNSUBSCRIBE; the future has the UNSUBACK's reason codes."""
        self._check()
        with _usage_errors("not a topic filter"):
            return self._client.ask_no_more_for(list(filters))

    def publish(self, topic: str, payload: bytes, options: SendOptions = PLAIN) -> None:
        """Send a message; never waits."""
        self._check()
        if not topic:  # which MQTT 5 takes for a topic alias, and paho lets it pass
            raise UsageError("cannot publish on an empty topic")
        try:
            properties = None if options is PLAIN else self._publish_properties(options)
            qos = min(options.qos, self._client.max_qos)  # the broker would end the connection
            self._check_length(topic, payload, qos, properties)
            sent = self._client.send(topic, payload, qos, options.retain, properties)
        except ValueError as error:  # it is paho's, about the topic
            raise UsageError(f"cannot publish on the topic {topic!r}: {error}") from None
        if not sent:
            raise self._lost()

    def _publish_properties(self, options: SendOptions) -> Properties | None:
        if not options.needs_mqtt_5():
            return None
        if not self.takes_properties:
            raise UsageError(
                f"{self._broker} is set to MQTT 3.1.1, which has no user properties, content type,"
                " expiry or correlation of a message; leave them out, or set its protocol to 5"
            )
        return publish_properties(options)

    def _check_length(
        self, topic: str, payload: bytes, qos: int, properties: Properties | None
    ) -> None:
        limit = self._client.max_packet_bytes
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise PacketTooLargeError(
                f"a payload of {len(payload)} bytes is longer than the {MAX_PAYLOAD_BYTES} that"
                " are sent in one message; send it in parts"
            )
        if limit is None:
            return
        length = publish_bytes(topic, payload, qos, properties)
        if length > limit:
            raise PacketTooLargeError(
                f"a message of {length} bytes on the topic {topic!r} is longer than the {limit}"
                f" that {self._broker} takes"
            )

    async def drain(self) -> None:
        """Wait until little enough waits for the socket."""
        self._check()
        await self._client.backlog.drained()
        self._check()

    async def read(self, take: TakePackets) -> NoReturn:
        """Give `take` all packets, as they come."""
        await self._client.received.read(take)
        raise self._lost()

    def acknowledge(self, packet: ReceivedPacket) -> None:
        """Acknowledge a packet of QoS 1 or more."""
        if packet.qos:
            self._client.acknowledge(packet.packet_id, packet.qos)

    def probe(self) -> None:
        """Send a PINGREQ."""
        self._check()
        self._client.probe()

    def close(self) -> None:
        """Say DISCONNECT, if the socket takes it at once, and close. May be called again."""
        self._client.close()

    def _check(self) -> None:
        if self._client.lost is not None:
            raise self._lost()

    def _lost(self) -> ConnectionLostError:
        return lost_error(self._broker, self._client.lost)


@contextlib.contextmanager
def _usage_errors(what: str) -> Iterator[None]:
    """Turn what paho raises for impossible topics into our error."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from None
