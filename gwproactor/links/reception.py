"""Which received packets are messages of a link's peer, and what is wrong with the others. Pure.

What comes over a broker can come from anybody. Whatever is not a valid message is refused with a
reason, never with an exception: it counts neither as a sign of the peer nor as a fault of ours.
"""

from dataclasses import dataclass
from typing import Any

from gwproactor.config.link import LinkSettings
from gwproactor.errors import UnknownTypeError
from gwproactor.links.transport import ReceivedPacket
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.topics import link_filter

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


class Reception:
    """Reads the packets of one link.

    Args:
        settings: The link's settings.
        codec: Reads payloads.
    """

    def __init__(self, settings: LinkSettings, codec: MQTTCodec) -> None:
        self._codec = codec
        self._peer_name = settings.peer_name
        self._max_payload_bytes = settings.max_payload_bytes
        self.topic_filter = link_filter(settings.peer_name, settings.subscription_name)
        """What is subscribed to, to hear the peer."""
        self._own_topics = self.topic_filter.removesuffix("#")

    def read(self, packet: ReceivedPacket) -> Message[Any] | Refusal:
        """The message in a packet, or why there is none."""
        topic = f"topic {packet.topic[:_SHOWN_TOPIC_CHARACTERS]!r}"
        if not packet.topic.startswith(self._own_topics):
            return Refusal("a topic that is none of this link's was refused", topic)
        if packet.retain:
            says = f"{topic}: what the broker has kept says nothing of the peer now"
            return Refusal("a retained message was refused", says)
        if len(packet.payload) > self._max_payload_bytes:
            size = f"{len(packet.payload)} bytes; at most {self._max_payload_bytes} are accepted"
            return Refusal("too long a payload was refused", f"{topic}: {size}")
        try:
            message: Message[Any] = self._codec.decode(packet.topic, packet.payload)
            sender = message.Header.Src
        except Exception as error:  # noqa: BLE001 - a codec of the application may raise anything
            return Refusal(_kind_of_fault(error), f"{topic}: {in_words(error)}")
        if sender != self._peer_name:  # peers `d1.s` and `d1-s` have the same topics
            says = f"{topic}: it is from {_shown(sender)}, not from {self._peer_name!r}"
            return Refusal("a message of another sender was refused", says)
        return message


def _kind_of_fault(error: Exception) -> str:
    if isinstance(error, UnknownTypeError):
        return "a message of an unknown type was refused"
    return "a payload that cannot be read was refused"


def _shown(sender: object) -> str:
    return repr(sender)[:_SHOWN_TOPIC_CHARACTERS]


def in_words(error: Exception) -> str:
    """An exception for a report: its type and its text, of bounded length."""
    return f"{type(error).__name__}: {error}"[:_SHOWN_ERROR_CHARACTERS]
