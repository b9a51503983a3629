"""A ticket for each event handed in: what one awaits to know that it is durable, or acknowledged.

A ticket costs nothing until somebody awaits it: only then a future is made.
"""

import asyncio
from collections import defaultdict
from typing import Protocol

from gwproactor.events.store import EventRef


class TicketOffice(Protocol):
    """What a ticket asks about its event."""

    async def wait_stored(self, ref: EventRef) -> None:
        """Wait until the event is durable."""
        ...

    async def wait_acked(self, ref: EventRef) -> None:
        """Wait until the peer has it."""
        ...


class EventTicket:
    """Follows one event that was handed in. For the loop's thread, any number of waiters.

    Attributes:
        ref: The event.
    """

    __slots__ = ("_office", "ref")

    def __init__(self, office: TicketOffice, ref: EventRef) -> None:
        self._office = office
        self.ref = ref

    @property
    def event_id(self) -> str:
        """The event's id."""
        return self.ref.event_id

    async def stored(self) -> None:
        """Wait until the event is durable. Cancelling is safe.

        Raises:
            StoreError: It could not be stored before the end.
        """
        await self._office.wait_stored(self.ref)

    async def acked(self) -> None:
        """Wait until the peer has acknowledged the event. Cancelling is safe.

        Raises:
            StoreError: The event was damaged on the disk, and cannot be sent any more.
            NotRunningError: The node stopped first; a stored event is sent by its next run.
        """
        await self._office.wait_acked(self.ref)


class Waiters:
    """Futures of those who wait for something about an event, by its sequence."""

    def __init__(self) -> None:
        self._futures: defaultdict[int, list[asyncio.Future[None]]] = defaultdict(list)

    async def wait(self, sequence: int) -> None:
        """Wait until `done` or `failed` is called for `sequence`."""
        future = asyncio.get_running_loop().create_future()
        self._futures[sequence].append(future)
        try:
            await future
        finally:
            self._leave(sequence, future)

    def _leave(self, sequence: int, future: asyncio.Future[None]) -> None:
        futures = self._futures.get(sequence, [])
        if future in futures:
            futures.remove(future)
        if not futures:
            self._futures.pop(sequence, None)

    def done(self, sequence: int) -> None:
        """It has happened."""
        if self._futures:
            for future in self._futures.pop(sequence, ()):
                if not future.done():
                    future.set_result(None)

    def failed(self, sequence: int, error: Exception) -> None:
        """It will never happen."""
        for future in self._futures.pop(sequence, ()):
            if not future.done():
                future.set_exception(error)

    def all_failed(self, error: Exception) -> None:
        """None of it will ever happen."""
        for sequence in list(self._futures):
            self.failed(sequence, error)
