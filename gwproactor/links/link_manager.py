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
from gwproactor.errors import GwproactorError, UsageError
from gwproactor.events.tickets import EventTicket
from gwproactor.links.acks import AckTimerCallback, AckWaitInfo
from gwproactor.links.event_payload import event_payload
from gwproactor.links.event_pump import EventStoreSource
from gwproactor.links.link import Link
from gwproactor.links.link_clients import clients_of
from gwproactor.links.link_manager_transition import LinkManagerTransition
from gwproactor.links.link_message_times import LinkMessageTimes
from gwproactor.links.link_set import LinkSet
from gwproactor.links.link_state import (
    CONNECTED_STATES,
    InvalidCommStateInput,
    LinkState,
    StateName,
    Transition,
    TransitionName,
)
from gwproactor.links.link_states import CommLinkMissing
from gwproactor.links.listener import LinkListener
from gwproactor.links.manager_ears import ManagerEars
from gwproactor.links.mqtt_clients import Logger, MQTTClients, MQTTClientWrapper
from gwproactor.links.mqtt_notices import (
    MQTTConnectFailPayload,
    MQTTConnectPayload,
    MQTTDisconnectPayload,
    MQTTReceiptPayload,
    MQTTSubackPayload,
)
from gwproactor.links.sent_messages import SentMessage
from gwproactor.links.subscriptions import QOS
from gwproactor.links.timer_interface import TimerManagerInterface
from gwproactor.links.transport import ReceivedPacket
from gwproactor.problems import Problems
from gwproactor.stats import ProactorStats
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import EventBase
from gwproactor.wire.topics import encode_part

CommStateResult = Result[Transition, InvalidCommStateInput]


