"""What one link has counted."""

import time
from dataclasses import dataclass, field

from gwproactor.stats.counts import Counts
from gwproactor.stats.reuploads import ReuploadCounts
from gwproactor.wire.payloads import EVENT_PREFIX
from gwproactor.wire.topics import encode_part

_EVENT_LEVEL = f"/{encode_part(EVENT_PREFIX)}"
"""What stands in the topic of an event, and in no other that is one of a link's."""


@dataclass
class LinkStats:
    """What one link has counted. Belongs to the loop's thread.

    Args:
        name: The link's name.
        num_received_by_type: Messages received that could be decoded, by TypeName.
        num_received_by_topic: Packets received, by topic.
        comm_event_counts: What happened to the link, by the TypeName of its events.
        reupload_counts: How often waiting events were sent.
        timeouts: Acks that did not come in time.
        num_received: Packets received, whatever was in them.
        began_at: When counting began, in seconds of the monotonic clock.
        num_events_received: Packets received on the topic of an event.
        num_sent: Packets sent.
        num_sent_by_topic: The same by topic.
    """

    name: str
    num_received_by_type: Counts = field(default_factory=Counts)
    num_received_by_topic: Counts = field(default_factory=Counts)
    comm_event_counts: Counts = field(default_factory=Counts)
    reupload_counts: ReuploadCounts = field(default_factory=ReuploadCounts)
    timeouts: int = 0
    num_received: int = 0
    began_at: float = field(default_factory=time.monotonic)
    num_events_received: int = 0
    num_sent: int = 0
    num_sent_by_topic: Counts = field(default_factory=Counts)

    def add_packet(self, topic: str) -> None:
        """Count a packet that was received."""
        self.num_received += 1
        self.num_received_by_topic[topic] += 1
        if _EVENT_LEVEL in topic:
            self.num_events_received += 1

    def add_sent(self, topic: str) -> None:
        """Count a packet that was sent."""
        self.num_sent += 1
        self.num_sent_by_topic[topic] += 1

    def start_reupload(self) -> None:
        """Count that waiting events begin to be sent."""
        self.reupload_counts.start()

    def complete_reupload(self) -> None:
        """Count that all events that waited are acknowledged."""
        self.reupload_counts.complete()

    def add_traffic(self, other: "LinkStats") -> None:
        """Add what another link has received and sent."""
        self.num_received += other.num_received
        self.num_events_received += other.num_events_received
        self.num_sent += other.num_sent
        self.num_received_by_type.add(other.num_received_by_type)
        self.num_received_by_topic.add(other.num_received_by_topic)
        self.num_sent_by_topic.add(other.num_sent_by_topic)

    @property
    def seconds(self) -> float:
        """For how long it has counted."""
        return time.monotonic() - self.began_at

    def as_data(self) -> dict[str, object]:
        """All of it as new values that JSON can hold."""
        return {
            "name": self.name,
            "seconds": self.seconds,
            **self.traffic_data(),
            "comm_event_counts": dict(self.comm_event_counts),
            **self.reupload_counts.as_data(),
            "timeouts": self.timeouts,
        }

    def traffic_data(self) -> dict[str, object]:
        """What was received and sent, as new values that JSON can hold."""
        return {
            "num_received": self.num_received,
            "num_received_by_type": dict(self.num_received_by_type),
            "num_received_by_topic": dict(self.num_received_by_topic),
            "num_events_received": self.num_events_received,
            "num_sent": self.num_sent,
            "num_sent_by_topic": dict(self.num_sent_by_topic),
        }

    def __str__(self) -> str:
        summary = (
            f"Link {self.name}: {self.num_received} received, {self.num_sent} sent,"
            f" {self.timeouts} ack timeouts, {self.reupload_counts} in {self.seconds:.0f} s"
        )
        return "\n".join(
            (
                summary,
                *self.num_received_by_type.table("Received by type"),
                *self.num_received_by_topic.table("Received by topic"),
                *self.num_sent_by_topic.table("Sent by topic"),
                *self.comm_event_counts.table("Comm events"),
            )
        )
