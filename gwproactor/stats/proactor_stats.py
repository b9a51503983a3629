"""What a proactor has counted: what passed inside it, and the sum of what its links counted."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

from gwproactor.errors import UsageError
from gwproactor.stats.counts import Counts
from gwproactor.stats.link_stats import LinkStats
from gwproactor.wire.envelope import Message


class ReceivedPacket(Protocol):
    """A packet that was received, of which only the topic matters here."""

    @property
    def topic(self) -> str:
        """Where it came from."""
        ...


class ReceiptPayload(Protocol):
    """A payload that tells of a packet received on a link."""

    @property
    def client_name(self) -> str:
        """The link's name."""
        ...

    @property
    def message(self) -> ReceivedPacket:
        """The packet."""
        ...


class ReceiptMessage(Protocol):
    """A message that tells of a packet received on a link."""

    @property
    def Payload(self) -> ReceiptPayload:  # noqa: N802 - the wire format's spelling
        """What tells of it."""
        ...


class ProactorStats:
    """What a proactor has counted, over all and for each link. Belongs to the loop's thread.

    Args:
        link_names: Links to begin with.
    """

    num_internal_by_type: Counts
    """Messages that were handed on inside the proactor, by TypeName; no link has received them."""
    num_problems: int
    """Problems reported, warnings included."""
    num_problems_by_summary: Counts
    """The same by their summaries."""
    links: dict[str, LinkStats]
    """What each link has counted, by its name."""

    def __init__(self, link_names: Sequence[str] | None = None) -> None:
        self.num_internal_by_type = Counts()
        self.num_problems = 0
        self.num_problems_by_summary = Counts()
        self.links = {}
        self._removed = LinkStats("(removed)")
        self._began_at = time.monotonic()
        for name in link_names or ():
            self.add_link(name)

    # Counting

    def add_message(self, message: Message[Any]) -> None:
        """Count a message that is handed on inside the proactor."""
        self.num_internal_by_type[message.Header.MessageType] += 1

    def add_problem(self, summary: str) -> None:
        """Count a problem that is reported."""
        self.num_problems += 1
        self.num_problems_by_summary[summary] += 1

    def add_packet(self, link_name: str, topic: str) -> None:
        """Count a packet that a link received. Raises KeyError where there is no such link."""
        self.links[link_name].add_packet(topic)

    def add_mqtt_message(self, message: ReceiptMessage) -> None:
        """Count the packet that a message tells of, as `add_packet`."""
        self.add_packet(message.Payload.client_name, message.Payload.message.topic)

    def add_decoded_mqtt_message_type(self, link_name: str, decoded_message_type: str) -> None:
        """Count what was in a packet that a link received, once it is decoded."""
        self.links[link_name].num_received_by_type[decoded_message_type] += 1

    # Links

    @classmethod
    def make_link(cls, link_name: str) -> LinkStats:
        """Make what a new link counts; for a derived class that counts more."""
        return LinkStats(link_name)

    def add_link(self, link_name: str) -> None:
        """Begin to count for a link.

        Raises:
            UsageError: There is one of that name.
        """
        if link_name in self.links:
            raise UsageError(f"a link named {link_name} is counted already; remove it first")
        self.links[link_name] = self.make_link(link_name)

    def remove_link(self, link_name: str) -> None:
        """Count for a link no longer; what it received and sent stays in the sum.

        An unknown name is nothing to remove.
        """
        link = self.links.pop(link_name, None)
        if link is not None:
            self._removed.add_traffic(link)

    def has_link(self, name: str) -> bool:
        """Whether it counts for a link of that name."""
        return name in self.links

    def link(self, name: str) -> LinkStats:
        """What the link of that name has counted. Raises KeyError where there is none."""
        return self.links[name]

    # The sum

    @property
    def total(self) -> LinkStats:
        """What all links have received and sent, removed ones included; a new object."""
        total = LinkStats("(all links)", began_at=self._began_at)
        for link in (*self.links.values(), self._removed):
            total.add_traffic(link)
        return total

    @property
    def num_received(self) -> int:
        """Packets received on all links."""
        return self.total.num_received

    @property
    def num_received_by_type(self) -> Counts:
        """Messages received on all links that could be decoded, by TypeName; a new object."""
        return self.total.num_received_by_type

    @property
    def num_received_by_topic(self) -> Counts:
        """Packets received on all links, by topic; a new object."""
        return self.total.num_received_by_topic

    @property
    def num_events_received(self) -> int:
        """Packets received on all links on the topic of an event."""
        return self.total.num_events_received

    def total_received(self, message_type: str) -> int:
        """How many messages of this TypeName came, over links or from within the proactor."""
        return self.num_received_by_type[message_type] + self.num_internal_by_type[message_type]

    @property
    def seconds(self) -> float:
        """For how long it has counted."""
        return time.monotonic() - self._began_at

    # To read

    def as_data(self) -> dict[str, object]:
        """All of it, links included, as new values that JSON can hold."""
        return {
            "seconds": self.seconds,
            **self.total.traffic_data(),
            "num_internal_by_type": dict(self.num_internal_by_type),
            "num_problems": self.num_problems,
            "num_problems_by_summary": dict(self.num_problems_by_summary),
            "links": {name: link.as_data() for name, link in self.links.items()},
        }

    def __str__(self) -> str:
        """What came, went and was reported; types and topics stand with each link."""
        total = self.total
        summary = (
            f"Proactor: {total.num_received} received, {total.num_events_received} of them events,"
            f" {total.num_sent} sent, {self.num_problems} problems in {self.seconds:.0f} s"
        )
        return "\n".join(
            (
                summary,
                *self.num_internal_by_type.table("Internal by type"),
                *self.num_problems_by_summary.table("Problems"),
                *(str(self.links[name]) for name in sorted(self.links)),
            )
        )
