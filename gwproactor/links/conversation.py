"""The hands of a link's core: what it decides is done here, what comes is told to it here.

A `Conversation` holds the core, its one timer, and the connection while there is one. Everything
goes through three doors, all of them synchronous and on the loop, so that nothing can come between
a decision and its execution:

- `received` takes a packet from the broker: decoded, checked, told to the core, handed on;
- `send` and `send_event` take what the node has to say;
- the timer takes the time.

Each ends in `_perform`, which carries out the core's effects in their order. The timer is moved
only when the core's deadline came nearer; a later one is found when the timer fires. So the hot
path, a message on an active link, does no timer work.
"""

import time
from collections.abc import Callable, Coroutine
from typing import Any

from pydantic_core import from_json

from gwproactor.config.link import LinkSettings
from gwproactor.errors import ConnectionLostError, UsageError
from gwproactor.events.store import StoredEvent
from gwproactor.links.backoff import Random
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
from gwproactor.links.listener import LinkListener, tell
from gwproactor.links.message_times import BEFORE_ALL_TIME
from gwproactor.links.reception import Reception, Refusal, in_words
from gwproactor.links.reports import ReportRate
from gwproactor.links.sent_messages import SentMessage, SentMessages
from gwproactor.links.subscriptions import Subscription
from gwproactor.links.timer_interface import TimerManagerInterface
from gwproactor.links.transport import Connection, ReceivedPacket
from gwproactor.wire.codec import MQTTCodec, encode_event
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import ACK, PING, Ack, Ping, new_message_id

NEVER = float("inf")

