"""One timer for a deadline that moves all the time.

Most deadlines of a link move away before they are reached, because a message came. A timer that
followed each move would cost more than the message. So the timer is moved only when the deadline
comes nearer; one that has moved away is noticed when the timer fires, which then is set anew.
"""

import time
from collections.abc import Callable
from typing import Any

from gwproactor.links.core.timer_interface import TimerManagerInterface

NEVER = float("inf")


class DeadlineTimer:
    """Calls back at a deadline or before, never after it (but for the loop's own delay).

    Args:
        timers: Starts timers.
        callback: Called when the timer fires; it must end in `follow`.
    """

    def __init__(self, timers: TimerManagerInterface, callback: Callable[[], None]) -> None:
        self._timers = timers
        self._callback = callback
        self._handle: Any = None
        self._fires_at = NEVER

    def follow(self, deadline: float | None) -> None:
        """See to it that the timer fires no later than `deadline`, monotonic seconds."""
        if deadline is None or self._fires_at <= deadline:
            return
        self.cancel()
        self._fires_at = deadline
        self._handle = self._timers.start_timer(deadline - time.monotonic(), self._fired)

    def cancel(self) -> None:
        """Let it not fire until `follow` is called again."""
        if self._handle is not None:
            self._timers.cancel_timer(self._handle)
        self._handle, self._fires_at = None, NEVER

    def _fired(self) -> None:
        self._handle, self._fires_at = None, NEVER
        self._callback()
