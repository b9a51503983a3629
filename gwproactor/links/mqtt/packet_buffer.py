"""Received packets between the socket's callback, which puts them, and the link, which takes them.

The link takes all that is there at once. It is always at it, so the limit is reached only while
something holds the loop's thread under a flood. What is beyond is dropped un-acked and counted: the
sender has it still.
"""

import asyncio

from gwproactor.links.transport import ReceivedPacket

MAX_WAITING_PACKETS = 10_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Most that waits: about a second of what a broker can send, and a bearable piece of memory."""


class PacketBuffer:
    """A bounded buffer with one reader. For the loop only."""

    def __init__(self) -> None:
        self._packets: list[ReceivedPacket] = []
        self._bytes = 0
        self._reader: asyncio.Future[None] | None = None
        self._closed = False
        self.dropped = 0
        """Packets that found no room."""

    def put(self, packet: ReceivedPacket) -> None:
        """Add a packet, or drop it where there is no room."""
        if len(self._packets) >= MAX_WAITING_PACKETS or self._bytes >= MAX_WAITING_BYTES:
            self.dropped += 1
            return
        self._packets.append(packet)
        self._bytes += len(packet.payload)
        self._wake()

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._wake()

    async def take(self) -> list[ReceivedPacket]:
        """Everything that waits, at least one packet; an empty list after the last. Cancel-safe."""
        while not self._packets and not self._closed:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        packets, self._packets, self._bytes = self._packets, [], 0
        return packets

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
