"""What is read of a PUBLISH here is what paho reads of it, whatever the bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gwproactor.links.mqtt.aiomqtt_packets import packet_of, read_publish
from gwproactor.links.transport import ReceivedPacket

TOPIC = b"gw/d1/to/c/gridworks-ack"


def publish(topic: bytes, properties: bytes, payload: bytes, *, packet_id: bytes = b"") -> bytes:
    """What follows the length of a PUBLISH."""
    return len(topic).to_bytes(2) + topic + packet_id + properties + payload


def properties(**given: object) -> bytes:
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in given.items():
        setattr(made, name, value)
    return bytes(made.pack())  # type: ignore[no-untyped-call]


def read_by_paho(first_byte: int, rest: bytes, *, v5: bool) -> ReceivedPacket | None:
    """The packet as paho reads it; None where it refuses."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5 if v5 else MQTTv311)
    client.manual_ack_set(True)
    found: list[MQTTMessage] = []
    client.on_message = lambda _client, _userdata, message: found.append(message)
    client._in_packet["command"], client._in_packet["packet"] = first_byte, bytearray(rest)
    try:
        client._handle_publish()
    except MalformedPacket:
        return None
    return packet_of(found[0])


USUAL = publish(TOPIC, b"\0", b"{}")
ANNOUNCING = publish(TOPIC, properties(UserProperty=[("takes", "1"), ("é", "")]), b"{}")
ALL = properties(
    UserProperty=("k", "v"),
    ContentType="json",
    CorrelationData=b"\x00\xff",
    ResponseTopic="a/b",
    MessageExpiryInterval=7,
)


@pytest.mark.parametrize("rest", [USUAL, ANNOUNCING, publish(TOPIC, ALL, b""), USUAL[:-2]])
def test_what_links_send_is_read_here(rest: bytes) -> None:
    packet = read_publish(0x31, rest, v5=True)
    assert packet is not None
    assert packet == read_by_paho(0x31, rest, v5=True)
    assert packet.retain


def test_a_packet_id_and_a_repeat_are_read() -> None:
    rest = publish(TOPIC, b"", b"{}", packet_id=b"\x01\x02")
    packet = read_publish(0x3A, rest, v5=False)
    assert packet == ReceivedPacket(TOPIC.decode(), b"{}", 1, duplicate=True, packet_id=0x102)


@pytest.mark.parametrize(
    ("first_byte", "rest"),
    [
        (0x20, b"\0\0"),  # CONNACK
        (0x34, publish(TOPIC, b"\0", b"", packet_id=b"\0\1")),  # QoS 2
        (0x30, publish(b"", b"\0", b"")),  # an alias
        (0x30, publish(b"\xff", b"\0", b"")),  # no text
        (0x30, publish(TOPIC, b"\x80\x01" + b"x" * 128, b"")),  # long properties
        (0x30, publish(TOPIC, b"\x05", b"")),  # cut short
        (0x30, publish(TOPIC, b"\x02\x7f\0", b"")),  # unknown
        (0x30, b""),
        (0x30, b"\0"),
        (0x32, publish(TOPIC, b"", b"")),
    ],
)
def test_what_is_not_usual_is_left_to_paho(first_byte: int, rest: bytes) -> None:
    assert read_publish(first_byte, rest, v5=True) is None


@given(
    flags=st.integers(0, 15).filter(lambda flags: flags & 6 not in (4, 6)),
    rest=st.binary(max_size=60)
    | st.builds(
        lambda usual, cut, noise: usual[:cut] + noise + usual[cut + len(noise) :],
        st.sampled_from([USUAL, ANNOUNCING, publish(TOPIC, ALL, b"{}", packet_id=b"\0\7")]),
        st.integers(0, 60),
        st.binary(max_size=3),
    ),
    v5=st.booleans(),
)
@example(flags=0, rest=USUAL, v5=True)
def test_nothing_is_read_otherwise_than_by_paho(flags: int, rest: bytes, v5: bool) -> None:
    packet = read_publish(0x30 | flags, rest, v5=v5)
    assert packet is None or packet == read_by_paho(0x30 | flags, rest, v5=v5)
