"""The hands of a link's core: what it decides is done here, what comes is told to it here.

A `Conversation` holds the core, its one timer, and the connection while there is one. Everything
comes through three doors, all of them synchronous and on the loop, so that nothing can get between
a decision and its execution:

- `received` takes a packet from the broker: read, told to the core, handed on;
- `send`, `send_event` and `acknowledge` take what the node has to say;
- the timer takes the time.

Each ends in `_perform`, which carries out the core's effects in their order.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from gwproactor.config.link import LinkSettings
from gwproactor.errors import ConnectionLostError, UsageError
from gwproactor.events.store import StoredEvent
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
from gwproactor.links.emission import Emission, Outgoing
from gwproactor.links.event_pump import EventSource
from gwproactor.links.link_core import LinkCore, MessageKind
from gwproactor.links.link_state import Transition
from gwproactor.links.listener import LinkListener, tell
from gwproactor.links.message_times import BEFORE_ALL_TIME
from gwproactor.links.reception import Received, Reception, Refusal, in_words
from gwproactor.links.reports import ReportRate
from gwproactor.links.sent_messages import SentMessage, SentMessages
from gwproactor.links.subscriptions import Subscription
from gwproactor.links.timer_interface import TimerManagerInterface
from gwproactor.links.transport import Connection, Greeting, ReceivedPacket
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
        transitioned: Called with each transition, before the listener.
        timers: Where the one timer comes from.
        events: The events for the upstream peer; None where the peer is none.
        random: Gives numbers between 0 and 1, for jitter.
    """

    def __init__(
        self,
        own_name: str,
        settings: LinkSettings,
        codec: MQTTCodec,
        listener: LinkListener,
        transitioned: Callable[[Transition], None],
        timers: TimerManagerInterface,
        events: EventSource | None,
        random: Random,
    ) -> None:
        self._name = settings.link_name
        self._listener = listener
        self._transitioned = transitioned
        self._events = events
        self._reception = Reception(settings, codec)
        self._emission = Emission(own_name, settings, codec)
        self.core = LinkCore(
            self._name,
            ack_timeout_seconds=settings.ack_timeout_seconds,
            poll_seconds=settings.poll_seconds,
            subscriptions=[Subscription(self._reception.topic_filter)],
            random=random,
        )
        self.activations = 0
        """How often the link became active."""
        self._timer = DeadlineTimer(timers, self._deadline_reached)
        self._sent = SentMessages(self._name)
        self._rate = ReportRate()
        self._connection: Connection | None = None
        self._was_set_up = False
        self._greeted = False
        self._greeting_answered_by = BEFORE_ALL_TIME
        self._gave_up = ""
        self._answer_to_greeting = DeadlineTimer(timers, self._ping_if_not_active)
        self._lost_at = BEFORE_ALL_TIME
        self._probed_at = BEFORE_ALL_TIME
        self._dropped_packets = 0
        self._hands: dict[type[Any], Callable[[Any], None]] = {
            Transitioned: self._transition,
            ConnectFailed: lambda effect: tell(listener.link_transitioned, effect.transition),
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
            SendPing: self._ping,
            SendAck: lambda effect: self.acknowledge(effect.message_id),
            ProbeBroker: self._probe,
            GiveUp: self._give_up,
            Acked: self._acked,
            AckExpired: lambda effect: self._sent.expired(effect.message_id),
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
        after a moment in which the answer to the first one may come.
        """
        was_set_up, self._was_set_up, self._greeted = self._was_set_up, False, False
        subscriptions = self.core.subscriptions.wanted()
        if not was_set_up or not subscriptions:
            return None
        self._greeted = True
        ping = self._emission.ping()
        return Greeting(subscriptions, ping.topic, ping.payload)

    def connected(self, connection: Connection) -> None:
        """Talk over a new connection."""
        self._connection, self._dropped_packets, self._gave_up = connection, 0, ""
        if self._greeted:
            self._greeting_answered_by = time.monotonic() + GREETING_ANSWER_SECONDS
        self._rate.over(_NO_CONNECTION)
        self._perform(self.core.connected(time.monotonic()))

    def connect_failed(self, reason: str, *, refused: bool) -> None:
        """Take note that one broker could not be connected to."""
        self._perform(self.core.connect_failed(time.monotonic(), reason, refused=refused))

    def nothing_reached(self, reasons: Sequence[str]) -> None:
        """Take note that no broker could be connected to; reported when it is no mere blip."""
        if time.monotonic() >= self._lost_at + OUTAGE_REPORT_SECONDS:
            self._problem(_NO_CONNECTION, "; ".join(reasons))

    def disconnected(self, reason: str) -> None:
        """Take note that the connection is gone; without one nothing happens."""
        if self._connection is not None:
            self._lost_at = time.monotonic()
        self._connection = None
        self._answer_to_greeting.cancel()
        self._perform(self.core.disconnected(time.monotonic(), reason))

    def lost_too_soon(self) -> None:
        """Report that a connection was lost before it was worth anything, or one too often."""
        why = self._gave_up or "is another client connected under the same client id?"
        self._problem("connections to the broker do not last", f"the next attempt waits; {why}")

    # What comes

    def received(self, packet: ReceivedPacket) -> None:
        """Take a packet: what is valid goes to the core and on, the rest is reported.

        What fails in it, be it a fault of ours, costs this packet and not the link.
        """
        try:
            self._take(packet)
        except Exception as error:  # noqa: BLE001 - a peer must not be able to end the node
            self._problem("a packet could not be handled", in_words(error))
            self._timer.follow(self.core.deadline())
        if packet.qos and self._connection is not None:
            self._connection.acknowledge(packet)

    def _take(self, packet: ReceivedPacket) -> None:
        read = self._reception.read(packet)
        if isinstance(read, Refusal):
            self._perform(self.core.broker_heard(self._now()))
            self._problem(read.what, read.details)
        else:
            self._received(read)

    def _received(self, read: Received) -> None:
        kind, message_id, ack_required, message = read
        self._perform(self.core.message_received(self._now(), kind, message_id, ack_required))
        if kind is MessageKind.other:
            tell(self._listener.message_received, self._name, message)

    def check_drops(self) -> None:
        """Report packets that the connection had to drop, if there are new ones."""
        connection = self._connection
        if connection is None or connection.dropped_packets == self._dropped_packets:
            return
        self._dropped_packets = connection.dropped_packets
        details = f"{self._dropped_packets} dropped on this connection, none acknowledged"
        self._problem("messages came faster than they could be taken", details)

    # What goes

    def send(self, payload: object, *, ack_required: bool) -> SentMessage:
        """Send a payload to the peer; see `Link.send`."""
        outgoing = self._emission.message(payload, ack_required=ack_required)
        self._publish(outgoing)
        sent = (
            SentMessage("") if outgoing.awaited_id is None else self._sent.add(outgoing.awaited_id)
        )
        self._was_sent(outgoing)
        return sent

    def send_event(self, event: StoredEvent) -> None:
        """Send an event to the upstream peer.

        Raises:
            ConnectionLostError: There is no connection.
        """
        try:
            outgoing = self._emission.event(event)
            self._publish(outgoing)
        except UsageError as error:  # it must not end the link for all
            if self._events is not None:
                self._events.unsendable(event.event_id, str(error))
        else:
            self._was_sent(outgoing)

    def acknowledge(self, message_id: str) -> None:
        """Acknowledge a message to the peer; without a connection nothing happens.

        Raises:
            UsageError: No message has such an id.
        """
        self._send_quietly(self._emission.ack(message_id))

    def _send_quietly(self, outgoing: Outgoing) -> None:
        try:
            self._publish(outgoing)
        except ConnectionLostError:
            return  # the reader of the connection notices and tells why
        except UsageError as error:  # the broker takes nothing so long; it counts as not answered
            self._problem("a message cannot be sent", str(error))
        self._was_sent(outgoing)

    def _publish(self, outgoing: Outgoing) -> None:
        self._require_connection().publish(outgoing.topic, outgoing.payload)

    def _was_sent(self, outgoing: Outgoing) -> None:
        self._perform(self.core.message_sent(self._now(), outgoing.awaited_id))

    def _require_connection(self) -> Connection:
        if self._connection is None:
            raise ConnectionLostError(f"link '{self._name}' has no connection now")
        return self._connection

    # The core's effects, and the time

    def _perform(self, effects: Effects) -> None:
        for effect in effects:
            self._hands[type(effect)](effect)
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
            loop.call_soon(loop.call_soon, loop.call_soon, self._resume)
        return now

    def _resume(self) -> None:
        self.core.resume()
        self._catch_up(time.monotonic())

    def _deadline_reached(self) -> None:
        now = self._now()
        if not self.core.held:
            self._catch_up(now)

    def _catch_up(self, now: float) -> None:
        connection = self._connection
        if connection is not None and connection.last_byte_seconds > self._probed_at:
            # A PINGRESP is no packet that is received; it shows here, in time for the core.
            self._perform(self.core.broker_heard(now))
        self._perform(self.core.tick(now))

    def _transition(self, effect: Transitioned) -> None:
        transition = effect.transition
        self._was_set_up |= transition.send_activated()
        self.activations += transition.activated()
        if self._events is not None:
            if transition.activated():
                self._events.activated()
            elif transition.deactivated():
                self._events.deactivated()
        self._transitioned(transition)
        tell(self._listener.link_transitioned, transition)

    def _subscribe(self, effect: Subscribe) -> None:
        asked = effect.subscriptions

        def answered(answer: asyncio.Future[Sequence[int]]) -> None:
            if not answer.cancelled() and answer.exception() is None:
                codes = dict(zip((each.Topic for each in asked), answer.result(), strict=False))
                self._perform(self.core.subscriptions_answered(self._now(), codes))

        with contextlib.suppress(ConnectionLostError):  # its reader notices and tells why
            self._require_connection().subscribe(asked).add_done_callback(answered)

    def _unsubscribe(self, effect: Unsubscribe) -> None:
        with contextlib.suppress(ConnectionLostError):
            self._require_connection().unsubscribe(effect.filters)

    def _ping(self, _effect: SendPing) -> None:
        greeted, self._greeted = self._greeted, False
        if greeted and time.monotonic() < self._greeting_answered_by:
            self._answer_to_greeting.follow(self._greeting_answered_by)
        else:
            self._send_quietly(self._emission.ping())

    def _ping_if_not_active(self) -> None:
        self._answer_to_greeting.cancel()
        if not self.core.active:
            self._send_quietly(self._emission.ping())

    def _probe(self, _effect: ProbeBroker) -> None:
        self._probed_at = time.monotonic()
        with contextlib.suppress(ConnectionLostError):
            self._require_connection().probe()

    def _give_up(self, effect: GiveUp) -> None:
        self._gave_up = f"the last one was given up: {effect.reason}"
        if self._connection is not None:
            self._connection.close()

    def _acked(self, effect: Acked) -> None:
        self._sent.acked(effect.message_id)
        if self._events is not None:
            self._events.acked(effect.message_id)
        tell(self._listener.message_acked, self._name, effect.message_id)

    def _acks_cancelled(self, effect: AcksCancelled) -> None:
        for message_id in effect.message_ids:
            self._sent.cancelled(message_id)

    def _report(self, effect: Report) -> None:
        self._tell_problem(effect.summary, effect.details, is_error=effect.is_error)

    def _problem(self, what: str, details: str) -> None:
        """Report a trouble, unless the same one was reported a short while ago."""
        unreported = self._rate.again(time.monotonic(), what)
        if unreported is None:
            return
        if unreported:
            details += f"; {unreported} more since the last report"
        self._tell_problem(f"link '{self._name}': {what}", details, is_error=False)

    def _tell_problem(self, summary: str, details: str, *, is_error: bool) -> None:
        tell(self._listener.link_problem, self._name, summary, details, is_error=is_error)


_NO_CONNECTION = "no connection to a broker"
