"""MQTT clients for tests: aiomqtt as applications use it, and a bare one for single packets.

`client_of` makes an aiomqtt client of any broker or relay with the settings a test wants: no
delay on small packets, MQTT 5. `PacketClient` sends and receives packets one by one, for tests in
which the packets themselves matter: flags, reason codes, and what must not arrive.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Protocol, Self, TypeVar

import aiomqtt
import mqtt5
from aiomqtt import ProtocolVersion
from mqtt5 import ConnAckPacket, ConnectPacket, Packet, PingReqPacket, PingRespPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

ANSWER_SECONDS = 5.0
"""Longest wait for anything expected; a working broker answers within a millisecond."""

POLL_SECONDS = 0.001

READ_CHUNK_BYTES = 64 * 1024

P = TypeVar("P", bound=Packet)


class Reachable(Protocol):
    """A broker, or a relay in front of one."""

    @property
    def host(self) -> str:
        """Its address."""

    @property
    def port(self) -> int:
        """Its port."""


def client_of(
    broker: Reachable,
    client_id: str | None = None,
    *,
    protocol: ProtocolVersion = ProtocolVersion.V5,
    user: str | None = None,
    password: str | None = None,
    tls: ssl.SSLContext | None = None,
    will: aiomqtt.Will | None = None,
) -> aiomqtt.Client:
    """Make an aiomqtt client of `broker`; it connects when its `async with` is entered."""
    return aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=client_id,
        protocol=protocol,
        username=user,
        password=password,
        tls_context=tls,
        will=will,
        timeout=ANSWER_SECONDS,
        socket_options=[(IPPROTO_TCP, TCP_NODELAY, 1)],
    )


async def next_message(client: aiomqtt.Client) -> aiomqtt.Message:
    """Wait for the next message that the client receives.

    Raises:
        TimeoutError: none came.
        aiomqtt.MqttError: the connection was lost.
    """
    async with asyncio.timeout(ANSWER_SECONDS):
        return await anext(client.messages)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that nobody announces.

    Raises:
        TimeoutError: it does not come to hold.
    """
    async with asyncio.timeout(ANSWER_SECONDS):
        while not condition():  # noqa: ASYNC110 - as said above
            await asyncio.sleep(POLL_SECONDS)


def granted_qos(codes: Sequence[int | ReasonCode]) -> list[int]:
    """What `subscribe` of aiomqtt returned, as numbers, in either protocol version."""
    return [code if isinstance(code, int) else code.value for code in codes]


def publish_properties() -> Properties:
    """Empty MQTT 5 properties for a message, to be filled in."""
    return Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]


class PacketClient:
    """An MQTT 5 client that does nothing by itself: no acknowledgement, no keep-alive.

    As an async context manager it opens the TCP connection, and closes it without a word.

    Args:
        broker: whose client it is.
        tls: with it, the connection speaks TLS; the server is called `localhost`.
    """

    def __init__(self, broker: Reachable, tls: ssl.SSLContext | None = None) -> None:
        self._broker = broker
        self._tls = tls
        self._received: deque[Packet] = deque()
        self._rest = b""
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            self._broker.host,
            self._broker.port,
            ssl=self._tls,
            server_hostname="localhost" if self._tls else None,
        )
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the TCP connection; the broker gets no DISCONNECT."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def send(self, *packets: Packet) -> None:
        """Send packets in one write."""
        self.send_bytes(b"".join(packet.write() for packet in packets))

    def send_bytes(self, data: bytes) -> None:
        """Send any bytes."""
        assert self._writer is not None
        self._writer.write(data)

    def stop_reading(self) -> None:
        """Take nothing more from the socket, as a client that hangs."""
        assert self._writer is not None
        transport = self._writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()

    async def receive(self) -> Packet:
        """Wait for the next packet.

        Raises:
            TimeoutError: none came.
            EOFError: the broker closed the connection, or reset it.
        """
        while not self._received:
            await self._read()
        return self._received.popleft()

    async def expect(self, kind: type[P]) -> P:
        """Wait for the next packet and assert that it is of this kind."""
        packet = await self.receive()
        assert isinstance(packet, kind), f"expected {kind.__name__}, received {packet!r}"
        return packet

    async def connect(self, packet: ConnectPacket) -> ConnAckPacket:
        """Log in and return the broker's answer, whatever it says."""
        self.send(packet)
        return await self.expect(ConnAckPacket)

    async def ping(self) -> list[Packet]:
        """Send a PINGREQ; return what came before its answer.

        What the broker had sent before it saw the ping has arrived then, so an empty list proves
        that nothing was sent.
        """
        self.send(PingReqPacket())
        before: list[Packet] = []
        while not isinstance(packet := await self.receive(), PingRespPacket):
            before.append(packet)
        return before

    async def rest(self) -> list[Packet]:
        """Wait until the broker closes the connection; return what it sent until then."""
        packets: list[Packet] = []
        try:
            while True:
                packets.append(await self.receive())
        except EOFError:
            return packets

    async def _read(self) -> None:
        assert self._reader is not None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                data = await self._reader.read(READ_CHUNK_BYTES)
        except ConnectionError as error:
            raise EOFError("reset by the broker") from error
        if not data:
            raise EOFError("closed by the broker")
        self._rest += data
        self._take_packets()

    def _take_packets(self) -> None:
        while self._rest:
            try:
                packet, length = mqtt5.read(memoryview(self._rest))
            except IndexError:
                return  # the rest of a packet has not arrived
            self._received.append(packet)
            self._rest = self._rest[length:]
