"""The hands of a link's core: what it decides is done here, what comes is told to it here.

A `Conversation` holds the core, and the connection while there is one. Everything comes through
three doors, all of them synchronous and on the loop, so that nothing can get between a decision and
its execution:

- the `receiver` takes packets from the broker: read, told to the core, handed on;
- the `sender` takes what the node has to say;
- the clock takes the time (`core_clock`).

Each ends in `_perform`, which carries out the core's effects in their order.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gwproactor.config.link import LinkSettings
from gwproactor.errors import ConnectionLostError
from gwproactor.links.connection_reports import ConnectionReports
from gwproactor.links.core.backoff import Random
from gwproactor.links.core.effects import (
    Acked,
    AckExpired,
    AcksCancelled,
    ConnectFailed,
    Effects,
    GiveUp,
    ProbeBroker,
    Report,
    SendAck,
    SendPing,
    Subscribe,
    Transitioned,
    Unsubscribe,
)
from gwproactor.links.core.link_core import LinkCore, MessageKind
from gwproactor.links.core.link_state import Transition, TransitionName
from gwproactor.links.core.message_times import BEFORE_ALL_TIME
from gwproactor.links.core.reception import Reception
from gwproactor.links.core.subscriptions import QOS, Subscription
from gwproactor.links.core.timer_interface import TimerManagerInterface
from gwproactor.links.core_clock import CoreClock
from gwproactor.links.event_pump import EventSource
from gwproactor.links.fault_desk import FaultDesk
from gwproactor.links.greeter import Greeter
from gwproactor.links.listener import BatchInbox, LinkListener, tell
from gwproactor.links.losses import Losses
from gwproactor.links.problem_desk import ProblemDesk
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.receiver import OnPacket, Receiver
from gwproactor.links.sender import Sender
from gwproactor.links.transport import Connection, Greeting
from gwproactor.wire.batches import (
    MAX_BATCH_BYTES,
    MAX_BATCH_COUNT,
    BatchLimits,
)
from gwproactor.wire.codec import MQTTCodec


class Conversation:
    """One link's talk with its peer, over one connection after another. For the loop only.

    Args:
        own_name: This node's long name.
        settings: The link's settings.
        codec: Turns messages into payloads and back.
        listener: Hears what happens.
        deliver: Called with each message that is neither ack nor ping.
        transitioned: Called with each transition and failed attempt, and when it happened, before
            the listener.
        subscriptions_answered: Called after a SUBACK was taken note of.
        timers: Where the one timer comes from.
        events: The events for the upstream peer; None where the peer is none.
        random: Gives numbers between 0 and 1, for jitter.
        on_packet: See `Link`.
        batches: Takes events that come in batches; None where none are taken.
    """

    def __init__(
        self,
        own_name: str,
        settings: LinkSettings,
        codec: MQTTCodec,
        listener: LinkListener,
        deliver: Callable[[ReceivedMessage], None],
        transitioned: Callable[[Transition, float], None],
        subscriptions_answered: Callable[[], None],
        timers: TimerManagerInterface,
        events: EventSource | None,
        random: Random,
        on_packet: OnPacket | None = None,
        batches: BatchInbox | None = None,
    ) -> None:
        self._name = settings.link_name
        self._listener = listener
        self._transitioned = transitioned
        self._subscriptions_answered = subscriptions_answered
        self._events = events
        limits = None if batches is None else _batch_limits(settings)
        reception = Reception(settings, codec, self._wants_topic, limits)
        self.own_filter = reception.topic_filter
        """The topic filter by which the peer is heard."""
        self.core = LinkCore(
            self._name,
            ack_timeout_seconds=settings.ack_timeout_seconds,
            poll_seconds=settings.poll_seconds,
            subscriptions=_subscriptions(settings, self.own_filter),
            random=random,
        )
        self.activations = 0
        """How often the link became active."""
        self.losses = Losses()
        """What the last loss cost."""
        self._problems = ProblemDesk(self._name, listener)
        self.reports = ConnectionReports(self._problems)
        """Tells of connections."""
        self.faults = FaultDesk(self._problems, self._give_up_because)
        """Takes faults of ours."""
        self.sender = Sender(
            own_name, settings, codec, events, self._problems, self._was_sent, limits
        )
        """Takes what the node has to say."""
        self.receiver = Receiver(
            settings,
            reception,
            self,
            self.sender,
            self._problems,
            deliver,
            events,
            batches,
            on_packet,
        )
        """Takes what comes."""
        guarded = self.faults.guarded
        self._clock = CoreClock(self.core, timers, self._catch_up, guarded)
        ask_again = guarded(self._ping_if_not_active)
        self._greeter = Greeter(timers, ask_again, may_greet=not settings.keeps_session)
        self._probed_at = BEFORE_ALL_TIME
        self._hands: dict[type[Any], Callable[[Any], None]] = {
            Transitioned: self._transition,
            ConnectFailed: self._connect_failed,
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
            SendPing: self._ping,
            SendAck: lambda effect: self.sender.acknowledge(effect.message_id),
            ProbeBroker: self._probe,
            GiveUp: self._give_up,
            Acked: self._acked,
            AckExpired: self._ack_expired,
            AcksCancelled: self._acks_cancelled,
            Report: self._report,
        }

    # From connection to connection

    def start(self) -> None:
        """Begin; raises InvalidCommStateInput when called a second time."""
        self._perform(self.core.start(time.monotonic()))

    def stop(self, reason: str) -> None:
        """End for good; a second call changes nothing."""
        self._perform(self.core.stop(time.monotonic(), reason))
        self._clock.stop()
        self._greeter.over()

    def greeting(self) -> Greeting | None:
        """What the next connection may send without waiting for CONNACK, if it may."""
        if not self._greeter.greets_next():
            return None
        return self.sender.greeting(self.core.subscriptions.wanted())

    def connected(self, connection: Connection) -> None:
        """Talk over a new connection."""
        self.sender.connection = connection
        self._greeter.connected()
        self.receiver.begin(connection)
        self.reports.connected()
        session_present = connection.session_present
        self._perform(self.core.connected(time.monotonic(), session_present=session_present))

    def connect_failed(self, reason: str, *, refused: bool) -> None:
        """Take note that one broker could not be connected to."""
        self._perform(self.core.connect_failed(time.monotonic(), reason, refused=refused))

    def disconnected(self, reason: str) -> None:
        """Take note that the connection is gone; without one nothing happens."""
        if self.sender.connection is not None:
            self.reports.lost()
        self.sender.connection = None
        self._greeter.over()
        self._perform(self.core.disconnected(time.monotonic(), reason))

    # What comes (`Ears`)

    def peer_heard(
        self,
        kind: MessageKind = MessageKind.other,
        message_id: str = "",
        *,
        ack_required: bool = False,
    ) -> None:
        """Take note that a valid message came from the peer."""
        now = self._clock.now()
        self._perform(self.core.message_received(now, kind, message_id, ack_required))

    def broker_heard(self) -> None:
        """Take note that something came from the broker that says nothing of the peer."""
        self._perform(self.core.broker_heard(self._clock.now()))

    # What a program asks for

    def subscribe(self, subscription: Subscription) -> None:
        """Subscribe to one more filter, or to a known one at another QoS, from now on."""
        self._perform(self.core.subscription_added(self._clock.now(), subscription))

    def unsubscribe(self, topic_filter: str) -> None:
        """Subscribe to a filter no longer."""
        self._perform(self.core.subscription_removed(self._clock.now(), topic_filter))

    # The core's effects, and the time

    def _was_sent(self, awaited_id: str | None) -> None:
        self._perform(self.core.message_sent(self._clock.now(), awaited_id))

    def _perform(self, effects: Effects) -> None:
        try:
            for effect in effects:
                self._hands[type(effect)](effect)
        finally:  # whatever failed, the link must not become deaf to time
            self._clock.follow()

    def _catch_up(self, now: float) -> None:
        connection = self.sender.connection
        if connection is not None and connection.last_byte_seconds > self._probed_at:
            # A PINGRESP is no packet that is received; it shows here, in time for the core.
            self._perform(self.core.broker_heard(now))
        self._perform(self.core.tick(now))

    def _transition(self, effect: Transitioned) -> None:
        transition = effect.transition
        activated, deactivated = transition.activated(), transition.deactivated()
        self.losses.add(transition)
        if transition.send_activated():
            self._greeter.set_up()
        self.activations += activated
        if activated or deactivated:
            self.sender.batching.forget()
        if self._events is not None and activated:
            self._events.activated()
        elif self._events is not None and deactivated:
            lost = transition.transition_name is TransitionName.mqtt_disconnected
            self._events.deactivated(connection_lost=lost)
        self._transitioned(transition, effect.at_seconds)
        tell(self._listener.link_transitioned, transition)

    def _connect_failed(self, effect: ConnectFailed) -> None:
        self._transitioned(effect.transition, effect.at_seconds)
        tell(self._listener.link_transitioned, effect.transition)

    def _subscribe(self, effect: Subscribe) -> None:
        asked = effect.subscriptions

        def answered(answer: asyncio.Future[Sequence[int]]) -> None:
            if not answer.cancelled() and answer.exception() is None:
                codes = dict(zip((each.Topic for each in asked), answer.result(), strict=False))
                self.faults.guarded(lambda: self._answered(codes))()

        with contextlib.suppress(ConnectionLostError):  # its reader notices and tells why
            self.sender.required_connection().subscribe(asked).add_done_callback(answered)

    def _answered(self, codes: Mapping[str, int]) -> None:
        self._perform(self.core.subscriptions_answered(self._clock.now(), codes))
        self._subscriptions_answered()

    def _unsubscribe(self, effect: Unsubscribe) -> None:
        with contextlib.suppress(ConnectionLostError):
            self.sender.required_connection().unsubscribe(effect.filters)

    def _ping(self, _effect: SendPing) -> None:
        if not self._greeter.puts_off_ping():
            self.sender.ping()

    def _ping_if_not_active(self) -> None:
        if not self.core.active:
            self.sender.ping()

    def _probe(self, _effect: ProbeBroker) -> None:
        self._probed_at = time.monotonic()
        with contextlib.suppress(ConnectionLostError):
            self.sender.required_connection().probe()

    def _give_up(self, effect: GiveUp) -> None:
        self._give_up_because(f"the last one was given up: {effect.reason}")

    def _give_up_because(self, reason: str) -> bool:
        if self.sender.connection is None:
            return False
        self.reports.given_up(reason)
        self.sender.connection.close()
        return True

    def _acked(self, effect: Acked) -> None:
        self.sender.acked(effect.message_id)
        tell(self._listener.message_acked, self._name, effect.message_id)

    def _ack_expired(self, effect: AckExpired) -> None:
        context = self.sender.ack_overdue(effect.message_id)
        tell(self._listener.ack_timed_out, self._name, effect.message_id, context)

    def _acks_cancelled(self, effect: AcksCancelled) -> None:
        sent = self.sender.sent
        contexts = {message_id: sent.cancelled(message_id) for message_id in effect.message_ids}
        if effect.because is not None:
            self.losses.cancelled(effect.because, contexts)

    def _report(self, effect: Report) -> None:
        self._problems.tell(effect.summary, effect.details, is_error=effect.is_error)

    def _wants_topic(self, topic: str) -> bool:
        return self.core.subscriptions.matches(topic)


def _subscriptions(settings: LinkSettings, own_filter: str) -> list[Subscription]:
    """What a link subscribes to from the beginning: its own topics, and those of its settings."""
    further = (
        Subscription(topic.filter, QOS(settings.qos if topic.qos is None else topic.qos))
        for topic in settings.topics
    )
    return [Subscription(own_filter, QOS(settings.qos)), *further]


def _batch_limits(settings: LinkSettings) -> BatchLimits:
    return BatchLimits(MAX_BATCH_COUNT, min(MAX_BATCH_BYTES, settings.max_payload_bytes))
