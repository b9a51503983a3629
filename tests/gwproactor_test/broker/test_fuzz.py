"""Whatever bytes arrive, the broker goes on serving others, and forgets the sender."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mqtt5 import (
    ConnectPacket,
    DisconnectPacket,
    PingReqPacket,
    PubAckPacket,
    PublishPacket,
    QoS,
    SubscribePacket,
    TopicFilter,
    UnsubscribePacket,
)

from gwproactor_test.broker import Broker
from gwproactor_test.clients import PacketClient

CONNECTS = [
    b"",
    ConnectPacket("fuzz", clean_start=True).write(),
    b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04fuzz",
]
PACKETS = st.sampled_from(
    [
        ConnectPacket("fuzz").write(),
        SubscribePacket(1, [TopicFilter("#")]).write(),
        UnsubscribePacket(1, ["#"]).write(),
        PublishPacket("a", b"x", retain=True).write(),
        PublishPacket("a", b"x", qos=QoS.AT_LEAST_ONCE, packet_id=1, response_topic="r").write(),
        PublishPacket("a", b"x", qos=QoS.EXACTLY_ONCE, packet_id=1).write(),
        PubAckPacket(1).write(),
        PingReqPacket().write(),
        DisconnectPacket(session_expiry_interval=5).write(),
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Good packets of which a few bytes are changed."""
    data = bytearray(b"".join(draw(st.lists(PACKETS, min_size=1, max_size=8))))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@pytest.mark.parametrize("opening", CONNECTS, ids=["nothing", "mqtt 5", "mqtt 3.1.1"])
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.binary(max_size=200) | damaged())
async def test_any_bytes_hurt_only_their_sender(
    embedded_broker: Broker, opening: bytes, data: bytes
) -> None:
    async with PacketClient(embedded_broker) as witness:
        await witness.connect(ConnectPacket("witness", clean_start=True))
        witness.send(SubscribePacket(1, [TopicFilter("#")]))
        await witness.receive()
        async with PacketClient(embedded_broker) as fuzzer:
            fuzzer.send_bytes(opening + data)
            await witness.ping()
        await witness.ping()
        assert "witness" in embedded_broker.clients()
