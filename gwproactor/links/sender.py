"""What a link sends over its connection, while it has one: messages, events, acks and pings.

Each message that went out is told to the core, which waits for its ack where it wants one; who else
waits for that ack is kept in `sent`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gwproactor.config.link import LinkSettings
from gwproactor.errors import ConnectionLostError, PacketTooLargeError, UsageError
from gwproactor.events.store import StoredEvent
from gwproactor.links.core.batching import Batching
from gwproactor.links.core.emission import Emission, Outgoing
from gwproactor.links.event_pump import EventSource
from gwproactor.links.listener import tell
from gwproactor.links.problem_desk import ProblemDesk
from gwproactor.links.sent_messages import SentMessage, SentMessages
from gwproactor.links.transport import PLAIN, Connection, Greeting, SendOptions
from gwproactor.wire.batches import BatchLimits
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import new_message_id


class Sender:
    """The sending side of one link. For the loop only.

    Args:
        own_name: This node's long name.
        settings: The link's settings.
        codec: Turns messages into payloads.
        events: Is told of events that cannot be sent; None where there are none.
        problems: Takes reports.
        was_sent: Called after each message that went out, with the id whose ack is wanted.
        announced: The batches that this node takes; None for none.
    """

    def __init__(
        self,
        own_name: str,
        settings: LinkSettings,
        codec: MQTTCodec,
        events: EventSource | None,
        problems: ProblemDesk,
        was_sent: Callable[[str | None], None],
        announced: BatchLimits | None,
    ) -> None:
        self._name = settings.link_name
        self._emission = Emission(own_name, settings, codec)
        self._events = events
        self._problems = problems
        self._was_sent = was_sent
        self._announced = announced
        self._ack_timeout_seconds = settings.ack_timeout_seconds
        self._connection: Connection | None = None
        self.batching = Batching()
        """What the peer takes in one message."""
        self.sent = SentMessages(self._name)
        """Who waits for which ack."""
        self.on_sent: Callable[[str, str, str], None] | None = None
        """Is told of each message that went out: the link's name, its topic, and the id whose ack
        is wanted, empty where none is."""

    @property
    def connection(self) -> Connection | None:
        """The connection, while there is one."""
        return self._connection

    @connection.setter
    def connection(self, connection: Connection | None) -> None:
        self._connection = connection
        if connection is not None:
            self.batching.connected()
            self._emission.announcement = self._announcement(connection.takes_properties)

    def _announcement(self, takes_properties: bool) -> SendOptions:
        if self._announced is None or not takes_properties:
            return PLAIN
        return SendOptions(user_properties=(self._announced.announcement,))

    def required_connection(self) -> Connection:
        """The connection; raises ConnectionLostError where there is none."""
        if self.connection is None:
            raise ConnectionLostError(f"link '{self._name}' has no connection now")
        return self.connection

    def send(
        self, payload: object, options: SendOptions, *, ack_required: bool, receiver: str = ""
    ) -> SentMessage:
        """Send a payload to the peer; see `Link.send`."""
        return self._send(
            self._emission.message(payload, options, ack_required=ack_required, receiver=receiver)
        )

    def publish(
        self, message: Message[Any], options: SendOptions, context: object = None
    ) -> SentMessage:
        """Send a message that has its header already; see `Link.publish`."""
        return self._send(self._emission.ready(message, options), context)

    def publish_bytes(self, topic: str, payload: bytes, options: SendOptions) -> None:
        """Publish bytes that are no message of the link; see `Link.publish_bytes`."""
        self.required_connection().publish(topic, payload, options)

    def send_events(self, events: Sequence[StoredEvent]) -> Iterator[None]:
        """Send events to the upstream peer, with each step one message.

        Raises:
            ConnectionLostError: There is no connection.
        """
        count = 1 if self._events is None else self._events.batch_count
        for group in self.batching.groups(events, count):
            if len(group) == 1:
                self._send_event(group[0])
            else:
                self._send_batch(group)
            yield

    def _send_batch(self, events: Sequence[StoredEvent]) -> None:
        batch_id = new_message_id()
        try:
            self._publish(self._emission.batch(batch_id, events))
        except UsageError:  # the broker takes nothing so long
            self.batching.too_long(events)
            for event in events:
                self._send_event(event)
        else:
            self.batching.sent(batch_id, events, time.monotonic())
            self._was_sent(batch_id)

    def acked(self, message_id: str) -> None:
        """The peer acknowledged a message: tell who waits, and the events where it is theirs."""
        self.sent.acked(message_id)
        if self._events is None:
            return
        answered = self.batching.answered(message_id)
        if answered is None:
            self.batching.landed(message_id)
            self._events.acked(message_id)
        else:
            waited_seconds = time.monotonic() - answered.sent_at
            self._events.acked_many(answered.taken, waited_seconds / self._ack_timeout_seconds)
            self._events.refused(answered.refused)

    def ack_overdue(self, message_id: str) -> object:
        """No ack came in time: tell who waits, and the events. Returns the message's context."""
        batch = self.batching.overdue(message_id)
        if self._events is not None:
            self._events.overdue(batch or (message_id,), in_batch=bool(batch))
        return self.sent.expired(message_id)

    def _send_event(self, event: StoredEvent) -> None:
        try:
            outgoing = self._emission.event(event)
            self._publish(outgoing)
        except UsageError as error:  # it must not end the link for all
            if self._events is not None:
                for_ever = not isinstance(error, PacketTooLargeError)  # another broker may take it
                self._events.unsendable(event.event_id, str(error), for_ever=for_ever)
        else:
            self._was_sent(outgoing.awaited_id)

    def acknowledge(self, message_id: str) -> None:
        """Acknowledge a message to the peer; without a connection nothing happens.

        Raises:
            UsageError: No message has such an id.
        """
        self._send_quietly(self._emission.ack(message_id))

    def answer_batch(self, batch_id: str, refused: Sequence[int]) -> None:
        """Acknowledge a batch, but for the refused events; without a connection nothing happens."""
        self._send_quietly(self._emission.batch_answer(batch_id, refused))

    def ping(self) -> None:
        """Ask the peer for a sign of life; without a connection nothing happens."""
        self._send_quietly(self._emission.ping())

    def greeting(self, subscriptions: tuple[tuple[str, int], ...]) -> Greeting:
        """These subscriptions and a ping, of which the core knows nothing."""
        self._emission.announcement = self._announcement(takes_properties=True)
        ping = self._emission.ping()
        return Greeting(subscriptions, ping.topic, ping.payload, ping.options)

    def _send(self, outgoing: Outgoing, context: object = None) -> SentMessage:
        self._publish(outgoing)
        sent = (
            SentMessage("", context=context)
            if outgoing.awaited_id is None
            else self.sent.add(outgoing.awaited_id, context)
        )
        self._was_sent(outgoing.awaited_id)
        return sent

    def _send_quietly(self, outgoing: Outgoing) -> None:
        try:
            self._publish(outgoing)
        except ConnectionLostError:
            return  # the reader of the connection notices and tells why
        except UsageError as error:  # the broker takes nothing so long; it counts as not answered
            self._problems.report("a message cannot be sent", str(error))
        self._was_sent(outgoing.awaited_id)

    def _publish(self, outgoing: Outgoing) -> None:
        self.required_connection().publish(outgoing.topic, outgoing.payload, outgoing.options)
        if self.on_sent is not None:
            tell(self.on_sent, self._name, outgoing.topic, outgoing.awaited_id or "")
