"""MQTT by aiomqtt: the only module that knows aiomqtt and paho-mqtt.

aiomqtt's client keeps the protocol (paho) and its settings; what this module adds or overrides, and
why, each line being a fact of aiomqtt 2.5 and paho-mqtt 2:

- Connecting runs in an executor thread, where a frozen host holds it, and a cancelled attempt
  leaves its socket, reader and task behind. So `gwproactor.links.dialing` makes the socket on the
  loop, paho gets it ready-made (`_create_socket`), and its connect() no longer blocks.
- The socket has no TCP_NODELAY by default, which costs 40 ms a packet. `dial` sets it.
- A client that is entered again repeats what it still holds. So each connection has a fresh one.
- SUBSCRIBE and UNSUBSCRIBE in flight hang until a timeout when the connection goes. So their
  answers are futures of ours, which the loss ends (`_over`); an answer that nobody waits for any
  more is ignored instead of logged as an error.
- Each published message makes paho build an empty reason code with empty properties for a callback
  that nobody needs. So it has none (`on_publish`).
- CONNACK's session-present flag and properties are dropped. `_Client._on_connect` keeps them.
- A packet longer than the broker takes is sent, and costs the connection. `publish` refuses it.
- QoS 1 messages are acknowledged on arrival, also those that a full queue drops. So acknowledging
  is ours (`manual_ack_set`, `ack`), and Receive Maximum bounds what the broker may have under way.
- Each message costs two tasks in aiomqtt's iterator. `packets` hands over everything at once.
- The writer is registered some loop turns late, and on a socket that may be closed by then (EBADF);
  the loss is kept in a future that nobody may retrieve. Here everything happens on the loop, at
  once, and a loss is a plain attribute.
- Leaving the client waits up to 10 s for a frozen broker. `close` never waits.
- There is no way to ask for a PINGREQ: `_send_pingreq` is paho's own.

Everything private that is used here is held by `tests/links/test_aiomqtt_transport.py`.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
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
from gwproactor.links.connack import connack_error, hint_at_reference, hints_at_silence
from gwproactor.links.dialing import connect_error, describe, dial
from gwproactor.links.login import with_login
from gwproactor.links.packet_buffer import PacketBuffer
from gwproactor.links.packet_socket import PacketSocket
from gwproactor.links.transport import (
    PLAIN,
    ConnectOptions,
    ReceivedPacket,
    SendOptions,
    Will,
)

DRAIN_MARK_BYTES = 64 * 1024
"""Unsent bytes above which `drain` waits: about what a socket buffer takes without blocking."""

MAX_UNSENT_BYTES = 64 * 1024 * 1024
"""Unsent bytes at which the connection is given up: this broker sends, but does not read."""

MAX_IN_FLIGHT = 20
"""Messages of QoS 1 and 2 sent at once, less where the broker's Receive Maximum says so."""

MAX_UNACKNOWLEDGED = 10_000
"""Messages of QoS 1 and 2 that the broker leaves unacknowledged, at which the connection is given
up: it reads what we send, but does not take it."""

MAX_TICK_SECONDS = 1.0
"""Keep-alive is checked so often, or four times in its period where that is less."""

