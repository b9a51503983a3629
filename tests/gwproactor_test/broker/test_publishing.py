"""Delivery of messages: the same on the embedded broker and on Mosquitto."""

import aiomqtt
import pytest
from aiomqtt import ProtocolVersion
from mqtt5 import (
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    PubAckPacket,
    PubAckReasonCode,
    PublishPacket,
    QoS,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
    UnsubAckPacket,
    UnsubAckReasonCode,
    UnsubscribePacket,
)
from paho.mqtt.subscribeoptions import SubscribeOptions

from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import (
    PacketClient,
    client_of,
    granted_qos,
    next_message,
    publish_properties,
)

PROTOCOLS = pytest.mark.parametrize("protocol", [ProtocolVersion.V5, ProtocolVersion.V311])


@PROTOCOLS
@pytest.mark.parametrize("published", [0, 1])
@pytest.mark.parametrize("subscribed", [0, 1])
async def test_a_message_comes_with_the_lower_of_both_qos(
    broker: AnyBroker, protocol: ProtocolVersion, published: int, subscribed: int
) -> None:
    async with client_of(broker, protocol=protocol) as client:
        codes = await client.subscribe("a/#", qos=subscribed)
        assert granted_qos(codes) == [subscribed]
        await client.publish("a/b", b"x", qos=published)
        message = await next_message(client)
    assert (message.topic.value, message.payload) == ("a/b", b"x")
    assert message.qos == min(published, subscribed)
    assert not message.retain


@pytest.mark.parametrize("sender", [ProtocolVersion.V5, ProtocolVersion.V311])
@pytest.mark.parametrize("receiver", [ProtocolVersion.V5, ProtocolVersion.V311])
async def test_versions_talk_to_each_other(
    broker: AnyBroker, sender: ProtocolVersion, receiver: ProtocolVersion
) -> None:
    async with client_of(broker, protocol=receiver) as to:
        await to.subscribe("täst/+/c", qos=1)
        async with client_of(broker, protocol=sender) as origin:
            await origin.publish("täst/ü/c", bytes(range(256)) * 300, qos=1)
        message = await next_message(to)
    assert (message.topic.value, message.payload) == ("täst/ü/c", bytes(range(256)) * 300)


async def test_properties_survive_the_way(broker: AnyBroker) -> None:
    properties = publish_properties()
    properties.ContentType = "application/json"
    properties.ResponseTopic = "answers"
    properties.CorrelationData = b"\x00\x01"
    properties.UserProperty = [("one", "1"), ("two", "2"), ("one", "again")]
    properties.PayloadFormatIndicator = 1
    properties.MessageExpiryInterval = 1000
    async with client_of(broker) as client:
        await client.subscribe("a")
        await client.publish("a", b"{}", properties=properties)
        received = (await next_message(client)).properties
    assert received is not None
    assert str(received) == str(properties)


async def test_messages_keep_their_order(broker: AnyBroker) -> None:
    async with client_of(broker) as client:
        await client.subscribe("a/#", qos=1)
        for number in range(200):
            await client.publish("a", str(number), qos=number % 2)
        received = [(await next_message(client)).payload for _ in range(200)]
    assert received == [str(number).encode() for number in range(200)]


async def test_overlapping_filters_deliver_once_for_each(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("overlap", clean_start=True))
        for number, pattern in enumerate(("a/#", "a/+", "b"), start=1):
            client.send(SubscribePacket(number, [TopicFilter(pattern)], subscription_id=number))
            await client.expect(SubAckPacket)
        client.send(PublishPacket("a/b", b"x"))
        received = await client.ping()
    assert sorted(p.subscription_ids for p in received if isinstance(p, PublishPacket)) == [
        [1],
        [2],
    ]


async def test_a_second_subscription_to_a_filter_replaces_the_first(broker: AnyBroker) -> None:
    async with client_of(broker) as client:
        await client.subscribe("a", qos=0)
        await client.subscribe("a", qos=1)
        await client.publish("a", b"1", qos=1)
        await client.publish("a", b"2", qos=1)
        first, second = await next_message(client), await next_message(client)
    assert [(m.payload, m.qos) for m in (first, second)] == [(b"1", 1), (b"2", 1)]


async def test_no_local_spares_the_sender(broker: AnyBroker) -> None:
    async with client_of(broker) as one, client_of(broker) as other:
        await one.subscribe("a", options=SubscribeOptions(qos=1, noLocal=True))
        await one.publish("a", b"mine", qos=1)
        await other.publish("a", b"theirs", qos=1)
        assert (await next_message(one)).payload == b"theirs"


async def test_unsubscribed_messages_stay_away(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("leaver", clean_start=True))
        client.send(SubscribePacket(1, [TopicFilter("a/+"), TopicFilter("b")]))
        await client.expect(SubAckPacket)
        client.send(UnsubscribePacket(2, ["a/+", "never/there"]))
        answer = await client.expect(UnsubAckPacket)
        client.send(PublishPacket("a/b", b"x"), PublishPacket("b", b"y"))
        received = await client.ping()
    assert answer.packet_id == 2
    assert answer.reason_codes == [
        UnsubAckReasonCode.SUCCESS,
        UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED,
    ]
    assert [p.topic for p in received if isinstance(p, PublishPacket)] == ["b"]


