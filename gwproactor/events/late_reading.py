"""What a store could not read at its start is tried again beside everything else, and told."""

import asyncio
from collections.abc import Callable, Sequence

from gwproactor.events.reporting import ReportedTrouble, ReportProblem, report_damages
from gwproactor.events.store import EventRef, EventStore

_FIRST_DELAY_SECONDS = 1.0
_MAX_DELAY_SECONDS = 60.0
"""A disk that fails to read takes long to say so, and meanwhile serves nobody."""


class LateReading:
    """Tries until everything has been read. For the loop's thread.

    Args:
        store: What is read.
        what: What each of its events is: "A stored event".
        take: Given what was found.
        report: Told of the files that cannot be read, and of damage in what was read late.
    """

    def __init__(
        self,
        store: EventStore,
        what: str,
        take: Callable[[Sequence[EventRef]], None],
        report: ReportProblem,
    ) -> None:
        self._store = store
        self._what = what
        self._take = take
        self._report = report
        self._task: asyncio.Task[None] | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        """Read in a task of that group, which ends by itself when all is read."""
        self._task = group.create_task(self._run(), name=f"gwproactor: {self._what} read late")

    def stop(self) -> None:
        """Try no more; before the store is closed."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        trouble = ReportedTrouble(f"Reading {self._what.lower()} at the start", self._report)
        delay_seconds = _FIRST_DELAY_SECONDS
        while unread := await self._read():
            files = "; ".join(unread)
            trouble.failed(f"{files}. They are kept, and tried again; all others are used")
            await asyncio.sleep(delay_seconds)
            delay_seconds = min(2 * delay_seconds, _MAX_DELAY_SECONDS)
        trouble.worked()

    async def _read(self) -> Sequence[str]:
        """Try once; return what is left."""
        refs, damages, unread, moved = await self._store.read_again()
        report_damages(self._report, self._what, damages)
        if moved:
            self._report(f"{self._what} got a new sequence: {len(moved)} did", "; ".join(moved))
        if refs:
            self._take(refs)
        return unread
