"""What lies between the two nodes, and how it is broken.

With the broker of this process, connections are cut and the broker is stopped where it runs. A
broker of the user's own is left alone: each node reaches it through a relay of this process, cuts
are made there, and "the broker is away" means that the relays refuse connections.

With TLS a relay speaks plain MQTT to its node, within this process, and TLS to the broker. So the
broker's certificate is checked against the name in the user's URL, by the one who connects to it.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gwproactor.config.mqtt import MQTTClient, TLSInfo, broker_from_url
from gwproactor.demo.scenario import NodeName
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.mqtt.tls import client_context
from gwproactor.links.transport import ConnectOptions
from gwproactor_test.broker import Broker
from gwproactor_test.listener import Streams
from gwproactor_test.relay import Relay

_PROBE_SECONDS = 5.0
"""A broker that takes longer to accept one connection would spoil the show anyway."""

_PROBE_PACKET_BYTES = 1024 * 1024


class Network(Protocol):
    """A broker, the ways to it, and the means to break them."""

    @property
    def where(self) -> str:
        """The broker, for a person."""

    @property
    def broker_gone(self) -> str:
        """What it is that makes the broker go away: the beginning of a sentence."""

    def broker(self, node: NodeName) -> MQTTClient:
        """How a node is to connect."""

    async def cut(self, nodes: Collection[NodeName], *, reset: bool) -> None:
        """End the connections of `nodes`, by RST or by FIN; new ones are admitted."""

    async def take_away(self, *, reset: bool) -> None:
        """End every connection, and admit none."""

    async def bring_back(self) -> None:
        """Admit connections again."""


def network(broker_url: str | None, run_id: str) -> AbstractAsyncContextManager[Network]:
    """What lies between the nodes of one run; on exit nothing of it is left.

    Args:
        broker_url: The user's own broker; None for one in this process.
        run_id: Makes the client ids of this run unlike those of any other.

    Raises:
        SettingsError: The URL cannot be used.
        ConnectFailedError: On entry: the user's broker cannot be reached.
        ConnectRefusedError: On entry: the user's broker refuses; the message says why.
    """
    if broker_url is None:
        return _own_broker(run_id)
    return _users_broker(broker_from_url(broker_url), run_id)


def client_id(node: NodeName, run_id: str) -> str:
    """The MQTT client id of a node: short enough for any broker."""
    return f"demo-{run_id}-{node}"


@contextlib.asynccontextmanager
async def _own_broker(run_id: str) -> AsyncIterator[Network]:
    async with Broker() as broker:
        yield OwnBroker(broker, run_id)


class OwnBroker:
    """The broker in this process.

    Args:
        broker: It runs already; who started it stops it.
        run_id: See `network`.
    """

    broker_gone = "The broker is stopped"

    def __init__(self, broker: Broker, run_id: str) -> None:
        self._broker = broker
        self._run_id = run_id

    @property
    def where(self) -> str:
        """The broker's URL, and whose it is."""
        return f"a broker in this process, {self._broker.url}"

    def broker(self, node: NodeName) -> MQTTClient:
        """Directly."""
        settings = broker_from_url(self._broker.url)
        return settings.model_copy(update={"client_id": client_id(node, self._run_id)})

    async def cut(self, nodes: Collection[NodeName], *, reset: bool) -> None:
        """The broker drops them."""
        ids = [client_id(node, self._run_id) for node in nodes]
        await asyncio.gather(*(self._broker.disconnect_client(id_, reset=reset) for id_ in ids))

    async def take_away(self, *, reset: bool) -> None:
        """By FIN it is stopped in order, by RST it crashes."""
        await (self._broker.kill() if reset else self._broker.stop())

    async def bring_back(self) -> None:
        """The broker is started, on the port it had."""
        await self._broker.start()


@contextlib.asynccontextmanager
async def _users_broker(broker: MQTTClient, run_id: str) -> AsyncIterator[Network]:
    options = ConnectOptions(
        client_id=client_id(NodeName.child, run_id),
        max_packet_bytes=_PROBE_PACKET_BYTES,
        timeout_seconds=_PROBE_SECONDS,
    )
    async with connect_with_aiomqtt(broker, options):
        pass  # it is there and admits us; else this has raised, and says why
    tls = await asyncio.to_thread(client_context, broker.tls) if broker.tls.use_tls else None
    async with contextlib.AsyncExitStack() as stack:
        relays = {
            node: await stack.enter_async_context(BrokerRelay(broker, tls)) for node in NodeName
        }
        yield UsersBroker(broker, relays, run_id)


class BrokerRelay(Relay):
    """A relay to a broker anywhere, by name or address, with TLS where it is wanted.

    Args:
        broker: Where it relays to.
        tls: How to speak TLS to the broker; None for not at all.
    """

    def __init__(self, broker: MQTTClient, tls: ssl.SSLContext | None) -> None:
        super().__init__(broker.effective_port, broker.host)
        self._tls = tls

    async def _connect(self) -> Streams:
        return await asyncio.open_connection(self.target_host, self.target_port, ssl=self._tls)


class UsersBroker:
    """A broker that is not ours to stop.

    Args:
        broker: How to reach it.
        relays: One for each node, in front of the broker; who started them stops them.
        run_id: See `network`.
    """

    broker_gone = "The way to the broker is closed"

    def __init__(self, broker: MQTTClient, relays: Mapping[NodeName, Relay], run_id: str) -> None:
        self._broker = broker
        self._relays = relays
        self._run_id = run_id

    @property
    def where(self) -> str:
        """The broker's URL, without login."""
        return f"{self._broker}, through a relay"

    def broker(self, node: NodeName) -> MQTTClient:
        """Through the node's relay, with the user's login."""
        relay = self._relays[node]
        changes = {
            "host": relay.host,
            "port": relay.port,
            "client_id": client_id(node, self._run_id),
            "tls": TLSInfo(),
        }
        return self._broker.model_copy(update=changes)

    async def cut(self, nodes: Collection[NodeName], *, reset: bool) -> None:
        """The relays drop them."""
        await asyncio.gather(*(self._relays[node].cut(reset=reset) for node in nodes))

    async def take_away(self, *, reset: bool) -> None:
        """The relays drop every connection, and listen no more."""
        for relay in self._relays.values():
            relay.refuse()
        await self.cut(tuple(NodeName), reset=reset)

    async def bring_back(self) -> None:
        """The relays listen, on the ports they had."""
        for relay in self._relays.values():
            relay.accept()
