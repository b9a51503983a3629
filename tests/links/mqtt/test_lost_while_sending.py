"""A broker that says why it leaves, and is gone when we send: what it said is read first."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from gwproactor.config.mqtt import MQTTVersion, broker_from_url
from gwproactor.errors import ConnectionLostError
from gwproactor.links.mqtt.aiomqtt_transport import AiomqttConnection, connect_with_aiomqtt
from gwproactor.links.transport import ConnectOptions, SendOptions
from gwproactor_test.packets import next_packets

WAIT_SECONDS = 10.0
OPTIONS = ConnectOptions(client_id="tested", max_packet_bytes=1000)
CONNACK = {MQTTVersion.v5: b"\x20\x03\x00\x00\x00", MQTTVersion.v311: b"\x20\x02\x00\x00"}
PUBLISH = {MQTTVersion.v5: b"\x30\x05\x00\x01a\x00x", MQTTVersion.v311: b"\x30\x04\x00\x01ax"}
SESSION_TAKEN_OVER = b"\xe0\x02\x8e\x00"
QOS = pytest.mark.parametrize("qos", [0, 1])


@contextlib.asynccontextmanager
async def connected(version: MQTTVersion) -> AsyncIterator[tuple[AiomqttConnection, socket.socket]]:
    """A connection, and the broker's end of it."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"mqtt://127.0.0.1:{listening.getsockname()[1]}"
        broker = broker_from_url(url).model_copy(update={"protocol": version})

        async def accept() -> socket.socket:
            ours, _ = await loop.sock_accept(listening)
            await loop.sock_recv(ours, 1000)
            await loop.sock_sendall(ours, CONNACK[version])
            return ours

        accepting = asyncio.create_task(accept())
        async with connect_with_aiomqtt(broker, OPTIONS) as connection:
            with await accepting as ours:
                yield connection, ours


def say_and_reset(ours: socket.socket, last_words: bytes) -> None:
    """Within one turn of the loop, so that who sends then has not read it."""
    ours.sendall(last_words)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ours.close()


@QOS
async def test_why_the_broker_left_is_told(qos: int) -> None:
    async with connected(MQTTVersion.v5) as (connection, ours), asyncio.timeout(WAIT_SECONDS):
        say_and_reset(ours, SESSION_TAKEN_OVER)
        connection.publish("a", b"x", SendOptions(qos=qos))
        with pytest.raises(ConnectionLostError, match="said DISCONNECT: Session taken over"):
            await next_packets(connection)


@QOS
@pytest.mark.parametrize("version", list(MQTTVersion))
async def test_what_came_before_is_delivered(version: MQTTVersion, qos: int) -> None:
    async with connected(version) as (connection, ours), asyncio.timeout(WAIT_SECONDS):
        say_and_reset(ours, PUBLISH[version] * 3)
        for _ in range(2):
            connection.publish("a", b"x", SendOptions(qos=qos))
        assert [packet.payload for packet in await next_packets(connection)] == [b"x"] * 3
        with pytest.raises(ConnectionLostError):
            await next_packets(connection)
