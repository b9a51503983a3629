"""What comes over a link: to iterate over, as the reply to a request, or for the listener."""

import asyncio
from collections.abc import Iterable
from typing import Any

from gwproactor.config.link import LinkSettings
from gwproactor.errors import UsageError
from gwproactor.links.core.link_core import MessageKind
from gwproactor.links.core.link_manager_transition import LinkManagerTransition
from gwproactor.links.core.link_state import StateName, TransitionName
from gwproactor.links.link_sending import LinkSending
from gwproactor.links.listener import LinkListener
from gwproactor.links.message_stream import Messages, MessageStreams
from gwproactor.links.problem_desk import ProblemDesk
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.requests import Requests
from gwproactor.links.transport import ReceivedPacket
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.payloads import is_event_type
from gwproactor.wire.timing import checked_timeout

MESSAGES_KEPT = 1000
"""Messages that wait for a slow iterator where nothing else is said."""


class LinkReceiving(LinkSending):
    """The part of `Link` for who wants to hear. Made as a `LinkHandle`."""

    _listener: LinkListener
    _problems: ProblemDesk

    def __init__(self, settings: LinkSettings, codec: MQTTCodec) -> None:
        super().__init__(settings, codec)
        self._message_streams = MessageStreams(self._hand_back)
        self._requests = Requests(settings.link_name)

    def messages(self, *, max_waiting: int = MESSAGES_KEPT) -> Messages:
        """Iterate over the messages that come from now on, until the link is stopped.

        "From now on" begins with the first `anext`. While anybody iterates, messages do not go to
        the handler of the proactor; several iterators get all of them each. Events, acks and pings
        are none of these messages. A message is acknowledged to the peer when it is taken in here,
        and one of QoS 1 or 2 to the broker when the next one is asked for. Cancel-safe: an `anext`
        that was cancelled took nothing, and the next one goes on.

        `aclose`, or `contextlib.aclosing`, ends an iteration that is left early, be it with an
        exception; so does letting the iterator go, once Python notices. The message in hand is
        then done, processed or not, and messages that were waiting and that no iterator has given
        out go to the handler of the proactor. When the link is stopped none of this happens: what
        was not done comes again where the broker keeps the session.

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

    def take_packet(self, packet: ReceivedPacket) -> None:
        """Treat a packet as if it had come from the broker: one that a program got another way."""
        self._conversation.receiver.received(packet)

    def take_ack(self, message_id: str) -> None:
        """Treat a message as acknowledged by the peer, whom that shows to be there."""
        self._conversation.peer_heard(MessageKind.ack, message_id)

    def take_loss(self, name: TransitionName) -> LinkManagerTransition | None:
        """The last transition that ended `active` or the setup, once, with the acks it cancelled.

        Args:
            name: `response_timeout` or `mqtt_disconnected`; None where it came from another, and
                where there was none since the last call.
        """
        return self._conversation.losses.take(name)

    def heard(self) -> None:
        """Take the caller's word for it that a valid message came from the peer just now."""
        self._conversation.peer_heard()

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

    def _hand_back(self, received: ReceivedMessage) -> None:
        """Give the listener what waited for an iterator that was left."""
        received.wants_ack = False  # it was accepted when it came
        self._conversation.receiver.hand_on(received, self._listener.message_received)

    def _accepted(self, received: ReceivedMessage) -> None:
        if received.wants_ack:
            self.acknowledge(received.message.Header.MessageId)
