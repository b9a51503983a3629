"""What a proactor and its links have counted since they began.

Counting costs an addition or two for each message. What is counted by name is bounded, as the
names come from a peer: a name that has no room any more is counted under `OTHERS`. So nothing here
grows with uptime but the numbers.

`str` of an object is a text for people; `as_data` gives the same as values that JSON can hold.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gwproactor.errors import UsageError
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import EVENT_PREFIX
from gwproactor.wire.topics import encode_part

OTHERS = "(others)"
"""The name under which those without room are counted."""

MAX_NAMES = 200
"""Names in one `Counts`: several times what a node has in use, and little to read."""

MAX_NAME_CHARACTERS = 256
"""Longest name with a count of its own: a topic may be 65,535 bytes long."""

_EVENT_LEVEL = f"/{encode_part(EVENT_PREFIX)}"
"""What stands in the topic of an event, and in no other that is one of a link's."""


class Counts(dict[str, int]):
    """Counts by name: `counts[name] += 1`. A name not counted yet stands at 0.

    Names beyond the first `MAX_NAMES`, and longer ones than `MAX_NAME_CHARACTERS`, are counted
    under `OTHERS` together.
    """

    def __missing__(self, name: str) -> int:
        return 0

    def __setitem__(self, name: str, count: int) -> None:
        if name in self or self._has_room_for(name):
            super().__setitem__(name, count)
        else:  # it stood at 0, so its count is what there is to add
            super().__setitem__(OTHERS, self[OTHERS] + count)

    def _has_room_for(self, name: str) -> bool:
        return len(self) < MAX_NAMES and len(name) <= MAX_NAME_CHARACTERS

    def lines(self) -> Iterator[str]:
        """A line for each name, in the order of the alphabet."""
        for name in sorted(self):
            yield f"    {self[name]:7d}  {name}"


class ReuploadState(Protocol):
    """How far a re-upload has come; `gwproactor.links.core.reupload_progress` has one."""

    @property
    def total(self) -> int:
        """How many events had waited."""
        ...

    @property
    def sent(self) -> int:
        """How many of them have been sent."""
        ...

    @property
    def acked(self) -> int:
        """How many of them were acknowledged."""
        ...

    @property
    def left(self) -> int:
        """How many of them are still to be acknowledged."""
        ...


@dataclass
class ReuploadCounts:
    """How often the sending of waiting events has begun, and how often all were acknowledged.

    Of the last one also how many events had waited, how many of them were sent, acknowledged, and
    are left; brought up to date about once a second and at the end.
    """

    started: int = 0
    completed: int = 0
    total: int = field(default=0, compare=False)
    sent: int = field(default=0, compare=False)
    acked: int = field(default=0, compare=False)
    left: int = field(default=0, compare=False)

    def start(self) -> None:
        """Count one begun."""
        self.started += 1

    def complete(self) -> None:
        """Count one completed."""
        self.completed += 1

    def note(self, state: ReuploadState) -> None:
        """Take note of how far the last one has come."""
        self.total, self.sent, self.acked = state.total, state.sent, state.acked
        self.left = state.left


