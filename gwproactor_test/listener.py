"""A listening TCP socket that hands each connection to a coroutine, and servers that stand on it.

The embedded broker and the relay both need to stop listening and to listen again on the same
port, to know every socket they hold, and to cut a connection by a close or by a reset. asyncio's
own servers hide the accepted socket and report failed TLS handshakes to the loop's exception
handler; here the socket is in our hands from the start and every connection is a task of ours.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Self

READ_CHUNK_BYTES = 64 * 1024
"""Most bytes taken from a socket at once: large enough that a flood is handled in batches."""

TLS_HANDSHAKE_SECONDS = 10.0
TLS_SHUTDOWN_SECONDS = 1.0
"""How long a peer may take to answer our close_notify before its connection is dropped."""

ACCEPT_RETRY_SECONDS = 0.05
"""Pause after a failed accept (no descriptors left), so that it does not become a busy loop."""

ACCEPTS_PER_TURN = 100
"""Connections accepted in one turn of the loop, so that a rush does not starve those there are."""

_LINGER_RESET = struct.pack("ii", 1, 0)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Listener:
    """Accepts connections on one port and runs `serve(socket)` as a task for each.

    Args:
        serve: talks over an accepted socket, and ends when all is sent; then it is closed.
        host: the address to listen on.
        port: 0 takes any free port; the one taken is kept when listening again.

    To be used from the loop only.
    """

    def __init__(
        self,
        serve: Callable[[socket.socket], Coroutine[None, None, None]],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._serve = serve
        self.host = host
        self.port = port
        self._socket: socket.socket | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def paused(self) -> bool:
        """Whether accepting is tried again in a moment only, for want of descriptors."""
        return self._retry is not None

    @property
    def netloc(self) -> str:
        """Host and port as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def open(self) -> None:
        """Begin to listen; nothing happens when it listens already.

        Raises:
            OSError: the port is taken, or the host is no address of this machine.
        """
        if self._socket is not None:
            return
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._socket = socket.create_server((self.host, self.port), family=family)
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]
        self._watch(self._socket)

    def close(self) -> None:
        """Stop listening: new connections are refused, accepted ones stay."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    async def join(self, timeout_seconds: float) -> None:
        """Wait until every connection's task has ended; cancel those that take longer."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_seconds)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _watch(self, listening: socket.socket) -> None:
        self._retry = None
        asyncio.get_running_loop().add_reader(listening, self._accept_waiting, listening)

    def _accept_waiting(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                accepted, _address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._pause(listening)
                return
            self._start(accepted)

    def _pause(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        self._retry = loop.call_later(ACCEPT_RETRY_SECONDS, self._watch, listening)

    def _start(self, accepted: socket.socket) -> None:
        task = asyncio.create_task(self._serve(accepted), name=f"connection:{self.port}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step would leave the socket open.
        task.add_done_callback(lambda _task: accepted.close())


class Server(ABC):
    """What listens on one port between `start` and `stop`; as a context manager, in the block.

    Args:
        host: the address to listen on.
        port: 0 takes any free port at the first start and keeps it.
        scheme: what `url` begins with.

    To be used from the loop that it was started on only.
    """

    def __init__(self, host: str, port: int, scheme: str) -> None:
        self._scheme = scheme
        self._listener = Listener(self._serve, host, port)

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._listener.host

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the first start, if any free one was asked for."""
        return self._listener.port

    @property
    def url(self) -> str:
        """How clients reach it: `mqtt://host:port`, or `mqtts://`."""
        return f"{self._scheme}://{self._listener.netloc}"

    async def start(self) -> None:
        """Begin to listen; nothing happens when it listens already.

        Raises:
            OSError: the port is taken, or the host is no address of this machine.
        """
        self._listener.open()

    @abstractmethod
    async def stop(self) -> None:
        """Stop listening, end every connection, and wait until all sockets are closed."""

    @abstractmethod
    async def _serve(self, accepted: socket.socket) -> None:
        """Talk over an accepted socket."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.stop()


async def open_streams(accepted: socket.socket, tls: ssl.SSLContext | None = None) -> Streams:
    """Wrap an accepted socket in streams, after the TLS handshake where `tls` is given.

    The socket is the writer's from here on.

    Raises:
        OSError: the peer left, or the handshake failed (ssl.SSLError is one) or took too long.
    """
    accepted.setblocking(False)
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=READ_CHUNK_BYTES, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol,
        accepted,
        ssl=tls,
        ssl_handshake_timeout=TLS_HANDSHAKE_SECONDS if tls else None,
        ssl_shutdown_timeout=TLS_SHUTDOWN_SECONDS if tls else None,
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def drop(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    """End a connection at once: what waits to be sent is discarded.

    Args:
        writer: of the connection.
        reset: True answers the peer with RST (SO_LINGER 0), False with FIN; but where bytes
            from the peer have not been read yet, the system sends RST in both cases.
    """
    if reset:
        with contextlib.suppress(OSError):
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET
            )
    writer.transport.abort()
