"""A link as an application sees it: its state, its history, and messages to and from the peer.

A `Link` is given out by the proactor, or by a `LinkManager`, which also runs it. Everything here
is for the event loop's thread, and everything that waits is cancel-safe: cancelling takes nothing
from the link and nothing from others who wait.
"""

import asyncio
import random as _random
import uuid
import weakref
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from typing import Any

from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTVersion
from gwproactor.errors import NotRunningError, SubscriptionRefusedError, UsageError
from gwproactor.links.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.asyncio_timer_manager import AsyncioTimerManager
from gwproactor.links.backoff import Backoff
from gwproactor.links.conversation import Conversation
from gwproactor.links.event_pump import EventSource
from gwproactor.links.link_core import MessageKind
from gwproactor.links.link_history import LinkHistory
from gwproactor.links.link_manager_transition import LinkManagerTransition
from gwproactor.links.link_message_times import LinkMessageTimes
from gwproactor.links.link_state import (
    CONNECTED_STATES,
    LinkState,
    StateName,
    Transition,
    TransitionName,
)
from gwproactor.links.link_task import LinkParts, connect_options, run_link
from gwproactor.links.listener import BatchInbox, LinkListener
from gwproactor.links.message_stream import Messages, MessageStreams
from gwproactor.links.own_faults import FaultRest
from gwproactor.links.pace import Pace
from gwproactor.links.presence import Presence
from gwproactor.links.problem_desk import ProblemDesk
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.requests import Requests
from gwproactor.links.send_options import checked_options, checked_qos
from gwproactor.links.sent_messages import SentMessage
from gwproactor.links.subscriptions import QOS, Subscription, SubscriptionStatus
from gwproactor.links.timer_interface import TimerManagerInterface
from gwproactor.links.transition_stream import Transitions, TransitionStream
from gwproactor.links.transport import Connector, ReceivedPacket, SendOptions
from gwproactor.wire.codec import MQTTCodec, WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.filters import checked_filter, is_shared
from gwproactor.wire.payloads import is_event_type, now_ms
from gwproactor.wire.timing import checked_timeout

MESSAGES_KEPT = 1000
"""Messages that wait for a slow iterator where nothing else is said."""


