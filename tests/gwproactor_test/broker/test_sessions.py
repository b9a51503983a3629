"""Sessions over connections: the same on the embedded broker and on Mosquitto."""

import pytest
from mqtt5 import (
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    Packet,
    PubAckPacket,
    PublishPacket,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
)

from gwproactor_test.broker import Broker, Limits
from gwproactor_test.brokers import AnyBroker, MakeBroker
from gwproactor_test.clients import PacketClient, Reachable, client_of

KEPT = 3600
CLIENT_ID = "keeper"


@pytest.mark.parametrize("ending", ["disconnect", "cut"])
async def test_a_kept_session_has_what_came_meanwhile(broker: AnyBroker, ending: str) -> None:
    await _leave_session(broker, ending=ending)
    await _publish(broker, 5)
    async with PacketClient(broker) as client:
        welcome = await client.connect(_kept())
        received = _payloads(await client.ping())
    assert welcome.session_present
    assert received == [b"0", b"1", b"2", b"3", b"4"]


async def test_qos_0_messages_are_not_kept(broker: AnyBroker) -> None:
    await _leave_session(broker)
    await _publish(broker, 5, qos=0)
    async with PacketClient(broker) as client:
        await client.connect(_kept())
        assert _payloads(await client.ping()) == []


async def test_a_clean_start_discards_the_session(broker: AnyBroker) -> None:
    await _leave_session(broker)
    await _publish(broker, 1)
    async with PacketClient(broker) as client:
        welcome = await client.connect(_kept(clean_start=True))
        assert await client.ping() == []
    await _publish(broker, 1)
    async with PacketClient(broker) as client:
        again = await client.connect(_kept())
        assert await client.ping() == []
    assert not welcome.session_present
    assert again.session_present


async def test_a_session_without_expiry_ends_with_its_connection(broker: AnyBroker) -> None:
    await _leave_session(broker, expiry_seconds=0)
    async with PacketClient(broker) as client:
        assert not (await client.connect(_kept())).session_present


