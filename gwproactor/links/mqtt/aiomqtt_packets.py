"""Received PUBLISH packets: read here where they are as nearly all are, and by paho otherwise.

For each message paho asks for its bytes in three steps, builds the tables of all that MQTT 5 knows
as properties, two objects of its own and a line for its log. Where a message comes now and then, so
that none of this is in the processor's caches, that takes as long as the broker does. What it finds
is the same every time: no properties, or those that the peer announces itself by. So these are
remembered by their bytes, and the rest of a packet is a topic, perhaps a number, and the payload.
"""

import functools
from typing import NamedTuple

from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gwproactor.links.transport import ReceivedPacket

_PUBLISH = 3

_MAX_PROPERTIES_BYTES = 127
"""So many have their length in one byte, and few enough to be remembered."""


class _Read(NamedTuple):
    """What the properties of a message say."""

    user_properties: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None
    correlation_data: bytes | None = None
    response_topic: str | None = None
    expiry_seconds: int | None = None


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
