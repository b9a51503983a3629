"""The queue into which MQTT clients put their notices, whatever kind of queue it is."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from gwproactor.links.core.reports import ReportRate

_LOGGER = logging.getLogger(__name__)


class NoticeQueue(Protocol):
    """Takes what a client tells, by a `put` that does not wait. An `asyncio.Queue` serves too."""

    def put(self, item: Any, /) -> Any:
        """Take a message, without waiting; not called where there is a `put_nowait`."""
        ...


def put_of(queue: NoticeQueue) -> Callable[[Any], Any]:
    """How to put something into a queue without waiting; when it is full, the log says so.

    Args:
        queue: Has a `put_nowait`, or else a `put` that does not wait.
    """
    put: Callable[[Any], Any] = getattr(queue, "put_nowait", None) or queue.put
    rate = ReportRate()

    def put_or_drop(item: Any) -> None:
        try:
            put(item)
        except asyncio.QueueFull:
            unreported = rate.again(time.monotonic(), "full")
            if unreported is not None:
                text = "the queue of MQTT clients is full: notices are dropped (%d since the last)"
                _LOGGER.warning(text, unreported + 1)

    return put_or_drop