async def test_disconnect_can_change_the_expiry(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        await client.connect(_kept(clean_start=True))
        client.send(DisconnectPacket(session_expiry_interval=0))
        await client.rest()
    async with PacketClient(broker) as client:
        assert not (await client.connect(_kept())).session_present


async def test_unacknowledged_messages_come_again_first(broker: AnyBroker) -> None:
    async with PacketClient(broker) as client:
        await client.connect(_kept(clean_start=True))
        await _subscribe(client)
        await _publish(broker, 3)
        sent = [await client.expect(PublishPacket) for _ in range(3)]
        assert sent[0].packet_id is not None
        client.send(PubAckPacket(sent[0].packet_id))
        await client.ping()
    await _publish(broker, 1)
    async with PacketClient(broker) as client:
        await client.connect(_kept())
        again = [await client.expect(PublishPacket) for _ in range(3)]
    assert [(p.payload, p.duplicate) for p in again] == [(b"1", True), (b"2", True), (b"0", False)]
    assert [p.packet_id for p in again[:2]] == [p.packet_id for p in sent[1:]]


async def test_receive_maximum_holds_messages_back(broker: AnyBroker, broker_kind: str) -> None:
    # Mosquitto 2.0.11 sends two messages for each acknowledgement: it keeps only to the first two.
    tolerated = 8 if broker_kind == "mosquitto" else 2
    async with PacketClient(broker) as client:
        await client.connect(ConnectPacket("slow", clean_start=True, receive_max=2))
        await _subscribe(client)
        await _publish(broker, 8)
        unacknowledged = await client.ping()
        assert len(unacknowledged) == 2
        received = list(unacknowledged)
        while unacknowledged:
            oldest = unacknowledged.pop(0)
            assert isinstance(oldest, PublishPacket)
            assert oldest.packet_id is not None
            client.send(PubAckPacket(oldest.packet_id))
            arrived = await client.ping()
            received += arrived
            unacknowledged += arrived
            assert len(unacknowledged) <= tolerated
    assert _payloads(received) == [str(number).encode() for number in range(8)]


async def test_the_queue_of_an_offline_session_is_bounded(make_broker: MakeBroker) -> None:
    broker = await make_broker(limits=Limits(queued_messages=10, in_flight_messages=5))
    await _leave_session(broker)
    await _publish(broker, 30)
    async with PacketClient(broker) as client:
        await client.connect(_kept())
        received: list[bytes] = []
        while arrived := await client.ping():
            for packet in arrived:
                assert isinstance(packet, PublishPacket)
                assert packet.packet_id is not None
                received.append(packet.payload)
                client.send(PubAckPacket(packet.packet_id))
    # Mosquitto counts those it would have in flight as well.
    assert len(received) in (10, 15)
    assert received == [str(number).encode() for number in range(len(received))]


@pytest.mark.parametrize("clean_start", [True, False])
async def test_a_second_client_takes_the_session_over(
    broker: AnyBroker,
    broker_kind: str,
    clean_start: bool,
) -> None:
    async with PacketClient(broker) as old, PacketClient(broker) as new:
        await old.connect(_kept(clean_start=True))
        await _subscribe(old)
        welcome = await new.connect(_kept(clean_start=clean_start))
        goodbyes = await old.rest()
        await _publish(broker, 1)
        received = _payloads(await new.ping())
    taken_over = [DisconnectReasonCode.SESSION_TAKEN_OVER]
    # Mosquitto 2.0.11 closes without a word.
    assert _reasons(goodbyes) in ([taken_over, []] if broker_kind == "mosquitto" else [taken_over])
    assert welcome.session_present is not clean_start
    assert received == ([] if clean_start else [b"0"])


async def test_a_kept_session_survives_a_restart(broker: AnyBroker) -> None:
    # Mosquitto 2.0.11 saves a session only if its last connection began without a clean start.
    await _leave_session(broker, clean_start=False)
    await _publish(broker, 3)
    await broker.stop()
    await broker.start()
    async with PacketClient(broker) as client:
        welcome = await client.connect(_kept())
        received = _payloads(await client.ping())
    assert welcome.session_present
    assert received == [b"0", b"1", b"2"]


async def test_sessions_are_bounded() -> None:
    async with Broker(limits=Limits(sessions=2)) as broker:
        for client_id in ("one", "two"):
            await _leave_session(broker, client_id=client_id)
        async with PacketClient(broker) as client:
            refused = await client.connect(ConnectPacket("three", clean_start=True))
        async with PacketClient(broker) as client:
            admitted = await client.connect(ConnectPacket("two"))
    assert refused.reason_code != 0
    assert admitted.session_present


def _kept(*, clean_start: bool = False, client_id: str = CLIENT_ID) -> ConnectPacket:
    return ConnectPacket(client_id, clean_start=clean_start, session_expiry_interval=KEPT)


async def _leave_session(
    broker: Reachable,
    *,
    ending: str = "disconnect",
    expiry_seconds: int = KEPT,
    client_id: str = CLIENT_ID,
    clean_start: bool = True,
) -> None:
    """Leave a session behind that is subscribed to `a`."""
    packet = ConnectPacket(
        client_id, clean_start=clean_start, session_expiry_interval=expiry_seconds
    )
    async with PacketClient(broker) as client:
        await client.connect(packet)
        await _subscribe(client)
        if ending == "disconnect":
            client.send(DisconnectPacket())
            assert await client.rest() == []


async def _subscribe(client: PacketClient) -> None:
    client.send(SubscribePacket(1, [TopicFilter("a")]))
    await client.expect(SubAckPacket)


async def _publish(broker: Reachable, count: int, *, qos: int = 1) -> None:
    async with client_of(broker) as publisher:
        for number in range(count):
            await publisher.publish("a", str(number), qos=qos)
        # Its acknowledgement says that the broker has handled all those before it.
        await publisher.publish("the/end", qos=1)


def _reasons(packets: list[Packet]) -> list[DisconnectReasonCode]:
    return [packet.reason_code for packet in packets if isinstance(packet, DisconnectPacket)]


def _payloads(packets: list[Packet]) -> list[bytes]:
    return [packet.payload for packet in packets if isinstance(packet, PublishPacket)]
