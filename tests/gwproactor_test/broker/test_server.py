"""Starting, stopping and cutting off the embedded broker, and its limits."""

import asyncio
import contextlib
import socket

import aiomqtt
import pytest
from aiomqtt import ProtocolVersion
from mqtt5 import (
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    Packet,
    PingReqPacket,
    PubAckPacket,
    PubAckReasonCode,
    PublishPacket,
    PubRelPacket,
    QoS,
    SubAckPacket,
    SubAckReasonCode,
    SubscribePacket,
    TopicFilter,
)

from gwproactor_test.broker import Broker, Limits
from gwproactor_test.clients import PacketClient, client_of, granted_qos, next_message


async def test_it_has_a_url_and_knows_its_clients(embedded_broker: Broker) -> None:
    assert embedded_broker.url == f"mqtt://127.0.0.1:{embedded_broker.port}"
    async with PacketClient(embedded_broker) as client:
        assert embedded_broker.clients() == []
        await client.connect(ConnectPacket("me", clean_start=True))
        assert embedded_broker.clients() == ["me"]
        client.send(DisconnectPacket())
        await client.rest()
    assert embedded_broker.clients() == []


async def test_stop_says_goodbye_and_start_takes_the_same_port() -> None:
    async with Broker() as broker:
        port = broker.port
        async with PacketClient(broker) as client:
            await client.connect(ConnectPacket("me", clean_start=True))
            await broker.stop()
            assert _reasons(await client.rest()) == [DisconnectReasonCode.SERVER_SHUTTING_DOWN]
        with pytest.raises(ConnectionRefusedError):
            async with PacketClient(broker):
                pass
        await broker.start()
        await broker.start()
        assert broker.port == port
        async with PacketClient(broker) as client:
            await client.connect(ConnectPacket("me", clean_start=True))
    await broker.stop()


async def test_kill_says_nothing(embedded_broker: Broker) -> None:
    async with PacketClient(embedded_broker) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
        await embedded_broker.kill()
        assert await client.rest() == []
        assert embedded_broker.clients() == []


@pytest.mark.parametrize("reset", [True, False])
async def test_one_client_or_all_can_be_cut_off(
    embedded_broker: Broker,
    reset: bool,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(PacketClient(embedded_broker))
            for name in ("one", "two", "three")
        }
        for name, client in clients.items():
            await client.connect(ConnectPacket(name, clean_start=True))
        await embedded_broker.disconnect_client("nobody", reset=reset)
        await embedded_broker.disconnect_client("two", reset=reset)
        assert await _ending(clients["two"]) == ("reset" if reset else "closed")
        assert sorted(embedded_broker.clients()) == ["one", "three"]
        await embedded_broker.cut_all(reset=reset)
        assert embedded_broker.clients() == []
        assert await _ending(clients["one"]) == ("reset" if reset else "closed")


async def test_aiomqtt_notices_a_cut(embedded_broker: Broker) -> None:
    async def listen() -> None:
        async with client_of(embedded_broker, "me") as client:
            await embedded_broker.cut_all(reset=True)
            await next_message(client)

    with pytest.raises(aiomqtt.MqttError):
        await listen()


async def test_a_port_in_use_is_an_error(embedded_broker: Broker) -> None:
    with pytest.raises(OSError, match="in use"):
        await Broker(port=embedded_broker.port).start()


async def test_it_speaks_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        async with Broker(host="::1") as broker, PacketClient(broker) as client:
            assert broker.url == f"mqtt://[::1]:{broker.port}"
            await client.connect(ConnectPacket("six", clean_start=True))
    except OSError:
        pytest.skip("no IPv6 here")


async def test_subscriptions_can_be_refused() -> None:
    def refuse(client_id: str, topic_filter: str) -> bool:
        return client_id == "eve" and topic_filter.startswith("private/")

    async with Broker(refuse_subscription=refuse) as broker:
        async with PacketClient(broker) as client:
            await client.connect(ConnectPacket("eve", clean_start=True))
            client.send(SubscribePacket(1, [TopicFilter("private/#"), TopicFilter("a")]))
            answer = await client.expect(SubAckPacket)
        async with client_of(broker, "eve", protocol=ProtocolVersion.V311) as older:
            assert granted_qos(await older.subscribe("private/#")) == [0x80]
    assert answer.reason_codes[0] == SubAckReasonCode.NOT_AUTHORIZED
    assert int(answer.reason_codes[1]) < 0x80


async def test_granted_qos_can_be_limited() -> None:
    async with Broker(max_qos=0) as broker, client_of(broker) as client:
        assert granted_qos(await client.subscribe("a", qos=1)) == [0]


async def test_shared_subscriptions_are_refused(embedded_broker: Broker) -> None:
    async with PacketClient(embedded_broker) as client:
        welcome = await client.connect(ConnectPacket("sharer", clean_start=True))
        client.send(SubscribePacket(1, [TopicFilter("$share/group/a")]))
        answer = await client.expect(SubAckPacket)
    assert not welcome.shared_subscription_available
    assert answer.reason_codes == [SubAckReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED]


async def test_a_packet_beyond_the_limit_ends_the_connection() -> None:
    async with Broker(limits=Limits(packet_bytes=1000)) as broker, PacketClient(broker) as client:
        welcome = await client.connect(ConnectPacket("big", clean_start=True))
        # Only the header: the broker does not wait for the body.
        client.send_bytes(PublishPacket("a", bytes(1000)).write()[:10])
        assert _reasons(await client.rest()) == [DisconnectReasonCode.PACKET_TOO_LARGE]
    assert welcome.max_packet_size == 1000


