"""The relay: what passes, what does not, and how connections end."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from mqtt5 import ConnectPacket

from gwproactor_test.broker import Broker
from gwproactor_test.clients import PacketClient, until
from gwproactor_test.relay import Relay


@pytest.fixture
async def relayed(embedded_broker: Broker) -> AsyncIterator[Relay]:
    """A relay in front of the embedded broker."""
    async with Relay(embedded_broker.port) as running:
        yield running


async def test_bytes_pass_both_ways(relayed: Relay) -> None:
    assert relayed.url == f"mqtt://127.0.0.1:{relayed.port}"
    async with PacketClient(relayed) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
        assert await client.ping() == []
        assert relayed.open_connections == 1
    assert relayed.accepted_connections == 1


@pytest.mark.parametrize("reset", [True, False])
async def test_a_cut_ends_both_sides(
    relayed: Relay,
    embedded_broker: Broker,
    reset: bool,
) -> None:
    async with PacketClient(relayed) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
        await relayed.cut(reset=reset)
        with pytest.raises(EOFError, match="reset" if reset else "closed"):
            await client.receive()
        await until(lambda: embedded_broker.clients() == [])
        async with PacketClient(relayed) as again:
            await again.connect(ConnectPacket("me", clean_start=True))
            assert await again.ping() == []


async def test_the_end_of_one_side_ends_the_other(relayed: Relay, embedded_broker: Broker) -> None:
    async with PacketClient(relayed) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
        await embedded_broker.disconnect_client("me")
        assert await client.rest() == []
    async with PacketClient(relayed) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
    await until(lambda: embedded_broker.clients() == [])


async def test_it_can_refuse_and_accept_again(relayed: Relay) -> None:
    port = relayed.port
    async with PacketClient(relayed) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
        relayed.refuse()
        relayed.refuse()
        with pytest.raises(ConnectionRefusedError):
            async with PacketClient(relayed):
                pass
        assert await client.ping() == []
        relayed.accept()
        relayed.accept()
        assert relayed.port == port
        async with PacketClient(relayed) as another:
            await another.connect(ConnectPacket("another", clean_start=True))


async def test_a_client_is_reset_when_there_is_no_broker(
    relayed: Relay, embedded_broker: Broker
) -> None:
    await embedded_broker.stop()
    async with PacketClient(relayed) as client:
        with pytest.raises(EOFError):
            await client.receive()
    await until(lambda: relayed.open_connections == 0)


async def test_a_freeze_holds_bytes_until_the_thaw(relayed: Relay) -> None:
    async with PacketClient(relayed) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
        relayed.freeze()
        pinging = asyncio.create_task(client.ping())
        async with PacketClient(relayed) as other:
            await until(lambda: relayed.open_connections == 2)
            assert not pinging.done()
            relayed.thaw()
            assert await pinging == []
            await other.connect(ConnectPacket("other", clean_start=True))


async def test_a_freeze_can_drop_bytes(relayed: Relay, embedded_broker: Broker) -> None:
    async with PacketClient(relayed) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
        relayed.freeze(hold=False)
        client.send_bytes(b"\xff\xff")  # would end the connection, if it arrived
        await until(lambda: relayed.dropped_bytes == 2)
        relayed.thaw()
        assert await client.ping() == []
        assert embedded_broker.clients() == ["me"]


async def test_the_end_of_a_connection_is_not_seen_through_a_freeze(
    relayed: Relay, embedded_broker: Broker
) -> None:
    async with PacketClient(relayed) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
        relayed.freeze(hold=False)
        client.send_bytes(b"\xff\xff")
        await until(lambda: relayed.dropped_bytes == 2)
    assert embedded_broker.clients() == ["me"]
    assert relayed.open_connections == 1
    relayed.thaw()
    await until(lambda: embedded_broker.clients() == [])


async def test_a_cut_works_while_frozen(relayed: Relay) -> None:
    async with PacketClient(relayed) as client:
        await client.connect(ConnectPacket("me", clean_start=True))
        relayed.freeze()
        await relayed.cut()
        with pytest.raises(EOFError):
            await client.receive()
        await until(lambda: relayed.open_connections == 0)


async def test_bytes_can_be_delayed(relayed: Relay) -> None:
    relayed.delay_seconds = 0.01
    loop = asyncio.get_running_loop()
    async with PacketClient(relayed) as client:
        started_at = loop.time()
        await client.connect(ConnectPacket("me", clean_start=True))
        # The only assertion on time that cannot fail on a slow machine: it took long enough.
        assert loop.time() - started_at >= 2 * relayed.delay_seconds
