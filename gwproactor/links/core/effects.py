"""What the core of a link wants done: its only output, as plain values.

The core decides and does nothing. Each input returns effects in the order in which they are to be
carried out; the link's task carries them out and feeds what comes of it back as further inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gwproactor.links.core.link_state import Transition
from gwproactor.links.core.subscriptions import Subscription


@dataclass(frozen=True, slots=True)
class Transitioned:
    """The comm state changed.

    Args:
        transition: From where to where, and why.
        at_seconds: When, in the monotonic seconds of the input.
    """

    transition: Transition
    at_seconds: float


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """An attempt to connect failed. Told of the first in an outage, then at a bounded rate.

    Args:
        transition: From `connecting` to itself, with the reason.
        at_seconds: When, in the monotonic seconds of the input.
    """

    transition: Transition
    at_seconds: float


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Send a SUBSCRIBE for these; answer with `LinkCore.subscriptions_answered`.

    Args:
        subscriptions: What to subscribe to; never empty.
    """

    subscriptions: tuple[Subscription, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Send an UNSUBSCRIBE for these; the answer does not matter.

    Args:
        filters: Topic filters; never empty.
    """

    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SendPing:
    """Send the peer a ping, and report it with `LinkCore.message_sent` and its id."""


@dataclass(frozen=True, slots=True)
class SendAck:
    """Acknowledge a message to the peer.

    Args:
        message_id: The message.
    """

    message_id: str


@dataclass(frozen=True, slots=True)
class ProbeBroker:
    """Ask the broker, not the peer, for a sign of life (PINGREQ).

    Whatever byte comes from the broker goes to `LinkCore.broker_heard`.
    """


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Drop the connection and make a new one; to the core it is gone already.

    Args:
        reason: Why, in words for a user.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Acked:
    """The peer acknowledged a message.

    Args:
        message_id: The message.
        in_time: False when nobody was waiting: too late, a second time, or never sent.
    """

    message_id: str
    in_time: bool = True


@dataclass(frozen=True, slots=True)
class AckExpired:
    """The ack of a message did not come in time, and is waited for no longer.

    Args:
        message_id: The message.
    """

    message_id: str


@dataclass(frozen=True, slots=True)
class AcksCancelled:
    """These acks are waited for no longer, because the link left `active` or its connection.

    Args:
        message_ids: The messages, oldest first; never empty.
        because: The transition that ended the waits; None for one that could not even begin.
    """

    message_ids: tuple[str, ...]
    because: Transition | None = None


class ReportKind(StrEnum):
    """What a report is about."""

    connect_refused = "connect_refused"
    subscription_refused = "subscription_refused"
    qos_lowered = "qos_lowered"
    too_many_acks = "too_many_acks"


@dataclass(frozen=True, slots=True)
class Report:
    """Something a user should know; becomes a problem event. Comes at a bounded rate.

    Args:
        kind: What it is about.
        summary: One line.
        details: What else there is to say, the cure where one is known.
        is_error: Somebody must act; otherwise it is a warning.
    """

    kind: ReportKind
    summary: str
    details: str = ""
    is_error: bool = False


Effect = (
    Transitioned
    | ConnectFailed
    | Subscribe
    | Unsubscribe
    | SendPing
    | SendAck
    | ProbeBroker
    | GiveUp
    | Acked
    | AckExpired
    | AcksCancelled
    | Report
)
"""Whatever a core can want."""

Effects = Sequence[Effect]

NOTHING: Final[Effects] = ()
"""What most inputs want; one object, so that the hot path makes none."""
