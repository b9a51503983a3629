"""From the bytes of a connection to packets and back.

`FrameSplitter` cuts the stream into whole packets, refusing one that is too large as soon as its
header is there. A `Codec` turns a whole packet into an object of `mqtt5` and back; there is one
for each protocol version, chosen by the first packet. Whatever is wrong with the bytes ends in a
`ProtocolFault`, which carries the reason that the client is told.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mqtt5
from mqtt5 import DisconnectReasonCode, Packet

from gwproactor_test.broker import mqtt311
from gwproactor_test.broker.strings import check_strings

LEVEL_5 = 5
"""The protocol level by which a CONNECT names MQTT 5."""

_MAX_LENGTH_DIGITS = 4
_FROM_BROKERS_ONLY = (2, 9, 11, 13)
"""Kinds of packet that no client may send: CONNACK, SUBACK, UNSUBACK, PINGRESP."""

_CONNECT_BYTE = 0x10
_PROTOCOL_NAME = b"\x00\x04MQTT"
_OLD_PROTOCOL_NAME = b"\x00\x06MQIsdp"


class ProtocolFault(Exception):  # noqa: N818 - an event in the life of a connection, not a bug
    """The client broke the protocol; its connection ends with `reason`."""

    def __init__(self, reason: DisconnectReasonCode) -> None:
        super().__init__(reason.name)
        self.reason = reason


class FrameSplitter:
    """Cuts a stream of bytes into whole packets.

    Args:
        max_packet_bytes: the longest packet, header included, that is accepted.
    """

    def __init__(self, max_packet_bytes: int) -> None:
        self._max_packet_bytes = max_packet_bytes
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[memoryview]:
        """Yield the packets that `data` completes; to be exhausted before the next call.

        Raises:
            ProtocolFault: a packet is too large, or its length is malformed.
        """
        data = self._rest + data if self._rest else data
        view = memoryview(data)
        start = 0
        while (end := self._end_of_packet(data, start)) is not None and end <= len(data):
            yield view[start:end]
            start = end
        self._rest = data[start:]

    def _end_of_packet(self, data: bytes, start: int) -> int | None:
        length = 0
        for digit in range(_MAX_LENGTH_DIGITS):
            at = start + 1 + digit
            if at >= len(data):
                return None
            length |= (data[at] & 0x7F) << 7 * digit
            if not data[at] & 0x80:
                end = at + 1 + length
                if end - start > self._max_packet_bytes:
                    raise ProtocolFault(DisconnectReasonCode.PACKET_TOO_LARGE)
                return end
        raise ProtocolFault(DisconnectReasonCode.MALFORMED_PACKET)


@dataclass(frozen=True, slots=True)
class Codec:
    """How one protocol version is read and written."""

    level: int
    decode: Callable[[memoryview], Packet]
    encode: Callable[[Packet], bytes]


def protocol_level(frame: memoryview) -> int | None:
    """The protocol level a first packet names: 5, 4, an unknown one, or None if no CONNECT."""
    data = bytes(frame[:16])
    name_at = 1
    while name_at < len(data) and data[name_at] & 0x80:
        name_at += 1
    body = data[name_at + 1 :]
    if data[0] != _CONNECT_BYTE:
        return None
    for name in (_PROTOCOL_NAME, _OLD_PROTOCOL_NAME):
        if body.startswith(name) and len(body) > len(name):
            return body[len(name)]
    return None


def _decode_5(frame: memoryview) -> Packet:
    if frame[0] >> 4 in _FROM_BROKERS_ONLY:
        raise ProtocolFault(DisconnectReasonCode.PROTOCOL_ERROR)
    try:
        check_strings(bytes(frame))
        packet, _ = mqtt5.read(frame)
    except (ValueError, IndexError) as error:
        raise ProtocolFault(DisconnectReasonCode.MALFORMED_PACKET) from error
    return packet


def _decode_311(frame: memoryview) -> Packet:
    try:
        upgraded = mqtt311.upgrade(bytes(frame))
    except IndexError as error:
        raise ProtocolFault(DisconnectReasonCode.MALFORMED_PACKET) from error
    return _decode_5(memoryview(upgraded))


CODECS = {
    LEVEL_5: Codec(LEVEL_5, _decode_5, lambda packet: packet.write()),
    mqtt311.LEVEL: Codec(mqtt311.LEVEL, _decode_311, mqtt311.encode),
}
