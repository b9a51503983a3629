"""What a poller tells of its failures, and how often. Pure: told the time in monotonic seconds.

The first failure is told at once, then one after a pause that doubles, with the number of failures
since. That it works again is told once, and only after a failure that was told. A server that fails
every other time is in trouble all the while: the pauses are forgotten when it has worked for long.
"""

from dataclasses import dataclass
from typing import Final

from gwproactor.links.core.reports import ReportRate

LONG_SECONDS: Final = 600.0
"""What has worked for so long is not what failed before."""


@dataclass(frozen=True)
class PollReport:
    """Something to tell.

    Args:
        what: In words that are the same each time.
        details: This time.
        is_error: Somebody must act; otherwise it is good news.
    """

    what: str
    details: str
    is_error: bool


class PollTroubles:
    """The failures of one poller."""

    def __init__(self) -> None:
        self._rate = ReportRate()
        self._kinds: set[str] = set()
        self._since: float | None = None
        self._told = False
        self._well_since: float | None = None
        self.failure_count = 0
        """How many there were since the beginning."""
        self.failures_in_a_row = 0
        """How many there were since it last worked."""

    def failed(
        self, now: float, kind: str, details: str, *, tell: bool = True
    ) -> PollReport | None:
        """Take note of a failure.

        Args:
            now: The present moment.
            kind: Of which kind it is; each is told at a rate of its own.
            details: What happened.
            tell: Whether anybody wants to know; it is counted all the same.

        Returns:
            What is to be told, if anything.
        """
        self._forget_what_is_long_over(now)
        self._well_since = None
        self._since = now if self._since is None else self._since
        self.failure_count += 1
        self.failures_in_a_row += 1
        if not tell:
            return None
        self._kinds.add(kind)
        told = self._rate.told(now, kind, details)
        if told is None:
            return None
        self._told = True
        return PollReport(kind, told, is_error=True)

    def worked(self, now: float) -> PollReport | None:
        """Take note that a poll worked.

        Returns:
            What is to be told, if anything.
        """
        told, since, count = self._told, self._since, self.failures_in_a_row
        self._well_since = now if self._well_since is None else self._well_since
        self._since, self._told, self.failures_in_a_row = None, False, 0
        self._forget_what_is_long_over(now)
        if not told or since is None:
            return None
        details = f"after {count} failed polls in {now - since:.0f} s"
        return PollReport("works again", details, is_error=False)

    def _forget_what_is_long_over(self, now: float) -> None:
        if self._well_since is not None and now - self._well_since >= LONG_SECONDS:
            for kind in self._kinds:
                self._rate.over(kind)
            self._kinds.clear()
