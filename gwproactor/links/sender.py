"""What a link sends over its connection, while it has one: messages, events, acks and pings.

Each message that went out is told to the core, which waits for its ack where it wants one; who else
waits for that ack is kept in `sent`.
"""

from collections.abc import Callable
from typing import Any

from gwproactor.config.link import LinkSettings
from gwproactor.errors import ConnectionLostError, UsageError
from gwproactor.events.store import StoredEvent
from gwproactor.links.emission import Emission, Outgoing
from gwproactor.links.event_pump import EventSource
from gwproactor.links.problem_desk import ProblemDesk
from gwproactor.links.sent_messages import SentMessage, SentMessages
from gwproactor.links.transport import Connection, Greeting, SendOptions
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.envelope import Message


class Sender:
    """The sending side of one link. For the loop only.

    Args:
        own_name: This node's long name.
        settings: The link's settings.
        codec: Turns messages into payloads.
        events: Is told of events that cannot be sent; None where there are none.
        problems: Takes reports.
        was_sent: Called after each message that went out, with the id whose ack is wanted.
    """

    def __init__(
        self,
        own_name: str,
        settings: LinkSettings,
        codec: MQTTCodec,
        events: EventSource | None,
        problems: ProblemDesk,
        was_sent: Callable[[str | None], None],
    ) -> None:
        self._name = settings.link_name
        self._emission = Emission(own_name, settings, codec)
        self._events = events
        self._problems = problems
        self._was_sent = was_sent
        self.connection: Connection | None = None
        """The connection, while there is one."""
        self.sent = SentMessages(self._name)
        """Who waits for which ack."""

    def required_connection(self) -> Connection:
        """The connection; raises ConnectionLostError where there is none."""
        if self.connection is None:
            raise ConnectionLostError(f"link '{self._name}' has no connection now")
        return self.connection

    def send(self, payload: object, options: SendOptions, *, ack_required: bool) -> SentMessage:
        """Send a payload to the peer; see `Link.send`."""
        return self._send(self._emission.message(payload, options, ack_required=ack_required))

    def publish(
        self, message: Message[Any], options: SendOptions, context: object = None
    ) -> SentMessage:
        """Send a message that has its header already; see `Link.publish`."""
        return self._send(self._emission.ready(message, options), context)

    def publish_bytes(self, topic: str, payload: bytes, options: SendOptions) -> None:
        """Publish bytes that are no message of the link; see `Link.publish_bytes`."""
        self.required_connection().publish(topic, payload, options)

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
            self._was_sent(outgoing.awaited_id)

    def acknowledge(self, message_id: str) -> None:
        """Acknowledge a message to the peer; without a connection nothing happens.

        Raises:
            UsageError: No message has such an id.
        """
        self._send_quietly(self._emission.ack(message_id))

    def ping(self) -> None:
        """Ask the peer for a sign of life; without a connection nothing happens."""
        self._send_quietly(self._emission.ping())

    def greeting(self, subscriptions: tuple[tuple[str, int], ...]) -> Greeting:
        """These subscriptions and a ping, of which the core knows nothing."""
        ping = self._emission.ping()
        return Greeting(subscriptions, ping.topic, ping.payload)

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
