"""Faults of ours in a running link: how they are told, and how long the link rests after one.

What a broker or a peer may do is foreseen and has its place. What nobody foresaw, an exception that
says no more than that there is a mistake in this program or in a part that it was given, costs the
link on which it happens its connection, and nothing else: it is reported with its traceback, and
after a pause the link begins again. The pause doubles while faults follow each other, so that a
mistake that lasts neither fills the log nor hammers a broker. Pure: told the time.
"""

from collections.abc import Iterator
from typing import Final

from gwproactor.links.core.backoff import Random, retry_delays
from gwproactor.links.core.message_times import BEFORE_ALL_TIME

CALM_SECONDS: Final = 600.0
"""After so long without a fault the next one has little to do with the last: ten times the longest
pause, so that a link which fails soon after each beginning is not taken for a good one."""


class FaultRest:
    """How long one link rests after each fault: 1 s, doubling to a minute, with jitter.

    Args:
        random: Gives numbers between 0 and 1, for the jitter.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._last_at = BEFORE_ALL_TIME
        self._delays: Iterator[float] = iter(())

    def next_seconds(self, now: float) -> float:
        """Take note of a fault, and return the seconds until the link may begin again."""
        if now - self._last_at >= CALM_SECONDS:
            self._delays = retry_delays(self._random)
        self._last_at = now
        return next(self._delays)


def stray_cancel(error: BaseException) -> Exception:
    """The fault that a CancelledError is where nobody asked the task to end.

    Something that the task waited for was cancelled. Taken for a cancel of the task itself it would
    end the link in silence.
    """
    fault = RuntimeError("something that was waited for was cancelled, and nobody asked for it")
    fault.__cause__ = error
    return fault


def only_one(error: Exception) -> Exception:
    """The exception that matters: that of a group that has no other, or the group itself."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
