"""How a record of the log is written: as a line of text, or as a line of JSON.

Either way a record is one line that nobody can break, whatever stands in it. Only tracebacks of the
text have lines of their own, and each of these begins with a mark that no record begins with.
"""

import json
import logging
import time
from datetime import UTC, datetime
from typing import Final

from gwproactor.config.logging import FormatterSettings
from gwproactor.logs.one_line import bounded, in_one_line

CONTINUATION: Final = "    | "
"""What lines of tracebacks begin with."""

MAX_TRACEBACK_CHARACTERS: Final = 65536
"""A recursion that went too deep makes a traceback of this length."""

_OF_EVERY_RECORD: Final = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
)


class LineFormatter(logging.Formatter):
    """A line of text for each record.

    Args:
        settings: The format of the line and of its time.
    """

    def __init__(self, settings: FormatterSettings) -> None:
        super().__init__(settings.fmt, settings.datefmt)
        self.default_msec_format = settings.default_msec_format
        if settings.use_utc:
            self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """The line, and below it the lines of a traceback where there is one."""
        record.message = in_one_line(bounded(record.getMessage()))
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [*_details_of(record).splitlines(), *_traceback_of(record, self).splitlines()]
        return "\n".join(
            [self.formatMessage(record), *(CONTINUATION + in_one_line(x) for x in lines)]
        )


class JsonFormatter(logging.Formatter):
    """An object of JSON for each record, in ASCII.

    It has `time` (ISO 8601, UTC), `level`, `logger`, `message`, `traceback` where there is one, and
    whatever the record was given as `extra`; `details` is what else belongs to the message.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": bounded(record.getMessage()),
        }
        traceback = _traceback_of(record, self)
        if traceback:
            said["traceback"] = traceback
        known = _OF_EVERY_RECORD | said.keys()
        return _as_json(said | {k: v for k, v in vars(record).items() if k not in known})


def _as_json(said: dict[str, object]) -> str:
    try:
        return json.dumps(said, default=_in_words, allow_nan=False)
    except (ValueError, TypeError):  # an endless number, a circle, a key that is no text
        return json.dumps({str(key): _in_words(value) for key, value in said.items()})


def _in_words(value: object) -> str:
    return bounded(value if isinstance(value, str) else repr(value))


def _details_of(record: logging.LogRecord) -> str:
    """What stood below the first line of a `Lines`."""
    return bounded(str(getattr(record, "details", "")), MAX_TRACEBACK_CHARACTERS)


def _traceback_of(record: logging.LogRecord, formatter: logging.Formatter) -> str:
    parts = [record.exc_text or ""]
    if record.exc_info and not record.exc_text:
        parts = [formatter.formatException(record.exc_info)]
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return bounded("\n".join(filter(None, parts)), MAX_TRACEBACK_CHARACTERS)
