"""Wills: the same on the embedded broker and on Mosquitto."""

import aiomqtt
import pytest
from aiomqtt import ProtocolVersion
from mqtt5 import (
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    PublishPacket,
    QoS,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
    Will,
)

from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import PacketClient, client_of, next_message
from gwproactor_test.relay import Relay

WILL = Will("will", payload=b"gone", qos=QoS.AT_LEAST_ONCE)


@pytest.mark.parametrize("reset", [True, False])
async def test_it_is_published_when_the_connection_breaks(
    broker: AnyBroker,
    relay: Relay,
    reset: bool,
) -> None:
    async with client_of(broker) as listener:
        await listener.subscribe("will", qos=1)
        async with PacketClient(relay) as client:
            await client.connect(_with_will())
            await relay.cut(reset=reset)
        message = await next_message(listener)
    assert (message.payload, message.qos, message.retain) == (b"gone", 1, False)


@pytest.mark.parametrize("protocol", [ProtocolVersion.V5, ProtocolVersion.V311])
async def test_it_is_not_published_after_a_goodbye(
    broker: AnyBroker, protocol: ProtocolVersion
) -> None:
    async with PacketClient(broker) as listener:
        await _listen(listener)
        async with client_of(broker, protocol=protocol, will=aiomqtt.Will("will", b"gone")):
            pass
        async with PacketClient(broker) as client:
            await client.connect(_with_will())
            client.send(DisconnectPacket())
            await client.rest()
        assert await listener.ping() == []


async def test_a_goodbye_can_ask_for_it(broker: AnyBroker) -> None:
    async with PacketClient(broker) as listener:
        await _listen(listener)
        async with PacketClient(broker) as client:
            await client.connect(_with_will())
            client.send(
                DisconnectPacket(reason_code=DisconnectReasonCode.DISCONNECT_WITH_WILL_MESSAGE)
            )
            await client.rest()
        assert (await listener.expect(PublishPacket)).payload == b"gone"


async def test_it_can_be_retained_and_has_its_properties(broker: AnyBroker) -> None:
    will = Will("will", payload=b"gone", retain=True, content_type="text/plain")
    async with PacketClient(broker) as listener:
        await _listen(listener)
        async with PacketClient(broker) as client:
            await client.connect(ConnectPacket("dying", clean_start=True, will=will))
        await listener.expect(PublishPacket)
    async with PacketClient(broker) as late:
        await _listen(late)
        retained = await late.expect(PublishPacket)
    assert (retained.payload, retained.retain) == (b"gone", True)
    assert retained.content_type == "text/plain"


async def test_an_older_client_has_one_too(broker: AnyBroker, relay: Relay) -> None:
    async def die() -> None:
        will = aiomqtt.Will("will", b"old and gone", qos=1)
        async with client_of(relay, protocol=ProtocolVersion.V311, will=will) as client:
            await relay.cut()
            await next_message(client)

    async with client_of(broker) as listener:
        await listener.subscribe("will", qos=1)
        with pytest.raises(aiomqtt.MqttError):
            await die()
        assert (await next_message(listener)).payload == b"old and gone"


async def test_silence_beyond_the_keep_alive_is_a_broken_connection(
    embedded_broker: Broker,
) -> None:
    async with client_of(embedded_broker) as listener:
        await listener.subscribe("will")
        async with PacketClient(embedded_broker) as client:
            await client.connect(_with_will(keep_alive=1))
            assert (await next_message(listener)).payload == b"gone"
            (goodbye,) = await client.rest()
    assert isinstance(goodbye, DisconnectPacket)
    assert goodbye.reason_code == DisconnectReasonCode.KEEP_ALIVE_TIMEOUT


async def test_a_will_that_cannot_be_published_is_refused(embedded_broker: Broker) -> None:
    for will in (Will("will", qos=QoS.EXACTLY_ONCE), Will("", payload=b"x")):
        async with PacketClient(embedded_broker) as client:
            client.send_bytes(ConnectPacket("bad", will=will).write())
            try:
                answer = await client.receive()
            except EOFError:
                continue
            assert getattr(answer, "reason_code", None) in (
                ConnAckReasonCode.QUALITY_NOT_SUPPORTED,
                ConnAckReasonCode.TOPIC_NAME_INVALID,
            )


def _with_will(*, keep_alive: int = 0) -> ConnectPacket:
    return ConnectPacket("dying", clean_start=True, will=WILL, keep_alive=keep_alive)


async def _listen(client: PacketClient) -> None:
    await client.connect(ConnectPacket(f"listener-{id(client)}", clean_start=True))
    client.send(SubscribePacket(1, [TopicFilter("will")]))
    await client.expect(SubAckPacket)
