"""The links of a node, by the names that the threaded predecessor gave to what one does with them.

Each link is a task that connects, subscribes, hears, pings and judges by itself. So what a program
once had to feed into the manager (`process_mqtt_connected` and the like) is a mere confirmation
here: no caller can make a link connected that is not. What a program does with links is as it was:
add, publish, subscribe, acknowledge, generate events, ask for state.
"""

import asyncio
import logging
from typing import Any

from result import Err, Ok, Result

from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTClient
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import UsageError
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.persisters.persister import PersisterInterface
from gwproactor.links.core.acks import AckTimerCallback
from gwproactor.links.core.timer_interface import TimerManagerInterface
from gwproactor.links.event_desk import EventDesk
from gwproactor.links.event_pump import EventStoreSource
from gwproactor.links.link import Link
from gwproactor.links.listener import BatchInbox, LinkListener
from gwproactor.links.manager.event_links import EventLinks
from gwproactor.links.manager.kept_events import kept_events, running_events
from gwproactor.links.manager.link_clients import clients_of
from gwproactor.links.manager.manager_ears import ManagerEars
from gwproactor.links.manager.mqtt_client import Logger, MQTTClientWrapper
from gwproactor.links.manager.mqtt_clients import MQTTClients
from gwproactor.problems import Problems
from gwproactor.stats import ProactorStats
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.payloads import StartupEvent
from gwproactor.wire.topics import encode_part


