"""What is read and written here is what paho reads and writes, whatever the bytes."""

import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gwproactor.links.mqtt.aiomqtt_packets import (
    packet_of,
    read_answer,
    read_connack,
    read_publish,
    write_publish,
)
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


def answer_read_by_paho(first_byte: int, rest: bytes, *, v5: bool) -> tuple[int, list[int]] | None:
    """The packet id and the codes as paho reads them; None where it refuses."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5 if v5 else MQTTv311)
    found: list[tuple[int, list[int]]] = []

    def answered(
        _client: Client, _userdata: object, packet_id: int, codes: list[ReasonCode], _said: object
    ) -> None:
        found.append((packet_id, [code.value for code in codes]))

    client.on_subscribe = client.on_unsubscribe = answered
    client._in_packet["command"], client._in_packet["packet"] = first_byte, bytearray(rest)
    try:
        client._packet_handle()
    except MalformedPacket:
        return None
    return found[0]


@pytest.mark.parametrize(("rest", "v5"), [(b"\x01\x02\0\0\1\2", True), (b"\x01\x02\0\1\2", False)])
def test_what_is_granted_is_read_here(rest: bytes, v5: bool) -> None:
    assert read_answer(0x90, rest, v5=v5) == (0x102, [0, 1, 2])


@pytest.mark.parametrize(
    ("first_byte", "rest"),
    [
        (0xA0, b"\0\1\0\0"),  # UNSUBSCRIBE
        (0xB0, b"\0\1\0\x11"),  # there was nothing to end
        (0x90, b"\0\1\0\x87"),  # refused
        (0x90, b"\0\1\x03\x1f\0\0\0"),  # with a reason in words
        (0x90, b"\0\1\0"),  # nothing
        (0x90, b"\0"),
        (0x90, b""),
    ],
)
def test_an_answer_that_is_not_usual_is_left_to_paho(first_byte: int, rest: bytes) -> None:
    assert read_answer(first_byte, rest, v5=True) is None


@given(
    first_byte=st.sampled_from([0x90, 0xB0]),
    rest=st.binary(max_size=8) | st.lists(st.integers(0, 3), max_size=6).map(bytes),
    v5=st.booleans(),
)
@example(first_byte=0x90, rest=b"\0\1\0\0\1\2", v5=True)
@example(first_byte=0xB0, rest=b"\0\1\0\0", v5=True)
def test_no_answer_is_read_otherwise_than_by_paho(first_byte: int, rest: bytes, v5: bool) -> None:
    read = read_answer(first_byte, rest, v5=v5)
    assert read is None or read == answer_read_by_paho(first_byte, rest, v5=v5)


def written_by_paho(
    topic: str, payload: bytes, said: Properties | None, *, retain: bool, v5: bool
) -> bytes | None:
    """The packet as paho writes it; None where it refuses."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5 if v5 else MQTTv311)
    client._sock = socket.socket()  # it only looks whether there is one
    client.on_socket_register_write = lambda *_: None  # and writes later
    try:
        client.publish(topic, payload, 0, retain, said)
    except ValueError:
        return None
    finally:
        client._sock.close()
        client._sock = None
    return bytes(client._out_packet[0]["packet"])


def said(announcement: list[tuple[str, str]]) -> Properties | None:
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if announcement:
        made.UserProperty = announcement
    return made if announcement else None


@given(
    topic=st.sampled_from([TOPIC.decode(), "", "a/+", "#", "ü/€", "\ud800", "x" * 65536])
    | st.text(max_size=20),
    payload=st.binary(max_size=20) | st.integers(100, 20_000).map(bytes),
    announcement=st.lists(st.tuples(st.sampled_from(["takes", "é"]), st.just("1")), max_size=2),
    retain=st.booleans(),
    v5=st.booleans(),
)
def test_a_message_is_written_as_by_paho(
    topic: str, payload: bytes, announcement: list[tuple[str, str]], retain: bool, v5: bool
) -> None:
    properties = said(announcement) if v5 else None
    written = write_publish(topic, payload, properties, retain=retain, v5=v5)
    by_paho = written_by_paho(topic, payload, properties, retain=retain, v5=v5)
    # MQTT 5 takes an empty topic for an alias, of which links know nothing
    assert written == (by_paho if topic else None)


@pytest.mark.parametrize("length", [127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_a_length_is_written_in_as_few_bytes_as_it_needs(length: int) -> None:
    payload = bytes(length - 2 - len(TOPIC))
    written = write_publish(TOPIC.decode(), payload, None, retain=False, v5=False)
    assert written == written_by_paho(TOPIC.decode(), payload, None, retain=False, v5=False)


def connack_read_by_paho(rest: bytes, *, v5: bool) -> tuple[bool, dict[str, object]] | None:
    """Whether there was a session, and what else is said; None where paho does not connect."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5 if v5 else MQTTv311)
    found: list[tuple[bool, dict[str, object]]] = []

    def connected(
        _client: Client,
        _userdata: object,
        flags: ConnectFlags,
        _code: ReasonCode,
        said: Properties | None,
    ) -> None:
        assert said is not None
        found.append((flags.session_present, said.json()))  # type: ignore[no-untyped-call]

    client.on_connect = connected
    client._in_packet["command"], client._in_packet["packet"] = 0x20, bytearray(rest)
    try:
        client._handle_connack()
    except MalformedPacket:
        return None
    return found[0] if client.is_connected() else None


SAID = b"\x0b\x21\x00\x14\x22\x00\x0a\x27\x00\x10\x00\x00"  # as Mosquitto, and a longest packet


@pytest.mark.parametrize(
    ("rest", "v5"), [(b"\0\0\0", True), (b"\1\0" + SAID, True), (b"\1\0", False), (b"\0\0", False)]
)
def test_a_broker_that_accepts_is_read_here(rest: bytes, v5: bool) -> None:
    accepted = read_connack(0x20, rest, v5=v5)
    assert accepted is not None
    said = accepted.properties.json()  # type: ignore[no-untyped-call]
    assert (accepted.flags.session_present, said) == connack_read_by_paho(rest, v5=v5)


@pytest.mark.parametrize(
    ("first_byte", "rest"),
    [
        (0x30, b"\0\0\0"),
        (0x20, b"\0\x87\0"),  # refused
        (0x20, b"\0\0\x03\x7f\0\0"),  # unknown
        (0x20, b"\0\0"),
        (0x20, b"\0"),
        (0x20, b""),
    ],
)
def test_a_broker_that_does_not_just_accept_is_left_to_paho(first_byte: int, rest: bytes) -> None:
    assert read_connack(first_byte, rest, v5=True) is None


@given(
    rest=st.builds(
        lambda usual, cut, noise: usual[:cut] + noise + usual[cut + len(noise) :],
        st.sampled_from([b"\0\0\0", b"\1\0" + SAID, b"\0\0"]),
        st.integers(0, 14),
        st.binary(max_size=3),
    ),
    v5=st.booleans(),
)
def test_no_acceptance_is_read_otherwise_than_by_paho(rest: bytes, v5: bool) -> None:
    accepted = read_connack(0x20, rest, v5=v5)
    if accepted is not None:
        said = accepted.properties.json()  # type: ignore[no-untyped-call]
        assert (accepted.flags.session_present, said) == connack_read_by_paho(rest, v5=v5)
