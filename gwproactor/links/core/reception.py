"""Which received packets are messages of a link's peer, and what is wrong with the others. Pure.

What comes over a broker can come from anybody. On the link's own topics only the peer may speak. On
further topics that the link subscribes to others may, too, but only the peer's messages say that it
is there, and what the broker has kept is delivered and says nothing. Whatever is not a valid
message is refused with a reason, never with an exception: it counts neither as a sign of the peer
nor as a fault of ours.

A codec may be the application's, and what it returns may be any object. So what the link itself
uses of a message is looked at here, once, and handed on apart from the message.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gwproactor.config.link import LinkSettings
from gwproactor.errors import DecodingError, UnknownTypeError
from gwproactor.links.core.link_core import MessageKind
from gwproactor.links.transport import ReceivedPacket
from gwproactor.wire.batches import (
    BATCH,
    BATCH_ANSWER,
    BatchedEvent,
    BatchLimits,
    decode_answer,
    decode_batch,
)
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import ACK, MAX_ID_CHARACTERS, PING
from gwproactor.wire.topics import encode_part, link_filter

_SHOWN_TOPIC_CHARACTERS = 200
_SHOWN_ERROR_CHARACTERS = 1000
"""So much of what a stranger sent gets into a report: topics alone may have 65,535 bytes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a packet is no message.

    Args:
        what: The kind of fault; the same for all faults of its kind.
        details: This one.
    """

    what: str
    details: str


class Received(NamedTuple):
    """A message of the peer, and what of it the link itself uses; that is checked.

    Args:
        kind: What it is to the link.
        message_id: Its id; of an ack, the id of what it acknowledges.
        ack_required: The sender wants an ack.
        message: The message, as the codec made it.
        from_peer: It says that the peer is there.
        batch: The events of a batch; None where it is none.
    """

    kind: MessageKind
    message_id: str
    ack_required: bool
    message: Message[Any]
    from_peer: bool = True
    batch: Sequence[BatchedEvent] | None = None


class Reception:
    """Reads the packets of one link.

    Args:
        settings: The link's settings.
        codec: Reads payloads.
        wants: Tells whether a topic is one of those that the link subscribes to besides its own.
        batches: The batches that are taken; None for none.
    """

    def __init__(
        self,
        settings: LinkSettings,
        codec: MQTTCodec,
        wants: Callable[[str], bool],
        batches: BatchLimits | None = None,
    ) -> None:
        self._codec = codec
        self._batches = batches
        self._wants = wants
        self._strict_sender = settings.strict_sender
        self._peer_name = settings.peer_name
        self._max_payload_bytes = settings.max_payload_bytes
        self.topic_filter = link_filter(settings.peer_name, settings.subscription_name)
        """What is subscribed to, to hear the peer."""
        self._own_topics = self.topic_filter.removesuffix("#")
        self._batch_topic = self._own_topics + encode_part(BATCH)
        self._batch_answer_topic = self._own_topics + encode_part(BATCH_ANSWER)

    def read(self, packet: ReceivedPacket) -> Received | Refusal:
        """The message in a packet, or why there is none."""
        own = packet.topic.startswith(self._own_topics)
        if not own and not self._wants(packet.topic):
            return _refusal(packet, "a topic that is none of this link's was refused")
        if packet.retain and own:
            says = "what the broker has kept says nothing of the peer now"
            return _refusal(packet, "a retained message was refused", says)
        if len(packet.payload) > self._max_payload_bytes:
            size = f"{len(packet.payload)} bytes; at most {self._max_payload_bytes} are accepted"
            return _refusal(packet, "too long a payload was refused", size)
        try:
            message, batch = self._decoded(packet)
            sender: object = message.Header.Src
            received = _checked(message)._replace(batch=batch)
        except Exception as error:  # noqa: BLE001 - a codec of the application may raise anything
            return _refusal(packet, _kind_of_fault(error), shown_error(error))
        if self._is_from_peer(sender) and not packet.retain:
            return received
        if own or received.kind is not MessageKind.other:
            # peers `d1.s` and `d1-s` have the same topics; and nobody else can answer for the peer
            says = f"it is from {_shown(sender)}, not from {self._peer_name!r}"
            return _refusal(packet, "a message of another sender was refused", says)
        return received._replace(ack_required=False, from_peer=False)

    def _decoded(self, packet: ReceivedPacket) -> tuple[Message[Any], list[BatchedEvent] | None]:
        """The message, and the events where it is a batch; those are never the codec's affair."""
        if packet.topic == self._batch_topic and self._batches is not None:
            return decode_batch(packet.topic, packet.payload, self._batches)
        if packet.topic == self._batch_answer_topic:
            return decode_answer(packet.topic, packet.payload), None
        return self._codec.decode(packet.topic, packet.payload), None

    def _is_from_peer(self, sender: object) -> bool:
        return not self._strict_sender or (isinstance(sender, str) and sender == self._peer_name)


def _refusal(packet: ReceivedPacket, what: str, says: str = "") -> Refusal:
    topic = f"topic {packet.topic[:_SHOWN_TOPIC_CHARACTERS]!r}"
    return Refusal(what, f"{topic}: {says}" if says else topic)


def _checked(message: Message[Any]) -> Received:
    """Take from a message what the link uses.

    Raises:
        DecodingError: It is not what it must be; anything else where there is no such thing.
    """
    header = message.Header
    kind, message_id, ack_required = MessageKind.other, header.MessageId, header.AckRequired
    if header.MessageType in (ACK, BATCH_ANSWER):
        kind, message_id = MessageKind.ack, message.Payload.AckMessageID
    elif header.MessageType == PING:
        kind = MessageKind.ping
    if not isinstance(ack_required, bool):
        raise DecodingError(f"AckRequired is of the type {type(ack_required).__name__}")
    return Received(kind, _checked_id(message_id), ack_required, message)


def _checked_id(message_id: object) -> str:
    if not isinstance(message_id, str):
        raise DecodingError(f"an id is of the type {type(message_id).__name__}")
    if len(message_id) > MAX_ID_CHARACTERS:
        raise DecodingError(f"an id has {len(message_id)} characters; at most {MAX_ID_CHARACTERS}")
    message_id.encode()  # raises where half a surrogate pair, which no JSON can say, is in it
    return message_id


def _kind_of_fault(error: Exception) -> str:
    if isinstance(error, UnknownTypeError):
        return "a message of an unknown type was refused"
    return "a payload that cannot be read was refused"


def _shown(sender: object) -> str:
    """What a sender is called; only a text is asked, for anything else may fail to answer."""
    text = repr(sender) if isinstance(sender, str) else f"a {type(sender).__name__}"
    return text[:_SHOWN_TOPIC_CHARACTERS]


def shown_error(error: Exception) -> str:
    """An exception for a report: its type and its text, of bounded length."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception of the application may fail to say what it is
        text = "?"
    return f"{type(error).__name__}: {text}"[:_SHOWN_ERROR_CHARACTERS]
