"""What goes out to one client, from the first byte to the closed socket.

All packets of one turn of the loop leave in one write. A client that reads too slowly makes the
writer congested: QoS 0 messages to it are dropped then, and its own packets wait to be read. The
end comes in one of two ways: hang up (what waits is still sent, for a moment) or drop (nothing
is). Both only begin it; `closed` waits for the socket to be closed.
"""

import asyncio
import contextlib

from mqtt5 import DisconnectPacket, DisconnectReasonCode, Packet

from gwproactor_test.broker.codec import Codec
from gwproactor_test.listener import drop

FLUSH_SECONDS = 1.0
"""How long a client that is dismissed may take to read what was sent to it."""


class PacketWriter:
    """Writes packets for one client; the `Outlet` of its session.

    Args:
        writer: of the connection.
        buffer_bytes: above so many bytes waiting, it is congested.
    """

    def __init__(self, writer: asyncio.StreamWriter, buffer_bytes: int) -> None:
        writer.transport.set_write_buffer_limits(high=buffer_bytes)
        self.ending = False
        self._writer = writer
        self._buffer_bytes = buffer_bytes
        self._codec: Codec | None = None
        self._max_packet_bytes: int | None = None
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._abort: asyncio.TimerHandle | None = None

    def speak(self, codec: Codec) -> None:
        """Write in the client's protocol version from now on; before, nothing can be sent."""
        self._codec = codec

    def limit(self, max_packet_bytes: int | None) -> None:
        """Send no packet longer than the client accepts; None: it accepts any."""
        self._max_packet_bytes = max_packet_bytes

    @property
    def congested(self) -> bool:
        """Whether more waits to be sent than the limit allows."""
        waiting = self._writer.transport.get_write_buffer_size() + self._out_bytes
        return waiting > self._buffer_bytes

    def send(self, packet: Packet) -> bool:
        """Send with what else this turn of the loop brings; False if too large for the client."""
        if self._codec is None:
            return False
        data = self._codec.encode(packet)
        if self._max_packet_bytes is not None and len(data) > self._max_packet_bytes:
            return False
        self.send_bytes(data)
        return True

    def send_bytes(self, data: bytes) -> None:
        """Send bytes that are a packet already."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(data)
        self._out_bytes += len(data)

    async def drain(self) -> None:
        """Wait until it is not congested.

        Raises:
            OSError: the client is gone.
        """
        self._flush()
        await self._writer.drain()

    def dismiss(self, reason: DisconnectReasonCode) -> None:
        """Tell the client why, and hang up."""
        self.send(DisconnectPacket(reason_code=reason))
        self.hang_up()

    def hang_up(self) -> None:
        """Close when what waits is sent, or after `FLUSH_SECONDS`."""
        self.ending = True
        self._flush()
        self._writer.close()
        if self._abort is None:
            self._abort = asyncio.get_running_loop().call_later(
                FLUSH_SECONDS, self._writer.transport.abort
            )

    def drop(self, *, reset: bool) -> None:
        """Close at once, by FIN or RST; nothing more is sent."""
        self.ending = True
        drop(self._writer, reset=reset)

    async def closed(self) -> None:
        """Wait until the socket is closed, after the end has begun."""
        try:
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        finally:
            if self._abort is not None:
                self._abort.cancel()

    def _flush(self) -> None:
        if self._out and not self._writer.transport.is_closing():
            self._writer.write(b"".join(self._out))
        self._out.clear()
        self._out_bytes = 0
