"""What a link subscribes to, and how the broker answered.

`SubscriptionRecord` keeps each topic filter that is wanted, with one of four statuses::

    unsent    there is no connection
    pending   a SUBSCRIBE is out; overdue after the ack timeout
    granted   a SUBACK granted it, perhaps at a lower QoS
    refused   a SUBACK refused it; asked for again after a delay that grows

A filter is *missing* when it is wanted and not granted. The setup of a link is complete when none
is missing, with one exception: a filter that was added while the link was active is *exempt* as
long as its SUBSCRIBE is pending, so that adding a topic to a good link does not end it.

Only a pending filter takes an answer. A SUBACK that comes late, twice, or for a filter that was
removed meanwhile, says nothing new. Pure: told the time in monotonic seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from typing import Final, NamedTuple

from gwproactor.links.core.acks import NEVER
from gwproactor.links.core.backoff import Random, retry_delays
from gwproactor.wire.filters import topic_matches, unshared

MAX_DROPPED: Final = 1000
"""Filters removed during one outage that are remembered, to be taken out of a kept session."""


class QOS(IntEnum):
    """How hard MQTT tries to deliver, hop by hop."""

    AtMostOnce = 0
    AtLeastOnce = 1
    ExactlyOnce = 2


class Subscription(NamedTuple):
    """One topic filter to subscribe to.

    Args:
        Topic: The topic filter.
        Qos: The highest QoS at which the broker is to deliver.
    """

    Topic: str
    Qos: QOS = QOS.AtMostOnce


SUBACK_REASONS: Final[Mapping[int, str]] = {
    0x00: "granted QoS 0",
    0x01: "granted QoS 1",
    0x02: "granted QoS 2",
    0x80: "unspecified error",
    0x83: "implementation specific error",
    0x87: "not authorized",
    0x8F: "topic filter invalid",
    0x91: "packet identifier in use",
    0x97: "quota exceeded",
    0x9E: "shared subscriptions not supported",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}
"""Reason codes of a SUBACK: MQTT 5.0, section 3.9.3. In 3.1.1 there are 0, 1, 2 and 0x80."""


def suback_reason(code: int) -> str:
    """Return a SUBACK's reason code in words and hexadecimal."""
    return f"{SUBACK_REASONS.get(code, 'unknown reason code')} (0x{code:02X})"


class Answer(Enum):
    """What a reason code means for a filter."""

    nothing_new = "nothing_new"
    granted = "granted"
    granted_lower = "granted_lower"
    refused = "refused"


class SubscriptionStatus(StrEnum):
    """How things stand with one topic filter; see the module's description."""

    unsent = "unsent"
    pending = "pending"
    granted = "granted"
    refused = "refused"


@dataclass(slots=True)
class _Entry:
    subscription: Subscription
    retries: Iterator[float]
    status: SubscriptionStatus = SubscriptionStatus.unsent
    exempt: bool = False
    due: float = NEVER

    def ask(self, deadline: float, *, exempt: bool = False) -> Subscription:
        self.status, self.exempt, self.due = SubscriptionStatus.pending, exempt, deadline
        return self.subscription

    def missing(self) -> bool:
        return self.status is not SubscriptionStatus.granted and not self.exempt