class LinkManager(LinkSet):
    """The set of links of one node. For the event loop's thread.

    Args:
        publication_name: This node's long name.
        settings: Ack timeout and poll seconds of links added with `add_mqtt_link`; the defaults
            when not given.
        logger: Is told of transitions; a `ProactorLogger` by its `comm_event`.
        stats: Counts messages, comm events and timeouts; fresh when not given.
        event_persister: Keeps the events for the upstream peer, and hands them to its link.
        timer_manager: Starts the links' timers; asyncio's when not given.
        ack_timeout_callback: Called on the loop for each message whose ack did not come in time.
        listener: Hears everything that the links report.
    """

    PERSISTER_ENCODING = "utf-8"

    def __init__(
        self,
        publication_name: str,
        settings: ProactorSettings | None = None,
        logger: Logger | None = None,
        stats: ProactorStats | None = None,
        event_persister: EventStoreSource | None = None,
        timer_manager: TimerManagerInterface | None = None,
        ack_timeout_callback: AckTimerCallback | None = None,
        *,
        listener: LinkListener | None = None,
    ) -> None:
        self.stats = ProactorStats() if stats is None else stats
        self._ears = ManagerEars(self.stats, logger, ack_timeout_callback, listener)
        super().__init__(publication_name, self._ears, events=event_persister, timers=timer_manager)
        self.publication_name = publication_name
        self._settings = ProactorSettings.without_environment() if settings is None else settings
        self._store = event_persister
        self._log: Logger = logger or logging.getLogger(__name__)
        self._primary_peer = ""
        self._task: asyncio.Task[None] | None = None

    # The set

    def add(self, settings: LinkSettings, **options: Any) -> Link:
        """Add a link; see `LinkSet.add`."""
        link = super().add(settings, **options)
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

    def link(self, name: str) -> LinkState | None:
        """The state machine of that link, to be read, or None."""
        return self[name].link_state if name in self else None

    def link_names(self) -> list[str]:
        """The names of all links, in the order in which they were added."""
        return [link.name for link in self]

    def link_state(self, name: str) -> StateName | None:
        """The state of that link, or None."""
        return self[name].state if name in self else None

    def stopped(self, name: str) -> bool:
        """Whether that link is stopped; an unknown one is not."""
        return self.link_state(name) is StateName.stopped

    def subscribed(self, link_name: str) -> bool:
        """Whether every subscription of that link is granted."""
        return all(status == "granted" for status in self._known(link_name).subscriptions.values())

    @property
    def upstream_client(self) -> str:
        """The name of the upstream link; empty where there is none."""
        return "" if self.upstream is None else self.upstream.name

    @property
    def primary_peer_client(self) -> str:
        """The name of the link to the primary peer; empty where there is none."""
        return self._primary_peer

    def num_acks(self, link_name: str) -> int:
        """How many acks that link waits for."""
        return self._known(link_name).num_acks

    def get_message_times(self, link_name: str) -> LinkMessageTimes:
        """When that link last sent and received."""
        return self._known(link_name).message_times

    def update_recv_time(self, link_name: str) -> None:
        """Take the caller's word for it that a valid message came from that link's peer now."""
        self._known(link_name).heard()

    def mqtt_clients(self) -> MQTTClients:
        """The links by the methods of MQTT clients."""
        return clients_of(self, self._primary_peer)

    def mqtt_client_wrapper(self, client_name: str) -> MQTTClientWrapper:
        """That link by the methods of an MQTT client."""
        return self.mqtt_clients().client_wrapper(client_name)

    def decoder(self, link_name: str) -> MQTTCodec | None:
        """The codec of that link, or None where there is no such link."""
        return self[link_name].codec if link_name in self else None

    def decode(self, link_name: str, topic: str, payload: bytes) -> Message[Any]:
        """Read a payload as that link would; raises what its codec raises."""
        message: Message[Any] = self._known(link_name).codec.decode(topic, payload)
        return message

    # Running

    def start(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        async_queue: "asyncio.Queue[Any] | None" = None,
    ) -> None:
        """Run the links as a task; `run` is the same for a program that has a task for it.

        Args:
            loop: The running loop.
            async_queue: Takes every message that comes; a full one holds none of QoS 0.

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
        """Stop what `start` started; `join` waits for that.

        Returns:
            Ok(True); Ok(False) where nothing runs. Err where the links had failed before.
        """
        if self._task is None:
            return Ok(False)
        if self._task.done() and not self._task.cancelled():
            error = self._task.exception()
            return Ok(False) if error is None else Err(Problems(errors=[error]))
        return Ok(self._task.cancel())

    async def join(self) -> None:
        """Wait until the links have ended. Cancel-safe."""
        if self._task is not None:
            await asyncio.wait([self._task])

    # Messages

    def publish_message(
        self, client: str, message: Message[Any], qos: int = 0, context: Any = None
    ) -> SentMessage:
        """Send a message over a link, as it is; see `Link.publish`.

        Args:
            client: The link.
            message: The message; where its header has AckRequired, its ack is waited for.
            qos: The QoS to publish with.
            context: Anything to find again in what is returned, and in `ack_timeout_callback`.
        """
        return self._known(client).publish(message, qos=qos, context=context)

    def publish_upstream(
        self, payload: Any, qos: QOS = QOS.AtMostOnce, **message_args: Any
    ) -> SentMessage:
        """Send a payload over the upstream link.

        Args:
            payload: A model with a `TypeName`.
            qos: The QoS to publish with.
            message_args: Further fields of the header.

        Raises:
            UsageError: There is no upstream link; or see `Link.publish`.
        """
        upstream = self._upstream()
        fields = {"Src": self.publication_name, "Dst": upstream.settings.peer_short_name}
        message = Message[Any](**(fields | message_args), Payload=payload)
        return upstream.publish(message, qos=qos)

    def send_ack(self, link_name: str, message: Message[Any]) -> None:
        """Acknowledge a message, where it asks for that."""
        if message.Header.AckRequired:
            self._known(link_name).acknowledge(message.Header.MessageId)

    async def send_ping(self, link_name: str) -> None:
        """Ask that link's peer for a sign of life, beside the pings that it is sent anyway."""
        await self._known(link_name).ping()

    def subscribe(self, client: str, topic: str, qos: int) -> tuple[int, int | None]:
        """Subscribe to one more topic filter; see `Link.subscribe`.

        Returns:
            0, and no number: `Link.subscribed` waits for the broker's answer.
        """
        self._known(client).subscribe(topic, qos)
        return 0, None

    def log_subscriptions(self, tag: str = "") -> None:
        """Log every topic filter and how things stand with it.

        Args:
            tag: Stands in front of each line.
        """
        for link in self:
            for topic_filter, status in link.subscriptions.items():
                self._log.info("%s%s: %s is %s", tag, link.name, topic_filter, status)

    def enable_mqtt_loggers(self, logger: Logger | None = None) -> None:
        """Log each message that comes, at DEBUG; to `gwproactor.links.mqtt` by default."""
        self._ears.mqtt_logger = logger or logging.getLogger("gwproactor.links.mqtt")

    def disable_mqtt_loggers(self) -> None:
        """Log no messages any more."""
        self._ears.mqtt_logger = None

    # Events

    def post_event(self, event: EventBase, *, tag: str = "", urgent: bool = True) -> EventTicket:
        """Hand in an event for the upstream peer; see `Proactor.post_event`.

        Raises:
            StoreFullError: It was not kept.
            NotRunningError: Events are not kept yet, or no longer.
            UsageError: There is no upstream link, or nothing to keep events; or it is no event, or
                one that the peer must refuse.
        """
        upstream = self._upstream()
        if self._store is None:
            raise UsageError(f"{self.publication_name} has no event_persister to keep events")
        payload = event_payload(event, self.publication_name, upstream.settings)
        return self._store.post(event.MessageId, payload, tag, urgent=urgent)

    def generate_event(self, event: EventBase) -> Result[bool, BaseException]:
        """Hand in an event that nobody waits for, and return instead of raising.

        Returns:
            Ok(True); Ok(False) where there is no upstream link, so that the event goes nowhere;
            Err with what `post_event` raises.
        """
        if self.upstream is None:
            return Ok(False)
        try:
            self.post_event(event, urgent=False)
        except GwproactorError as error:
            return Err(error)
        return Ok(True)

    @property
    def num_pending(self) -> int:
        """How many events the upstream peer has not acknowledged."""
        return 0 if self._store is None else self._store.pending_count

    @property
    def num_reuploaded_unacked(self) -> int:
        """How many events were sent since the link became active, and are not acknowledged."""
        return 0 if self._store is None else self._store.in_flight_count

    @property
    def num_reupload_pending(self) -> int:
        """How many events wait for their turn on the active link; none while it is not active."""
        upstream = self.upstream
        if upstream is None or not upstream.active:
            return 0
        return self.num_pending - self.num_reuploaded_unacked

    def reuploading(self) -> bool:
        """Whether events wait for their turn on the active upstream link."""
        return self.num_reupload_pending > 0

    def get_reuploads_str(self, verbose: bool = True, num_events: int = 5) -> str:
        """The counts of events as a text.

        Args:
            verbose: Say more than the two counts.
            num_events: Kept for its name: events are not listed, for there may be a million.
        """
        del num_events
        text = (
            f"Reuploads: {self.num_reupload_pending} pending, {self.num_reuploaded_unacked} unacked"
        )
        state = self.link_state(self.upstream_client) or "missing"
        return f"{text}; {self.num_pending} events in all, upstream {state}" if verbose else text

    # What a program may tell of its links

    def process_ack(self, link_name: str, message_id: str) -> None:
        """Treat a message as acknowledged by that link's peer."""
        self._known(link_name).take_ack(message_id)

    def process_ack_timeout(
        self, wait_info: AckWaitInfo
    ) -> Result[LinkManagerTransition, BaseException]:
        """Take note that an ack did not come, which the link did already, with what follows."""
        name = wait_info.link_name
        state = self._known(name).state
        return Ok(LinkManagerTransition(name, TransitionName.response_timeout, state, state))

    def process_mqtt_connected(self, message: Message[MQTTConnectPayload]) -> CommStateResult:
        """Confirm that a link is connected; Err where it is not."""
        return self._confirm(message.Payload.client_name, TransitionName.mqtt_connected, True)

    def process_mqtt_disconnected(
        self, message: Message[MQTTDisconnectPayload]
    ) -> Result[LinkManagerTransition, InvalidCommStateInput]:
        """Confirm that a link is not connected; Err where it is."""
        name = message.Payload.client_name
        confirmed = self._confirm(name, TransitionName.mqtt_disconnected, False)
        return confirmed.map(
            lambda each: LinkManagerTransition(
                each.link_name, each.transition_name, each.old_state, each.new_state
            )
        )

    def process_mqtt_connect_fail(
        self, message: Message[MQTTConnectFailPayload]
    ) -> CommStateResult:
        """Confirm that a link could not connect; Err where it is connected."""
        return self._confirm(message.Payload.client_name, TransitionName.mqtt_connect_failed, False)

    def process_mqtt_suback(self, message: Message[MQTTSubackPayload]) -> CommStateResult:
        """Confirm a SUBACK; Err where the link is not connected."""
        return self._confirm(message.Payload.client_name, TransitionName.mqtt_suback, True)

    def process_mqtt_message(self, message: Message[MQTTReceiptPayload]) -> CommStateResult:
        """Treat a packet as if it had come over that link: read, judged and handed on as any.

        Returns:
            Ok with the transition that followed, from a state to itself where none did.
        """
        receipt = message.Payload.message
        link = self._known(message.Payload.client_name)
        before = link.state
        link.take_packet(ReceivedPacket(receipt.topic, receipt.payload, retain=receipt.retain))
        return Ok(Transition(link.name, TransitionName.message_from_peer, before, link.state))

    def _confirm(
        self, name: str, transition: TransitionName, must_be_connected: bool
    ) -> CommStateResult:
        state = self._known(name).state
        if (state in CONNECTED_STATES) is must_be_connected:
            return Ok(Transition(name, transition, state, state))
        text = "only the link's own connection says whether there is one"
        return Err(InvalidCommStateInput(name, state, transition, msg=text))

    def _known(self, name: str) -> Link:
        if name not in self:
            raise CommLinkMissing(name)
        return self[name]

    def _upstream(self) -> Link:
        upstream = self.upstream
        if upstream is None:
            raise UsageError(
                f"{self.publication_name} has no upstream link that events could go to"
            )
        return upstream
