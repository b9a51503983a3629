"""Sets up the log of a program: levels, files, the screen.

`setup_logging` does once, from arguments and settings, what a program would otherwise do by hand.
Records go to a thread, which writes them: to files that are private to the user and of a bounded
size, and to standard error. A record is one line, whatever stands in it; trouble that comes again
and again is counted instead of written. With the default settings a node that runs well writes only
what starts, stops, and happens to links: nothing for each message.
"""

import argparse
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from gwproactor.config.logging import LoggingSettings, level_number
from gwproactor.config.proactor import ProactorSettings
from gwproactor.logs.background import BackgroundHandler
from gwproactor.logs.files import PrivateFiles
from gwproactor.logs.formats import JsonFormatter, LineFormatter
from gwproactor.logs.throttle import RepeatFilter

LIBRARY_LOGGER = "gwproactor"
"""What the modules of this library say by themselves goes here."""

_COMPLAINT = "the log is not as it should be: %s"


def setup_logging(
    args: argparse.Namespace | None,
    settings: ProactorSettings,
    errors: list[BaseException] | None = None,
    add_screen_handler: bool = True,
    root_gets_handlers: bool = True,
) -> None:
    """Set up the log. Arguments win over the environment, and that over the defaults.

    It does not raise: a program without a log is better than none. What went wrong is in `errors`,
    and is the first thing in the log. A second call takes the place of the first. Blocks for a
    moment: call it before the loop runs.

    Args:
        args: Arguments of the command line, as `add_logging_arguments` makes them: `verbose`,
            `message_summary`, `log_level`, `log_json`. Those that are missing say nothing; None is
            for no arguments.
        settings: What else is to be known: `logging`, and the folder `paths.log_dir`.
        errors: Is emptied, and gets what went wrong.
        add_screen_handler: Write to standard error too, unless the logger does that already.
        root_gets_handlers: Take in what every logger of the program says; otherwise only what the
            loggers of the settings and of this library say, and keep that from the root.
    """
    errors = [] if errors is None else errors
    errors.clear()
    close_logging()
    chosen = _with_arguments(args, settings.logging, errors)
    for name, level in (*chosen.logger_levels().items(), (LIBRARY_LOGGER, chosen.base_log_level)):
        logging.getLogger(name).setLevel(level)
    targets = list(_targets(chosen, root_gets_handlers=root_gets_handlers))
    handlers = list(_files(settings, chosen, errors))
    if add_screen_handler and sys.stderr is not None and not _has_screen(targets):
        handlers.append(logging.StreamHandler())
    if handlers:
        _install(chosen, handlers, targets, propagate=root_gets_handlers)
    for error in errors:
        logging.getLogger(chosen.base_log_name).error(_COMPLAINT, error)
        if not handlers and sys.stderr is not None:  # or nobody might read it
            sys.stderr.write(f"{_COMPLAINT % error}\n")


def close_logging() -> None:
    """Write what is left, and undo what `setup_logging` did with handlers. Blocks for a moment.

    It need not be called: the end of the program does the first by itself.
    """
    for installed in _installed:
        for logger, propagate in installed.targets:
            logger.removeHandler(installed.handler)
            logger.propagate = propagate
        installed.handler.close()
    _installed.clear()


def add_logging_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments that `setup_logging` knows."""
    group = parser.add_argument_group("log")
    group.add_argument(
        "--verbose", action="store_true", help="write everything that is of interest"
    )
    group.add_argument("--message-summary", action="store_true", help="a line for each message")
    group.add_argument(
        "--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING, ERROR or a number"
    )
    group.add_argument("--log-json", action="store_true", help="write records as JSON")


@dataclass(frozen=True, slots=True)
class _Installed:
    handler: BackgroundHandler
    targets: list[tuple[logging.Logger, bool]]
    """Loggers, and whether they propagated before."""


_installed: list[_Installed] = []


def _install(
    settings: LoggingSettings,
    handlers: list[logging.Handler],
    targets: list[logging.Logger],
    *,
    propagate: bool,
) -> None:
    for handler in handlers:
        handler.setFormatter(
            JsonFormatter() if settings.json_lines else LineFormatter(settings.formatter)
        )
    comm_event = settings.qualified_logger_names()["comm_event"]
    throttle = RepeatFilter(
        settings.throttle,
        lambda record: record.levelno >= logging.WARNING or record.name == comm_event,
    )
    background = BackgroundHandler(handlers, throttle)
    _installed.append(_Installed(background, [(each, each.propagate) for each in targets]))
    for logger in targets:
        logger.addHandler(background)
        logger.propagate = propagate


def _with_arguments(
    args: argparse.Namespace | None, settings: LoggingSettings, errors: list[BaseException]
) -> LoggingSettings:
    """The settings, as arguments change them."""
    changed: dict[str, object] = {}
    levels: dict[str, int] = {}
    if getattr(args, "verbose", False):
        changed["base_log_level"] = _lower(settings.base_log_level, logging.INFO)
        levels["message_summary"] = _lower(settings.levels.message_summary, logging.DEBUG)
    elif getattr(args, "message_summary", False):
        levels["message_summary"] = _lower(settings.levels.message_summary, logging.INFO)
    if getattr(args, "log_json", False):
        changed["json_lines"] = True
    level = getattr(args, "log_level", None)
    try:
        if level is not None:
            changed["base_log_level"] = level_number(str(level))
    except ValueError as error:
        errors.append(ValueError(f"--log-level: {error}; example: INFO"))
    changed["levels"] = settings.levels.model_copy(update=levels)
    return settings.model_copy(update=changed)


def _lower(level: int, wanted: int) -> int:
    """The level that lets more through; NOTSET says nothing."""
    return min(level, wanted) if level else wanted


def _targets(settings: LoggingSettings, *, root_gets_handlers: bool) -> Iterator[logging.Logger]:
    """The loggers that get the handler; none of them is above another one."""
    if root_gets_handlers:
        yield logging.getLogger()
        return
    base = settings.base_log_name
    yield logging.getLogger(base)
    if not f"{LIBRARY_LOGGER}.".startswith(f"{base}."):
        yield logging.getLogger(LIBRARY_LOGGER)


def _files(
    settings: ProactorSettings, chosen: LoggingSettings, errors: list[BaseException]
) -> Iterator[logging.Handler]:
    try:
        yield PrivateFiles(settings.paths.log_dir, chosen.file_handler)
    except OSError as error:
        errors.append(error)


def _has_screen(loggers: list[logging.Logger]) -> bool:
    """Whether somebody else writes to the screen already what these loggers say."""
    screens = (sys.stderr, sys.stdout)
    handlers = [handler for logger in loggers for handler in logger.handlers]
    return any(isinstance(h, logging.StreamHandler) and h.stream in screens for h in handlers)