class SubscriptionRecord:
    """The filters of one link. Operations take time in proportion to how many there are.

    Args:
        subscriptions: What is wanted from the beginning.
        answer_timeout_seconds: How long the broker may take for a SUBACK.
        random: Gives numbers between 0 and 1 for the jitter of the retries.
    """

    def __init__(
        self,
        subscriptions: Iterable[Subscription],
        answer_timeout_seconds: float,
        random: Random,
    ) -> None:
        self._answer_timeout_seconds = answer_timeout_seconds
        self._random = random
        self._entries: dict[str, _Entry] = {}
        self._dropped: dict[str, None] = {}
        for subscription in subscriptions:
            self.want(subscription)

    def __contains__(self, topic_filter: str) -> bool:
        return topic_filter in self._entries

    def matches(self, topic: str) -> bool:
        """Tell whether a message on this topic may come for one of the filters."""
        return any(topic_matches(unshared(name), topic) for name in self._entries)

    def statuses(self) -> dict[str, SubscriptionStatus]:
        """Return how things stand with each filter, in the order in which they were added."""
        return {name: entry.status for name, entry in self._entries.items()}

    def wanted(self) -> tuple[Subscription, ...]:
        """Return every subscription that is wanted, in the order in which they were added."""
        return tuple(entry.subscription for entry in self._entries.values())

    def missing(self) -> tuple[str, ...]:
        """Return the filters that keep the setup from being complete."""
        return tuple(name for name, entry in self._entries.items() if entry.missing())

    def pending(self) -> tuple[str, ...]:
        """Return the filters whose SUBSCRIBE is not answered yet, the exempt ones included."""
        return self._with_status(SubscriptionStatus.pending)

    def refused(self) -> tuple[str, ...]:
        """Return the filters that the broker refused when last asked."""
        return self._with_status(SubscriptionStatus.refused)

    def complete(self) -> bool:
        """Tell whether none is missing: condition 2."""
        return not any(entry.missing() for entry in self._entries.values())

    def want(self, subscription: Subscription) -> bool:
        """Add a filter, or change its QoS. Returns False when it is wanted just so already."""
        topic_filter, qos = subscription
        known = self._entries.get(topic_filter)
        if known is not None and known.subscription.Qos == qos:
            return False
        wanted = Subscription(topic_filter, QOS(qos))
        self._dropped.pop(topic_filter, None)
        self._entries[topic_filter] = _Entry(wanted, retry_delays(self._random))
        return True

    def forget(self, topic_filter: str) -> bool:
        """Remove a filter. Returns False when it was not wanted."""
        entry = self._entries.pop(topic_filter, None)
        if entry is None:
            return False
        if entry.status is SubscriptionStatus.unsent and len(self._dropped) < MAX_DROPPED:
            self._dropped[topic_filter] = None
        return True

    def take_dropped(self) -> tuple[str, ...]:
        """Return, once, the filters removed without a connection: a kept session has them."""
        dropped = tuple(self._dropped)
        self._dropped.clear()
        return dropped

    def ask(self, now: float, topic_filter: str, *, exempt: bool) -> Subscription:
        """Take note that a SUBSCRIBE for one filter goes out, and return the subscription."""
        deadline = now + self._answer_timeout_seconds
        return self._entries[topic_filter].ask(deadline, exempt=exempt)

    def ask_all(self, now: float) -> tuple[Subscription, ...]:
        """Take note that a SUBSCRIBE for every filter goes out, and return the subscriptions."""
        deadline = now + self._answer_timeout_seconds
        return tuple(entry.ask(deadline) for entry in self._entries.values())

    def ask_again(self, now: float) -> tuple[Subscription, ...]:
        """Return the refused subscriptions that are to be asked for again now, as `ask_all`."""
        deadline = now + self._answer_timeout_seconds
        return tuple(
            entry.ask(deadline)
            for entry in self._entries.values()
            if entry.status is SubscriptionStatus.refused and entry.due <= now
        )

    def answered(self, now: float, topic_filter: str, code: int) -> Answer:
        """Take note of a SUBACK's reason code for one filter.

        Args:
            now: The present moment.
            topic_filter: The filter; an unknown one is nothing new.
            code: The reason code. What is neither a QoS nor a refusal counts as a refusal, for it
                promises nothing.
        """
        entry = self._entries.get(topic_filter)
        if entry is None or entry.status is not SubscriptionStatus.pending:
            return Answer.nothing_new
        entry.exempt = False
        if code not in tuple(QOS):
            entry.status, entry.due = SubscriptionStatus.refused, now + next(entry.retries)
            return Answer.refused
        entry.status, entry.due = SubscriptionStatus.granted, NEVER
        entry.retries = retry_delays(self._random)
        return Answer.granted_lower if code < entry.subscription.Qos else Answer.granted

    def disconnected(self) -> None:
        """Take note that the connection is gone: nothing is granted or pending any more."""
        for entry in self._entries.values():
            entry.status, entry.exempt, entry.due = SubscriptionStatus.unsent, False, NEVER

    def overdue(self, now: float) -> tuple[str, ...]:
        """Return the filters whose SUBACK should have come by `now`."""
        return tuple(
            name
            for name, entry in self._entries.items()
            if entry.status is SubscriptionStatus.pending and entry.due <= now
        )

    def next_deadline(self) -> float:
        """Return when `overdue` or `ask_again` has something next, or infinity."""
        return min((entry.due for entry in self._entries.values()), default=NEVER)

    def _with_status(self, status: SubscriptionStatus) -> tuple[str, ...]:
        return tuple(name for name, entry in self._entries.items() if entry.status is status)
