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

    def overdue(self) -> Iterator[logging.LogRecord]:
        """A record for each kind of which some were withheld, when its time has come."""
        return map(_told, self._repeats.ended(self._clock()))

    def rest(self) -> Iterator[logging.LogRecord]:
        """The same for all, at once: it is the end."""
        return map(_told, self._repeats.ended(float("inf")))

    def seconds_to_overdue(self) -> float | None:
        """When to ask for what is overdue; None as long as nothing came."""
        return self._repeats.seconds_to_end(self._clock())


def kind_of(record: logging.LogRecord) -> str:
    """What makes records alike."""
    text = _VARYING.sub("#", record.getMessage()[:_KIND_CHARACTERS])
    return f"{record.name} {record.levelno} {text}"


def _told(withheld: Withheld[logging.LogRecord]) -> logging.LogRecord:
    """The last of the records that were withheld, with their number and without a traceback."""
    record = copy.copy(withheld.last)
    times = "once more" if withheld.count == 1 else f"{withheld.count} times more"
    record.msg, record.args = f"{record.getMessage()} ... {times}", None
    record.exc_info = record.exc_text = record.stack_info = None
    record.details = ""
    return record
