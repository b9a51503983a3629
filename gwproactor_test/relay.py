"""A TCP relay between a client and its broker that can fail in all the ways a network does.

It listens on a port of its own and copies bytes in both directions. Its connections can be cut by
a close or a reset, new ones refused, and everything frozen: connections stay up and no byte gets
through, which is what a dead router, a pulled cable or a sleeping peer look like.
"""

import asyncio
import contextlib
import socket

from gwproactor_test.listener import READ_CHUNK_BYTES, Server, Streams, drop, open_streams

CLOSE_SECONDS = 1.0
"""How long one side may take to read what the other side sent before it left."""

JOIN_SECONDS = 2 * CLOSE_SECONDS
"""How long connections may take to close before their tasks are cancelled."""


class Relay(Server):
    """Copies bytes between its own port and a target, and breaks that on demand.

    As an async context manager it accepts connections while the block runs.

    Args:
        target_port: where the broker listens.
        target_host: on which address.
        host: the address to listen on; loopback unless told otherwise.
        port: 0 takes any free port; the one taken is kept.
        scheme: what `url` begins with; `mqtts` where the broker behind it speaks TLS.
        delay_seconds: by how much bytes are held up in each direction; may be changed any time.

    To be used from the loop that it was started on only.
    """

    def __init__(
        self,
        target_port: int,
        target_host: str = "127.0.0.1",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        scheme: str = "mqtt",
        delay_seconds: float = 0.0,
    ) -> None:
        super().__init__(host, port, scheme)
        self.target_host = target_host
        self.target_port = target_port
        self.delay_seconds = delay_seconds
        self.accepted_connections = 0
        self.dropped_bytes = 0
        self._relayed: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._hold = True

    @property
    def open_connections(self) -> int:
        """Connections that are relayed now, from a client to the broker."""
        return sum(len(writers) == len(("client", "broker")) for writers in self._relayed.values())

    def accept(self) -> None:
        """Listen, or listen again on the same port; nothing happens when it does already.

        Raises:
            OSError: the port is taken.
        """
        self._listener.open()

    def refuse(self) -> None:
        """Stop listening: new connections are refused, existing ones stay."""
        self._listener.close()

    async def cut(self, *, reset: bool = False) -> None:
        """End every connection on both sides and wait until their sockets are closed.

        Args:
            reset: True ends them with RST, False with FIN.
        """
        relayed = dict(self._relayed)
        for task, writers in relayed.items():
            for writer in writers:
                drop(writer, reset=reset)
            task.cancel()
        if relayed:
            await asyncio.wait(relayed)

    def freeze(self, *, hold: bool = True) -> None:
        """Let no byte through from now on, while connections stay up and new ones are accepted.

        Args:
            hold: True keeps the bytes for `thaw` (and, once buffers are full, holds back the
                senders); False drops them, so that a stream is damaged after `thaw`.
        """
        self._hold = hold
        self._thawed.clear()

    def thaw(self) -> None:
        """End the freeze; what was held goes on its way."""
        self._thawed.set()

    async def stop(self) -> None:
        """Stop listening, close every connection, and wait until all sockets are closed."""
        self.refuse()
        await self.cut()
        await self._listener.join(JOIN_SECONDS)

    async def _serve(self, accepted: socket.socket) -> None:
        self.accepted_connections += 1
        task = asyncio.current_task()
        assert task is not None
        client = await open_streams(accepted)
        writers = self._relayed[task] = [client[1]]
        try:
            broker = await self._connect()
            writers.append(broker[1])
            await self._relay(client, broker)
        except OSError:
            drop(client[1], reset=True)  # nobody listens at the other end
        finally:
            await _close(writers)
            del self._relayed[task]

    async def _connect(self) -> Streams:
        connecting = socket.socket(socket.AF_INET6 if ":" in self.target_host else socket.AF_INET)
        try:
            connecting.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(connecting, (self.target_host, self.target_port))
        except BaseException:
            connecting.close()
            raise
        return await open_streams(connecting)

    async def _relay(self, client: Streams, broker: Streams) -> None:
        """Copy both ways until either side ends."""
        pumps = [
            asyncio.create_task(self._pump(source[0], sink[1]), name=f"pump:{self.port}")
            for source, sink in ((client, broker), (broker, client))
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(READ_CHUNK_BYTES):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if await self._passes(len(data)):
                    sink.write(data)
                    await sink.drain()
        # The end of a connection is not seen through a frozen relay either.
        await self._thawed.wait()

    async def _passes(self, size_bytes: int) -> bool:
        """Whether a chunk goes on; waits for the end of a freeze that holds bytes."""
        if not self._thawed.is_set() and not self._hold:
            self.dropped_bytes += size_bytes
            return False
        await self._thawed.wait()
        return True


async def _close(writers: list[asyncio.StreamWriter]) -> None:
    """Close in order, or see that what was dropped is closed; nobody is waited for long."""
    for writer in writers:
        writer.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            for writer in writers:
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
    except TimeoutError:
        for writer in writers:
            drop(writer, reset=True)
