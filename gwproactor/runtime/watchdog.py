"""The watchdog inside the process: sees to it that everything monitored is alive.

Whatever a communicator says to be monitored has to pat within its timeout: by a message to
`watchdog_manager`, or by `pat`. Either may come from any thread, and counts from the moment it is
given, so that a busy loop takes nothing from a thread. Nothing is polled: the watchdog sleeps until
the next name could expire.

When one does, its name, the others that have expired with it, and the stacks of all tasks and
threads at that moment are reported, and by policy the proactor ends. From then on nothing outside
is told any more that all is well.

While the event loop stands still nobody on it can pat. So when the watchdog wakes up late, it gives
everybody a moment before it looks.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Any

from result import Err, Ok, Result

from gwproactor.config.watchdog import WatchdogSettings, WhenExpired
from gwproactor.errors import UsageError, WatchdogExpiredError
from gwproactor.interfaces import MonitoredName
from gwproactor.message import EndOfPats, KnownNames, PatInternalWatchdog
from gwproactor.runtime.pat_table import Expired, PatTable
from gwproactor.runtime.stacks import stacks_text
from gwproactor.runtime.tasks import Overseer
from gwproactor.texts import cut_to_bytes
from gwproactor.wire.envelope import Message

LATE_SECONDS = 1.0
"""A loop that turns wakes a sleeper within milliseconds; a second later it has stood still."""

GRACE_SECONDS = 1.0
"""Time for those who sleep on the loop to wake up as well, and pat."""

MAX_IN_SUMMARY = 5
"""Expired names in one line."""

MAX_EXPIRED_BYTES = 12 * 1024
"""Of all of them below that, some hundred: the stacks are to have room in the same event."""

_LOOK_AFTER_SECONDS = 0.001
"""A name expires after its timeout, not at it."""


class WatchdogManager:
    """Monitors names. For the loop's thread, but for `pat` and `process_message`.

    Args:
        settings: What follows when a name has expired.
        overseer: Is told of it.
    """

    def __init__(self, settings: WatchdogSettings, overseer: Overseer) -> None:
        self._settings = settings
        self._overseer = overseer
        self._lock = threading.Lock()
        self._table = PatTable()
        self._news = asyncio.Event()
        self._expired: frozenset[str] = frozenset()
        self._condemned = False
        self._is_over = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def name(self) -> str:
        """The name that pats are addressed to."""
        return KnownNames.watchdog_manager

    @property
    def all_is_well(self) -> bool:
        """Whether no monitored name has expired; after one that ended the proactor, never again."""
        return not self._expired and not self._condemned

    def add_monitored_name(self, monitored: MonitoredName) -> None:
        """Monitor a name from now on, or from the start of the proactor where that is later.

        Raises:
            UsageError: It is monitored already, or its timeout is no number of seconds.
        """
        with self._lock:
            self._table.watch(monitored.name, monitored.timeout_seconds, time.monotonic())
        self._news.set()

    def remove_monitored_name(self, name: str) -> None:
        """Monitor a name no longer; an unknown one is nothing to forget."""
        with self._lock:
            self._table.unwatch(name)
        self._look_again_if_expired(name)

    def end(self) -> None:
        """Monitor nothing any more; who still pats does no wrong."""
        with self._lock:
            self._is_over = True
            self._table = PatTable()

    def pat(self, name: str) -> None:
        """Take note that a monitored name is alive. From any thread; never waits.

        Raises:
            UsageError: It is not monitored.
        """
        with self._lock:
            known = self._table.pat(name, time.monotonic()) or self._is_over
        if not known:
            raise UsageError(
                f"{name} pats and is not monitored: let monitored_names of its communicator name it"
            )
        self._look_again_if_expired(name)

    def process_message(self, message: Message[Any]) -> Result[bool, BaseException]:
        """Take in a pat that came as a message, or the end of a sender's pats. From any thread.

        Returns:
            Err where it is neither, or a pat of who is not monitored.
        """
        if message.Header.MessageType == EndOfPats().TypeName:
            self.remove_monitored_name(message.Header.Src)
            return Ok(True)
        if message.Header.MessageType != PatInternalWatchdog().TypeName:
            return Err(UsageError(f"the watchdog does not know {message.Header.MessageType}"))
        try:
            self.pat(message.Header.Src)
        except UsageError as error:
            return Err(error)
        return Ok(True)

    def _look_again_if_expired(self, name: str) -> None:
        if name in self._expired and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._news.set)

    async def run(self) -> None:
        """Monitor, until cancelled. Every name has its whole timeout from here."""
        self._loop = asyncio.get_running_loop()
        with self._lock:
            self._table.pat_all(time.monotonic())
        while True:
            self._news.clear()
            if await self._slept_late():
                await asyncio.sleep(GRACE_SECONDS)
            self._look()

    async def _slept_late(self) -> bool:
        """Sleep until a name may have expired, or one is added; whether that took too long."""
        now = time.monotonic()
        with self._lock:
            wake_at = self._table.next_expiry(self._expired)
        if wake_at is None:
            await self._news.wait()
            return False
        wake_at += _LOOK_AFTER_SECONDS
        try:
            async with asyncio.timeout(wake_at - now):
                await self._news.wait()
        except TimeoutError:
            return time.monotonic() - wake_at > LATE_SECONDS
        return False

    def _look(self) -> None:
        with self._lock:
            expired = self._table.expired(time.monotonic())
        known, self._expired = self._expired, frozenset(each.name for each in expired)
        if self._expired - known:
            self._tell(expired)

    def _tell(self, expired: Sequence[Expired]) -> None:
        """Say what has expired and where everybody is, and end the proactor where that is due."""
        names = [each.name for each in expired]
        stacks = stacks_text(names, self._settings.max_stacks_bytes)
        listed = cut_to_bytes("\n".join(map(str, expired)), MAX_EXPIRED_BYTES)
        details = f"{listed}\n{stacks}"
        summary = "; ".join(map(str, expired[:MAX_IN_SUMMARY]))
        if len(expired) > MAX_IN_SUMMARY:
            summary += f"; and {len(expired) - MAX_IN_SUMMARY} more"
        if self._settings.when_expired is WhenExpired.stop:
            self._condemned = True
            self._overseer.fail(WatchdogExpiredError(f"watchdog: {summary}"), details)
        else:
            self._overseer.report_problem(f"Watchdog: {summary}", details)