@dataclass
class LinkStats:
    """What one link has counted. Belongs to the loop's thread, as all of this module.

    Args:
        name: The link's name.
        num_received_by_type: Messages received that could be decoded, by TypeName.
        num_received_by_topic: Packets received, by topic.
        comm_event_counts: What happened to the link, by the TypeName of its events.
        reupload_counts: How often waiting events were sent.
        timeouts: Acks that did not come in time.
        num_received: Packets received, whatever was in them.
        began_at: When counting began, in seconds of the monotonic clock.
    """

    name: str
    num_received_by_type: Counts = field(default_factory=Counts)
    num_received_by_topic: Counts = field(default_factory=Counts)
    comm_event_counts: Counts = field(default_factory=Counts)
    reupload_counts: ReuploadCounts = field(default_factory=ReuploadCounts)
    timeouts: int = 0
    num_received: int = 0
    began_at: float = field(default_factory=time.monotonic)

    def start_reupload(self) -> None:
        """Count that waiting events begin to be sent."""
        self.reupload_counts.start()

    def complete_reupload(self) -> None:
        """Count that all events that waited are acknowledged."""
        self.reupload_counts.complete()

    @property
    def seconds(self) -> float:
        """For how long it has counted."""
        return time.monotonic() - self.began_at

    def as_data(self) -> dict[str, object]:
        """All of it as new values that JSON can hold."""
        return {
            "name": self.name,
            "seconds": self.seconds,
            "num_received": self.num_received,
            "num_received_by_type": dict(self.num_received_by_type),
            "num_received_by_topic": dict(self.num_received_by_topic),
            "comm_event_counts": dict(self.comm_event_counts),
            "reuploads_started": self.reupload_counts.started,
            "reuploads_completed": self.reupload_counts.completed,
            "last_reupload": {
                "total": self.reupload_counts.total,
                "sent": self.reupload_counts.sent,
                "acked": self.reupload_counts.acked,
                "left": self.reupload_counts.left,
            },
            "timeouts": self.timeouts,
        }

    def __str__(self) -> str:
        reuploads = self.reupload_counts
        summary = (
            f"Link {self.name}: {self.num_received} received, {self.timeouts} ack timeouts,"
            f" {reuploads.started} reuploads started, {reuploads.completed} completed"
            f" in {self.seconds:.0f} s"
        )
        return "\n".join(
            (
                summary,
                *_table("Received by type", self.num_received_by_type),
                *_table("Received by topic", self.num_received_by_topic),
                *_table("Comm events", self.comm_event_counts),
            )
        )


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

    num_received: int
    """Packets received on all links, removed ones included."""
    num_received_by_type: Counts
    """Messages that were handed on inside the proactor, by TypeName."""
    num_received_by_topic: Counts
    """Packets received on all links, by topic."""
    num_events_received: int
    """Packets received on the topic of an event."""
    num_problems: int
    """Problems reported, warnings included."""
    num_problems_by_summary: Counts
    """The same by their summaries."""
    links: dict[str, LinkStats]
    """What each link has counted, by its name."""

    def __init__(self, link_names: Sequence[str] | None = None) -> None:
        self.num_received = 0
        self.num_received_by_type = Counts()
        self.num_received_by_topic = Counts()
        self.num_events_received = 0
        self.num_problems = 0
        self.num_problems_by_summary = Counts()
        self.links = {}
        self._began_at = time.monotonic()
        for name in link_names or ():
            self.add_link(name)

    @property
    def seconds(self) -> float:
        """For how long it has counted."""
        return time.monotonic() - self._began_at

    def add_message(self, message: Message[Any]) -> None:
        """Count a message that is handed on inside the proactor."""
        self.num_received_by_type[message.Header.MessageType] += 1

    def add_problem(self, summary: str) -> None:
        """Count a problem that is reported."""
        self.num_problems += 1
        self.num_problems_by_summary[summary] += 1

    def add_packet(self, link_name: str, topic: str) -> None:
        """Count a packet that a link received. Raises KeyError where there is no such link."""
        link = self.links[link_name]
        link.num_received += 1
        link.num_received_by_topic[topic] += 1
        self.num_received += 1
        self.num_received_by_topic[topic] += 1
        if _EVENT_LEVEL in topic:
            self.num_events_received += 1

    def add_mqtt_message(self, message: ReceiptMessage) -> None:
        """Count the packet that a message tells of, as `add_packet`."""
        self.add_packet(message.Payload.client_name, message.Payload.message.topic)

    def add_decoded_mqtt_message_type(self, link_name: str, decoded_message_type: str) -> None:
        """Count what was in a packet that a link received, once it is decoded."""
        self.links[link_name].num_received_by_type[decoded_message_type] += 1

    def total_received(self, message_type: str) -> int:
        """How many messages of this TypeName were handed on inside the proactor."""
        return self.num_received_by_type[message_type]

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
        """Forget what a link counted; an unknown name is nothing to forget."""
        self.links.pop(link_name, None)

    def has_link(self, name: str) -> bool:
        """Whether it counts for a link of that name."""
        return name in self.links

    def link(self, name: str) -> LinkStats:
        """What the link of that name has counted. Raises KeyError where there is none."""
        return self.links[name]

    def as_data(self) -> dict[str, object]:
        """All of it, links included, as new values that JSON can hold."""
        return {
            "seconds": self.seconds,
            "num_received": self.num_received,
            "num_received_by_type": dict(self.num_received_by_type),
            "num_received_by_topic": dict(self.num_received_by_topic),
            "num_events_received": self.num_events_received,
            "num_problems": self.num_problems,
            "num_problems_by_summary": dict(self.num_problems_by_summary),
            "links": {name: link.as_data() for name, link in self.links.items()},
        }

    def __str__(self) -> str:
        """What was received, handed on and reported; the topics stand with each link."""
        summary = (
            f"Proactor: {self.num_received} received, {self.num_events_received} of them events,"
            f" {self.num_problems} problems in {self.seconds:.0f} s"
        )
        return "\n".join(
            (
                summary,
                *_table("Handed on by type", self.num_received_by_type),
                *_table("Problems", self.num_problems_by_summary),
                *(str(self.links[name]) for name in sorted(self.links)),
            )
        )


def _table(title: str, counts: Counts) -> list[str]:
    """The lines of a table of counts; none where nothing was counted."""
    return [f"  {title}:", *counts.lines()] if counts else []
