"""Taking in what earlier runs left does not hold the loop, however much it is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gwproactor.events.core.inbox import Inbox
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.incoming import IncomingEvents, ReceivedEvent
from gwproactor.events.log.seen_log import MemorySeen
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.slices import SLICE_COUNT, in_slices
from gwproactor.events.store import StoredEvent

COUNT = 3 * SLICE_COUNT + 1


async def full_store() -> MemoryStore:
    store = MemoryStore()
    await store.commit([StoredEvent(n + 1, f"id-{n}", b"{}", "child") for n in range(COUNT)], ())
    return store


def outgoing(store: MemoryStore) -> OutgoingEvents:
    return OutgoingEvents(
        store,
        Outbox(),
        on_stored=lambda _: None,
        on_acked=lambda _: None,
        report=lambda *_: None,
    )


def incoming(store: MemoryStore) -> IncomingEvents:
    return IncomingEvents(
        store,
        MemoryStore(),
        MemorySeen(),
        Inbox(),
        handler=never,
        acknowledge=lambda *_: None,
        report=lambda *_: None,
    )


async def never(_event: ReceivedEvent) -> None:
    raise AssertionError("nothing is delivered before it runs")


@asynccontextmanager
async def beside(work: Callable[[], None]) -> AsyncIterator[None]:
    """Do `work` once in each turn of the loop."""

    async def again_and_again() -> None:
        while True:
            work()
            await asyncio.sleep(0)

    task = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("make", [outgoing, incoming])
async def test_other_tasks_run_while_events_are_taken_in(
    make: Callable[[MemoryStore], OutgoingEvents | IncomingEvents],
) -> None:
    events = make(await full_store())
    seen: set[int] = set()
    async with beside(lambda: seen.add(events.pending_count)):
        await events.open()
    assert events.pending_count == COUNT
    assert {SLICE_COUNT, 2 * SLICE_COUNT, 3 * SLICE_COUNT} <= seen
    await events.close()


@pytest.mark.parametrize("make", [outgoing, incoming])
async def test_taking_in_may_be_cancelled(
    make: Callable[[MemoryStore], OutgoingEvents | IncomingEvents],
) -> None:
    events = make(await full_store())
    opening = asyncio.create_task(events.open())

    def cancel() -> None:
        if events.pending_count:
            opening.cancel()

    async with beside(cancel):
        with pytest.raises(asyncio.CancelledError):
            await opening
    assert events.pending_count < COUNT
    await events.close()


async def test_slices_hold_everything_in_order() -> None:
    store = await full_store()
    slices = [refs async for refs in in_slices(store.pending())]
    assert [ref for refs in slices for ref in refs] == list(store.pending())
    assert max(map(len, slices)) == SLICE_COUNT
    assert [refs async for refs in in_slices([])] == []