class Link:
    """A monitored conversation with one peer.

    Args:
        own_name: This node's long name.
        settings: The link's settings.
        listener: Hears everything that the link reports.
        codec: Turns messages into payloads and back; the wire format's when not given.
        events: The events for the upstream peer.
        delays: Seconds between rounds of attempts to connect, instead of those of the settings;
            see `backoff.Backoff`.
        connector: Makes connections.
        timers: Starts the link's one timer.
        on_packet: Called with the link's name, each packet that it receives, and the TypeName of
            the message in it; empty where there is none.
        batches: Takes events that come in batches; None where none are taken.
    """

    def __init__(
        self,
        own_name: str,
        settings: LinkSettings,
        listener: LinkListener,
        *,
        codec: MQTTCodec | None = None,
        events: EventSource | None = None,
        delays: Iterable[float] | None = None,
        connector: Connector = connect_with_aiomqtt,
        timers: TimerManagerInterface | None = None,
        on_packet: Callable[[str, ReceivedPacket, str], None] | None = None,
        batches: BatchInbox | None = None,
    ) -> None:
        self._settings = settings
        self._codec = codec or WireCodec()
        self._listener = listener
        self._problems = ProblemDesk(settings.link_name, listener)
        self._transition_streams: weakref.WeakSet[TransitionStream] = weakref.WeakSet()
        self._message_streams = MessageStreams()
        self._requests = Requests(settings.link_name)
        self._subscriptions_changed = asyncio.Event()
        self._history = LinkHistory()
        self._conversation = Conversation(
            own_name,
            settings,
            self._codec,
            listener,
            self._received,
            self._transitioned,
            self._subscriptions_changed.set,
            timers or AsyncioTimerManager(),
            events,
            _random.random,
            on_packet,
            batches,
        )
        options = connect_options(settings, default_client_id(own_name, settings))
        backoff = Backoff(settings.reconnect_delays_seconds if delays is None else delays)
        pace = Pace(settings.brokers, backoff, prefer_working=settings.prefer_working_broker)
        presence = Presence(own_name, str(uuid.uuid4()), enabled=settings.presence)
        rest = FaultRest(_random.random)
        self._parts = LinkParts(
            self._conversation, connector, options, pace, presence, rest, events
        )

    @property
    def name(self) -> str:
        """The name by which this node knows the link."""
        return self._settings.link_name

    @property
    def settings(self) -> LinkSettings:
        """What the link was told."""
        return self._settings

    @property
    def state(self) -> StateName:
        """The present comm state."""
        return self._conversation.core.state

    @property
    def active(self) -> bool:
        """Whether the peer is known to be there: all four conditions hold."""
        return self._conversation.core.active

    @property
    def history(self) -> LinkHistory:
        """What the link has been through; to be read."""
        return self._history

    @property
    def codec(self) -> MQTTCodec:
        """What turns messages into payloads and back."""
        return self._codec

    @property
    def link_state(self) -> LinkState:
        """The state machine; to be read, and changed by the link alone."""
        return self._conversation.core.link_state

    @property
    def message_times(self) -> LinkMessageTimes:
        """When the link last sent and received, as a snapshot."""
        times = self._conversation.core.times
        return LinkMessageTimes(times.last_send, times.last_recv, last_ping=times.last_ping)

    @property
    def num_acks(self) -> int:
        """How many acks the link waits for."""
        return self._conversation.core.num_acks

    async def run(self) -> None:
        """Run the link until cancelled, which stops it for good, at once and without a remainder.

        A fault of this program is reported with its traceback and costs the connection; the link
        begins again after a pause, 1 s at first and up to a minute where faults follow each other.

        Raises:
            InvalidCommStateInput: It ran before.
        """
        await run_link(self._parts)

    def stop(self, reason: str) -> None:
        """End a link for good that does not run; who waits for anything of it is told."""
        self._conversation.stop(reason)

    # Waiting for the comm state

    async def wait_for(
        self,
        state: StateName | str | Collection[StateName | str] = StateName.active,
        *,
        timeout_seconds: float | None = None,
    ) -> None:
        """Wait until the link is in a state; returns at once when it is. Cancel-safe.

        A state that the link passes through counts, even if it has left it again by the time that
        the waiting task runs.

        Args:
            state: The state or its name, or several of which any will do.
            timeout_seconds: How long to wait, zero or less for a mere look; None for as long as the
                link runs.

        Raises:
            TimeoutError: It did not come in time; the message names the state the link is in.
            NotRunningError: The link was stopped meanwhile, or before.
            UsageError: There is no such state, or no number of seconds.
        """
        wanted = _states([state] if isinstance(state, str) else state)
        timeout_seconds = checked_timeout(timeout_seconds)
        stream = self._open_transitions()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._pass(stream, wanted)
        except TimeoutError:
            names = " or ".join(sorted(wanted))
            raise TimeoutError(
                f"link '{self.name}' was not {names} within {timeout_seconds:g} s;"
                f" it is {self.state}"
            ) from None
        finally:
            self._transition_streams.discard(stream)

    async def _pass(self, stream: TransitionStream, wanted: set[StateName]) -> None:
        state = self.state
        while state not in wanted:
            transition = await stream.next()
            if transition is None:
                raise NotRunningError(f"link '{self.name}' is stopped")
            state = transition.new_state

    def transitions(self) -> Transitions:
        """Iterate over what happens to the comm state from now on, until the link is stopped.

        "From now on" begins with the first `anext`. Each iterator has a buffer of
        1000: when it is not read for so long, its oldest transitions are dropped, so
        a gap shows as a transition whose old state is not the new state of the one before. Ends
        after the transition to `stopped`. Cancel-safe: an `anext` that was cancelled took nothing,
        and the next one goes on. An iterator that nobody holds any more costs nothing.
        """
        return Transitions(self._open_transitions)

    # Topics

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

    def _require_not_stopped(self) -> None:
        if self.state is StateName.stopped:
            raise NotRunningError(f"link '{self.name}' is stopped")

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

    # Messages

    def send(
        self,
        payload: Any,
        *,
        receiver: str = "",
        ack_required: bool = True,
        qos: int | None = None,
        user_properties: Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
        expiry_seconds: int | None = None,
    ) -> SentMessage:
        """Send a message to the peer, now; it is not kept and not repeated.

        What neither socket nor broker has taken waits in memory, up to 64 MiB, and of QoS 1 and 2
        up to 10,000 messages. At that limit the connection is given up: a broker that takes so
        little takes no pings either. Who sends much awaits acks, or posts events.

        Args:
            payload: A model with a `TypeName`; its `MessageId`, where it has one, is the message's.
            receiver: An actor of the peer that it is for; the peer itself when not given.
            ack_required: The peer is to acknowledge the message; `await sent.acked()` then says
                whether it did. A missing ack also ends `active`.
            qos: The QoS to publish with; the link's when not given.
            user_properties: Pairs of texts for the receiver. MQTT 5 only, as all that follow.
            content_type: What the payload is.
            expiry_seconds: How long brokers keep it for a peer that is away; the link's when not
                given.

        Raises:
            ConnectionLostError: The link has no connection, or gave it up at that limit.
            NotRunningError: The link is stopped, or removed.
            UsageError: The payload has no `TypeName` of which a topic can be made, or holds what
                JSON cannot; or the broker speaks MQTT 3.1.1, which lacks what was asked for.
            PacketTooLargeError: The broker takes no message so long.
        """
        options = self._options_to_send(qos, user_properties, content_type, expiry_seconds)
        return self._conversation.sender.send(
            payload, options, ack_required=ack_required, receiver=receiver
        )

    def tell_of_sent(self, on_sent: Callable[[str, str, str], None]) -> None:
        """Have every message told that goes out on the link: link's name, topic, awaited id."""
        self._conversation.sender.on_sent = on_sent

    def publish(
        self,
        message: Message[Any],
        *,
        qos: int | None = None,
        user_properties: Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
        expiry_seconds: int | None = None,
        context: object = None,
    ) -> SentMessage:
        """Send a message that has its header already, as it is, on the topic that it names.

        Args:
            message: A message of this library or of `gridworks-protocol`.
            context: Anything to find again in what is returned, and where no ack comes.
            qos: See `send`, as all that follow.
            user_properties: See `send`.
            content_type: See `send`.
            expiry_seconds: See `send`.

        Raises:
            ConnectionLostError: See `send`.
            NotRunningError: See `send`.
            UsageError: See `send`.
            PacketTooLargeError: See `send`.
        """
        options = self._options_to_send(qos, user_properties, content_type, expiry_seconds)
        return self._conversation.sender.publish(message, options, context)

    def take_packet(self, packet: ReceivedPacket) -> None:
        """Treat a packet as if it had come from the broker: one that a program got another way."""
        self._conversation.received(packet)

    def take_ack(self, message_id: str) -> None:
        """Treat a message as acknowledged by the peer, whom that shows to be there."""
        self._conversation.hear(MessageKind.ack, message_id)

    def take_loss(self, name: TransitionName) -> LinkManagerTransition | None:
        """The last transition that ended `active` or the setup, once, with the acks it cancelled.

        Args:
            name: `response_timeout` or `mqtt_disconnected`; None where it came from another, and
                where there was none since the last call.
        """
        return self._conversation.losses.take(name)

    def heard(self) -> None:
        """Take the caller's word for it that a valid message came from the peer just now."""
        self._conversation.hear()

    def publish_bytes(self, topic: str, payload: bytes, *, qos: int | None = None) -> None:
        """Publish bytes on any topic over the link's connection, past its codec; no ack is awaited.

        Raises:
            ConnectionLostError: See `send`.
            NotRunningError: See `send`.
            UsageError: It is no topic to publish on, or no QoS.
            PacketTooLargeError: See `send`.
        """
        self._conversation.sender.publish_bytes(
            topic, payload, self._options_to_send(qos, (), None, None)
        )

    async def ping(self) -> None:
        """Ask the peer for a sign of life, now; without a connection nothing happens."""
        self._conversation.sender.ping()

    def acknowledge(self, message_id: str) -> None:
        """Acknowledge a received message that asked for it, once it is accepted.

        Without a connection nothing happens: the peer will send the message again.

        Raises:
            UsageError: No message has such an id.
        """
        self._conversation.sender.acknowledge(message_id)

    def messages(self, *, max_waiting: int = MESSAGES_KEPT) -> Messages:
        """Iterate over the messages that come from now on, until the link is stopped.

        "From now on" begins with the first `anext`. While anybody iterates, messages do not go to
        the handler of the proactor; several iterators get all of them each. Events, acks and pings
        are none of these messages. A message is acknowledged to the peer when it is taken in here,
        and one of QoS 1 or 2 to the broker when the next one is asked for. Cancel-safe: an `anext`
        that was cancelled took nothing, and the next one goes on. `aclose`, or
        `contextlib.aclosing`, ends an iteration that is left early.

        Args:
            max_waiting: So many may wait for this iterator; what comes beyond that with QoS 0 is
                dropped un-acked, counted, and reported.

        Raises:
            UsageError: `max_waiting` is below 1.
        """
        if max_waiting < 1:
            raise UsageError(f"max_waiting is {max_waiting}; it is at least 1")
        return Messages(self._message_streams, max_waiting, lambda: self.state is StateName.stopped)

    async def request(
        self,
        payload: Any,
        *,
        timeout_seconds: float,
        qos: int | None = None,
        user_properties: Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
    ) -> ReceivedMessage:
        """Send a message and wait for the peer's reply to it. Cancel-safe.

        Args:
            payload: See `send`.
            timeout_seconds: How long the reply may take; with zero or less none can come in time.
            qos: See `send`, as all that follow.
            user_properties: See `send`.
            content_type: See `send`.

        Returns:
            What the peer sent with `reply`. A reply that comes too late is an ordinary message.

        Raises:
            TimeoutError: No reply came in time.
            ConnectionLostError: There is no connection, or it was lost before the reply came.
            NotRunningError: The link is stopped, or removed.
            UsageError: See `send`; replies need MQTT 5 at both ends.
        """
        self._require_mqtt_5("request and reply")
        limit_seconds = checked_timeout(timeout_seconds)
        with self._requests.open() as (correlation_data, reply):
            options = self._options_to_send(
                qos, user_properties, content_type, None, correlation_data
            )
            self._conversation.sender.send(payload, options, ack_required=True)
            try:
                async with asyncio.timeout(limit_seconds):
                    return await reply
            except TimeoutError:
                raise TimeoutError(
                    f"link '{self.name}': no reply within {limit_seconds:g} s"
                ) from None

    def reply(
        self,
        received: ReceivedMessage,
        payload: Any,
        *,
        ack_required: bool = True,
        qos: int | None = None,
        user_properties: Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
    ) -> SentMessage:
        """Reply to a request of the peer.

        Args:
            received: The request.
            payload: See `send`, as all that follow.
            ack_required: See `send`.
            qos: See `send`.
            user_properties: See `send`.
            content_type: See `send`.

        Raises:
            ConnectionLostError: See `send`.
            NotRunningError: See `send`.
            UsageError: The message is no request; or see `send`.
            PacketTooLargeError: See `send`.
        """
        correlation_data = received.packet.correlation_data
        if correlation_data is None:
            raise UsageError("that message is no request: it has no correlation data to reply with")
        options = self._options_to_send(qos, user_properties, content_type, None, correlation_data)
        return self._conversation.sender.send(payload, options, ack_required=ack_required)

    def _options_to_send(
        self,
        qos: int | None,
        user_properties: Iterable[tuple[str, str]],
        content_type: str | None,
        expiry_seconds: int | None,
        correlation_data: bytes | None = None,
    ) -> SendOptions:
        self._require_not_stopped()
        default_expiry = self._settings.message_expiry_seconds
        return checked_options(
            self._settings.qos if qos is None else qos,
            user_properties,
            content_type,
            default_expiry if expiry_seconds is None else expiry_seconds,
            correlation_data,
        )

    def _require_mqtt_5(self, what: str) -> None:
        for broker in self._settings.brokers:
            if broker.protocol is not MQTTVersion.v5:
                raise UsageError(
                    f"{what} needs MQTT 5, and {broker} is set to {broker.protocol.value};"
                    " set its protocol to 5"
                )

    # What the conversation tells

    def _received(self, received: ReceivedMessage) -> None:
        if self._requests.answered(received):
            self._accepted(received)
            received.done()
        elif self._message_streams and not is_event_type(received.message.Header.MessageType):
            self._stream(received)
        else:
            self._listener.message_received(received)

    def _stream(self, received: ReceivedMessage) -> None:
        if self._message_streams.put(received):
            self._accepted(received)
        else:
            what = "messages come faster than they are iterated over"
            self._problems.report(what, "they are dropped un-acked")

    def _accepted(self, received: ReceivedMessage) -> None:
        if received.wants_ack:
            self.acknowledge(received.message.Header.MessageId)

    def _transitioned(self, transition: Transition, at_seconds: float) -> None:
        self._history.add(transition, at_seconds, now_ms())
        if not transition:
            return
        if transition.new_state not in CONNECTED_STATES:
            self._requests.lost()
        if transition.new_state is StateName.stopped:
            self._message_streams.end()
            self._subscriptions_changed.set()
        for stream in tuple(self._transition_streams):
            stream.put(transition)

    def _open_transitions(self) -> TransitionStream:
        stream = TransitionStream(ended=self.state is StateName.stopped)
        self._transition_streams.add(stream)
        return stream


def _states(names: Iterable[StateName | str]) -> set[StateName]:
    try:
        states = {StateName(name) for name in names}
    except ValueError as error:
        raise UsageError(f"{error}; there are {', '.join(StateName)}") from None
    if not states:
        raise UsageError(f"no state to wait for was given; there are {', '.join(StateName)}")
    return states


def default_client_id(own_name: str, settings: LinkSettings) -> str:
    """The MQTT client id of a link, where a broker's settings name none."""
    return f"{own_name}-{settings.peer_name}"
