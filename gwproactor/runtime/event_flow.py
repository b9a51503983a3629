"""The events of one node, sent and received, over one data folder or in memory.

Which stores stand behind them is decided here, and in which order things are opened and closed;
what is done with events is the business of `gwproactor.events`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from gwproactor.config.events import Durability, EventSettings
from gwproactor.events.folder import DataFolder
from gwproactor.events.inbox import Inbox
from gwproactor.events.incoming import IncomingEvents, ReceivedEvent
from gwproactor.events.log_store import LogStore
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.outbox import Outbox
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.seen_log import MemorySeen, Seen, SeenLog
from gwproactor.events.store import EventRef, EventStore

_HANDLER_SECONDS = 0.5
"""How long a stop waits for the handler to finish the event it has."""


class EventFlow:
    """What a node sends and receives as events. For the event loop's thread.

    Args:
        node_name: The node's name, which another node is told that wants the same folder.
        settings: Where and how surely events are kept.
        handler: Is given each received event; see `IncomingEvents`.
        acknowledge: Acknowledges a received event: link's name, event's id.
        on_stored: See `OutgoingEvents`.
        on_acked: See `OutgoingEvents`.
        report: Called with summary and details when something is wrong.
    """

    def __init__(
        self,
        node_name: str,
        settings: EventSettings,
        *,
        handler: Callable[[ReceivedEvent], Awaitable[None]],
        acknowledge: Callable[[str, str], None],
        on_stored: Callable[[EventRef], None],
        on_acked: Callable[[EventRef], None],
        report: Callable[[str, str], None],
    ) -> None:
        self._folder: DataFolder | None = None
        if settings.folder is not None and not settings.in_memory:
            self._folder = DataFolder(settings.folder, node_name)
        outbox = Outbox(
            max_bytes=settings.max_bytes,
            first_window=settings.initial_window,
            max_window=settings.max_window,
        )
        inbox = Inbox(max_bytes=settings.max_bytes, ack_when_handled=self._folder is None)
        durable = settings.durability is Durability.fsync
        self.outgoing = OutgoingEvents(
            self._store(durable, lambda folder: folder.outbox_path),
            outbox,
            on_stored=on_stored,
            on_acked=on_acked,
            report=report,
        )
        self.incoming = IncomingEvents(
            self._store(durable, lambda folder: folder.inbox_path),
            self._store(durable, lambda folder: folder.dead_letters_path),
            self._seen(durable),
            inbox,
            handler=handler,
            acknowledge=acknowledge,
            report=report,
        )

    def _store(self, durable: bool, path: Callable[[DataFolder], Path]) -> EventStore:
        if self._folder is None:
            return MemoryStore()
        return LogStore(path(self._folder), durable=durable)

    def _seen(self, durable: bool) -> Seen:
        if self._folder is None:
            return MemorySeen()
        return SeenLog(self._folder.seen_path, durable=durable)

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

    async def close(self) -> None:
        """Write what is left to write, close the stores, let go of the folder. Cancel-safe.

        Raises:
            StoreError: Something posted or handled could not be written.
        """
        try:
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_callback(self.outgoing.close)
                stack.push_async_callback(
                    lambda: self.incoming.close(handler_seconds=_HANDLER_SECONDS)
                )
        finally:
            if self._folder is not None:
                self._folder.close()