async def test_puback_says_whether_anybody_listens(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("speaker", clean_start=True))
        client.send(PublishPacket("a", b"x", qos=QoS.AT_LEAST_ONCE, packet_id=7))
        alone = await client.expect(PubAckPacket)
        client.send(SubscribePacket(1, [TopicFilter("a", max_qos=QoS.AT_MOST_ONCE)]))
        await client.expect(SubAckPacket)
        client.send(PublishPacket("a", b"x", qos=QoS.AT_LEAST_ONCE, packet_id=8))
        packets = [await client.receive(), await client.receive()]
    heard = next(p for p in packets if isinstance(p, PubAckPacket))
    assert (alone.packet_id, alone.reason_code) == (7, PubAckReasonCode.NO_MATCHING_SUBSCRIBERS)
    assert (heard.packet_id, heard.reason_code) == (8, PubAckReasonCode.SUCCESS)


async def test_topics_of_the_broker_are_hidden_from_wildcards(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("dollar", clean_start=True))
        client.send(SubscribePacket(1, [TopicFilter(p) for p in ("#", "+/x", "$own/+")]))
        await client.expect(SubAckPacket)
        client.send(PublishPacket("$own/x", b"1"), PublishPacket("own/x", b"2"))
        received = [p for p in await client.ping() if isinstance(p, PublishPacket)]
    assert sorted(p.payload for p in received) == [b"1", b"2", b"2"]


@pytest.mark.parametrize("topic_filter", ["a/#/b", "a#", "a/b+", "#/a", "/".join("a" * 300)])
async def test_a_malformed_filter_is_not_granted(broker: AnyBroker, topic_filter: str) -> None:
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("malformed", clean_start=True))
        client.send(SubscribePacket(1, [TopicFilter("x")]))
        await client.expect(SubAckPacket)
        client.send_bytes(_subscribe(topic_filter))
        try:
            answer = await client.expect(SubAckPacket)
        except (EOFError, AssertionError):
            return  # Mosquitto ends the connection, as the specification allows too
    assert [int(code) for code in answer.reason_codes] == [0x8F]


def _subscribe(topic_filter: str) -> bytes:
    """A SUBSCRIBE that mqtt5 refuses to write."""
    pattern = topic_filter.encode()
    body = b"\x00\x02\x00" + len(pattern).to_bytes(2, "big") + pattern + b"\x00"
    length = (
        bytes((len(body),)) if len(body) < 128 else bytes((len(body) % 128 | 128, len(body) // 128))
    )
    return b"\x82" + length + body


@pytest.mark.parametrize("topic", ["a/+", "#", "a\0b"])
async def test_publishing_to_a_wildcard_ends_the_connection(broker: AnyBroker, topic: str) -> None:
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + b"\x00x"
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("wild", clean_start=True))
        client.send_bytes(bytes((0x30, len(body))) + body)
        packets = await client.rest()
    assert all(isinstance(p, DisconnectPacket) for p in packets)


async def test_qos_2_is_refused_by_the_embedded_broker(embedded_broker: Broker) -> None:
    async with PacketClient(embedded_broker) as client:
        welcome = await client.connect(ConnectPacket("exact", clean_start=True))
        client.send(SubscribePacket(1, [TopicFilter("a", max_qos=QoS.EXACTLY_ONCE)]))
        granted = await client.expect(SubAckPacket)
        client.send(PublishPacket("a", b"x", qos=QoS.EXACTLY_ONCE, packet_id=1))
        (goodbye,) = await client.rest()
    assert welcome.max_qos == QoS.AT_LEAST_ONCE
    assert [int(code) for code in granted.reason_codes] == [1]
    assert isinstance(goodbye, DisconnectPacket)
    assert goodbye.reason_code == DisconnectReasonCode.QOS_NOT_SUPPORTED


async def test_a_waiting_message_has_the_rest_of_its_lifetime(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("later", clean_start=True, session_expiry_interval=60))
        client.send(SubscribePacket(1, [TopicFilter("a")]))
        await client.expect(SubAckPacket)
    async with client_of(broker) as publisher:
        lasting = publish_properties()
        lasting.MessageExpiryInterval = 1000
        await publisher.publish("a", b"lasting", qos=1, properties=lasting)
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("later"))
        packet = await client.expect(PublishPacket)
    assert packet.message_expiry_interval is not None
    assert 0 < packet.message_expiry_interval <= 1000


@PROTOCOLS
async def test_many_clients_hear_one_message(broker: AnyBroker, protocol: ProtocolVersion) -> None:
    async with (
        client_of(broker, protocol=protocol) as one,
        client_of(broker, protocol=protocol) as two,
        client_of(broker, protocol=protocol) as three,
    ):
        clients: list[aiomqtt.Client] = [one, two, three]
        for client in clients:
            await client.subscribe("news", qos=1)
        await one.publish("news", b"x", qos=1)
        assert [(await next_message(c)).payload for c in clients] == [b"x"] * 3