class LinkManager(EventLinks):
    """The set of links of one node. For the event loop's thread.

    Args:
        publication_name: This node's long name.
        settings: Ack timeout and poll seconds of links added with `add_mqtt_link`; the defaults
            when not given.
        logger: Is told of transitions; a `ProactorLogger` by its `comm_event`.
        stats: Counts messages, comm events and timeouts; fresh when not given.
        event_persister: Keeps the events for the upstream peer: a persister, which is opened and
            closed with the links; or what hands events to a link and is run by its owner. Without
            one no events are kept.
        timer_manager: Starts the links' timers; asyncio's when not given.
        ack_timeout_callback: Called on the loop for each message whose ack did not come in time.
        listener: Hears everything that the links report.
        batches: Takes events that come in batches; None where none are taken.
    """

    PERSISTER_ENCODING = "utf-8"

    def __init__(
        self,
        publication_name: str,
        settings: ProactorSettings | None = None,
        logger: Logger | None = None,
        stats: ProactorStats | None = None,
        event_persister: PersisterInterface | EventStoreSource | None = None,
        timer_manager: TimerManagerInterface | None = None,
        ack_timeout_callback: AckTimerCallback | None = None,
        *,
        listener: LinkListener | None = None,
        batches: BatchInbox | None = None,
    ) -> None:
        self.publication_name = publication_name
        self._settings = ProactorSettings.without_environment() if settings is None else settings
        self.stats = ProactorStats() if stats is None else stats
        self._log: Logger = logger or logging.getLogger(__name__)
        self._ears = ManagerEars(self.stats, logger, ack_timeout_callback, listener)
        self._kept: OutgoingEvents | None = None
        if isinstance(event_persister, PersisterInterface):
            self._kept = kept_events(event_persister, self._settings, self._store_problem)
            event_persister = self._kept
        super().__init__(
            publication_name,
            self._ears,
            events=event_persister,
            timers=timer_manager,
            on_packet=self._ears.packet_received,
            batches=batches,
        )
        self.events = EventDesk(
            publication_name,
            event_persister,
            self._settings.events.max_bytes,
            lambda: None if self.upstream is None else self.upstream.settings,
            self.stats,
        )
        self._ears.events = self.events
        self._primary_peer = ""
        self._task: asyncio.Task[None] | None = None

    # The set

    def add(self, settings: LinkSettings, **options: Any) -> Link:
        """Add a link; see `LinkSet.add`."""
        link = super().add(settings, **options)
        link.tell_of_sent(self._ears.message_sent)
        if not self.stats.has_link(link.name):
            self.stats.add_link(link.name)
        return link

    async def remove(self, name: str) -> None:
        """Stop a link and forget it; see `LinkSet.remove`."""
        await super().remove(name)
        self.stats.remove_link(name)
        if self._primary_peer == name:
            self._primary_peer = ""

    def add_mqtt_link(
        self,
        name: str,
        mqtt_config: MQTTClient,
        codec: MQTTCodec | None = None,
        upstream: bool = False,
        primary_peer: bool = False,
    ) -> Link:
        """Add a link of which no more is known than its name.

        The name stands for the peer's long and short name, and this node's long name for its short
        one; two nodes that are named so to each other understand each other without further ado.
        Whatever valid message comes on the link's topics, or on those of `subscribe`, counts as the
        peer's, whoever it names as its sender.

        Args:
            name: The link's name.
            mqtt_config: The broker.
            codec: Turns messages into payloads and back; the wire format's when not given.
            upstream: The peer is where this node's events go.
            primary_peer: The peer is the one that matters most.

        Raises:
            UsageError: See `add`; or there is a primary peer already.
        """
        if primary_peer and self._primary_peer:
            raise UsageError(f"link '{self._primary_peer}' leads to the primary peer already")
        settings = LinkSettings(
            name=name,
            peer_name=name,
            peer_short_name=encode_part(name),
            subscription_name=encode_part(self.publication_name),
            upstream=upstream,
            brokers=(mqtt_config,),
            ack_timeout_seconds=self._settings.ack_timeout_seconds,
            poll_seconds=self._settings.mqtt_link_poll_seconds,
            strict_sender=False,
        )
        link = self.add(settings, codec=codec)
        self._primary_peer = name if primary_peer else self._primary_peer
        return link

    @property
    def primary_peer_client(self) -> str:
        """The name of the link to the primary peer; empty where there is none."""
        return self._primary_peer

    def mqtt_clients(self) -> MQTTClients:
        """The links by the methods of MQTT clients."""
        return clients_of(self, self._primary_peer)

    def mqtt_client_wrapper(self, client_name: str) -> MQTTClientWrapper:
        """That link by the methods of an MQTT client."""
        return self.mqtt_clients().client_wrapper(client_name)

    # Running

    def start(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        async_queue: "asyncio.Queue[Any] | None" = None,
    ) -> None:
        """Run the links as a task; `run` is the same for a program that has a task for it.

        Args:
            loop: The running loop.
            async_queue: Takes every message that comes. What a full one does not take is dropped,
                which the log says; brokers keep it where its QoS is 1 or 2.

        Raises:
            UsageError: `loop` is not the running one, or the links run already.
        """
        if loop is not None and loop is not asyncio.get_running_loop():
            raise UsageError("links are started on the loop that they run on")
        if self._task is not None:
            raise UsageError("the links were started already; make a new LinkManager")
        self._ears.queue = async_queue
        name = f"links of {self.publication_name}"
        self._task = asyncio.get_running_loop().create_task(self.run(), name=name)

    def start_ping_tasks(self) -> "list[asyncio.Task[Any]]":
        """No tasks: each link pings by its own timer."""
        return []

    def stop(self) -> Result[bool, Problems]:
        """Stop all links, at once and for good; `join` waits until nothing is left of them.

        Returns:
            Ok(True); Err where the links had failed before.
        """
        for link in self:
            link.stop("stop called")
        if self._task is not None and self._task.done() and not self._task.cancelled():
            error = self._task.exception()
            return Ok(True) if error is None else Err(Problems(errors=[error]))
        if self._task is not None:
            self._task.cancel()
        return Ok(True)

    async def join(self) -> None:
        """Wait until the links have ended, where `start` started them. Cancel-safe.

        Raises:
            ExceptionGroup: See `run`.
            StoreError: See `run`.
        """
        if self._task is not None:
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()

    async def run(self) -> None:
        """Run every link until cancelled; see `LinkSet.run`.

        A persister is opened before, and gets what is still to be written after.

        Raises:
            NotRunningError: See `LinkSet.run`.
            UsageError: See `LinkSet.run`.
            ExceptionGroup: What keeps the events failed in a way that it should not.
            StoreError: The persister does not work.
        """
        if self._kept is None:
            await super().run()
            return
        async with running_events(self._kept, self._settings.stop_seconds):
            self.events.generate_own(StartupEvent(Src=self.publication_name))
            try:
                await super().run()
            finally:
                self.events.flush()

    def _store_problem(self, summary: str, details: str) -> None:
        self._ears.link_problem(self.upstream_client, summary, details, is_error=True)

    def log_subscriptions(self, tag: str = "") -> None:
        """Log every topic filter and how things stand with it.

        Args:
            tag: Stands in front of each line.
        """
        for link in self:
            for topic_filter, status in link.subscriptions.items():
                self._log.info("%s%s: %s is %s", tag, link.name, topic_filter, status)

    def enable_mqtt_loggers(self, logger: Logger | None = None) -> None:
        """Log each packet that comes, at DEBUG; to `gwproactor.links.mqtt` by default."""
        self._ears.mqtt_logger = logger or logging.getLogger("gwproactor.links.mqtt")

    def disable_mqtt_loggers(self) -> None:
        """Log no packets any more."""
        self._ears.mqtt_logger = None
