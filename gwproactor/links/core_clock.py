"""When a link's core is told what time it is: at its deadline, and with everything that happens.

One timer follows the core's deadline. Where the loop stood still past it, answers may have come
that nobody has read, and the core is held until what waits in the socket is read (`now`).
"""

import asyncio
import time
from collections.abc import Callable

from gwproactor.links.core.link_core import LinkCore
from gwproactor.links.core.timer_interface import TimerManagerInterface
from gwproactor.links.deadline_timer import DeadlineTimer

LATE_SECONDS = 0.05
"""So late a timer means that the loop stood still, and answers may wait unread; see `now`."""


class CoreClock:
    """The time of one link's core. For the loop only.

    Args:
        core: The core.
        timers: Where the one timer comes from.
        catch_up: Called with the present moment when something may have fallen due.
        guarded: Makes what the loop may call of a step.
    """

    def __init__(
        self,
        core: LinkCore,
        timers: TimerManagerInterface,
        catch_up: Callable[[float], None],
        guarded: Callable[[Callable[[], None]], Callable[[], None]],
    ) -> None:
        self._core = core
        self._catch_up = catch_up
        self._resume_safely = guarded(self._resume)
        self._timer = DeadlineTimer(timers, guarded(self._deadline_reached))

    def now(self) -> float:
        """The present moment; where the loop stood still past the deadline, the core is held first.

        Then what waits in the socket is read before it is judged what has not come in time. A
        timer, or a message that is sent, would else be earlier: the socket is looked at in the
        next turn of the loop, and who reads the packets runs in the one after.
        """
        now, deadline = time.monotonic(), self._core.deadline()
        if deadline is not None and now > deadline + LATE_SECONDS:
            self._core.hold()
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, loop.call_soon, self._resume_safely)
        return now

    def follow(self) -> None:
        """See to it that the core is woken at its deadline, which may have moved."""
        self._timer.follow(self._core.deadline())

    def stop(self) -> None:
        """Wake it no more."""
        self._timer.cancel()

    def _resume(self) -> None:
        self._core.resume()
        self._catch_up(time.monotonic())

    def _deadline_reached(self) -> None:
        now = self.now()
        if not self._core.held:
            self._catch_up(now)
