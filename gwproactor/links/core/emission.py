"""What a link sends, as topic and bytes: the counterpart of `reception`. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from gwproactor.config.link import LinkSettings
from gwproactor.errors import UsageError
from gwproactor.events.store import StoredEvent
from gwproactor.links.transport import PLAIN, SendOptions
from gwproactor.wire.batches import BatchAnswer, EventBatch, join_batch
from gwproactor.wire.codec import MQTTCodec, encode_event
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import Ack, Ping, new_message_id

_PLACEHOLDER = new_message_id()
"""Stands for the id in the templates of acks and pings: a text that nothing else contains."""


_Template = tuple[str, list[bytes]]


class Outgoing(NamedTuple):
    """A message ready to be published.

    Args:
        topic: Where.
        payload: What.
        awaited_id: The id whose ack is waited for; None where none is wanted.
        options: How it is published.
    """

    topic: str
    payload: bytes
    awaited_id: str | None = None
    options: SendOptions = PLAIN


class Emission:
    """Makes the messages of one link.

    Args:
        own_name: This node's long name.
        settings: The link's settings.
        codec: Encodes the application's messages; our own acks and pings need none.
    """

    def __init__(self, own_name: str, settings: LinkSettings, codec: MQTTCodec) -> None:
        self._own_name = own_name
        self._peer = settings.peer_short_name
        self._codec = codec
        self._event_options = SendOptions(qos=settings.qos) if settings.qos else PLAIN
        self._ack = self._template(Ack(AckMessageID=_PLACEHOLDER), ack_required=False)
        self._ping = self._template(Ping(MessageId=_PLACEHOLDER), ack_required=True)
        self._batch = self._template(EventBatch(MessageId=_PLACEHOLDER), ack_required=True)
        self.announcement = PLAIN
        """How acks and pings are published: with what is to be announced."""

    def message(
        self, payload: object, options: SendOptions, *, ack_required: bool, receiver: str = ""
    ) -> Outgoing:
        """A message of the application; what its codec raises goes to the caller.

        Args:
            payload: What is said.
            options: How it is published.
            ack_required: Its ack is waited for.
            receiver: An actor of the peer; it travels on the link's topic all the same.

        Raises:
            UsageError: The payload is no model with a `TypeName`, or holds what JSON cannot.
        """
        message = self._message(payload, ack_required=ack_required)
        if not receiver:
            return self.ready(message, options)
        header = message.Header.model_copy(update={"Dst": receiver})
        addressed = message.model_copy(update={"Header": header})
        return self.ready(addressed, options)._replace(topic=message.mqtt_topic())

    def ready(self, message: Message[Any], options: SendOptions) -> Outgoing:
        """A message that has its header already, of whatever class; sent as it is."""
        header = message.Header
        awaited_id = header.MessageId if header.AckRequired else None
        return Outgoing(message.mqtt_topic(), self._codec.encode(message), awaited_id, options)

    def ack(self, message_id: str) -> Outgoing:
        """The ack of a received message.

        Raises:
            UsageError: No message has such an id.
        """
        topic, parts = self._ack
        try:
            message_id.encode()
        except (AttributeError, UnicodeEncodeError):
            raise UsageError("an id is a text without half a surrogate pair") from None
        return Outgoing(topic, to_json(message_id).join(parts), options=self.announcement)

    def ping(self) -> Outgoing:
        """A ping, whose ack is waited for."""
        topic, parts = self._ping
        message_id = new_message_id()
        return Outgoing(topic, to_json(message_id).join(parts), message_id, self.announcement)

    def batch(self, batch_id: str, events: Sequence[StoredEvent]) -> Outgoing:
        """Events for an upstream peer that takes batches, as they are stored."""
        topic, parts = self._batch
        envelope = to_json(batch_id).join(parts)
        payload = join_batch(envelope, [event.payload for event in events])
        return Outgoing(topic, payload, batch_id, self._event_options)

    def batch_answer(self, batch_id: str, refused: Sequence[int]) -> Outgoing:
        """The answer to a received batch: it is taken, but for the refused events."""
        answer = BatchAnswer(AckMessageID=batch_id, Refused=list(refused))
        message = self._message(answer, ack_required=False)
        text = message.model_dump_json().encode()
        return Outgoing(message.mqtt_topic(), text, options=self.announcement)

    def event(self, event: StoredEvent) -> Outgoing:
        """An event for the upstream peer.

        Raises:
            UsageError: What is stored is no event.
        """
        try:
            type_name = from_json(event.payload)["TypeName"]
            topic, envelope = encode_event(
                self._own_name, self._peer, event.event_id, type_name, event.payload
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{event.event_id} is no event: {error}") from None
        return Outgoing(topic, envelope, event.event_id, self._event_options)

    def _template(self, payload: Ack | Ping | EventBatch, *, ack_required: bool) -> _Template:
        """The message with its id cut out: those of one link differ in nothing else."""
        message = self._message(payload, ack_required=ack_required)
        text = message.model_dump_json().encode()
        return message.mqtt_topic(), text.split(to_json(_PLACEHOLDER))

    def _message(self, payload: object, *, ack_required: bool) -> Message[Any]:
        message_id = getattr(payload, "MessageId", "") or (new_message_id() if ack_required else "")
        try:
            return Message[Any](
                Src=self._own_name,
                Dst=self._peer,
                MessageId=message_id,
                AckRequired=ack_required,
                Payload=payload,
            )
        except ValidationError:
            raise UsageError(
                f"{type(payload).__name__} cannot be sent: a payload is a model with a text"
                " TypeName and, where it has one, a text MessageId"
            ) from None
