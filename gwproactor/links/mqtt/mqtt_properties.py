"""The properties of MQTT 5 packets that we send, in the form that paho-mqtt wants."""

import functools

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gwproactor.links.transport import SendOptions


class PackedProperties(Properties):
    """Properties that do not change any more, so that packing them is done once."""

    @functools.cached_property
    def _packed(self) -> bytes:
        return bytes(super().pack())  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        """The bytes that stand for them in a packet."""
        return self._packed


@functools.lru_cache
def connect_properties(
    receive_maximum: int, max_packet_bytes: int, session_expiry_seconds: int
) -> Properties:
    """CONNECT's properties; paho only reads them, and making them costs more than sending them."""
    properties = PackedProperties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = receive_maximum
    properties.MaximumPacketSize = max_packet_bytes
    properties.SessionExpiryInterval = session_expiry_seconds
    return properties


@functools.lru_cache(maxsize=16)
def publish_properties(options: SendOptions) -> Properties:
    """PUBLISH's properties (MQTT 5, section 3.3.2.3); those of one link's acks are the same."""
    given = {
        "UserProperty": list(options.user_properties) or None,
        "ContentType": options.content_type,
        "MessageExpiryInterval": options.expiry_seconds,
        "CorrelationData": options.correlation_data,
        "ResponseTopic": options.response_topic,
    }
    properties = PackedProperties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in given.items():
        if value is not None:
            setattr(properties, name, value)
    return properties


def publish_bytes(topic: str, payload: bytes, qos: int, properties: Properties | None) -> int:
    """How long an MQTT 5 PUBLISH is, its fixed header included (MQTT 5, section 3.3)."""
    properties_bytes = 1 if properties is None else len(properties.pack())  # type: ignore[no-untyped-call]
    rest = 2 + len(topic.encode(errors="replace")) + 2 * (qos > 0) + properties_bytes + len(payload)
    return 1 + max(1, -(-rest.bit_length() // 7)) + rest
