"""Connections that a web server has no room for: each gets "503" and is closed.

The answer waits for the first byte of the request: what closes a socket with bytes unread resets
the connection, and the client would not see the answer.
"""

import asyncio

PATIENCE_SECONDS = 1.0
"""How long a refused client may take to send something."""

_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Content-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
)


class Refusals:
    """The refused connections of one server.

    Args:
        most: So many at a time; further ones are closed without a word.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[asyncio.Transport] = set()

    def protocol(self) -> asyncio.Protocol:
        """What refuses one connection."""
        return _Refusal(self._open, self._most)

    def end(self) -> None:
        """Close all of them, and from now on each new one without a word."""
        self._most = 0
        for transport in list(self._open):
            transport.abort()


class _Refusal(asyncio.Protocol):
    def __init__(self, others: set[asyncio.Transport], most: int) -> None:
        self._others = others
        self._most = most
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._others) >= self._most:
            transport.abort()
            return
        self._others.add(transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PATIENCE_SECONDS, transport.abort)

    def data_received(self, _data: bytes) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        assert self._transport is not None
        self._others.discard(self._transport)
        if self._timer is not None:
            self._timer.cancel()
