"""MQTT 3.1.1 clients on a broker that thinks in MQTT 5.

The two versions differ little for what this broker does: MQTT 5 puts a field of properties into
most packets and has more reason codes. What a 3.1.1 client sends is turned into the same packet
of MQTT 5 by setting the protocol level and inserting empty properties (`upgrade`); what goes to
such a client is written here, without properties and with the few codes it knows (`encode`).
"""

from mqtt5 import (
    ConnAckPacket,
    ConnAckReasonCode,
    DisconnectPacket,
    Packet,
    PubAckPacket,
    PublishPacket,
    SubAckPacket,
    UnsubAckPacket,
)

LEVEL = 4
"""The protocol level by which a CONNECT names MQTT 3.1.1."""

REFUSE_VERSION = b"\x20\x02\x00\x01"
"""CONNACK of a broker that does not speak the client's protocol version, in 3.1.1's form."""

_NO_PROPERTIES = b"\x00"
_NEVER_EXPIRES = b"\x05\x11\xff\xff\xff\xff"
"""Properties that keep the session for ever: what clean session 0 means in 3.1.1."""

_FAILURE = 0x80
_SERVER_UNAVAILABLE = 3
_CONNACK_CODES = (
    (ConnAckReasonCode.SUCCESS, 0),
    (ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION, 1),
    (ConnAckReasonCode.CLIENT_ID_NOT_VALID, 2),
    (ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD, 4),
    (ConnAckReasonCode.NOT_AUTHORIZED, 5),
)

_CONNECT, _PUBLISH, _SUBSCRIBE, _UNSUBSCRIBE = 0x10, 0x30, 0x80, 0xA0


def upgrade(frame: bytes) -> bytes:
    """Turn one whole 3.1.1 packet from a client into the MQTT 5 packet that says the same.

    Raises:
        IndexError: the packet is shorter than its own fields say.
    """
    body = frame[_header_length(frame) :]
    kind = frame[0] & 0xF0
    if kind == _CONNECT:
        body = _upgrade_connect(body)
    elif kind == _PUBLISH:
        at = _after_string(body, 0) + (2 if frame[0] & 0x06 else 0)
        body = _insert(body, at, _NO_PROPERTIES)
    elif kind in (_SUBSCRIBE, _UNSUBSCRIBE):
        body = _insert(body, 2, _NO_PROPERTIES)
    return _framed(frame[0], body)


def _upgrade_connect(body: bytes) -> bytes:
    flags_at = _after_string(body, 0) + 1
    flags = body[flags_at]
    client_id_at = flags_at + 3
    has_will, clean = flags & 0x04, flags & 0x02
    if has_will:
        body = _insert(body, _after_string(body, client_id_at), _NO_PROPERTIES)
    body = _insert(body, client_id_at, _NO_PROPERTIES if clean else _NEVER_EXPIRES)
    return body[: flags_at - 1] + b"\x05" + body[flags_at:]


def encode(packet: Packet) -> bytes:
    """Write a packet for a 3.1.1 client; empty where 3.1.1 has no such packet from a broker."""
    match packet:
        case PublishPacket():
            return _encode_publish(packet)
        case PubAckPacket():
            return _framed(0x40, packet.packet_id.to_bytes(2, "big"))
        case SubAckPacket():
            codes = bytes(min(int(code), _FAILURE) for code in packet.reason_codes)
            return _framed(0x90, packet.packet_id.to_bytes(2, "big") + codes)
        case UnsubAckPacket():
            return _framed(0xB0, packet.packet_id.to_bytes(2, "big"))
        case ConnAckPacket():
            return _framed(0x20, bytes((packet.session_present, _connack_code(packet))))
        case DisconnectPacket():
            return b""
        case _:
            return packet.write()


def _encode_publish(packet: PublishPacket) -> bytes:
    topic = packet.topic.encode()
    flags = packet.duplicate << 3 | int(packet.qos) << 1 | packet.retain
    packet_id = b"" if packet.packet_id is None else packet.packet_id.to_bytes(2, "big")
    body = len(topic).to_bytes(2, "big") + topic + packet_id + packet.payload
    return _framed(_PUBLISH | flags, body)


def _connack_code(packet: ConnAckPacket) -> int:
    for reason, code in _CONNACK_CODES:
        if packet.reason_code == reason:
            return code
    return _SERVER_UNAVAILABLE


def _header_length(frame: bytes) -> int:
    length = 2
    while frame[length - 1] & 0x80:
        length += 1
    return length


def _after_string(body: bytes, at: int) -> int:
    end = at + 2 + (body[at] << 8 | body[at + 1])
    if end > len(body):
        raise IndexError("a string is longer than its packet")
    return end


def _insert(body: bytes, at: int, properties: bytes) -> bytes:
    if at > len(body):
        raise IndexError("a field is missing")
    return body[:at] + properties + body[at:]


def _framed(first_byte: int, body: bytes) -> bytes:
    length = len(body)
    header = bytearray((first_byte,))
    while True:
        length, digit = divmod(length, 128)
        header.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(header) + body
