"""Sends the events of the upstream link, as fast as peer and socket take them.

Which event is next, how many may be unacknowledged and what is sent again after a loss is decided
by the source (`gwproactor.events.outgoing`), which gives events only while the link is active.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Protocol, Self

from gwproactor.errors import ConnectionLostError, NotRunningError
from gwproactor.events.store import StoredEvent
from gwproactor.events.tickets import EventTicket
from gwproactor.links.fault_desk import FaultDesk, cancels_asked
from gwproactor.links.own_faults import stray_cancel
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


Send = Callable[[Sequence[StoredEvent]], Iterable[None]]
"""Hands events to the connection, in one message with each step."""


class EventPump:
    """Sends events beside who reads the connection, in a task for each. For the loop only.

    It is used with `async with`; when that is left, nothing of it runs any more. Cancel-safe.

    Args:
        source: Gives the events; None where there are none.
        send: Hands them to the connection.
        faults: Takes faults of ours.
    """

    def __init__(self, source: EventSource | None, send: Send, faults: FaultDesk) -> None:
        self._source = source
        self._send = send
        self._faults = faults
        self._tasks = asyncio.TaskGroup()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._tasks.__aexit__(kind, error, where)

    def begin(self, connection: Connection) -> None:
        """Send over a new connection, until `end`."""
        if self._source is not None:
            self._task = self._tasks.create_task(self._pump(self._source, connection))

    def end(self) -> None:
        """Send nothing more from now on; nobody needs to wait until the task has ended, too."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _pump(self, source: EventSource, connection: Connection) -> None:
        """Send events; a fault in that ends the connection, and so reaches the link's own task.

        Raised, it would make the TaskGroup cancel that task, to which a cancel means the link's
        end; and a stray cancel would end the pump in silence, on a link that stays active.
        """
        cancels = cancels_asked()
        try:
            await pump_events(source, self._send, connection)
        except asyncio.CancelledError as error:
            if cancels_asked() > cancels:
                raise
            self._faults.note(stray_cancel(error))
        except Exception as error:  # noqa: BLE001 - the link's task reports it
            self._faults.note(error)


async def pump_events(source: EventSource, send: Send, connection: Connection) -> None:
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
