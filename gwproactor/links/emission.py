"""What a link sends, as topic and bytes: the counterpart of `gwproactor.links.reception`. Pure."""

from typing import Any, NamedTuple

from pydantic_core import from_json

from gwproactor.config.link import LinkSettings
from gwproactor.errors import UsageError
from gwproactor.events.store import StoredEvent
from gwproactor.wire.codec import MQTTCodec, encode_event
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import Ack, Ping, new_message_id


class Outgoing(NamedTuple):
    """A message ready to be published.

    Args:
        topic: Where.
        payload: What.
        awaited_id: The id whose ack is waited for; None where none is wanted.
    """

    topic: str
    payload: bytes
    awaited_id: str | None = None


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

    def message(self, payload: object, *, ack_required: bool) -> Outgoing:
        """A message of the application; what its codec raises goes to the caller."""
        message = self._message(payload, ack_required=ack_required)
        awaited_id = message.Header.MessageId if ack_required else None
        return Outgoing(message.mqtt_topic(), self._codec.encode(message), awaited_id)

    def ack(self, message_id: str) -> Outgoing:
        """The ack of a received message."""
        return self._own(Ack(AckMessageID=message_id), ack_required=False)

    def ping(self) -> Outgoing:
        """A ping, whose ack is waited for."""
        return self._own(Ping(), ack_required=True)

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
        return Outgoing(topic, envelope, event.event_id)

    def _own(self, payload: Ack | Ping, *, ack_required: bool) -> Outgoing:
        message = self._message(payload, ack_required=ack_required)
        awaited_id = message.Header.MessageId if ack_required else None
        return Outgoing(message.mqtt_topic(), message.model_dump_json().encode(), awaited_id)

    def _message(self, payload: object, *, ack_required: bool) -> Message[Any]:
        message_id = getattr(payload, "MessageId", "") or (new_message_id() if ack_required else "")
        return Message[Any](
            Src=self._own_name,
            Dst=self._peer,
            MessageId=message_id,
            AckRequired=ack_required,
            Payload=payload,
        )
