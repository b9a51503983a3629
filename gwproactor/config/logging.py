"""The log: which loggers take what, how a record is written, and into which files.

The defaults are the predecessor's. With them a node that runs well writes next to nothing: of
general matters only what is wrong, of links and lifecycle what changes.
"""

import logging
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from gwproactor.config.paths import DEFAULT_BASE_NAME
from gwproactor.config.table import Table

DEFAULT_FILE_BYTES: Final = 2 * 1024 * 1024
DEFAULT_FILE_COUNT: Final = 10
"""Twenty MiB of log in all: weeks of what a node in trouble says, and nothing on any SD card."""

MAX_FILE_COUNT: Final = 1000
"""Each new file renames all others."""

DEFAULT_BURST: Final = 5
"""So many alike are shown at once: enough to see that they differ, say in a link's name."""

DEFAULT_WINDOW_SECONDS: Final = 60.0
"""One line a minute about a trouble that lasts is 200 KB a day."""

MAX_LEVEL: Final = 100
"""Above CRITICAL (50), for a logger that is to be silent."""


def level_number(level: str) -> int:
    """The number of a level that is given by its name, or as a number.

    Raises:
        ValueError: There is no level of that name.
    """
    text = level.strip().upper()
    number = int(text) if text.isdecimal() else logging.getLevelNamesMapping().get(text)
    if number is None or number > MAX_LEVEL:
        raise ValueError("a level is DEBUG, INFO, WARNING, ERROR, CRITICAL or a number")
    return number


def _name_to_number(value: object) -> object:
    return level_number(value) if isinstance(value, str) else value


LogLevel = Annotated[
    int, BeforeValidator(_name_to_number), Field(ge=0, le=MAX_LEVEL, examples=["INFO"])
]
"""The level of a logger, by its name or its number."""


_SAMPLE_TEXT: Final = "sample of a message"


def _sample(fmt: str = "%(asctime)s %(message)s", datefmt: str = "", msec: str = "") -> str:
    """How a record is written: in a format with a field that it has not, it is not.

    Raises:
        ValueError: It cannot be, or is more than a line.
    """
    record = logging.makeLogRecord({"msg": _SAMPLE_TEXT, "levelno": logging.INFO})
    try:
        formatter = logging.Formatter(fmt, datefmt)
        formatter.default_msec_format = msec
        line = formatter.format(record)
    except (ValueError, KeyError, TypeError, OverflowError):
        raise ValueError("no record of the log can be written so, in the style with %") from None
    if line.splitlines() != [line]:
        raise ValueError("it has a line break, and a record is one line")
    return line


def _checked_format(value: str) -> str:
    if _SAMPLE_TEXT not in _sample(value):
        raise ValueError("it leaves out the message")
    return value


def _checked_time_format(value: str) -> str:
    _sample(datefmt=value)
    return value


def _checked_msec_format(value: str) -> str:
    _sample(msec=value)
    return value


def _checked_file_name(value: str) -> str:
    if value in ("", ".", "..") or "/" in value or "\0" in value:
        raise ValueError("it must be the name of a file, without folders; paths.log_dir is that")
    return value


def _checked_logger_name(value: str) -> str:
    if not value.isprintable() or not all(part.strip() for part in value.split(".")):
        raise ValueError("it must be one or more words with dots between them")
    return value


class LoggerLevels(Table):
    """The levels of a proactor's loggers, each by its name below the base.

    A derived class may add loggers of its own as further fields.

    Args:
        message_summary: INFO for a line about each message, DEBUG for its way through the program.
        lifecycle: What starts and stops, at INFO.
        comm_event: What happens to links, at INFO.
    """

    message_summary: LogLevel = logging.WARNING
    lifecycle: LogLevel = logging.INFO
    comm_event: LogLevel = logging.INFO

    def qualified_logger_names(self, base_log_name: str) -> dict[str, str]:
        """The full name of each logger, by its name here."""
        return {name: f"{base_log_name}.{name}" for name in type(self).model_fields}


class FormatterSettings(Table):
    """How a record becomes a line of text.

    Args:
        fmt: Format of a line, as `logging.Formatter` takes it.
        datefmt: Format of the time, as `time.strftime` takes it; ISO 8601 when empty.
        default_msec_format: How milliseconds follow the time, where `datefmt` is empty; empty for
            none.
        use_utc: Write the time in UTC, not in local time.
    """

    fmt: Annotated[str, AfterValidator(_checked_format)] = "%(asctime)s %(message)s"
    datefmt: Annotated[str, AfterValidator(_checked_time_format)] = Field(
        default="", examples=["%Y-%m-%d %H:%M:%S"]
    )
    default_msec_format: Annotated[str, AfterValidator(_checked_msec_format)] = "%s.%03d"
    use_utc: bool = False


class RotatingFileHandlerSettings(Table):
    """The files of a log: private to the user, and together of a bounded size.

    Args:
        filename: Name of the newest one, in the folder for logs; older ones get `.1` and so on.
        bytes_per_log_file: Size in bytes beyond which a new one is begun.
        num_log_files: So many there are at most.
        level: Only records of this level and above are written to them.
    """

    filename: Annotated[str, AfterValidator(_checked_file_name)] = "proactor.log"
    bytes_per_log_file: int = Field(default=DEFAULT_FILE_BYTES, ge=1)
    num_log_files: int = Field(default=DEFAULT_FILE_COUNT, ge=1, le=MAX_FILE_COUNT)
    level: LogLevel = logging.NOTSET


class ThrottleSettings(Table):
    """When trouble that comes again and again is counted instead of written.

    It is about warnings and worse, and about what happens to links. Records are alike when they
    differ in numbers only.

    Args:
        burst: So many records that are alike are written within a window.
        window_seconds: Length of the window in seconds; at its end the others are told as a count.
    """

    burst: int = Field(default=DEFAULT_BURST, ge=1)
    window_seconds: float = Field(
        default=DEFAULT_WINDOW_SECONDS, gt=0, le=86400, allow_inf_nan=False
    )


class LoggingSettings(Table):
    """What `setup_logging` sets up.

    Args:
        base_log_name: Name of the logger above a proactor's other loggers.
        base_log_level: What it takes, and what this library's own modules say.
        levels: What the others take.
        formatter: How records become lines.
        file_handler: The files.
        json_lines: Write each record as an object of JSON, instead of by `formatter.fmt`.
        throttle: When repeated trouble is counted instead of written.
    """

    base_log_name: Annotated[str, AfterValidator(_checked_logger_name)] = DEFAULT_BASE_NAME
    base_log_level: LogLevel = logging.WARNING
    levels: LoggerLevels = LoggerLevels()
    formatter: FormatterSettings = FormatterSettings()
    file_handler: RotatingFileHandlerSettings = RotatingFileHandlerSettings()
    json_lines: bool = False
    throttle: ThrottleSettings = ThrottleSettings()

    def qualified_logger_names(self) -> dict[str, str]:
        """The full name of each logger, by its name in `levels`; `base` for the base."""
        names = self.levels.qualified_logger_names(self.base_log_name)
        return {"base": self.base_log_name, **names}

    def logger_levels(self) -> dict[str, int]:
        """The level of each logger, by its full name."""
        levels = {"base": self.base_log_level, **dict(self.levels)}
        return {full: levels[name] for name, full in self.qualified_logger_names().items()}

    def verbose(self) -> bool:
        """Whether the base takes INFO."""
        return self.base_log_level <= logging.INFO

    def message_summary_enabled(self) -> bool:
        """Whether there is a line about each message."""
        return self.levels.message_summary <= logging.INFO