_LOGGER = logging.getLogger("gwproactor.links.aiomqtt")


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
        raise ConnectFailedError(
            f"{broker}: no connection within {options.timeout_seconds:g} s"
            f"{hints_at_silence(broker)}"
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
            self._client = _Client(broker, options, packet_socket)
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
            self.publish(self._greeting.topic, self._greeting.payload)

    def _refused(self, code: int | ReasonCode | None) -> ConnectFailedError | ConnectRefusedError:
        number = code.value if isinstance(code, ReasonCode) else int(code or 0)
        reference = self._client.server_reference
        return connack_error(self._broker, self._client.identifier, number, str(code), reference)

    @property
    def session_present(self) -> bool:
        """Whether the broker kept our session from before."""
        return self._client.session_present

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
        with _usage_errors(f"cannot publish on the topic {topic!r}"):
            properties = None if options is PLAIN else self._publish_properties(options)
            self._check_length(topic, payload, options.qos, properties)
            sent = self._client.send(topic, payload, options.qos, options.retain, properties)
        if not sent:
            raise self._lost()

    def _publish_properties(self, options: SendOptions) -> Properties | None:
        if not options.needs_mqtt_5():
            return None
        if self._broker.protocol is not MQTTVersion.v5:
            raise UsageError(
                f"{self._broker} is set to MQTT 3.1.1, which has no user properties, content type,"
                " expiry or correlation of a message; leave them out, or set its protocol to 5"
            )
        return _publish_properties(options)

    def _check_length(
        self, topic: str, payload: bytes, qos: int, properties: Properties | None
    ) -> None:
        limit = self._client.max_packet_bytes
        if limit is None:
            return
        length = _publish_bytes(topic, payload, qos, properties)
        if length > limit:
            raise PacketTooLargeError(
                f"a message of {length} bytes on the topic {topic!r} is longer than the {limit}"
                f" that {self._broker} takes"
            )

    async def drain(self) -> None:
        """Wait until little enough waits for the socket."""
        self._check()
        await self._client.drained()
        self._check()

    async def packets(self) -> Sequence[ReceivedPacket]:
        """Everything that came since the last call; waits until there is something."""
        packets = await self._client.received.take()
        if not packets:
            raise self._lost()
        return packets

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
        return _lost_error(self._broker, self._client.lost)


class _Client(aiomqtt.Client):
    """aiomqtt's client on a ready socket, wholly on the loop; see the module's docstring.

    paho calls the overridden methods; each runs on the loop, never in a thread.
    """

    def __init__(
        self, broker: MQTTClient, options: ConnectOptions, packet_socket: PacketSocket
    ) -> None:
        super().__init__(**_client_arguments(broker, options))
        self._broker = broker
        self._socket = packet_socket
        self.session_present = False
        self.can_retain = True
        self.server_reference = ""
        self.max_packet_bytes: int | None = None
        self.lost: OSError | None = None
        self.received = PacketBuffer()
        self._unsent_bytes = 0
        self._drainers: list[asyncio.Future[None]] = []
        self._answers: dict[int, asyncio.Future[Sequence[int]]] = {}
        self._inside_paho = False
        self._flush_soon: asyncio.Handle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._writer_added = False
        self._tick_seconds = min(MAX_TICK_SECONDS, broker.keepalive_seconds / 4)
        self._client.disable_logger()  # what it would log is raised instead, with a reason
        self._client.manual_ack_set(True)
        self._client.on_publish = None  # paho makes three objects for each call of it
        setattr(self._client, "_create_socket", lambda: packet_socket)  # noqa: B010

    # Requests

    def connect(self) -> asyncio.Future[None]:
        """Send CONNECT; the future is done with CONNACK.

        It has a MqttConnectError where the broker refuses, and an OSError where the connection is
        lost before it answers.
        """
        self._connected.add_done_callback(_mark_retrieved)  # the greeting may fail before
        self._client_connect()
        return self._connected

    def send(
        self, topic: str, payload: bytes, qos: int, retain: bool, properties: Properties | None
    ) -> bool:
        """Queue a PUBLISH for this turn of the loop; False when the connection is gone."""
        self._unsent_bytes += len(topic) + len(payload)
        if self._unsent_bytes > MAX_UNSENT_BYTES:
            self.abort(ConnectionAbortedError("the broker does not read what we send"))
            return False
        if qos and self._unacknowledged_count() >= MAX_UNACKNOWLEDGED:
            self.abort(ConnectionAbortedError("the broker does not acknowledge what we send"))
            return False
        info = self._client.publish(topic, payload, qos, retain, properties)
        return info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def ask_for(self, filters: list[Any]) -> asyncio.Future[Sequence[int]]:
        """Send SUBSCRIBE; the future has the answer, or ConnectionLostError."""
        return self._answer_to(*self._client.subscribe(filters))

    def ask_no_more_for(self, filters: list[str]) -> asyncio.Future[Sequence[int]]:
        """Send UNSUBSCRIBE; the future has the answer, or ConnectionLostError."""
        return self._answer_to(*self._client.unsubscribe(filters))

    def _answer_to(
        self, sent: MQTTErrorCode, packet_id: int | None
    ) -> asyncio.Future[Sequence[int]]:
        answer: asyncio.Future[Sequence[int]] = self._loop.create_future()
        answer.add_done_callback(_mark_retrieved)
        if sent != MQTTErrorCode.MQTT_ERR_SUCCESS or packet_id is None or self.lost is not None:
            answer.set_exception(_lost_error(self._broker, self.lost))
        else:
            self._answers[packet_id] = answer
        return answer

    def _unacknowledged_count(self) -> int:
        return len(self._client._out_messages)  # noqa: SLF001 - paho offers no other way

    async def drained(self) -> None:
        """Wait while more than the mark is unsent, then until all is sent or lost."""
        if self._unsent_bytes <= DRAIN_MARK_BYTES or self.lost is not None:
            return
        drained: asyncio.Future[None] = self._loop.create_future()
        self._drainers.append(drained)
        try:
            await drained
        finally:
            self._drainers.remove(drained)

    def acknowledge(self, packet_id: int, qos: int) -> None:
        """Send PUBACK, or PUBCOMP for QoS 2."""
        if self.lost is None:
            self._client.ack(packet_id, qos)

    def probe(self) -> None:
        """Send PINGREQ."""
        self._client._send_pingreq()  # noqa: SLF001 - paho offers no other way

    def abort(self, reason: OSError) -> None:
        """Give the connection up, and let paho let go of its socket."""
        self._socket.abort(reason)
        if self.lost is None:
            self._client._sock_close()  # noqa: SLF001 - paho offers no other way
            self._over(self._socket.fault or reason)

    def close(self) -> None:
        """End the connection without waiting for anybody."""
        if self.lost is None:
            self._client.disconnect()
            self._flush()
            self.abort(ConnectionAbortedError("closed"))
        self._socket.close()

    # What paho reports

    def _on_connect(
        self,
        client: Paho,
        userdata: Any,
        flags: ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.session_present = flags.session_present
        self.max_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        self.can_retain = bool(getattr(properties, "RetainAvailable", 1))
        self.server_reference = getattr(properties, "ServerReference", "")
        window = getattr(properties, "ReceiveMaximum", MAX_IN_FLIGHT)
        # paho's own setter refuses on a connection, and CONNECT asks the broker for its number.
        self._client._max_inflight_messages = min(window, MAX_IN_FLIGHT)  # noqa: SLF001
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self,
        client: Paho,  # noqa: ARG002
        userdata: Any,  # noqa: ARG002
        flags: DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if self.lost is None:
            reference = getattr(properties, "ServerReference", "")
            self._over(self._socket.fault or _reason_of_loss(flags, reason_code, reference))

    def _over(self, reason: OSError) -> None:
        """The connection is gone: whoever waits for anything is told."""
        self.lost = reason
        if not self._connected.done():
            self._connected.set_exception(self.lost)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(_lost_error(self._broker, reason))
        self.received.close()
        self._wake_drainers()

    def _on_subscribe(
        self,
        client: Paho,  # noqa: ARG002
        userdata: Any,  # noqa: ARG002
        mid: int,
        reason_codes: list[ReasonCode],
        properties: Properties | None = None,  # noqa: ARG002
    ) -> None:
        answer = self._answers.pop(mid, None)
        if answer is not None and not answer.done():  # else whoever asked was cancelled
            answer.set_result([code.value for code in reason_codes])

    _on_unsubscribe = _on_subscribe

    def _on_message(self, client: Paho, userdata: Any, message: MQTTMessage) -> None:  # noqa: ARG002
        self.received.put(_packet_of(message))

    # The socket on the loop

    def _on_socket_open(self, client: Paho, userdata: Any, sock: Any) -> None:  # noqa: ARG002
        self._loop.add_reader(sock.fileno(), self._read)
        self._tick = self._loop.call_later(self._tick_seconds, self._keep_alive)

    def _on_socket_close(self, client: Paho, userdata: Any, sock: Any) -> None:  # noqa: ARG002
        self._loop.remove_reader(sock.fileno())
        self._loop.remove_writer(sock.fileno())
        for handle in (self._flush_soon, self._tick):
            if handle is not None:
                handle.cancel()

    def _on_socket_register_write(self, client: Paho, userdata: Any, sock: Any) -> None:  # noqa: ARG002
        if self._inside_paho:  # whose locks do not let it be entered again
            self._flush_soon = self._loop.call_soon(self._flush)
        else:
            self._flush()

    def _on_socket_unregister_write(self, client: Paho, userdata: Any, sock: Any) -> None:  # noqa: ARG002
        self._unsent_bytes = 0
        self._wake_drainers()
        if self._writer_added:
            self._writer_added = False
            self._loop.remove_writer(sock.fileno())

    def _flush(self) -> None:
        self._guarded(self._client.loop_write)
        if self.lost is None and not self._writer_added and self._client.want_write():
            self._writer_added = True
            self._loop.add_writer(self._socket.fileno(), self._flush)

    def _read(self) -> None:
        more = self._socket.fill()
        if self._socket.fault is not None:
            self.abort(self._socket.fault)
            return
        while self._socket.pending():
            if self._guarded(self._client.loop_read) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
        if more:
            self._loop.call_soon(self._read_again)

    def _read_again(self) -> None:
        if self.lost is None:
            self._read()

    def _keep_alive(self) -> None:
        self._guarded(self._client.loop_misc)
        if self.lost is None:
            self._tick = self._loop.call_later(self._tick_seconds, self._keep_alive)

    def _guarded(self, step: Callable[[], MQTTErrorCode]) -> MQTTErrorCode:
        """Run a step of paho; what it cannot digest ends the connection, not the loop."""
        self._inside_paho = True
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - whatever a broker's bytes may provoke
            reason = ConnectionAbortedError(f"the broker sent what is no MQTT ({error!r})")
            self.abort(reason)
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        finally:
            self._inside_paho = False

    def _wake_drainers(self) -> None:
        for drainer in self._drainers:
            if not drainer.done():
                drainer.set_result(None)


@contextlib.contextmanager
def _usage_errors(what: str) -> Iterator[None]:
    """Turn what paho raises for impossible topics into our error."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from None


def _lost_error(broker: MQTTClient, reason: OSError | None) -> ConnectionLostError:
    return ConnectionLostError(f"{broker}: {describe(reason) if reason else 'closed'}")


def _client_arguments(broker: MQTTClient, options: ConnectOptions) -> dict[str, Any]:
    v5 = broker.protocol is MQTTVersion.v5
    return {
        "hostname": broker.host,
        "port": broker.effective_port,
        "username": broker.username,
        "password": broker.password.get_secret_value() if broker.password is not None else None,
        "logger": _LOGGER,
        "identifier": broker.client_id or options.client_id,
        "protocol": aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
        "keepalive": broker.keepalive_seconds,
        "max_inflight_messages": MAX_IN_FLIGHT,
        "will": _will(options.will),
        # paho takes the one with MQTT 5 and the other with 3.1.1
        "clean_start": options.clean_start if v5 else MQTT_CLEAN_START_FIRST_ONLY,
        "clean_session": None if v5 else options.clean_start,
        "properties": _connect_properties(
            options.receive_maximum, options.max_packet_bytes, options.session_expiry_seconds
        )
        if v5
        else None,
    }


@functools.lru_cache
def _connect_properties(
    receive_maximum: int, max_packet_bytes: int, session_expiry_seconds: int
) -> Properties:
    """CONNECT's properties; paho only reads them, and making them costs more than sending them."""
    properties = _properties(PacketTypes.CONNECT)
    properties.ReceiveMaximum = receive_maximum
    properties.MaximumPacketSize = max_packet_bytes
    properties.SessionExpiryInterval = session_expiry_seconds
    return properties


def _properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]


def _publish_properties(options: SendOptions) -> Properties:
    """PUBLISH's properties (MQTT 5, section 3.3.2.3)."""
    given = {
        "UserProperty": list(options.user_properties) or None,
        "ContentType": options.content_type,
        "MessageExpiryInterval": options.expiry_seconds,
        "CorrelationData": options.correlation_data,
        "ResponseTopic": options.response_topic,
    }
    properties = _properties(PacketTypes.PUBLISH)
    for name, value in given.items():
        if value is not None:
            setattr(properties, name, value)
    return properties


def _publish_bytes(topic: str, payload: bytes, qos: int, properties: Properties | None) -> int:
    """How long an MQTT 5 PUBLISH is, its fixed header included (MQTT 5, section 3.3)."""
    properties_bytes = 1 if properties is None else len(properties.pack())  # type: ignore[no-untyped-call]
    rest = 2 + len(topic.encode(errors="replace")) + 2 * (qos > 0) + properties_bytes + len(payload)
    return 1 + max(1, -(-rest.bit_length() // 7)) + rest


def _will(will: Will | None) -> aiomqtt.Will | None:
    return None if will is None else aiomqtt.Will(will.topic, will.payload, will.qos, will.retain)


def _mark_retrieved(answer: asyncio.Future[Any]) -> None:
    """Who asked may not care: an answer that nobody reads is no warning."""
    if not answer.cancelled():
        answer.exception()


def _packet_of(message: MQTTMessage) -> ReceivedPacket:
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = "\ufffd"  # no link has such a topic: reported there like any other stranger
    properties = message.properties
    return ReceivedPacket(
        topic=topic,
        payload=bytes(message.payload),
        qos=message.qos,
        retain=message.retain,
        user_properties=tuple(getattr(properties, "UserProperty", ())),
        content_type=getattr(properties, "ContentType", None),
        correlation_data=getattr(properties, "CorrelationData", None),
        response_topic=getattr(properties, "ResponseTopic", None),
        expiry_seconds=getattr(properties, "MessageExpiryInterval", None),
        duplicate=message.dup,
        packet_id=message.mid,
    )


def _reason_of_loss(
    flags: DisconnectFlags, reason_code: ReasonCode, server_reference: str
) -> OSError:
    if flags.is_disconnect_packet_from_server:
        hint = hint_at_reference(server_reference)
        return ConnectionResetError(f"the broker said DISCONNECT: {reason_code}{hint}")
    return ConnectionAbortedError(f"the connection failed: {reason_code}")
