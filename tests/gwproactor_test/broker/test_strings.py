"""Packets with strings that are not UTF-8 are found, all good packets pass."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt5 import (
    ConnectPacket,
    DisconnectPacket,
    Packet,
    PubAckPacket,
    PublishPacket,
    QoS,
    SubscribePacket,
    TopicFilter,
    UnsubscribePacket,
    Will,
)

from gwproactor_test.broker.strings import check_strings

MARK = "öö"
PAIRS = [(MARK, MARK)]
WILL = Will(
    MARK,
    payload=b"\xff",
    will_delay_interval=5,
    content_type=MARK,
    response_topic=MARK,
    correlation_data=b"\xfe",
    user_properties=PAIRS,
)
PACKETS: list[Packet] = [
    ConnectPacket(
        MARK,
        username=MARK,
        password=b"\xff\xfe",
        will=WILL,
        session_expiry_interval=1,
        authentication_method=MARK,
        authentication_data=b"\xff",
        receive_max=3,
        max_packet_size=100,
        topic_alias_max=4,
        request_response_info=True,
        user_properties=PAIRS,
    ),
    PublishPacket(
        MARK,
        b"\xff\xfe",
        qos=QoS.AT_LEAST_ONCE,
        packet_id=0xFFFF,
        payload_format_indicator=1,
        message_expiry_interval=1,
        content_type=MARK,
        response_topic=MARK,
        correlation_data=b"\xff",
        subscription_ids=[1, 200, 70_000],
        topic_alias=2,
        user_properties=PAIRS * 2,
    ),
    PublishPacket(MARK, b"\xff"),
    SubscribePacket(1, [TopicFilter(MARK), TopicFilter("a/#")], user_properties=PAIRS),
    UnsubscribePacket(1, [MARK, "b"], user_properties=PAIRS),
    PubAckPacket(0xFFFF, reason_str=MARK, user_properties=PAIRS),
    DisconnectPacket(session_expiry_interval=1, reason_str=MARK, user_properties=PAIRS),
]


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: type(packet).__name__)
def test_every_string_is_looked_at(packet: Packet) -> None:
    frame = packet.write()
    check_strings(frame)
    good = MARK.encode()
    count = frame.count(good)
    assert count >= 1
    at = 0
    for _ in range(count):
        at = frame.index(good, at)
        bad = frame[:at] + b"\xff" + frame[at + 1 :]
        with pytest.raises(UnicodeDecodeError):
            check_strings(bad)
        at += len(good)


@pytest.mark.parametrize("frame", [b"\xc0\x00", b"\xe0\x00", b"\xe0\x01\x8e", b"\x40\x02\x00\xff"])
def test_packets_without_strings_pass(frame: bytes) -> None:
    check_strings(frame)


@given(st.binary(min_size=2, max_size=60))
def test_any_bytes_pass_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError, IndexError):
        check_strings(data)
