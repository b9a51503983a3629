"""Sends the events of the upstream link, as fast as peer and socket take them.

Which event is next, how many may be unacknowledged and what is sent again after a loss is decided
by the source (`gwproactor.events.outgoing`), which gives events only while the link is active.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from gwproactor.errors import ConnectionLostError, NotRunningError
from gwproactor.events.store import StoredEvent
from gwproactor.events.tickets import EventTicket
from gwproactor.links.transport import Connection


class EventSource(Protocol):
    """Where the events for the upstream peer come from; `OutgoingEvents` is one."""

    async def next_to_send(self) -> Sequence[StoredEvent]:
        """The next events to send, at least one; waits until there are some. Cancel-safe."""
        ...

    def activated(self) -> None:
        """The link is active: events may go out, those not acknowledged yet first."""
        ...

    def deactivated(self, *, connection_lost: bool = False) -> None:
        """The link is not active any more, because the connection was lost or otherwise."""
        ...

    def unsendable(self, event_id: str, reason: str, *, for_ever: bool = True) -> None:
        """An event that `next_to_send` gave cannot be sent; it must not hold up the others."""
        ...

    def overdue(self, event_ids: Sequence[str], *, in_batch: bool) -> None:
        """The peer did not acknowledge a message in time: these events, or something else."""
        ...

    def acked(self, event_id: str) -> bool:
        """The peer acknowledged a message; False when it is none of the source's events."""
        ...

    def acked_many(self, event_ids: Sequence[str], waited: float) -> None:
        """The peer acknowledged these events by one message, after that share of the timeout."""
        ...

    def refused(self, event_ids: Sequence[str]) -> None:
        """The peer said that it did not take these events."""
        ...

    def allow_batches(self, allowed: bool) -> None:
        """The peer takes many events in one message, or does so no longer."""
        ...

    @property
    def batch_count(self) -> int:
        """How many events should go into one message."""
        ...


class EventStoreSource(EventSource, Protocol):
    """An event source that events are posted to; `OutgoingEvents` is one."""

    @property
    def pending_count(self) -> int:
        """How many events are pending."""
        ...

    @property
    def pending_bytes(self) -> int:
        """What they count against the size of the store."""
        ...

    @property
    def unacked_count(self) -> int:
        """How many of them the peer has not acknowledged."""
        ...

    @property
    def backlog_count(self) -> int:
        """How many of them were posted before the link became active."""
        ...

    @property
    def backlog_sent_count(self) -> int:
        """How many of those posted before the link became active have been sent since."""
        ...

    @property
    def dropped_count(self) -> int:
        """How many events were dropped to make room for others."""
        ...

    @property
    def in_flight_count(self) -> int:
        """How many were sent since the activation and not acknowledged."""
        ...

    def post(
        self,
        event_id: str,
        payload: bytes,
        tag: str = "",
        *,
        urgent: bool = True,
        source: str = "",
        priority: int = 0,
    ) -> EventTicket:
        """Hand in an event; see `OutgoingEvents.post`."""
        ...


async def pump_events(
    source: EventSource,
    send: Callable[[Sequence[StoredEvent]], Iterable[None]],
    connection: Connection,
) -> None:
    """Send events until the connection is lost. Cancel-safe.

    Args:
        source: Gives the events.
        send: Hands events to the connection, in one message with each step.
        connection: The connection, whose socket sets the pace.
    """
    try:
        while True:
            for _message in send(await source.next_to_send()):
                # After each: a window full of long events must not pile up in memory.
                await connection.drain()
    except ConnectionLostError:
        return  # the reader of the connection notices and tells why
    except NotRunningError:
        return  # the source was closed before the link was stopped
