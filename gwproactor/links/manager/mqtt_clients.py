"""A set of MQTT clients without comm state, which share one queue; see `mqtt_client`."""

import asyncio
from typing import Any

from gwproactor.config.mqtt import MQTTClient
from gwproactor.errors import UsageError
from gwproactor.links.manager.mqtt_client import Logger, MessageInfo, MQTTClientWrapper
from gwproactor.links.manager.mqtt_notices import MQTTSubackPayload


class MQTTClients:
    """A set of MQTT clients by name. For the event loop's thread."""

    upstream_client: str = ""
    """The name of the one that leads to where events go; empty where there is none."""

    primary_peer_client: str = ""
    """The name of the one that leads to the primary peer; empty where there is none."""

    def __init__(self) -> None:
        self.clients: dict[str, MQTTClientWrapper] = {}
        self._queue = _LaterQueue()

    def add_client(
        self,
        name: str,
        client_config: MQTTClient,
        upstream: bool = False,
        primary_peer: bool = False,
    ) -> MQTTClientWrapper:
        """Add a client; it is started with the others, or at once where those were.

        Args:
            name: Its name.
            client_config: The broker, and how to log in there.
            upstream: It leads to where events go.
            primary_peer: It leads to the peer that matters most.

        Raises:
            UsageError: There is a client of that name, or a second one upstream or primary.
        """
        if name in self.clients:
            raise UsageError(f"there is an MQTT client '{name}' already")
        if upstream and self.upstream_client:
            raise UsageError(f"'{self.upstream_client}' is the upstream client already")
        if primary_peer and self.primary_peer_client:
            raise UsageError(f"'{self.primary_peer_client}' is the primary peer's client already")
        client = MQTTClientWrapper(name, client_config, self._queue)
        self._keep(client, upstream=upstream, primary_peer=primary_peer)
        if self._queue.target is not None:
            client.start()
        return client

    def _keep(self, client: MQTTClientWrapper, *, upstream: bool, primary_peer: bool) -> None:
        self.clients[client.name] = client
        self.upstream_client = client.name if upstream else self.upstream_client
        self.primary_peer_client = client.name if primary_peer else self.primary_peer_client

    def start(self, loop: asyncio.AbstractEventLoop, async_queue: "asyncio.Queue[Any]") -> None:
        """Start all clients on the running loop; their notices go into `async_queue`.

        Raises:
            UsageError: `loop` is not the running one.
        """
        if loop is not asyncio.get_running_loop():
            raise UsageError("MQTT clients are started on the loop that they run on")
        self._queue.target = async_queue
        for client in self.clients.values():
            client.start()

    def stop(self) -> None:
        """End all clients; `join` waits for that."""
        for client in self.clients.values():
            client.stop()

    async def join(self) -> None:
        """Wait until all clients have ended. Cancel-safe."""
        for client in self.clients.values():
            await client.join()

    def client_wrapper(self, client: str) -> MQTTClientWrapper:
        """The client of that name.

        Raises:
            UsageError: There is none.
        """
        if client not in self.clients:
            known = ", ".join(sorted(self.clients)) or "none"
            raise UsageError(f"there is no MQTT client '{client}'; clients: {known}")
        return self.clients[client]

    def upstream(self) -> MQTTClientWrapper:
        """The client that leads to where events go; raises UsageError where there is none."""
        return self.client_wrapper(self.upstream_client)

    def primary_peer(self) -> MQTTClientWrapper:
        """The client that leads to the primary peer; raises UsageError where there is none."""
        return self.client_wrapper(self.primary_peer_client)

    def connected(self, client: str) -> bool:
        """`MQTTClientWrapper.connected` of that client, as all that follow."""
        return self.client_wrapper(client).connected()

    def publish(self, client: str, topic: str, payload: bytes, qos: int) -> MessageInfo:
        """`MQTTClientWrapper.publish`."""
        return self.client_wrapper(client).publish(topic, payload, qos)

    def subscribe(self, client: str, topic: str, qos: int) -> tuple[int, int | None]:
        """`MQTTClientWrapper.subscribe`."""
        return self.client_wrapper(client).subscribe(topic, qos)

    def subscribe_all(self, client: str) -> tuple[int, int | None]:
        """`MQTTClientWrapper.subscribe_all`."""
        return self.client_wrapper(client).subscribe_all()

    def unsubscribe(self, client: str, topic: str) -> tuple[int, int | None]:
        """`MQTTClientWrapper.unsubscribe`."""
        return self.client_wrapper(client).unsubscribe(topic)

    def subscribed(self, client: str) -> bool:
        """`MQTTClientWrapper.subscribed`."""
        return self.client_wrapper(client).subscribed()

    def num_subscriptions(self, client: str) -> int:
        """`MQTTClientWrapper.num_subscriptions`."""
        return self.client_wrapper(client).num_subscriptions()

    def num_pending_subscriptions(self, client: str) -> int:
        """`MQTTClientWrapper.num_pending_subscriptions`."""
        return self.client_wrapper(client).num_pending_subscriptions()

    def handle_suback(self, suback: MQTTSubackPayload) -> int:
        """`MQTTClientWrapper.handle_suback` of the client that the SUBACK names."""
        return self.client_wrapper(suback.client_name).handle_suback(suback)

    def enable_loggers(self, logger: Logger | None = None) -> None:
        """`MQTTClientWrapper.enable_logger` of all clients."""
        for client in self.clients.values():
            client.enable_logger(logger)

    def disable_loggers(self) -> None:
        """`MQTTClientWrapper.disable_logger` of all clients."""
        for client in self.clients.values():
            client.disable_logger()


class _LaterQueue:
    """A queue that is known only when the clients are started."""

    def __init__(self) -> None:
        self.target: asyncio.Queue[Any] | None = None

    def put(self, item: Any, /) -> None:
        """Hand it on."""
        if self.target is not None:
            self.target.put_nowait(item)
