"""The broker as its users see it: start it, stop it, cut its clients off."""

import asyncio
import socket
import ssl
from collections.abc import Collection, Mapping

from mqtt5 import DisconnectReasonCode

from gwproactor_test.broker.codec import CODECS
from gwproactor_test.broker.connection import Connection
from gwproactor_test.broker.exchange import Exchange
from gwproactor_test.broker.packet_writer import FLUSH_SECONDS
from gwproactor_test.broker.rules import (
    Counters,
    Limits,
    Rules,
    SubscriptionRefusal,
    refuse_nothing,
)
from gwproactor_test.listener import Server, Streams, open_streams

JOIN_SECONDS = 2 * FLUSH_SECONDS
"""How long connections may take to close before their tasks are cancelled."""


class Broker(Server):
    """An MQTT broker inside this process, for MQTT 5 and 3.1.1, QoS 0 and 1.

    As an async context manager it runs while the block runs. It can be stopped and started again
    on the same port: kept sessions and retained messages survive that, in memory.

    Args:
        host: the address to listen on; loopback unless told otherwise.
        port: 0 takes any free port at the first start and keeps it.
        tls: server context; with it the broker speaks TLS only.
        users: passwords by user name; None admits everybody.
        refuse_subscription: called with client id and topic filter of each subscription;
            True refuses it with "not authorized".
        max_qos: highest QoS granted to a subscription, 0 or 1.
        protocol_levels: versions admitted: 5 is MQTT 5, 4 is MQTT 3.1.1. Others are refused as
            by a broker that never heard of them.
        limits: bounds on what clients can make the broker hold.

    To be used from the loop that it was started on only.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        users: Mapping[str, str] | None = None,
        *,
        refuse_subscription: SubscriptionRefusal = refuse_nothing,
        max_qos: int = 1,
        protocol_levels: Collection[int] = tuple(CODECS),
        limits: Limits | None = None,
    ) -> None:
        super().__init__(host, port, "mqtts" if tls else "mqtt")
        self._rules = Rules(
            users, refuse_subscription, max_qos, frozenset(protocol_levels), limits or Limits()
        )
        self._tls = tls
        self._exchange = Exchange(self._rules)
        self._handshakes: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()

    @property
    def counters(self) -> Counters:
        """What it has received, sent and dropped so far."""
        return self._exchange.counters

    def clients(self) -> list[str]:
        """The ids of connected clients."""
        return self._exchange.client_ids()

    async def stop(self) -> None:
        """Stop listening, dismiss every client, and wait until all sockets are closed.

        MQTT 5 clients are told that the server shuts down; wills are published. Cancelling it
        leaves connections open: call it again.
        """
        self._listener.close()
        self._end_handshakes()
        for connection in tuple(self._connections):
            connection.writer.dismiss(DisconnectReasonCode.SERVER_SHUTTING_DOWN)
        await self._listener.join(JOIN_SECONDS)

    async def kill(self) -> None:
        """Stop as a crash would: no goodbye, every connection reset."""
        self._listener.close()
        self._end_handshakes()
        await self.cut_all(reset=True)
        await self._listener.join(JOIN_SECONDS)

    async def disconnect_client(self, client_id: str, *, reset: bool = False) -> None:
        """Drop the TCP connection of one client; nothing happens when it is not connected.

        Args:
            client_id: whose.
            reset: True resets it (RST), False closes it (FIN). Neither sends a DISCONNECT.
        """
        await self._drop([c for c in self._connections if c.client_id == client_id], reset=reset)

    async def cut_all(self, *, reset: bool = False) -> None:
        """Drop the TCP connection of every client, as `disconnect_client` does for one."""
        await self._drop(list(self._connections), reset=reset)

    async def _drop(self, connections: list[Connection], *, reset: bool) -> None:
        for connection in connections:
            connection.writer.drop(reset=reset)
        for connection in connections:
            await connection.closed.wait()

    def _end_handshakes(self) -> None:
        for task in self._handshakes:
            task.cancel()

    async def _serve(self, accepted: socket.socket) -> None:
        if len(self._connections) + len(self._handshakes) >= self._rules.limits.connections:
            accepted.close()
            return
        streams = await self._open_streams(accepted)
        if streams is None:
            return
        connection = Connection(streams, self._exchange, self._rules)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    async def _open_streams(self, accepted: socket.socket) -> Streams | None:
        task = asyncio.current_task()
        assert task is not None
        self._handshakes.add(task)
        try:
            return await open_streams(accepted, self._tls)
        except (OSError, EOFError):
            return None  # the client left during the TLS handshake, or failed it
        finally:
            self._handshakes.discard(task)
