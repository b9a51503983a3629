"""What one broker allows: limits, logins, and what it refuses."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gwproactor_test.broker.codec import LEVEL_5
from gwproactor_test.broker.mqtt311 import LEVEL as LEVEL_311

SubscriptionRefusal = Callable[[str, str], bool]
"""Called with client id and topic filter; True refuses the subscription."""


def refuse_nothing(_client_id: str, _topic_filter: str) -> bool:
    """Refuse no subscription."""
    return False


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on everything that clients can make the broker hold.

    Args:
        packet_bytes: longest packet accepted; announced to MQTT 5 clients.
        buffer_bytes: bytes waiting in one connection's buffer above which QoS 0 messages to it
            are dropped and counted, and nothing more is read from it.
        queued_messages: QoS 1 messages kept for one session beyond those in flight; further
            ones are dropped and counted (Mosquitto's default).
        in_flight_messages: QoS 1 messages sent to one client and not yet acknowledged, where
            its own receive maximum is not lower.
        connections: clients connected, or connecting, at a time.
        sessions: sessions kept, connected or not.
        subscriptions: topic filters in one session.
        retained_messages: topics with a retained message.
        connect_seconds: time a new connection has for its CONNECT.
    """

    packet_bytes: int = 1024 * 1024
    buffer_bytes: int = 4 * 1024 * 1024
    queued_messages: int = 1000
    in_flight_messages: int = 100
    connections: int = 1000
    sessions: int = 1000
    subscriptions: int = 1000
    retained_messages: int = 10_000
    connect_seconds: float = 10.0


@dataclass(slots=True)
class Counters:
    """What a broker has done since it was made."""

    received: int = 0
    """PUBLISH packets that came in."""
    sent: int = 0
    """PUBLISH packets that went out, repeats included."""
    dropped_qos0: int = 0
    """QoS 0 messages not delivered because the client reads too slowly or takes no such size."""
    dropped_qos1: int = 0
    """QoS 1 messages not delivered because a session's queue was full, or for their size."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of one broker; see `Broker` for what they mean."""

    users: Mapping[str, str] | None = field(default=None, repr=False)
    refuse_subscription: SubscriptionRefusal = refuse_nothing
    max_qos: int = 1
    levels: frozenset[int] = frozenset((LEVEL_5, LEVEL_311))
    limits: Limits = field(default_factory=Limits)

    def admits(self, user: str | None, password: bytes | None) -> bool:
        """Whether a client with this login may connect."""
        if self.users is None:
            return True
        expected = self.users.get(user or "")
        return expected is not None and hmac.compare_digest(expected.encode(), password or b"")
