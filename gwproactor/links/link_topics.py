"""The topics that a link hears: its own, those of its settings, and what is added and removed."""

import asyncio
from collections.abc import Mapping, Sequence

from gwproactor.config.link import LinkSettings
from gwproactor.errors import SubscriptionRefusedError, UsageError
from gwproactor.links.core.send_options import checked_qos
from gwproactor.links.core.subscriptions import QOS, Subscription, SubscriptionStatus
from gwproactor.links.link_handle import LinkHandle
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.filters import checked_filter, is_shared
from gwproactor.wire.timing import checked_timeout


class LinkTopics(LinkHandle):
    """The part of `Link` for topic filters. Made as a `LinkHandle`."""

    def __init__(self, settings: LinkSettings, codec: MQTTCodec) -> None:
        super().__init__(settings, codec)
        self._subscriptions_changed = asyncio.Event()

    @property
    def subscriptions(self) -> Mapping[str, SubscriptionStatus]:
        """Every topic filter that the link wants, its own first, and how things stand with it."""
        return self._conversation.core.subscriptions.statuses()

    @property
    def wanted_subscriptions(self) -> Sequence[Subscription]:
        """Every topic filter that the link wants, with its QoS."""
        return self._conversation.core.subscriptions.wanted()

    def subscribe(self, topic_filter: str, qos: int | None = None) -> None:
        """Subscribe to one more topic filter, or to a known one at another QoS, from now on.

        Adding one does not end `active` unless the broker refuses it. Messages that come for it
        are read by the link's codec; only those of the peer say that the peer is there.

        Args:
            topic_filter: `$share/GROUP/FILTER` shares its messages with the group's members.
            qos: The highest QoS at which the broker is to deliver; the link's when not given.

        Raises:
            UsageError: It is no topic filter, or no QoS, or shared while a broker of the link
                speaks MQTT 3.1.1.
            NotRunningError: The link is stopped.
        """
        self._require_not_stopped()
        wanted = QOS(checked_qos(self._settings.qos if qos is None else qos))
        try:
            checked_filter(topic_filter)
        except ValueError as error:
            raise UsageError(str(error)) from None
        if is_shared(topic_filter):
            self._require_mqtt_5(f"the shared subscription {topic_filter!r}")
        self._conversation.subscribe(Subscription(topic_filter, wanted))
        self._subscriptions_changed.set()

    def unsubscribe(self, topic_filter: str) -> None:
        """Subscribe to a topic filter no longer; an unknown one is nothing to remove.

        Raises:
            UsageError: It is the link's own filter, without which it could not hear the peer.
        """
        if topic_filter == self._conversation.own_filter:
            raise UsageError(f"link '{self.name}' hears its peer by {topic_filter!r}; remove it")
        self._conversation.unsubscribe(topic_filter)
        self._subscriptions_changed.set()

    async def subscribed(self, topic_filter: str, *, timeout_seconds: float | None = None) -> None:
        """Wait until the broker has granted a topic filter. Cancel-safe.

        Args:
            topic_filter: One that the link wants.
            timeout_seconds: How long to wait, zero or less for a mere look; None for as long as the
                link runs.

        Raises:
            SubscriptionRefusedError: The broker refused it; the link asks again from time to time.
            TimeoutError: No answer came in time.
            NotRunningError: The link is stopped.
            UsageError: The link does not want that filter, or no longer.
        """
        async with asyncio.timeout(checked_timeout(timeout_seconds)):
            while not self._is_granted(topic_filter):
                self._subscriptions_changed.clear()
                await self._subscriptions_changed.wait()

    def _is_granted(self, topic_filter: str) -> bool:
        status = self.subscriptions.get(topic_filter)
        self._require_not_stopped()
        if status is None:
            raise UsageError(f"link '{self.name}' does not subscribe to {topic_filter!r}")
        if status is SubscriptionStatus.refused:
            raise SubscriptionRefusedError(
                f"link '{self.name}': the broker refuses the subscription to {topic_filter!r}"
            )
        return status is SubscriptionStatus.granted
