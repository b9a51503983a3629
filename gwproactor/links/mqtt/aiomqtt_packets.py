"""Packets that are as nearly all are, read and written here; paho does the others.

For each message that comes paho asks for its bytes in three steps, builds the tables of all that
MQTT 5 knows as properties, two objects of its own and a line for its log; for one that goes, a
condition with its lock, and some thirty calls. Where a message comes now and then, so that none of
this is in the processor's caches, that takes as long as the broker does. What it finds is the same
every time: no properties, or those that the peer announces itself by. So these are remembered by
their bytes, and the rest of a packet is a topic, perhaps a number, and the payload.
"""

import functools
from typing import NamedTuple

from paho.mqtt.client import ConnectFlags, MQTTMessage
from paho.mqtt.enums import _ConnectionState
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gwproactor.links.transport import ReceivedPacket

_PUBLISH = 3
_CONNACK = 0x20
_SUBACK = 0x90
_UNSUBACK = 0xB0
_HIGHEST_GRANT = {_SUBACK: 2, _UNSUBACK: 0}
"""The highest reason code that grants what was asked for (MQTT 5, sections 3.9.3 and 3.11.3)."""

ACCEPTED = ReasonCode(PacketTypes.CONNACK, "Success")
"""The reason code of a broker that accepts a connection."""

CONNECTED = _ConnectionState.MQTT_CS_CONNECTED
"""What paho's client is on such a connection."""

_MAX_TOPIC_BYTES = 0xFFFF
"""What two bytes can count (MQTT 5, section 1.5.4)."""

_MAX_REST_BYTES = 0x0FFF_FFFF
"""What follows the length of a packet is no longer (MQTT 5, section 1.5.5)."""

_MAX_PROPERTIES_BYTES = 127
"""So many have their length in one byte, and few enough to be remembered."""


class _Read(NamedTuple):
    """What the properties of a message say."""

    user_properties: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None
    correlation_data: bytes | None = None
    response_topic: str | None = None
    expiry_seconds: int | None = None


class Granted(NamedTuple):
    """What a broker says that grants all that was asked for: the packet id, and each QoS or 0."""

    packet_id: int
    codes: list[int]


class Accepted(NamedTuple):
    """What a broker says that accepts a connection."""

    flags: ConnectFlags
    properties: Properties


def packet_of(message: MQTTMessage) -> ReceivedPacket:
    """The packet that paho has read."""
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = "\ufffd"  # no link has such a topic: reported there like any other stranger
    return ReceivedPacket(
        topic,
        bytes(message.payload),
        message.qos,
        message.retain,
        *_read(message.properties),
        duplicate=message.dup,
        packet_id=message.mid,
    )


def read_publish(first_byte: int, rest: bytes | bytearray, *, v5: bool) -> ReceivedPacket | None:
    """Read a message, or leave it to paho: of QoS 2, with long properties, or wrong in any way.

    Args:
        first_byte: The first byte of a packet: its type and flags (MQTT 5, section 3.3.1).
        rest: What follows the length.
        v5: The protocol is MQTT 5 and not 3.1.1.

    Returns:
        The message; None where paho should read the packet.
    """
    if first_byte >> 4 != _PUBLISH:
        return None
    qos = first_byte >> 1 & 3
    topic_end = 2 + int.from_bytes(rest[:2])
    position = topic_end + 2 * qos  # a number for QoS 1, nothing for 0
    if qos > 1 or topic_end == 2 or position + v5 > len(rest):
        return None
    said, count = _Read(), rest[position] if v5 else 0
    if count > _MAX_PROPERTIES_BYTES or position + v5 + count > len(rest):
        return None
    try:
        topic = rest[2:topic_end].decode()
        if count:
            said = _said_by(bytes(rest[position : position + 1 + count]))
    except Exception:  # noqa: BLE001 - paho says what is wrong
        return None
    return ReceivedPacket(
        topic,
        bytes(rest[position + v5 + count :]),
        qos,
        bool(first_byte & 1),
        *said,
        duplicate=bool(first_byte & 8),
        packet_id=int.from_bytes(rest[topic_end : topic_end + 2 * qos]),
    )


@functools.lru_cache(maxsize=16)
def read_connack(first_byte: int, rest: bytes, *, v5: bool) -> Accepted | None:
    """Read a broker's answer to CONNECT where it accepts; they are the same each time.

    Args:
        first_byte: The first byte of a packet.
        rest: What follows the length (MQTT 5, section 3.2.2).
        v5: The protocol is MQTT 5 and not 3.1.1.

    Returns:
        What it says, to be read only; None where paho should read the packet.
    """
    if first_byte != _CONNACK or len(rest) < 2 or rest[1]:
        return None
    properties = Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]
    try:
        if v5:
            properties.unpack(rest[2:])  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - paho says what is wrong
        return None
    return Accepted(ConnectFlags(bool(rest[0] & 1)), properties) if v5 or len(rest) == 2 else None


def read_answer(first_byte: int, rest: bytes, *, v5: bool) -> Granted | None:
    """Read SUBACK or UNSUBACK where it grants everything, and says nothing else.

    Args:
        first_byte: The first byte of a packet.
        rest: What follows the length (MQTT 5, sections 3.9.2 and 3.11.2).
        v5: The protocol is MQTT 5 and not 3.1.1.

    Returns:
        What it says; None where paho should read the packet.
    """
    answers = 2 + v5  # behind the packet id, and with MQTT 5 the length of the properties
    granted = list(rest[answers:])
    if not granted or max(granted) > _HIGHEST_GRANT.get(first_byte, -1):
        return None
    if rest[2] if v5 else first_byte == _UNSUBACK:  # which has no codes in 3.1.1
        return None
    return Granted(int.from_bytes(rest[:2]), granted)


def write_publish(
    topic: str, payload: bytes, properties: Properties | None, *, retain: bool, v5: bool
) -> bytes | None:
    """A message of QoS 0 as a packet (MQTT 5, section 3.3).

    Returns:
        The whole packet; None where the topic or the length is impossible, which paho says.
    """
    field = _topic_field(topic)
    said = b"" if not v5 else b"\0" if properties is None else properties.pack()  # type: ignore[no-untyped-call]
    length = len(field) + len(said) + len(payload)
    if not field or length > _MAX_REST_BYTES:
        return None
    return b"".join((_head(_PUBLISH << 4 | retain, length), field, said, payload))


def _head(first_byte: int, length: int) -> bytes:
    """The fixed header: the length has seven bits in a byte, the lowest first."""
    head = bytearray((first_byte,))
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head)


@functools.lru_cache(maxsize=256)
def _topic_field(topic: str) -> bytes:
    """A topic as it stands in a packet, its length before it; empty where it is none."""
    try:
        text = topic.encode()
    except UnicodeEncodeError:
        return b""
    if not text or b"+" in text or b"#" in text or len(text) > _MAX_TOPIC_BYTES:
        return b""
    return len(text).to_bytes(2) + text


@functools.lru_cache(maxsize=64)
def _said_by(properties: bytes) -> _Read:
    """Read properties, with their length; raises as paho does where they are none."""
    parsed = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    parsed.unpack(properties)  # type: ignore[no-untyped-call]
    return _read(parsed)


def _read(properties: Properties | None) -> _Read:
    return _Read(
        tuple(getattr(properties, "UserProperty", ())),
        getattr(properties, "ContentType", None),
        getattr(properties, "CorrelationData", None),
        getattr(properties, "ResponseTopic", None),
        getattr(properties, "MessageExpiryInterval", None),
    )