Spawn = Callable[[Coroutine[Any, Any, None]], object]
"""Starts a coroutine that ends with the connection at the latest."""


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
        self._own_name = own_name
        self._settings = settings
        self._name = settings.link_name
        self._codec = codec
        self._listener = listener
        self._transitioned = transitioned
        self._timers = timers
        self._events = events
        self._reception = Reception(settings, codec)
        self.core = LinkCore(
            self._name,
            ack_timeout_seconds=settings.ack_timeout_seconds,
            poll_seconds=settings.poll_seconds,
            subscriptions=[Subscription(self._reception.topic_filter)],
            random=random,
        )
        self._sent = SentMessages(self._name)
        self._rate = ReportRate()
        self._connection: Connection | None = None
        self._spawn: Spawn | None = None
        self._probed_at = BEFORE_ALL_TIME
        self._dropped_packets = 0
        self.activations = 0
        """How often the link became active."""
        self._timer: Any = None
        self._timer_at = NEVER
        self._hands: dict[type[Any], Callable[[Any], None]] = {
            Transitioned: self._transition,
            ConnectFailed: self._connect_failed,
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
            SendPing: self._send_ping,
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
        """End for good."""
        self._perform(self.core.stop(time.monotonic(), reason))
        self._disarm()

    def connected(self, connection: Connection, spawn: Spawn) -> None:
        """Talk over a new connection; `spawn` starts what ends with it."""
        self._connection, self._spawn, self._dropped_packets = connection, spawn, 0
        self._perform(self.core.connected(time.monotonic()))

    def connect_failed(self, reason: str, *, refused: bool) -> None:
        """Take note that no connection could be made."""
        self._perform(self.core.connect_failed(time.monotonic(), reason, refused=refused))

    def disconnected(self, reason: str) -> None:
        """Take note that the connection is gone; without one nothing happens."""
        self._connection = self._spawn = None
        self._perform(self.core.disconnected(time.monotonic(), reason))

    # What comes

    def received(self, packet: ReceivedPacket) -> None:
        """Take a packet: what is valid goes to the core and on, the rest is reported."""
        read = self._reception.read(packet)
        if isinstance(read, Refusal):
            self._perform(self.core.broker_heard(time.monotonic()))
            self._problem(read.what, read.details)
        else:
            self._received(read)
        if packet.qos and self._connection is not None:
            self._connection.acknowledge(packet)

    def _received(self, message: Message[Any]) -> None:
        header = message.Header
        kind, message_id = MessageKind.other, header.MessageId
        if header.MessageType == ACK:
            kind, message_id = MessageKind.ack, message.Payload.AckMessageID
        elif header.MessageType == PING:
            kind = MessageKind.ping
        self._perform(
            self.core.message_received(time.monotonic(), kind, message_id, header.AckRequired)
        )
        if kind is MessageKind.other:
            tell(self._listener.message_received, self._name, message)

    def lost_too_soon(self) -> None:
        """Report that a connection was lost before it was worth anything, or one too often."""
        details = "the next attempt waits; is another client connected under the same client id?"
        self._problem("connections to the broker do not last", details)

    def _problem(self, what: str, details: str) -> None:
        """Report a trouble, unless the same one was reported a short while ago."""
        unreported = self._rate.again(time.monotonic(), what)
        if unreported is None:
            return
        if unreported:
            details += f"; {unreported} more since the last report"
        summary = f"link '{self._name}': {what}"
        tell(self._listener.link_problem, self._name, summary, details, is_error=False)

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
        self._require_connection()
        message = self._message(payload, ack_required=ack_required)
        message_id = message.Header.MessageId
        self._publish(message.mqtt_topic(), self._codec.encode(message))
        sent = self._sent.add(message_id) if ack_required else SentMessage(message_id)
        self._perform(
            self.core.message_sent(time.monotonic(), message_id if ack_required else None)
        )
        return sent

    def send_event(self, event: StoredEvent) -> None:
        """Send an event to the upstream peer.

        Raises:
            ConnectionLostError: There is no connection.
        """
        self._require_connection()
        try:
            type_name = from_json(event.payload)["TypeName"]
            peer = self._settings.peer_short_name
            topic, envelope = encode_event(
                self._own_name, peer, event.event_id, type_name, event.payload
            )
            self._publish(topic, envelope)
        except (KeyError, TypeError, ValueError, UsageError) as error:
            # One event that never was one must not end the link for all others.
            self._problem("an event that cannot be sent", f"{event.event_id}: {in_words(error)}")
            return
        self._perform(self.core.message_sent(time.monotonic(), event.event_id))

    def acknowledge(self, message_id: str) -> None:
        """Acknowledge a message to the peer; without a connection nothing happens."""
        self._send_quietly(Ack(AckMessageID=message_id))

    def _send_ping(self, _effect: SendPing) -> None:
        self._send_quietly(Ping(), ack_required=True)

    def _send_quietly(self, payload: Ack | Ping, *, ack_required: bool = False) -> None:
        if self._connection is None:
            return
        message = self._message(payload, ack_required=ack_required)
        try:
            self._publish(message.mqtt_topic(), message.model_dump_json().encode())
        except ConnectionLostError:
            return  # the reader of the connection notices and tells why
        awaited = message.Header.MessageId if ack_required else None
        self._perform(self.core.message_sent(time.monotonic(), awaited))

    def _message(self, payload: object, *, ack_required: bool) -> Message[Any]:
        message_id = getattr(payload, "MessageId", "") or (new_message_id() if ack_required else "")
        return Message[Any](
            Src=self._own_name,
            Dst=self._settings.peer_short_name,
            MessageId=message_id,
            AckRequired=ack_required,
            Payload=payload,
        )

    def _publish(self, topic: str, payload: bytes) -> None:
        self._require_connection().publish(topic, payload)

    def _require_connection(self) -> Connection:
        if self._connection is None:
            raise ConnectionLostError(f"link '{self._name}' has no connection now")
        return self._connection

    # The core's effects

    def _perform(self, effects: Effects) -> None:
        for effect in effects:
            self._hands[type(effect)](effect)
        self._arm()

    def _transition(self, effect: Transitioned) -> None:
        transition = effect.transition
        self.activations += transition.activated()
        if self._events is not None:
            if transition.activated():
                self._events.activated()
            elif transition.deactivated():
                self._events.deactivated()
        self._transitioned(transition)
        tell(self._listener.link_transitioned, transition)

    def _connect_failed(self, effect: ConnectFailed) -> None:
        tell(self._listener.link_transitioned, effect.transition)

    def _subscribe(self, effect: Subscribe) -> None:
        if self._spawn is not None and self._connection is not None:
            self._spawn(self._subscribing(self._connection, effect.subscriptions))

    async def _subscribing(
        self, connection: Connection, subscriptions: tuple[Subscription, ...]
    ) -> None:
        try:
            codes = await connection.subscribe(subscriptions)
        except ConnectionLostError:
            return
        answers = {wanted.Topic: code for wanted, code in zip(subscriptions, codes, strict=False)}
        self._perform(self.core.subscriptions_answered(time.monotonic(), answers))

    def _unsubscribe(self, effect: Unsubscribe) -> None:
        if self._spawn is not None and self._connection is not None:
            self._spawn(_unsubscribing(self._connection, effect.filters))

    def _probe(self, _effect: ProbeBroker) -> None:
        self._probed_at = time.monotonic()
        try:
            self._require_connection().probe()
        except ConnectionLostError:
            return

    def _give_up(self, _effect: GiveUp) -> None:
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
        tell(
            self._listener.link_problem,
            self._name,
            effect.summary,
            effect.details,
            is_error=effect.is_error,
        )

    # The timer

    def _arm(self) -> None:
        deadline = self.core.deadline()
        if deadline is None or self._timer_at <= deadline:
            return
        self._disarm()
        self._timer_at = deadline
        self._timer = self._timers.start_timer(deadline - time.monotonic(), self._timer_fired)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timers.cancel_timer(self._timer)
        self._timer, self._timer_at = None, NEVER

    def _timer_fired(self) -> None:
        self._timer, self._timer_at = None, NEVER
        connection, now = self._connection, time.monotonic()
        if connection is not None and connection.last_byte_seconds > self._probed_at:
            # A PINGRESP is no packet that is received; it shows here, in time for the core.
            self._perform(self.core.broker_heard(now))
        self._perform(self.core.tick(now))


async def _unsubscribing(connection: Connection, filters: tuple[str, ...]) -> None:
    try:
        await connection.unsubscribe(filters)
    except ConnectionLostError:
        return
