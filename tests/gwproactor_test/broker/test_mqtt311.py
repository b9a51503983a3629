"""Translation between MQTT 3.1.1 and 5, with packets written by hand and by paho."""

import contextlib

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt5 import (
    ConnAckPacket,
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    PingRespPacket,
    PubAckPacket,
    PubAckReasonCode,
    PublishPacket,
    QoS,
    SubAckPacket,
    SubAckReasonCode,
    SubscribePacket,
    UnsubAckPacket,
    UnsubAckReasonCode,
    UnsubscribePacket,
)

from gwproactor_test.broker.mqtt311 import encode, upgrade
from gwproactor_test.broker.session import NEVER


def _read(frame: bytes) -> mqtt5.Packet:
    packet, length = mqtt5.read(memoryview(frame))
    assert length == len(frame)
    return packet


def test_connect_with_everything() -> None:
    frame = bytes.fromhex(
        "1024 0004 4d515454 04 ee 003c 0002 6d650004 77696c6c 0004 676f6e65 0004 616e6e61 0002 7077"
    )
    packet = _read(upgrade(frame))
    assert isinstance(packet, ConnectPacket)
    assert (packet.client_id, packet.keep_alive, packet.clean_start) == ("me", 60, True)
    assert (packet.username, packet.password) == ("anna", b"pw")
    assert packet.will is not None
    assert (packet.will.topic, packet.will.payload) == ("will", b"gone")
    assert (packet.will.qos, packet.will.retain) == (QoS.AT_LEAST_ONCE, True)
    assert packet.session_expiry_interval == 0


def test_a_session_that_is_not_clean_never_expires() -> None:
    packet = _read(upgrade(b"\x10\x0e\x00\x04MQTT\x04\x00\x00\x3c\x00\x02me"))
    assert isinstance(packet, ConnectPacket)
    assert not packet.clean_start
    assert packet.session_expiry_interval == NEVER


@given(st.binary(max_size=300), st.sampled_from([0, 1]), st.booleans(), st.booleans())
def test_publish_both_ways(payload: bytes, qos: int, retain: bool, duplicate: bool) -> None:
    packet = PublishPacket(
        "tä/b",
        payload,
        qos=QoS.AT_LEAST_ONCE if qos else QoS.AT_MOST_ONCE,
        retain=retain,
        duplicate=duplicate,
        packet_id=7 if qos else None,
        content_type="lost on the way",
        user_properties=[("lost", "too")],
    )
    again = _read(upgrade(encode(packet)))
    assert isinstance(again, PublishPacket)
    assert (again.topic, again.payload, again.retain) == (packet.topic, payload, retain)
    assert (again.qos, again.packet_id) == (packet.qos, packet.packet_id)
    assert again.duplicate is duplicate
    assert again.content_type is None


def test_subscribe_and_unsubscribe() -> None:
    subscribe = _read(upgrade(b"\x82\x0c\x00\x05\x00\x03a/#\x01\x00\x01b\x00"))
    assert isinstance(subscribe, SubscribePacket)
    assert subscribe.packet_id == 5
    assert [(f.pattern, f.max_qos) for f in subscribe.topic_filters] == [
        ("a/#", QoS.AT_LEAST_ONCE),
        ("b", QoS.AT_MOST_ONCE),
    ]
    unsubscribe = _read(upgrade(b"\xa2\x07\x00\x06\x00\x03a/#"))
    assert isinstance(unsubscribe, UnsubscribePacket)
    assert (unsubscribe.packet_id, unsubscribe.patterns) == (6, ["a/#"])


@pytest.mark.parametrize("frame", [b"\xc0\x00", b"\xe0\x00", b"\x40\x02\x00\x07"])
def test_other_packets_stay_as_they_are(frame: bytes) -> None:
    assert upgrade(frame) == frame


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (ConnAckPacket(session_present=True, max_qos=QoS.AT_LEAST_ONCE), "20020100"),
        (ConnAckPacket(reason_code=ConnAckReasonCode.CLIENT_ID_NOT_VALID), "20020002"),
        (ConnAckPacket(reason_code=ConnAckReasonCode.QUOTA_EXCEEDED), "20020003"),
        (ConnAckPacket(reason_code=ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD), "20020004"),
        (ConnAckPacket(reason_code=ConnAckReasonCode.NOT_AUTHORIZED), "20020005"),
        (PubAckPacket(9, reason_code=PubAckReasonCode.NO_MATCHING_SUBSCRIBERS), "40020009"),
        (
            SubAckPacket(
                9,
                [
                    SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE,
                    SubAckReasonCode.NOT_AUTHORIZED,
                ],
            ),
            "900400090180",
        ),
        (UnsubAckPacket(9, [UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED]), "b0020009"),
        (PingRespPacket(), "d000"),
        (DisconnectPacket(), ""),
    ],
)
def test_what_the_broker_says(packet: mqtt5.Packet, expected: str) -> None:
    assert encode(packet).hex() == expected


@given(st.binary(min_size=1, max_size=40))
def test_short_packets_raise_index_error_only(body: bytes) -> None:
    for first_byte in (0x10, 0x30, 0x32, 0x82, 0xA2):
        with contextlib.suppress(IndexError):
            upgrade(bytes((first_byte, len(body))) + body)
