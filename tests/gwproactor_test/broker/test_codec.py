"""Cutting the stream into packets, and the two protocol versions."""

import contextlib
import itertools

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt5 import (
    ConnectPacket,
    DisconnectReasonCode,
    PingReqPacket,
    PublishPacket,
    SubscribePacket,
    TopicFilter,
)

from gwproactor_test.broker.codec import (
    CODECS,
    LEVEL_5,
    FrameSplitter,
    ProtocolFault,
    protocol_level,
)

PACKETS = [
    ConnectPacket("me", clean_start=True).write(),
    SubscribePacket(1, [TopicFilter("a/#")]).write(),
    PublishPacket("a/b", bytes(300)).write(),
    PingReqPacket().write(),
    PublishPacket("a", b"").write(),
]
STREAM = b"".join(PACKETS)


@given(st.lists(st.integers(0, len(STREAM)), max_size=20).map(sorted))
def test_packets_come_whole_however_the_bytes_arrive(cuts: list[int]) -> None:
    splitter = FrameSplitter(max_packet_bytes=1000)
    edges = [0, *cuts, len(STREAM)]
    pieces = [STREAM[start:end] for start, end in itertools.pairwise(edges)]
    assert [bytes(frame) for piece in pieces for frame in splitter.feed(piece)] == PACKETS


@pytest.mark.parametrize("length", [2, 129, 130, 131, 16386, 16387])
def test_the_limit_is_exact(length: int) -> None:
    packet = PublishPacket("a", bytes(max(0, length - 6))).write()
    assert list(FrameSplitter(len(packet)).feed(packet)) == [packet]
    with pytest.raises(ProtocolFault) as caught:
        list(FrameSplitter(len(packet) - 1).feed(packet[:5]))
    assert caught.value.reason == DisconnectReasonCode.PACKET_TOO_LARGE


def test_a_length_of_five_bytes_is_malformed() -> None:
    with pytest.raises(ProtocolFault) as caught:
        list(FrameSplitter(1000).feed(b"\x30\x80\x80\x80\x80\x01"))
    assert caught.value.reason == DisconnectReasonCode.MALFORMED_PACKET


@given(st.sampled_from(list(CODECS)), st.binary(min_size=2, max_size=60))
def test_any_bytes_are_a_packet_or_malformed(level: int, data: bytes) -> None:
    frame = bytes((data[0], len(data) - 2)) + data[2:]
    with contextlib.suppress(ProtocolFault):
        CODECS[level].decode(memoryview(frame))


@given(st.binary(max_size=30))
def test_the_level_is_read_from_any_bytes(data: bytes) -> None:
    for frame in (b"\x10" + data, b"\x10\x80\x01" + data):
        assert protocol_level(memoryview(frame)) in (None, *range(256))


@pytest.mark.parametrize(
    ("body", "level"),
    [
        (b"\x00\x04MQTT\x05", 5),
        (b"\x00\x04MQTT\x04", 4),
        (b"\x00\x06MQIsdp\x03", 3),
        (b"\x00\x04MQTT", None),
        (b"\x00\x04HTTP\x05", None),
    ],
)
def test_protocol_level(body: bytes, level: int | None) -> None:
    assert protocol_level(memoryview(bytes((0x10, len(body))) + body)) == level
    assert protocol_level(memoryview(bytes((0x20, len(body))) + body)) is None


def test_version_5_is_written_as_mqtt5_does() -> None:
    packet, _ = mqtt5.read(memoryview(PACKETS[2]))
    assert CODECS[LEVEL_5].encode(packet) == PACKETS[2]
