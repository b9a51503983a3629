"""Received packets between the socket, which puts them, and the link, which takes them.

While the link reads, it is given what one read of the socket brought, at once and together: an
event that comes to a node at rest has a turn of the loop less to wait. What comes before it reads
waits here, up to a limit. What is beyond is dropped un-acked and counted: the sender has it still.
"""

import asyncio

from gwproactor.links.transport import ReceivedPacket, TakePackets

MAX_WAITING_PACKETS = 10_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Most that waits: about a second of what a broker can send, and a bearable piece of memory."""


class PacketBuffer:
    """A bounded buffer with one reader. For the loop only."""

    def __init__(self) -> None:
        self._packets: list[ReceivedPacket] = []
        self._bytes = 0
        self._take: TakePackets | None = None
        self._fault: BaseException | None = None
        self._over: asyncio.Future[None] | None = None
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

    def hand_over(self) -> None:
        """Give what has come to who reads; what that raises is raised where it reads."""
        if self._take is None or not self._packets:
            return
        packets, self._packets, self._bytes = self._packets, [], 0
        try:
            self._take(packets)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - see above
            self._take, self._fault = None, error
            self._end()

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._end()

    async def read(self, take: TakePackets) -> None:
        """Give `take` everything, what waits and what comes, until the last. Cancel-safe.

        Raises:
            Exception: What `take` raises; what was not given yet waits for the next call.
        """
        self._take, self._over = take, asyncio.get_running_loop().create_future()
        try:
            self.hand_over()
            if not self._closed and self._fault is None:
                await self._over
            fault, self._fault = self._fault, None
            if fault is not None:
                raise fault
        finally:
            self._take = self._over = None

    def _end(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)
