"""The hands of a link's core: what it decides is done here, what comes is told to it here.

A `Conversation` holds the core, its one timer, and the connection while there is one. Everything
comes through three doors, all of them synchronous and on the loop, so that nothing can get between
a decision and its execution:

- `received` takes a packet from the broker: read, told to the core, handed on;
- its `sender` takes what the node has to say;
- the timer takes the time.

Each ends in `_perform`, which carries out the core's effects in their order.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gwproactor.config.link import LinkSettings
from gwproactor.errors import ConnectionLostError
from gwproactor.links.backoff import Random
from gwproactor.links.deadline_timer import DeadlineTimer
from gwproactor.links.effects import (
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
from gwproactor.links.event_pump import EventSource
from gwproactor.links.link_core import LinkCore, MessageKind
from gwproactor.links.link_state import Transition
from gwproactor.links.listener import BatchInbox, LinkListener, tell
from gwproactor.links.losses import Losses
from gwproactor.links.message_times import BEFORE_ALL_TIME
from gwproactor.links.own_faults import only_one, traceback_of
from gwproactor.links.packet_acks import PacketAcks
from gwproactor.links.presence import Intruder
from gwproactor.links.problem_desk import ProblemDesk
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.reception import Received, Reception, Refusal, in_words
from gwproactor.links.sender import Sender
from gwproactor.links.subscriptions import QOS, Subscription
from gwproactor.links.timer_interface import TimerManagerInterface
from gwproactor.links.transport import Connection, Greeting, ReceivedPacket
from gwproactor.wire.batches import (
    MAX_BATCH_BYTES,
    MAX_BATCH_COUNT,
    BatchAnswer,
    BatchedEvent,
    BatchLimits,
)
from gwproactor.wire.codec import MQTTCodec

GREETING_ANSWER_SECONDS = 0.02
"""How long the answer to a greeting may take before the peer is asked once more: some round trips
in one building. Over a longer way the second ping costs a message and nothing else."""

LATE_SECONDS = 0.05
"""So late a timer means that the loop stood still, and answers may wait unread; see `_now`."""

OUTAGE_REPORT_SECONDS = 2.0
"""An outage after a good connection becomes a problem when it lasts so long: restarts are shorter.
A broker that was never reached is reported at once, for then it is probably the settings."""


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
        on_packet: Callable[[str, ReceivedPacket, str], None] | None = None,
        batches: BatchInbox | None = None,
    ) -> None:
        self._name = settings.link_name
        self._batches = batches
        self._on_packet = on_packet
        self._listener = listener
        self._deliver = deliver
        self._transitioned = transitioned
        self._subscriptions_answered = subscriptions_answered
        self._events = events
        limits = None if batches is None else _batch_limits(settings)
        self._reception = Reception(settings, codec, self._wants_topic, limits)
        self.core = LinkCore(
            self._name,
            ack_timeout_seconds=settings.ack_timeout_seconds,
            poll_seconds=settings.poll_seconds,
            subscriptions=_subscriptions(settings, self._reception.topic_filter),
            random=random,
        )
        self.activations = 0
        """How often the link became active."""
        self.losses = Losses()
        """What the last loss cost."""
        self._timer = DeadlineTimer(timers, self._guarded(self._deadline_reached))
        self._problems = ProblemDesk(self._name, listener)
        self.sender = Sender(
            own_name, settings, codec, events, self._problems, self._was_sent, limits
        )
        self._packet_acks = PacketAcks[ReceivedPacket](lambda _packet: None)
        self._may_greet = not settings.keeps_session
        self._was_set_up = False
        self._greeted = False
        self._greeting_answered_by = BEFORE_ALL_TIME
        self._gave_up = ""
        self._fault: Exception | None = None
        self._answer_to_greeting = DeadlineTimer(timers, self._guarded(self._ping_if_not_active))
        self._lost_at = BEFORE_ALL_TIME
        self._probed_at = BEFORE_ALL_TIME
        self._dropped_packets = 0
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
        self._timer.cancel()
        self._answer_to_greeting.cancel()

    def greeting(self) -> Greeting | None:
        """What the next connection may send without waiting for CONNACK.

        All subscriptions and a ping, where the last attempt came to a complete setup. After any
        other one nothing: a broker that cannot stand it, against the standard, costs one attempt
        and not the link. Nor does the core wait for the ack of this ping: a broker may let it
        pass before the subscription stands. The ping that is due with the SUBACK asks again,
        after a moment in which the answer to the first one may come. Nor is there a greeting where
        the broker keeps a session: there that very ack must come first (`LinkCore.connected`).
        """
        was_set_up, self._was_set_up, self._greeted = self._was_set_up, False, False
        subscriptions = self.core.subscriptions.wanted()
        if not was_set_up or not subscriptions or not self._may_greet:
            return None
        self._greeted = True
        return self.sender.greeting(subscriptions)

    def connected(self, connection: Connection) -> None:
        """Talk over a new connection."""
        self.sender.connection, self._dropped_packets, self._gave_up = connection, 0, ""
        if self._greeted:
            self._greeting_answered_by = time.monotonic() + GREETING_ANSWER_SECONDS
        self._packet_acks = PacketAcks(connection.acknowledge)
        self._problems.over(_NO_CONNECTION)
        session_present = connection.session_present
        self._perform(self.core.connected(time.monotonic(), session_present=session_present))

    def connect_failed(self, reason: str, *, refused: bool) -> None:
        """Take note that one broker could not be connected to."""
        self._perform(self.core.connect_failed(time.monotonic(), reason, refused=refused))

    def nothing_reached(self, reasons: Sequence[str]) -> None:
        """Take note that no broker could be connected to; reported when it is no mere blip."""
        if time.monotonic() >= self._lost_at + OUTAGE_REPORT_SECONDS:
            self._problems.report(_NO_CONNECTION, "; ".join(reasons))

    def disconnected(self, reason: str) -> None:
        """Take note that the connection is gone; without one nothing happens."""
        if self.sender.connection is not None:
            self._lost_at = time.monotonic()
        self.sender.connection = None
        self._answer_to_greeting.cancel()
        self._perform(self.core.disconnected(time.monotonic(), reason))

    @property
    def gave_up(self) -> bool:
        """Whether this side ended the last connection."""
        return bool(self._gave_up)

    def client_id_is_shared(self, client_id: str, intruder: Intruder, seconds: float) -> None:
        """Report another node under our client id, for which the connection is given up."""
        self._gave_up = "another node has our client id"
        name = intruder.name[:_SHOWN_NAME_CHARACTERS] or "a node without a name"
        self._problems.report(
            "another node uses this node's MQTT client id",
            f"{client_id!r} is also that of {name!r}, instance"
            f" {intruder.instance_id[:_SHOWN_NAME_CHARACTERS]!r}, and the broker lets only one of"
            f" them be connected; give one a client_id of its own. Next attempt in {seconds:.0f} s",
            is_error=True,
        )

    def lost_too_soon(self) -> None:
        """Report that a connection was lost before it was worth anything, or one too often."""
        why = self._gave_up or "is another client connected under the same client id?"
        what = "connections to the broker do not last"
        self._problems.report(what, f"the next attempt waits; {why}")

    # Faults of ours

    def _guarded(self, step: Callable[[], None]) -> Callable[[], None]:
        """What the loop may call: a fault in it is not lost to the loop's exception handler."""

        def guarded() -> None:
            try:
                step()
            except Exception as error:  # noqa: BLE001 - the link's task reports it
                self.fault(error)

        return guarded

    def fault(self, error: Exception) -> None:
        """Take note of a fault of ours beside the link's task, which gets it from `raise_fault`.

        The connection ends, so that the task comes there.
        """
        connection = self.sender.connection
        if connection is None:
            self._report_fault(error, "the link goes on")
            return
        self._fault, self._gave_up = error, "a fault of this program"
        connection.close()

    def raise_fault(self) -> None:
        """Raise the fault that ended the last connection, if one did."""
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def failed(self, error: Exception, pause_seconds: float) -> None:
        """Report a fault of ours, after which the link begins again when it has rested."""
        self._report_fault(error, f"the link begins again in {pause_seconds:.1f} s")

    def _report_fault(self, error: Exception, what_follows: str) -> None:
        error = only_one(error)
        what = f"a fault of this program ({type(error).__name__})"
        self._problems.report(what, f"{what_follows}; {traceback_of(error)}", is_error=True)

    # What comes

    def received(self, packet: ReceivedPacket) -> None:
        """Take a packet: what is valid goes to the core and on, the rest is reported.

        What fails in it, be it a fault of ours, costs this packet and not the link. One of QoS 1
        or 2 that is handed on is acknowledged when who gets it says `done`, any other now.
        """
        if packet.qos:
            self._packet_acks.taken(packet)
        handed_on = False
        try:
            handed_on = self._take(packet)
        except Exception as error:  # noqa: BLE001 - a peer must not be able to end the node
            self._problems.report("a packet could not be handled", in_words(error))
            self._timer.follow(self.core.deadline())
        if packet.qos and not handed_on:
            self._packet_acks.done(packet)

    def _take(self, packet: ReceivedPacket) -> bool:
        """Read a packet. Returns whether it was handed on."""
        read = self._reception.read(packet)
        if self._on_packet is not None:
            type_name = "" if isinstance(read, Refusal) else read.message.Header.MessageType
            tell(self._on_packet, self._name, packet, type_name)
        if isinstance(read, Refusal):
            self._perform(self.core.broker_heard(self._now()))
            self._problems.report(read.what, read.details)
            return False
        return self._received(packet, read)

    def _received(self, packet: ReceivedPacket, read: Received) -> bool:
        kind, message_id, ack_required, message, from_peer, batch = read
        now = self._now()
        if isinstance(message.Payload, BatchAnswer):
            self.sender.batching.refused(message_id, message.Payload.Refused)
        if from_peer:
            self._perform(self.core.message_received(now, kind, message_id, ack_required))
        else:
            self._perform(self.core.broker_heard(now))
        if kind is not MessageKind.other:
            self._heard_of_batches(packet)
            return False
        if batch is not None and self._batches is not None:
            return self._take_batch(self._batches, packet, message_id, batch)
        finish = self._packet_acks.done if packet.qos else None
        received = ReceivedMessage(
            self._name, message, packet, now, wants_ack=ack_required, finish=finish
        )
        if not tell(self._deliver, received) and received.holds_broker:
            # Left like that, so many of them would end all that comes with QoS 1, in silence.
            self._problems.report("a message was let go", "who listens to the link failed with it")
            received.done()
        return True

    def _heard_of_batches(self, packet: ReceivedPacket) -> None:
        """Take note of what a ping or an ack says; after the core, for it may have activated."""
        batching = self.sender.batching
        if batching.heard(packet.user_properties) and self._events is not None:
            self._events.allow_batches(batching.limits is not None)

    def _take_batch(
        self,
        inbox: BatchInbox,
        packet: ReceivedPacket,
        batch_id: str,
        batch: Sequence[BatchedEvent],
    ) -> bool:
        """Hand on the events of a batch; it is answered when all of them are safe or refused."""
        places = [place for place, event in enumerate(batch) if not event.fault]
        faults = [place for place, event in enumerate(batch) if event.fault]
        for place in faults:
            details = f"event {place} of the batch {batch_id}: {batch[place].fault}"
            self._problems.report("an event in a batch cannot be read", details)
        finish = self._packet_acks.done

        def answer(refused: Sequence[int]) -> None:
            if packet.qos:
                finish(packet)
            not_taken = sorted([*faults, *(places[each] for each in refused)])
            self.sender.answer_batch(batch_id, not_taken)

        if not places:
            answer(())
            return True
        events = [(batch[place].event_id, batch[place].payload) for place in places]
        tell(inbox.receive_batch, self._name, events, answer)
        return True

    def check_drops(self) -> None:
        """Report packets that the connection had to drop, if there are new ones."""
        connection = self.sender.connection
        if connection is None or connection.dropped_packets == self._dropped_packets:
            return
        self._dropped_packets = connection.dropped_packets
        details = f"{self._dropped_packets} dropped on this connection, none acknowledged"
        self._problems.report("messages came faster than they could be taken", details)

    # What a program asks for

    @property
    def own_filter(self) -> str:
        """The topic filter by which the peer is heard."""
        return self._reception.topic_filter

    def hear(self, kind: MessageKind = MessageKind.other, message_id: str = "") -> None:
        """Take the caller's word for it that a valid message came from the peer."""
        self._perform(self.core.message_received(self._now(), kind, message_id))

    def subscribe(self, subscription: Subscription) -> None:
        """Subscribe to one more filter, or to a known one at another QoS, from now on."""
        self._perform(self.core.subscription_added(self._now(), subscription))

    def unsubscribe(self, topic_filter: str) -> None:
        """Subscribe to a filter no longer."""
        self._perform(self.core.subscription_removed(self._now(), topic_filter))

    # The core's effects, and the time

    def _was_sent(self, awaited_id: str | None) -> None:
        self._perform(self.core.message_sent(self._now(), awaited_id))

    def _perform(self, effects: Effects) -> None:
        try:
            for effect in effects:
                self._hands[type(effect)](effect)
        finally:  # whatever failed, the link must not become deaf to time
            self._timer.follow(self.core.deadline())

    def _now(self) -> float:
        """The present moment; where the loop stood still past the deadline, the core is held first.

        Then what waits in the socket is read before it is judged what has not come in time. A
        timer, or a message that is sent, would else be earlier: the socket is looked at in the
        next turn of the loop, and who reads the packets runs in the one after.
        """
        now, deadline = time.monotonic(), self.core.deadline()
        if deadline is not None and now > deadline + LATE_SECONDS:
            self.core.hold()
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, loop.call_soon, self._guarded(self._resume))
        return now

    def _resume(self) -> None:
        self.core.resume()
        self._catch_up(time.monotonic())

    def _deadline_reached(self) -> None:
        now = self._now()
        if not self.core.held:
            self._catch_up(now)

    def _catch_up(self, now: float) -> None:
        connection = self.sender.connection
        if connection is not None and connection.last_byte_seconds > self._probed_at:
            # A PINGRESP is no packet that is received; it shows here, in time for the core.
            self._perform(self.core.broker_heard(now))
        self._perform(self.core.tick(now))

    def _transition(self, effect: Transitioned) -> None:
        transition = effect.transition
        self.losses.add(transition)
        self._was_set_up |= transition.send_activated()
        self.activations += transition.activated()
        if transition.activated() or transition.deactivated():
            self.sender.batching.forget()
        if self._events is not None:
            if transition.activated():
                self._events.activated()
            elif transition.deactivated():
                self._events.deactivated()
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
                self._guarded(lambda: self._answered(codes))()

        with contextlib.suppress(ConnectionLostError):  # its reader notices and tells why
            self.sender.required_connection().subscribe(asked).add_done_callback(answered)

    def _answered(self, codes: Mapping[str, int]) -> None:
        self._perform(self.core.subscriptions_answered(self._now(), codes))
        self._subscriptions_answered()

    def _unsubscribe(self, effect: Unsubscribe) -> None:
        with contextlib.suppress(ConnectionLostError):
            self.sender.required_connection().unsubscribe(effect.filters)

    def _ping(self, _effect: SendPing) -> None:
        greeted, self._greeted = self._greeted, False
        if greeted and time.monotonic() < self._greeting_answered_by:
            self._answer_to_greeting.follow(self._greeting_answered_by)
        else:
            self.sender.ping()

    def _ping_if_not_active(self) -> None:
        self._answer_to_greeting.cancel()
        if not self.core.active:
            self.sender.ping()

    def _probe(self, _effect: ProbeBroker) -> None:
        self._probed_at = time.monotonic()
        with contextlib.suppress(ConnectionLostError):
            self.sender.required_connection().probe()

    def _give_up(self, effect: GiveUp) -> None:
        self._gave_up = f"the last one was given up: {effect.reason}"
        if self.sender.connection is not None:
            self.sender.connection.close()

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


_SHOWN_NAME_CHARACTERS = 200

_NO_CONNECTION = "no connection to a broker"
