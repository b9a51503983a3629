"""Retained messages: the same on the embedded broker and on Mosquitto."""

import pytest
from aiomqtt import ProtocolVersion
from mqtt5 import (
    ConnectPacket,
    Packet,
    PublishPacket,
    RetainHandling,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
)

from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import PacketClient, client_of, next_message


@pytest.mark.parametrize("protocol", [ProtocolVersion.V5, ProtocolVersion.V311])
async def test_a_late_subscriber_gets_the_last_one(
    broker: AnyBroker, protocol: ProtocolVersion
) -> None:
    async with client_of(broker, protocol=protocol) as publisher:
        for payload in (b"first", b"last"):
            await publisher.publish("state/a", payload, qos=1, retain=True)
    async with client_of(broker, protocol=protocol) as late:
        await late.subscribe("state/#", qos=1)
        message = await next_message(late)
    assert (message.payload, message.retain, message.qos) == (b"last", True, 1)


async def test_an_empty_payload_deletes_it(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("deleter", clean_start=True))
        client.send(
            PublishPacket("a", b"x", retain=True),
            PublishPacket("a", b"", retain=True),
            PublishPacket("b", b"y", retain=True),
        )
        assert _topics(await _subscribed(client, TopicFilter("#"))) == ["b"]


@pytest.mark.parametrize(
    ("handling", "first", "again"),
    [
        (RetainHandling.SEND_ALWAYS, ["a"], ["a"]),
        (RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS, ["a"], []),
        (RetainHandling.SEND_NEVER, [], []),
    ],
)
async def test_retain_handling(
    broker: AnyBroker, handling: RetainHandling, first: list[str], again: list[str]
) -> None:
    wanted = TopicFilter("+", retain_handling=handling)
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("handling", clean_start=True))
        client.send(PublishPacket("a", b"x", retain=True))
        assert _topics(await _subscribed(client, wanted)) == first
        assert _topics(await _subscribed(client, wanted)) == again


@pytest.mark.parametrize("as_published", [True, False])
async def test_retain_as_published(broker: AnyBroker, as_published: bool) -> None:
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("as-published", clean_start=True))
        await _subscribed(client, TopicFilter("a", retain_as_published=as_published))
        client.send(PublishPacket("a", b"x", retain=True))
        (packet,) = await client.ping()
    assert isinstance(packet, PublishPacket)
    assert packet.retain is as_published


async def test_it_survives_a_restart(broker: AnyBroker) -> None:
    async with client_of(broker) as publisher:
        await publisher.publish("a", b"kept", qos=1, retain=True)
    await broker.stop()
    await broker.start()
    async with client_of(broker) as late:
        await late.subscribe("a")
        assert (await next_message(late)).payload == b"kept"


async def _subscribed(client: PacketClient, wanted: TopicFilter) -> list[Packet]:
    """Subscribe, and return what came with the SUBACK or after it."""
    client.send(SubscribePacket(1, [wanted]))
    packets = await client.ping()
    assert any(isinstance(packet, SubAckPacket) for packet in packets)
    return packets


def _topics(packets: list[Packet]) -> list[str]:
    return [packet.topic for packet in packets if isinstance(packet, PublishPacket)]