async def test_a_client_gets_no_packet_beyond_its_own_limit(embedded_broker: Broker) -> None:
    async with PacketClient(embedded_broker) as client:
        await client.connect(ConnectPacket("small", clean_start=True, max_packet_size=100))
        client.send(SubscribePacket(1, [TopicFilter("a")]))
        await client.expect(SubAckPacket)
        for qos in (0, 1):
            for size in (10, 200, 20):
                client.send(_message(size, qos))
        received = [p for p in await client.ping() if isinstance(p, PublishPacket)]
    assert [len(p.payload) for p in received] == [10, 20, 10, 20]
    assert embedded_broker.counters.dropped_qos0 == 1
    assert embedded_broker.counters.dropped_qos1 == 1


async def test_qos_0_messages_to_a_client_that_does_not_read_are_dropped() -> None:
    async with (
        Broker(limits=Limits(buffer_bytes=10_000)) as broker,
        PacketClient(broker) as deaf,
        PacketClient(broker) as publisher,
    ):
        await deaf.connect(ConnectPacket("deaf", clean_start=True))
        deaf.send(SubscribePacket(1, [TopicFilter("a")]))
        await deaf.expect(SubAckPacket)
        deaf.stop_reading()
        await publisher.connect(ConnectPacket("publisher", clean_start=True))
        while not broker.counters.dropped_qos0:
            publisher.send(*[_message(60_000, 0)] * 10)
            assert await publisher.ping() == []
        counters = broker.counters
        assert counters.sent + counters.dropped_qos0 == counters.received
        await publisher.ping()


@pytest.mark.parametrize(
    "packet",
    [
        PubRelPacket(1),
        ConnectPacket("twice"),
        PublishPacket("a", b"x", topic_alias=1),
    ],
    ids=["pubrel", "second connect", "topic alias"],
)
async def test_what_a_client_must_not_send(embedded_broker: Broker, packet: Packet) -> None:
    async with PacketClient(embedded_broker) as client:
        await client.connect(ConnectPacket("rude", clean_start=True))
        client.send(packet)
        assert len(_reasons(await client.rest())) == 1


async def test_the_first_packet_must_be_a_connect(embedded_broker: Broker) -> None:
    async with PacketClient(embedded_broker) as client:
        client.send(PingReqPacket())
        assert await client.rest() == []


async def test_a_client_must_connect_in_time() -> None:
    limits = Limits(connect_seconds=0.01)
    async with Broker(limits=limits) as broker, PacketClient(broker) as client:
        assert await client.rest() == []


async def test_connections_subscriptions_and_retained_messages_are_bounded() -> None:
    limits = Limits(connections=1, subscriptions=1, retained_messages=1)
    async with Broker(limits=limits) as broker, PacketClient(broker) as client:
        await client.connect(ConnectPacket("one", clean_start=True))
        async with PacketClient(broker) as other:
            other.send(ConnectPacket("two", clean_start=True))
            assert await other.rest() == []
        client.send(SubscribePacket(1, [TopicFilter("a"), TopicFilter("b"), TopicFilter("a")]))
        answer = await client.expect(SubAckPacket)
        for number, topic in enumerate(("x", "x", "y"), start=1):
            client.send(
                PublishPacket(topic, b"1", retain=True, qos=QoS.AT_LEAST_ONCE, packet_id=number)
            )
        codes = [(await client.expect(PubAckPacket)).reason_code for _ in range(3)]
    assert [int(code) < 0x80 for code in answer.reason_codes] == [True, False, True]
    assert [int(code) < 0x80 for code in codes] == [True, True, False]
    assert codes[2] == PubAckReasonCode.QUOTA_EXCEEDED


async def test_refused_logins_are_told_why() -> None:
    async with Broker(users={"a": "b"}) as broker, PacketClient(broker) as client:
        answer = await client.connect(ConnectPacket("x", username="a", password=b"c"))
        assert await client.rest() == []
    assert answer.reason_code == ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD


async def test_many_messages_pass_while_clients_come_and_go(embedded_broker: Broker) -> None:
    async def chatter(name: str) -> None:
        for _ in range(5):
            async with client_of(embedded_broker, name) as client:
                await client.subscribe("#", qos=1)
                for number in range(20):
                    await client.publish(f"from/{name}", str(number), qos=number % 2)

    async with asyncio.TaskGroup() as tasks:
        for name in ("a", "b", "c"):
            tasks.create_task(chatter(name))
    assert embedded_broker.counters.received == 300


def _message(size: int, qos: int) -> PublishPacket:
    return PublishPacket(
        "a",
        bytes(size),
        qos=QoS.AT_LEAST_ONCE if qos else QoS.AT_MOST_ONCE,
        packet_id=1 if qos else None,
    )


def _reasons(packets: list[Packet]) -> list[DisconnectReasonCode]:
    return [packet.reason_code for packet in packets if isinstance(packet, DisconnectPacket)]


async def _ending(client: PacketClient) -> str:
    try:
        packet = await client.receive()
    except EOFError as error:
        return str(error).split()[0]
    raise AssertionError(f"received {packet}")
