"""Trouble that lasts is told once, and then at a bounded rate; so is its end.

No clock here: the time comes in as a number of seconds.
"""

from typing import NamedTuple

REPORT_PERIOD_SECONDS = 60.0
"""Often enough to be seen, seldom enough not to fill the very store that is in trouble."""


class Report(NamedTuple):
    """What to tell: one line, and what explains it."""

    summary: str
    details: str


class Trouble:
    """One thing that may fail for a while.

    Args:
        what: The thing, as the beginning of a sentence: "The event store".
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._cause = ""
        self._failures = 0
        self._told_at_seconds: float | None = None
        self._owes_good_news = False

    @property
    def cause(self) -> str:
        """Why it fails now; empty when it does not."""
        return self._cause

    def failed(self, cause: str, now_seconds: float) -> Report | None:
        """Note a failure; return what to tell about it, if anything."""
        self._cause = cause
        self._failures += 1
        told = self._told_at_seconds
        if told is not None and now_seconds - told < REPORT_PERIOD_SECONDS:
            return None
        failures, self._failures = self._failures, 0
        self._told_at_seconds = now_seconds
        self._owes_good_news = True
        count = f" ({failures} failures since the last report)" if failures > 1 else ""
        return Report(f"{self._what} is in trouble", cause + count)

    def worked(self) -> Report | None:
        """Note a success; return what to tell about it, if anything."""
        if not self._cause:
            return None
        cause, self._cause = self._cause, ""
        if not self._owes_good_news:
            return None
        self._owes_good_news = False
        return Report(f"{self._what} works again", f"the trouble was: {cause}")
