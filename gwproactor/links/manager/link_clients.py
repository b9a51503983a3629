"""Links seen as MQTT clients: the methods of `MQTTClients` and `MQTTClientWrapper` over them.

A link connects, subscribes and hears by itself, and tells its listener. So what such a client would
put into a queue is not told here, and starting and stopping it is the link manager's affair.
"""

import contextlib
import itertools
from collections.abc import Iterable

from gwproactor.config.mqtt import MQTTClient
from gwproactor.errors import ConnectionLostError, NotRunningError, UsageError
from gwproactor.links.core.link_state import CONNECTED_STATES
from gwproactor.links.core.subscriptions import SubscriptionStatus
from gwproactor.links.link import Link
from gwproactor.links.manager.mqtt_client import MessageInfo, MQTTClientWrapper
from gwproactor.links.manager.mqtt_clients import MQTTClients
from gwproactor.links.manager.mqtt_notices import NO_CONNECTION, NO_ERROR


class LinkClient(MQTTClientWrapper):
    """One link by the methods of an MQTT client. For the event loop's thread.

    Args:
        link: The link.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(link.name, link.settings.brokers[0], _NoQueue())
        self._link = link
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Refused: links are started together.

        Raises:
            UsageError: Always.
        """
        raise UsageError("a link is started by its LinkManager")

    def stop(self) -> None:
        """Refused; see `start`."""
        raise UsageError("a link is stopped by LinkManager.remove, or with all others")

    def connected(self) -> bool:
        """Whether the link is connected."""
        return self._link.state in CONNECTED_STATES

    def publish(self, topic: str, payload: bytes, qos: int) -> MessageInfo:
        """Publish bytes over the link's connection, past its codec and its comm state."""
        number = next(self._numbers)
        with contextlib.suppress(ConnectionLostError, NotRunningError):
            self._link.publish_bytes(topic, payload, qos=qos)
            return MessageInfo(NO_ERROR, number)
        return MessageInfo(NO_CONNECTION, number)

    def subscribe(self, topic: str, qos: int) -> tuple[int, int | None]:
        """`Link.subscribe`."""
        self._link.subscribe(topic, qos)
        return self._outcome()

    def subscribe_all(self) -> tuple[int, int | None]:
        """Nothing to be done: a link subscribes to everything on every connection."""
        return self._outcome()

    def unsubscribe(self, topic: str) -> tuple[int, int | None]:
        """`Link.unsubscribe`."""
        self._link.unsubscribe(topic)
        return self._outcome()

    def subscribed(self) -> bool:
        """Whether every topic filter is granted."""
        return self.num_pending_subscriptions() == 0

    def subscription_items(self) -> list[tuple[str, int]]:
        """Every topic filter that is wanted, with its QoS."""
        return [(each.Topic, int(each.Qos)) for each in self._link.wanted_subscriptions]

    def num_subscriptions(self) -> int:
        """How many topic filters are wanted."""
        return len(self._link.subscriptions)

    def num_pending_subscriptions(self) -> int:
        """How many of them are not granted."""
        granted = SubscriptionStatus.granted
        return sum(status is not granted for status in self._link.subscriptions.values())

    def _outcome(self) -> tuple[int, int | None]:
        return (NO_ERROR, next(self._numbers)) if self.connected() else (NO_CONNECTION, None)


class LinkClients(MQTTClients):
    """The links of a manager by the methods of a set of MQTT clients."""

    def add_client(
        self,
        name: str,
        client_config: MQTTClient,  # noqa: ARG002 - as in the class below this one
        upstream: bool = False,  # noqa: ARG002
        primary_peer: bool = False,  # noqa: ARG002
    ) -> MQTTClientWrapper:
        """Refused: links are added to the manager.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"add the link '{name}' by LinkManager.add_mqtt_link")


def clients_of(links: Iterable[Link], primary_peer: str) -> MQTTClients:
    """The links of a manager as they are now.

    Args:
        links: The links.
        primary_peer: The name of the one to the primary peer; may be empty.
    """
    clients = LinkClients()
    for link in links:
        clients.clients[link.name] = LinkClient(link)
        if link.settings.upstream:
            clients.upstream_client = link.name
    clients.primary_peer_client = primary_peer
    return clients


class _NoQueue:
    """Takes what nobody tells."""

    def put(self, item: object, /) -> None:
        """Forget it."""
