"""When a poll is due. Pure: told the time in monotonic seconds.

Polls are due at the first one and at every whole period after it, however long each takes and
however late it begins, so nothing drifts. One that takes longer than a period, or a machine that
stood still, costs the polls that were due meanwhile: they are left out, not made up for.
"""

import math


class PollTimes:
    """The moments at which polls are due.

    Args:
        period_seconds: From one to the next.
        first_at: The first.
    """

    def __init__(self, period_seconds: float, first_at: float) -> None:
        self._period_seconds = period_seconds
        self._first_at = first_at
        self._turn = 0
        self.missed_count = 0
        """How many were left out."""

    @property
    def due_at(self) -> float:
        """The moment of the present one."""
        return self._first_at + self._turn * self._period_seconds

    def next(self, now: float) -> float:
        """Go on to the next one that is not over yet.

        Args:
            now: The present moment.

        Returns:
            When it is due: not before `now`.
        """
        following = self._turn + 1
        self._turn = max(following, math.ceil((now - self._first_at) / self._period_seconds))
        if self.due_at < now:  # rounded
            self._turn += 1
        self.missed_count += self._turn - following
        return self.due_at
