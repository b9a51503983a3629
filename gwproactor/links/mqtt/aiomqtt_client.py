"""aiomqtt's client on a ready socket, wholly on the loop.

What is overridden here, and why, is told in `aiomqtt_transport`.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiomqtt
from paho.mqtt.client import Client as Paho
from paho.mqtt.client import ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gwproactor.config.mqtt import MQTTClient, MQTTVersion
from gwproactor.links.mqtt.aiomqtt_arguments import client_arguments
from gwproactor.links.mqtt.aiomqtt_bypass import Bypass
from gwproactor.links.mqtt.aiomqtt_losses import lost_error, reason_of_loss
from gwproactor.links.mqtt.aiomqtt_packets import ACCEPTED, Granted, packet_of
from gwproactor.links.mqtt.answers import Answers, mark_retrieved
from gwproactor.links.mqtt.packet_buffer import PacketBuffer
from gwproactor.links.mqtt.packet_socket import PacketSocket
from gwproactor.links.mqtt.send_backlog import MAX_IN_FLIGHT, SendBacklog
from gwproactor.links.transport import (
    ConnectOptions,
    ReceivedPacket,
)

MAX_TICK_SECONDS = 1.0
"""Keep-alive is checked so often, or four times in its period where that is less."""


class AiomqttClient(aiomqtt.Client):
    """aiomqtt's client on a ready socket, wholly on the loop; see the module's docstring.

    paho calls the overridden methods; each runs on the loop, never in a thread.
    """

    def __init__(
        self, broker: MQTTClient, options: ConnectOptions, packet_socket: PacketSocket
    ) -> None:
        super().__init__(**client_arguments(broker, options))
        self._broker = broker
        self._socket = packet_socket
        self.session_present = False
        self.can_retain = True
        self.server_reference = ""
        self.max_packet_bytes: int | None = None
        self.lost: OSError | None = None
        self.received = PacketBuffer()
        self.backlog = SendBacklog()
        v5 = broker.protocol is MQTTVersion.v5
        self._bypass = Bypass(self._client, packet_socket, self.backlog, v5=v5)
        self._client._out_messages = self.backlog.held  # noqa: SLF001 - paho offers no other way
        self.max_qos = 2
        self._answers = Answers()
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
        self._connected.add_done_callback(mark_retrieved)  # the greeting may fail before
        self._client_connect()
        return self._connected

    def send(
        self, topic: str, payload: bytes, qos: int, retain: bool, properties: Properties | None
    ) -> bool:
        """Send a PUBLISH, or queue what the socket does not take; False when it is gone."""
        usual = not (qos or self._inside_paho or self.lost)
        if usual and self._bypass.write(topic, payload, properties, retain=retain):
            return True
        if too_much := self.backlog.add(len(topic) + len(payload), qos):
            self.abort(ConnectionAbortedError(too_much))
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
        if sent != MQTTErrorCode.MQTT_ERR_SUCCESS or packet_id is None or self.lost is not None:
            return self._answers.none(lost_error(self._broker, self.lost))
        return self._answers.wait(packet_id)

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
        self._client._max_inflight_messages = self.backlog.window = min(window, MAX_IN_FLIGHT)  # noqa: SLF001
        self.max_qos = getattr(properties, "MaximumQoS", 2)
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
            self._over(self._socket.fault or reason_of_loss(flags, reason_code, reference))

    def _over(self, reason: OSError) -> None:
        """The connection is gone: whoever waits for anything is told."""
        self.lost = reason
        if not self._connected.done():
            self._connected.set_exception(self.lost)
        self._answers.lost(lost_error(self._broker, reason))
        self.received.close()
        self.backlog.lost()

    def _on_subscribe(
        self,
        client: Paho,  # noqa: ARG002
        userdata: Any,  # noqa: ARG002
        mid: int,
        reason_codes: list[ReasonCode],
        properties: Properties | None = None,  # noqa: ARG002
    ) -> None:
        self._answers.came(mid, [code.value for code in reason_codes])

    _on_unsubscribe = _on_subscribe

    def _on_message(self, client: Paho, userdata: Any, message: MQTTMessage) -> None:  # noqa: ARG002
        self.received.put(packet_of(message))

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
        self.backlog.written()
        if self._writer_added:
            self._writer_added = False
            self._loop.remove_writer(sock.fileno())

    def _flush(self) -> None:
        if self._writer_added or not self._socket.send_failed:  # else what has come is read first
            self._guarded(self._client.loop_write)
        if self.lost is None and not self._writer_added and self._client.want_write():
            self._writer_added = True
            self._loop.add_writer(self._socket.fileno(), self._flush)

    def _read(self) -> None:
        more = self._socket.fill()
        if self._socket.fault is not None:
            self.abort(self._socket.fault)
            return
        whole = self._take_packets()
        self._hand_over()
        if whole:
            self.backlog.read()
        if more:
            self._loop.call_soon(self._read_again)

    def _hand_over(self) -> None:
        """Give the link what came, but nothing before an answer that came before it.

        Futures tell of answers in the next turn of the loop.
        """
        if self._answers.just_came:
            self._answers.just_came = False
            self._loop.call_soon(self.received.hand_over)
        else:
            self.received.hand_over()

    def _take_packets(self) -> bool:
        """Take all that was read; False where it ended the connection."""
        while self._socket.pending():
            if self._take_usual():
                continue
            if self._guarded(self._client.loop_read) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return False
        return True

    def _take_usual(self) -> bool:
        """Take a packet past paho, where it is one like nearly all; else leave it."""
        packet = self._bypass.take()
        if isinstance(packet, ReceivedPacket):
            self.received.put(packet)
        elif isinstance(packet, Granted):
            self._answers.came(*packet)
        elif packet is not None:
            self._on_connect(self._client, None, packet.flags, ACCEPTED, packet.properties)
        return packet is not None

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
