"""TLS handshakes of a web server, each with its socket in our hands until it is over.

asyncio would do them too, but tell nobody of a connection before its handshake is over: such
connections could neither be counted nor closed at a stop. So each is accepted in the plain, and
then told to speak TLS.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable

HANDSHAKE_SECONDS = 10.0
"""How long a client's handshake may take: some round trips, on a bad line."""


class Handshakes:
    """The handshakes of one server that are under way. For the event loop's thread.

    Args:
        context: What the server shows.
        most: So many at a time; further connections are closed without a word.
    """

    def __init__(self, context: ssl.SSLContext, most: int) -> None:
        self._context = context
        self._most = most
        self._under_way: dict[asyncio.Task[None], asyncio.Transport] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._under_way)

    def protocol(self, make: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """What shakes hands on a new connection.

        Args:
            make: Makes what speaks on the connection after that.
        """
        return _Plain(lambda transport: self._begin(transport, make))

    def end(self) -> None:
        """Break off all of them; their sockets are closed at once."""
        for task, transport in tuple(self._under_way.items()):
            transport.abort()
            task.cancel()

    def _begin(self, transport: asyncio.Transport, make: Callable[[], asyncio.Protocol]) -> None:
        if len(self) >= self._most:
            transport.abort()
            return
        transport.pause_reading()  # the first bytes are for TLS
        task = asyncio.create_task(self._shake_hands(transport, make()), name="TLS handshake")
        self._under_way[task] = transport
        task.add_done_callback(self._under_way.pop)

    async def _shake_hands(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        early = _Early()
        with contextlib.suppress(OSError):  # the client's affair
            encrypted = await asyncio.get_running_loop().start_tls(
                transport,
                early,
                self._context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
            if encrypted is not None and not early.is_lost:
                early.hand_over(encrypted, protocol)
                return
        transport.abort()


class _Plain(asyncio.Protocol):
    """A connection before its handshake."""

    def __init__(self, begin: Callable[[asyncio.Transport], None]) -> None:
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._begin(transport)


class _Early(asyncio.Protocol):
    """Takes what comes right behind a handshake, until it is known that that is over."""

    def __init__(self) -> None:
        self._data = b""
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self._data += data

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_lost = True

    def hand_over(self, encrypted: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        """Let another protocol have the connection, with what came."""
        encrypted.set_protocol(protocol)
        protocol.connection_made(encrypted)
        if self._data:
            protocol.data_received(self._data)
