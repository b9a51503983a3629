"""Events that a persister keeps, for links that run without a proactor."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import StoreError
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.core.window import MAX_BATCHED_WINDOW, Window
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.persisters.persister import PersisterInterface
from gwproactor.events.persisters.persister_store import PersisterStore
from gwproactor.events.store import EventRef


def window_of(settings: ProactorSettings) -> Window:
    """How many events may be in flight, by the settings."""
    batched = MAX_BATCHED_WINDOW if settings.events.batches else None
    first = settings.num_initial_event_reuploads
    return Window(first, settings.events.max_window, batched)


def kept_events(
    persister: PersisterInterface, settings: ProactorSettings, report: Callable[[str, str], None]
) -> OutgoingEvents:
    """The events for the upstream peer, in a persister.

    Args:
        persister: Keeps them.
        settings: How many may be in flight, and how much may be kept.
        report: Called with summary and details when something is wrong.
    """
    limit, max_bytes = persister.max_bytes, settings.events.max_bytes
    outbox = Outbox(
        max_bytes=max_bytes if limit is None else min(limit, max_bytes),
        window=window_of(settings),
    )
    store = PersisterStore(persister, report=report)
    return OutgoingEvents(store, outbox, on_stored=_ignore, on_acked=_ignore, report=report)


@asynccontextmanager
async def running_events(events: OutgoingEvents, close_seconds: float) -> AsyncIterator[None]:
    """Open events, write them while the block runs, and close them with all that is to be written.

    Args:
        events: The events.
        close_seconds: How long closing waits for the persister.

    Raises:
        StoreError: The persister cannot be used, or did not take everything.
    """
    try:
        await events.open()
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(events.run(), name="events of links")
            try:
                yield
            finally:
                writing.cancel()
    finally:
        await _close(events, close_seconds)


async def _close(events: OutgoingEvents, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await events.close()
    except TimeoutError:
        raise StoreError(f"the persister did not answer within {seconds:g} s") from None


def _ignore(_ref: EventRef) -> None:
    """Who wants to know has a ticket."""
