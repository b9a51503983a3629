"""Timers of the running asyncio loop, behind the port of the links."""

import asyncio
import math
from collections.abc import Callable

from gwproactor.errors import UsageError
from gwproactor.links.core.timer_interface import TimerManagerInterface


class AsyncioTimerManager(TimerManagerInterface):
    """Timers on the loop's monotonic clock; callbacks run in the loop's thread."""

    def start_timer(
        self, delay_seconds: float, callback: Callable[[], None]
    ) -> asyncio.TimerHandle:
        """Start a timer on the running loop; call it from the loop's thread.

        Args:
            delay_seconds: Seconds until the callback; zero or less means at the loop's next turn.
            callback: What the loop calls, once.

        Returns:
            The loop's handle, for `cancel_timer`.

        Raises:
            UsageError: The delay is not a number: a NaN compares with nothing, and would keep the
                loop from finding its other timers.
            RuntimeError: No loop runs in this thread.
        """
        if math.isnan(delay_seconds):
            raise UsageError("delay_seconds is not a number (NaN)")
        return asyncio.get_running_loop().call_later(delay_seconds, callback)

    def cancel_timer(self, timer_handle: asyncio.TimerHandle) -> None:
        """Cancel a timer; from the loop's thread. Once cancelled, its callback never runs.

        Args:
            timer_handle: What `start_timer` returned.
        """
        timer_handle.cancel()
