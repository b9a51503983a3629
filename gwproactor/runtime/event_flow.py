"""The events of one node, sent and received, over one data folder or in memory.

Which stores stand behind them is decided here, and in which order things are opened and closed;
what is done with events is the business of `gwproactor.events`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from gwproactor.config.events import Durability, EventSettings, EventStoreKind
from gwproactor.errors import StoreError
from gwproactor.events.core.inbox import Inbox
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.core.window import Window
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.disk.reserve import Reserve
from gwproactor.events.incoming import IncomingEvents, ReceivedEvent
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.log.seen_log import MemorySeen, SeenLog
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.persisters.persister import PersisterInterface
from gwproactor.events.persisters.persister_store import PersisterStore
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.events.reporting import ReportProblem
from gwproactor.events.store import EventRef, EventStore

CLOSE_SECONDS = 0.8
"""How long closing waits for a disk; a node is to stop within 2 s, with all that it does then."""

_HANDLER_SECONDS = 0.5
"""How long a stop waits for the handler to finish the event it has."""

_LOGGER = logging.getLogger(__name__)


class EventFlow:
    """What a node sends and receives as events. For the event loop's thread.

    Args:
        node_name: The node's name, which another node is told that wants the same folder.
        settings: Where and how surely events are kept.
        window: How many events may be in flight.
        handler: Is given each received event; see `IncomingEvents`.
        acknowledge: Acknowledges a received event: link's name, event's id.
        on_stored: See `OutgoingEvents`.
        on_acked: See `OutgoingEvents`.
        report: Called with summary and details when something is wrong.
        persister: Keeps the events that are sent, instead of what `settings` says of them. It is
            called from a thread of its own, and by nobody else from `open` to `close`.
    """

    def __init__(
        self,
        node_name: str,
        settings: EventSettings,
        window: Window,
        *,
        handler: Callable[[ReceivedEvent], Awaitable[None]],
        acknowledge: Callable[[str, str], None],
        on_stored: Callable[[EventRef], None],
        on_acked: Callable[[EventRef], None],
        report: Callable[[str, str], None],
        persister: PersisterInterface | None = None,
    ) -> None:
        self._folder: DataFolder | None = None
        needs_folder = not (settings.outbox_in_memory and settings.inbox_in_memory)
        if settings.folder is not None and needs_folder:
            self._folder = DataFolder(settings.folder, node_name)
        outbox = Outbox(
            max_bytes=_outbox_bytes(settings, persister),
            window=window,
            when_full=settings.when_full,
            max_tries=settings.send_tries,
        )
        inbox = Inbox(
            max_bytes=settings.max_bytes,
            max_tries=settings.handler_tries,
            ack_when_handled=settings.inbox_in_memory,
        )
        store = partial(_store, settings.durability is Durability.fsync, report)
        outgoing_store: EventStore
        outgoing_folder = None if settings.outbox_in_memory else self._folder
        if persister is None:
            outgoing_store = store(outgoing_folder, lambda folder: folder.outbox_path)
        else:
            outgoing_store = PersisterStore(persister, report=report)
        refused: EventStore | None = None
        if persister is None or settings.store is EventStoreKind.files:
            # Into a persister of the application's own nothing could be put back.
            refused = store(outgoing_folder, lambda folder: folder.refused_path)
        inbox_folder = None if settings.inbox_in_memory else self._folder
        self.outgoing = OutgoingEvents(
            outgoing_store,
            outbox,
            on_stored=on_stored,
            on_acked=on_acked,
            report=report,
            refused=refused,
        )
        self.incoming = IncomingEvents(
            store(inbox_folder, lambda folder: folder.inbox_path),
            store(inbox_folder, lambda folder: folder.dead_letters_path),
            MemorySeen()
            if inbox_folder is None
            else SeenLog(inbox_folder.seen_path, durable=settings.durability is Durability.fsync),
            inbox,
            handler=handler,
            acknowledge=acknowledge,
            report=report,
            reserve=None if inbox_folder is None else Reserve(inbox_folder.reserve_path),
        )

    async def open(self) -> None:
        """Hold the folder and read what earlier runs left.

        Raises:
            StoreError: The folder cannot be used; nothing is held then.
        """
        if self._folder is not None:
            await asyncio.to_thread(self._folder.open)
        try:
            await self.outgoing.open()
            await self.incoming.open()
        except BaseException:
            await self.close()
            raise

    async def close(self, timeout_seconds: float = CLOSE_SECONDS) -> None:
        """Write what is left to write, close the stores, let go of the folder. Cancel-safe.

        Both directions are closed side by side, so that neither waits for the other's disk.

        Args:
            timeout_seconds: How long to wait for the handler and for each disk.

        Raises:
            StoreError: Something posted or handled could not be written.
        """
        handler_seconds = min(_HANDLER_SECONDS, timeout_seconds / 2)
        try:
            outcomes = await asyncio.gather(
                _within(timeout_seconds, self.outgoing.close()),
                _within(timeout_seconds, self.incoming.close(handler_seconds=handler_seconds)),
                return_exceptions=True,
            )
        finally:
            if self._folder is not None:
                self._folder.close()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome


def event_files(settings: EventSettings) -> PersisterInterface | None:
    """What keeps a file for each event, where the settings say so."""
    if settings.store is not EventStoreKind.files or settings.outbox_in_memory:
        return None
    assert settings.folder is not None  # else it would be in memory
    return TimedRollingFilePersister(
        settings.files_folder or settings.folder / "event",
        max_bytes=settings.max_bytes,
        pat_watchdog_args=settings.pat_watchdog_args,
        on_progress=lambda count: _LOGGER.info("%d events found so far", count),
        trim=False,
        durable=settings.durability is Durability.fsync,
    )


def _store(
    durable: bool,
    report: ReportProblem,
    folder: DataFolder | None,
    path: Callable[[DataFolder], Path],
) -> EventStore:
    if folder is None:
        return MemoryStore()
    return LogStore(path(folder), durable=durable, report=report)


def _outbox_bytes(settings: EventSettings, persister: PersisterInterface | None) -> int:
    """The limit of the outbox: below that of a persister, which would drop the oldest at its own.

    An event counts more in the outbox than its content does in a persister.
    """
    limit = persister.max_bytes if persister is not None else None
    return settings.max_bytes if limit is None else min(limit, settings.max_bytes)


async def _within(timeout_seconds: float, closing: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(timeout_seconds):
            await closing
    except TimeoutError:
        raise StoreError(f"the disk did not answer within {timeout_seconds:g} s") from None
