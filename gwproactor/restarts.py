"""How soon a task that died is begun anew, and when that is given up: the core of supervision.

A task that fails once a day is begun anew within a second. One that fails at once each time is
tried ever more rarely, and after too many tries in too short a time the trouble is not the task's
alone. Pure: it is told the time, in monotonic seconds.
"""

from collections import deque

from gwproactor.config.tasks import OnFailure, TaskPolicy


class Restarts:
    """The restarts of one task.

    Args:
        policy: How many, and how soon.
    """

    def __init__(self, policy: TaskPolicy) -> None:
        self._policy = policy
        self._recent: deque[float] = deque()
        """The moments of the failures that were followed by a restart; `max_restarts` at most."""

    def after_failure(self, now: float) -> float | None:
        """Take note that the task has died.

        Args:
            now: The present moment.

        Returns:
            How many seconds to wait before it is begun anew; None when it is not.
        """
        policy = self._policy
        while self._recent and now - self._recent[0] > policy.within_seconds:
            self._recent.popleft()
        count = len(self._recent)
        if policy.on_failure is not OnFailure.restart or count >= policy.max_restarts:
            return None
        self._recent.append(now)
        return min(policy.first_delay_seconds * 2.0**count, policy.longest_delay_seconds)
