"""Events that were dropped for lack of room: counted, and reported at a bounded rate."""

import asyncio
from collections.abc import Sequence

from gwproactor.events.core.trouble import REPORT_PERIOD_SECONDS
from gwproactor.events.reporting import ReportProblem
from gwproactor.events.store import EventRef


class DropReports:
    """Counts what was dropped. For the loop's thread.

    Args:
        report: Is told at once of the first, and then at most once in a period how many more.
    """

    def __init__(self, report: ReportProblem) -> None:
        self.count = 0
        """How many events were dropped in all."""
        self._report = report
        self._untold = 0
        self._last_id = ""
        self._timer: asyncio.TimerHandle | None = None

    def note(self, refs: Sequence[EventRef]) -> None:
        """These events were dropped."""
        self.count += len(refs)
        self._untold += len(refs)
        self._last_id = refs[-1].event_id
        if self._timer is None:
            self._tell()

    def close(self) -> None:
        """Tell what is not told yet, and no more after that."""
        if self._timer is not None:
            self._timer.cancel()
            self._tell()
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self) -> None:
        self._timer = None
        if not self._untold:
            return
        untold, self._untold = self._untold, 0
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(REPORT_PERIOD_SECONDS, self._tell)
        self._report(
            f"{untold} events were dropped: the event store is full",
            f"They made room for others, the last of them {self._last_id};"
            f" {self.count} in all since the start.",
        )
