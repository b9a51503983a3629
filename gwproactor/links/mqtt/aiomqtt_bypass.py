"""Usual packets between the socket and us, past paho, which is told what it must know of them."""

import time

from paho.mqtt.client import Client as Paho
from paho.mqtt.properties import Properties

from gwproactor.links.mqtt.aiomqtt_packets import (
    CONNECTED,
    Accepted,
    Granted,
    read_answer,
    read_connack,
    read_publish,
    write_publish,
)
from gwproactor.links.mqtt.packet_socket import PacketSocket
from gwproactor.links.mqtt.send_backlog import SendBacklog
from gwproactor.links.transport import ReceivedPacket

_NO_PACKET = 0
"""What paho takes the rest of a packet for: of its end nobody is told."""


class Bypass:
    """The way past one paho client. For the loop only.

    Args:
        paho: The client.
        packet_socket: Its socket.
        backlog: Is told what waits for the socket.
        v5: The protocol is MQTT 5 and not 3.1.1.
    """

    def __init__(
        self, paho: Paho, packet_socket: PacketSocket, backlog: SendBacklog, *, v5: bool
    ) -> None:
        self._paho = paho
        self._socket = packet_socket
        self._backlog = backlog
        self._v5 = v5

    def write(
        self, topic: str, payload: bytes, properties: Properties | None, *, retain: bool
    ) -> bool:
        """Write a message of QoS 0, where nothing else waits to be written.

        Returns:
            Whether that was done, be it that paho has the rest. Else it has to write it all.
        """
        if self._paho._out_packet:  # noqa: SLF001 - paho offers no other way, here and below
            return False
        packet = write_publish(topic, payload, properties, retain=retain, v5=self._v5)
        if packet is None:
            return False
        try:
            taken = self._socket.send(packet)
        except OSError:  # it takes nothing now, or never again: paho meets the same
            return False
        if taken < len(packet):
            self._backlog.add(len(packet) - taken, 0)
            self._paho._packet_queue(_NO_PACKET, packet[taken:], 0, 0)  # noqa: SLF001
        else:
            self._paho._last_msg_out = time.monotonic()  # noqa: SLF001 - when to send a PINGREQ
        return True

    def take(self) -> ReceivedPacket | Granted | Accepted | None:
        """Take the next packet from the socket where it is whole and usual; else leave it."""
        if self._paho._in_packet["command"]:  # noqa: SLF001 - it is in the middle of one
            return None
        found = self._socket.whole_packet()
        packet = found and self._read(found[0], found[1])
        if found is None or packet is None:
            return None
        self._socket.skip(found[2])
        self._paho._last_bytes_received = self._socket.last_byte_seconds  # noqa: SLF001
        if isinstance(packet, Accepted):
            self._stands(packet)
        return packet

    def _read(self, first_byte: int, rest: bytes) -> ReceivedPacket | Granted | Accepted | None:
        return (
            read_publish(first_byte, rest, v5=self._v5)
            or read_answer(first_byte, rest, v5=self._v5)
            or self._read_connack(first_byte, rest)
        )

    def _read_connack(self, first_byte: int, rest: bytes) -> Accepted | None:
        """What a broker says that accepts; where paho has messages to send then, it reads that."""
        if self._paho.is_connected() or self._paho._out_messages:  # noqa: SLF001
            return None
        return read_connack(first_byte, rest, v5=self._v5)

    def _stands(self, accepted: Accepted) -> None:
        """Let paho know that its connection stands, as it does itself (MQTT 5, 3.2.2.3.14)."""
        paho, properties = self._paho, accepted.properties
        paho._state = CONNECTED  # noqa: SLF001
        paho._keepalive = getattr(properties, "ServerKeepAlive", paho._keepalive)  # noqa: SLF001
