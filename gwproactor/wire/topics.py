"""The topics of a link, written and read.

A message travels on `gw/{sender long name}/to/{receiver short name}/{message type}`, where every
`.` of a part is written as `-`, because MQTT bridges and rules often give `.` a meaning. The
substitution loses the difference between the two, so parts are compared in their written form;
the exact names stand in the envelope's header.
"""

import functools
import re
from typing import NamedTuple

from gwproactor.errors import TopicError

ENVELOPE_TYPE = "gw"
"""First level of every topic, and TypeName of every envelope."""

_TO = "to"
_LEVELS_BEFORE_REMAINDER = 5

FORBIDDEN_IN_LEVELS = re.compile(
    r"[\s/+#\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
    )
    + "]"
)
"""White space, what has a meaning in topics, and what a broker may end a connection for (MQTT 5,
1.5.4): control characters, halves of characters, and what Unicode has set aside for ever."""


class Topic(NamedTuple):
    """A topic taken apart; the parts are decoded, `-` having become `.`."""

    sender: str
    receiver: str
    message_type: str
    remainder: tuple[str, ...] = ()


def encode_part(name: str) -> str:
    """Write a name or message type as a topic level."""
    return name.replace(".", "-")


def decode_part(level: str) -> str:
    """Read a topic level back."""
    return level.replace("-", ".")


def encode_topic(sender: str, receiver: str, message_type: str) -> str:
    """Write the topic of a message.

    Args:
        sender: Long name of the sending node.
        receiver: Short name of the receiving node.
        message_type: TypeName of the payload.
    """
    return "/".join(
        (ENVELOPE_TYPE, encode_part(sender), _TO, encode_part(receiver), encode_part(message_type))
    )


def link_filter(peer: str, own_short_name: str) -> str:
    """The topic filter on which a node hears everything that `peer` sends to it."""
    return f"{ENVELOPE_TYPE}/{encode_part(peer)}/{_TO}/{encode_part(own_short_name)}/#"


@functools.lru_cache(maxsize=64)  # those of a node's links are few, and come again and again
def decode_topic(topic: str) -> Topic:
    """Take a topic apart.

    Where the third level is not `to`, everything from there on is remainder, and receiver and
    message type are empty.

    Raises:
        TopicError: The topic's envelope type is not `gw`, or it names no sender.
    """
    envelope_type, *levels = topic.split("/")
    if envelope_type != ENVELOPE_TYPE:
        raise TopicError(f"topic {topic!r} begins with {envelope_type!r}, not {ENVELOPE_TYPE!r}")
    if not levels or not levels[0]:
        raise TopicError(f"topic {topic!r} names no sender")
    sender = decode_part(levels[0])
    if len(levels) < 2 or levels[1] != _TO:
        return Topic(sender, "", "", tuple(levels[1:]))
    receiver, message_type = (*map(decode_part, levels[2:4]), "", "")[:2]
    return Topic(sender, receiver, message_type, tuple(levels[_LEVELS_BEFORE_REMAINDER - 1 :]))
