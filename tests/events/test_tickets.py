"""What a ticket's waiters hear; `test_outgoing` has the events around it."""

import asyncio

import pytest

from gwproactor.errors import NotRunningError, StoreError
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.tickets import EventTicket, TicketOffice


class Office:
    """An office over an outbox with one event, and its ticket."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.tickets = TicketOffice(self.outbox)
        self.ref = self.outbox.add("a", 2).ref
        self.ticket: EventTicket = self.tickets.ticket(self.ref)

    def store(self) -> None:
        self.outbox.stored([self.ref])
        self.tickets.stored(self.ref)

    def ack(self) -> None:
        self.outbox.acked("a")
        self.outbox.removed([self.ref])
        self.tickets.acked(self.ref)


async def waiting(*tasks: "asyncio.Task[None]") -> None:
    """Return when each of them waits."""
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def test_every_waiter_is_woken_once_it_has_happened() -> None:
    office = Office()
    stored = [asyncio.create_task(office.ticket.stored()) for _ in range(2)]
    acked = asyncio.create_task(office.ticket.acked())
    await waiting(*stored, acked)
    office.store()
    await asyncio.gather(*stored)
    await waiting(acked)
    office.ack()
    await acked


async def test_who_asks_later_does_not_wait() -> None:
    office = Office()
    office.store()
    office.ack()
    await office.ticket.stored()
    await office.ticket.acked()


async def test_a_cancelled_waiter_leaves_the_others_waiting() -> None:
    office = Office()
    one, other = (asyncio.create_task(office.ticket.stored()) for _ in range(2))
    await waiting(one, other)
    one.cancel()
    await waiting(other)
    office.store()
    await other


async def test_a_lost_event_is_never_acked() -> None:
    office = Office()
    office.store()
    acked = asyncio.create_task(office.ticket.acked())
    await waiting(acked)
    office.outbox.removed([office.ref])
    office.tickets.lost(office.ref, StoreError("torn"))
    for wait in (acked, office.ticket.acked()):
        with pytest.raises(StoreError, match="torn"):
            await wait


async def test_so_many_lost_events_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gwproactor.events.tickets._MAX_LOST_REMEMBERED", 1)
    office = Office()
    office.outbox.removed([office.ref])
    office.tickets.lost(office.ref, StoreError("torn"))
    other = office.outbox.add("b", 2).ref
    office.tickets.lost(other, StoreError("torn"))
    await office.ticket.acked()  # forgotten, and not pending
    with pytest.raises(StoreError):
        await office.tickets.ticket(other).acked()


async def test_the_end_wakes_everybody() -> None:
    office = Office()
    stored = asyncio.create_task(office.ticket.stored())
    acked = asyncio.create_task(office.ticket.acked())
    await waiting(stored, acked)
    office.tickets.close(StoreError("the disk is gone"))
    for wait in (stored, office.ticket.stored()):
        with pytest.raises(StoreError, match="gone"):
            await wait
    for wait in (acked, office.ticket.acked()):
        with pytest.raises(NotRunningError):
            await wait
