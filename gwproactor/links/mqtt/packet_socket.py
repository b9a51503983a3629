"""The socket that the MQTT package is given: buffered, watched, and never waiting.

Any object with recv, send, close, fileno and setblocking serves paho-mqtt as a socket. This one
adds what a monitored link needs and paho does not have:

- one read of the operating system serves many packets: paho asks for a packet's first bytes one by
  one, which on a real socket is a system call each;
- it knows when the last byte came and why the connection broke, where paho only says that it did;
- it refuses a packet that is longer than agreed before memory is given to it;
- `abort` makes every later use fail, which lets paho itself clean up.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator

READ_CHUNK_BYTES = 64 * 1024
"""Most that is taken from the operating system in one turn of the loop: enough for hundreds of
packets, little enough that a flood leaves time for everything else on the loop."""


_MAX_LENGTH_BYTES = 4
"""A packet's length has no more digits (MQTT 5, section 1.5.5)."""

_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class PacketSocket:
    """A connected, non-blocking socket behind a read buffer. For the loop only.

    Args:
        connected: The socket; from here on it belongs to this object.
        max_packet_bytes: The longest packet that may be read.
    """

    def __init__(self, connected: socket.socket, max_packet_bytes: int) -> None:
        self._socket = connected
        self._max_packet_bytes = max_packet_bytes
        self._buffer = memoryview(b"")
        self._ended = False
        self._together: bytearray | None = None
        self.send_failed = False
        """Whether `send` keeps a failure for later: the next one ends the connection."""
        self.fault: OSError | None = None
        """Why the connection broke, once it did."""
        self.last_byte_seconds = time.monotonic()
        """When the last byte came, on the monotonic clock."""

    def fill(self) -> bool:
        """Take what the operating system has, at most a chunk; for when the buffer is empty.

        Returns:
            Whether more may be there that no readiness of the socket will announce: TLS holds
            whole records that it has read already.
        """
        try:
            data = self._socket.recv(READ_CHUNK_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            self.abort(error)
            return False
        if not data:
            self.abort(ConnectionResetError("the broker closed the connection"))
            return False
        self.last_byte_seconds = time.monotonic()
        self._buffer = memoryview(data)
        self._acknowledge_at_once()
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def _acknowledge_at_once(self) -> None:
        """Let TCP acknowledge what came now, not up to 40 ms later together with our answer.

        A broker that leaves Nagle's algorithm on, as Mosquitto does by default, holds its next
        packet back until then. Linux forgets the option, so it is set after each read.
        """
        if _QUICK_ACK is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    def pending(self) -> int:
        """How many bytes wait to be read from the buffer, and 1 for the news of the end."""
        return len(self._buffer) or (1 if self.fault is not None and not self._ended else 0)

    def whole_packet(self) -> tuple[int, bytes, int] | None:
        """The packet that the buffer begins with, where all of it is there; it is not taken.

        Returns:
            Its first byte, what follows its length, and how many bytes it has.
        """
        length = 0
        for position, byte in enumerate(self._buffer[1 : 1 + _MAX_LENGTH_BYTES], 1):
            length |= (byte & 0x7F) << 7 * (position - 1)
            if byte < 0x80:
                end = position + 1 + length
                if end > len(self._buffer) or length > self._max_packet_bytes:
                    return None
                return self._buffer[0], bytes(self._buffer[position + 1 : end]), end
        return None

    def skip(self, size: int) -> None:
        """Take the next bytes of the buffer without looking at them."""
        self._buffer = self._buffer[size:]

    def recv(self, size: int) -> bytes:
        """The next bytes of the buffer, at most `size`; BlockingIOError when it is empty.

        paho asks for a packet's remaining length at once, so `size` shows too long a packet.
        """
        if self._buffer:
            if size > self._max_packet_bytes:
                self.abort(_too_long(size, self._max_packet_bytes))
                raise _too_long(size, self._max_packet_bytes)
            taken, self._buffer = self._buffer[:size], self._buffer[size:]
            return bytes(taken)
        if self.fault is not None:
            self._ended = True
            raise self.fault
        raise BlockingIOError

    def send(self, data: bytes | bytearray) -> int:
        """Hand bytes to the operating system; how many it took.

        The first failure is kept for later: what the broker said before it closed, such as why it
        refuses us, has come already and is read first, because a closed socket is readable.
        """
        if self.fault is not None:
            raise self.fault
        if self._together is not None:
            self._together += data
            return len(data)
        try:
            return self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        except OSError as error:
            if self.send_failed:
                self.abort(error)
                raise
            self.send_failed = True
            raise BlockingIOError from None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is sent within the context goes out in one write. A failure is kept as by `send`.

        Raises:
            OSError: The operating system did not take it all; meant for little, on a new socket.
        """
        self._together = bytearray()
        try:
            yield
        finally:
            data, self._together = self._together, None
        if data and not self._takes_all(data):
            raise ConnectionAbortedError("the system does not take what is to be sent")

    def _takes_all(self, data: bytearray) -> bool:
        try:
            return self.send(data) == len(data)
        except BlockingIOError:
            return self.send_failed

    def abort(self, reason: OSError) -> None:
        """From now on every use fails with `reason`; the first reason stays."""
        self._buffer = memoryview(b"")
        if self.fault is None:
            self.fault = reason

    def close(self) -> None:
        """Close the socket; what the operating system has taken is still sent."""
        with contextlib.suppress(OSError):
            # The FIN goes out behind our last bytes even where unread input makes close reset.
            self._socket.shutdown(socket.SHUT_WR)
        self._socket.close()

    def fileno(self) -> int:
        """The file descriptor; -1 once closed."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        """Do nothing: it never blocks."""


def _too_long(size: int, limit: int) -> ConnectionAbortedError:
    return ConnectionAbortedError(
        f"the broker sent a packet of {size} bytes, longer than the {limit} that are accepted"
    )
