"""What happens to many events at once is counted, and reported at a bounded rate."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from gwproactor.events.core.trouble import REPORT_PERIOD_SECONDS, Report
from gwproactor.events.reporting import ReportProblem

_NAMED = 20
"""So many events are named in one report: the last ones."""

Say = Callable[[int, int, Sequence[str]], Report]
"""Puts it into words: how many since the last report, how many in all, the notes of the last."""


class CountedReports:
    """Counts events to which the same happened. For the loop's thread.

    Args:
        report: Is told at once of the first, and then at most once in a period of the others.
        say: Puts it into words.
    """

    def __init__(self, report: ReportProblem, say: Say) -> None:
        self.count = 0
        """How many events there were in all."""
        self._report = report
        self._say = say
        self._untold = 0
        self._last: deque[str] = deque(maxlen=_NAMED)
        self._timer: asyncio.TimerHandle | None = None

    def note(self, *notes: str) -> None:
        """It happened to so many events; a note names each."""
        self.count += len(notes)
        self._untold += len(notes)
        self._last.extend(notes)
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
        told = self._say(self._untold, self.count, tuple(self._last))
        self._untold = 0
        self._last.clear()
        self._timer = asyncio.get_running_loop().call_later(REPORT_PERIOD_SECONDS, self._tell)
        self._report(*told)


def say_dropped(count: int, total: int, event_ids: Sequence[str]) -> Report:
    """Events were dropped for lack of room."""
    return Report(
        f"{count} events were dropped: the event store is full",
        f"They made room for others, the last of them {event_ids[-1]};"
        f" {total} in all since the start.",
    )


def say_rejected(count: int, total: int, notes: Sequence[str]) -> Report:
    """Events were handed in and not kept, which who handed them in perhaps did not look at."""
    more = f" and {count - len(notes)} before these" if count > len(notes) else ""
    return Report(
        f"{count} events were handed in and not kept",
        f"{'; '.join(notes)}{more}. {total} in all since the start.",
    )


def say_refused(kept: str, count: int, total: int, notes: Sequence[str]) -> Report:
    """Events were set aside because the peer does not take them; `kept` says where."""
    which = f"Event {notes[0].partition(':')[0]} is" if count == 1 else f"{count} events are"
    more = f" and {count - len(notes)} before these" if count > len(notes) else ""
    return Report(
        f"{which} set aside: it cannot be sent" if count == 1 else f"{which} set aside unsent",
        f"{'; '.join(notes)}{more}. {kept}. {total} in all since the start.",
    )
