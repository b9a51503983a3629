"""The port through which the links start timers, so that they need not know an event loop."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any


class TimerManagerInterface(ABC):
    """Starts timers that call back, and cancels them.

    An implementation says in which thread the callbacks run. A callback may still run once after
    its timer was cancelled, where it was on its way already; it must be able to tell and do
    nothing.
    """

    @abstractmethod
    def start_timer(self, delay_seconds: float, callback: Callable[[], None]) -> Any:
        """Start a timer.

        Args:
            delay_seconds: Seconds, approximately, until the callback is called, once.
            callback: What is called; takes nothing.

        Returns:
            A handle to be passed to `cancel_timer`; what it is, is the implementation's business.
        """

    @abstractmethod
    def cancel_timer(self, timer_handle: Any) -> None:
        """Cancel a timer; one that has called back or was cancelled already is left as it is.

        Args:
            timer_handle: What `start_timer` returned.
        """
