"""A filter that lets repeated trouble through as a count."""

import copy
import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import Final

from gwproactor.config.logging import ThrottleSettings
from gwproactor.logs.repeats import Repeats, Withheld

_VARYING = re.compile(r"[0-9a-fA-F-]{8,}|\d+")
"""Ids and numbers, in which records that are alike may differ."""

_KIND_CHARACTERS: Final = 200
"""So much of a message makes its kind: what differs further behind is detail."""


class RepeatFilter(logging.Filter):
    """Withholds records that came a moment ago, and counts them.

    Records are alike that come from one logger, at one level, and whose messages differ in numbers
    and ids only. What was withheld is told by `overdue`, which must be asked from time to time, and
    is asked before each record. For one thread.

    Args:
        settings: How many are let through, and in how long a time.
        applies: Which records it is about; warnings and worse when not given.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        settings: ThrottleSettings,
        applies: Callable[[logging.LogRecord], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._repeats: Repeats[logging.LogRecord] = Repeats(settings.burst, settings.window_seconds)
        self._applies = applies or (lambda record: record.levelno >= logging.WARNING)
        self._clock = clock

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be written now."""
        if not self._applies(record):
            return True
        return self._repeats.shown(self._clock(), kind_of(record), record)

    def overdue(self, told_at: float | None = None) -> Iterator[logging.LogRecord]:
        """A record for each kind of which some were withheld, when its time has come.

        Args:
            told_at: The time that these records bear, in seconds since the epoch; now, when not
                given. Before a record that has waited it is that one's, so that no time in the log
                is before the one above it.
        """
        return self._told(self._clock(), told_at)

    def rest(self) -> Iterator[logging.LogRecord]:
        """The same for all, at once: it is the end."""
        return self._told(float("inf"), None)

    def seconds_to_overdue(self) -> float | None:
        """When to ask for what is overdue; None as long as nothing came."""
        return self._repeats.seconds_to_end(self._clock())

    def _told(self, now: float, told_at: float | None) -> Iterator[logging.LogRecord]:
        told_at = time.time() if told_at is None else told_at
        return (_told(withheld, told_at) for withheld in self._repeats.ended(now))


def kind_of(record: logging.LogRecord) -> str:
    """What makes records alike."""
    text = _VARYING.sub("#", record.getMessage()[:_KIND_CHARACTERS])
    return f"{record.name} {record.levelno} {text}"


def _told(withheld: Withheld[logging.LogRecord], told_at: float) -> logging.LogRecord:
    """The last of the records that were withheld, with their number and without what is below it.

    It bears the time at which it is told, for it stands among records of that time.
    """
    record = copy.copy(withheld.last)
    times = "once more" if withheld.count == 1 else f"{withheld.count} times more"
    record.msg, record.args = f"{record.getMessage()} ... {times}", None
    record.exc_info = record.exc_text = record.stack_info = None
    vars(record).pop("details", None)
    record.relativeCreated += 1000 * (told_at - record.created)
    record.created, record.msecs = told_at, told_at % 1 * 1000 // 1
    return record
