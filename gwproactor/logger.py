"""The log of a proactor, and three more that can be switched on and off by themselves.

=================  =========  =======================================================
log                level      what it tells
=================  =========  =======================================================
base               any        what the program itself logs
message summary    INFO       one line for each message that is received or sent
message summary    DEBUG      the way of each message through the program ("path")
lifecycle          INFO       what starts and stops
comm event         INFO       what happens to links
=================  =========  =======================================================

`ProactorLogger` is a `logging.LoggerAdapter` of the base, with a method for each of the others.
"""

import logging
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from typing import Any

from gwproactor.logs.one_line import in_one_line

_ARROWS = {"OUT": "->", "SND": "->", "IN": "<-", "RCV": "<-"}
"""How a message's direction is drawn, by how its name begins."""

ID_CHARACTERS = 8
"""So much of a message's id is shown: enough to tell neighbours in a log apart."""


class ProactorLogger(logging.LoggerAdapter[logging.Logger]):
    """The logs of one proactor. For any thread.

    Args:
        base: Name of the logger that this object adapts.
        message_summary: Name of the logger of message summaries and paths.
        lifecycle: Name of the logger of starts and stops.
        comm_event: Name of the logger of what happens to links.
        extra: Attributes that every record gets, in any of the four.
    """

    MESSAGE_DELIMITER_WIDTH = 88
    MESSAGE_ENTRY_DELIMITER = "+" * MESSAGE_DELIMITER_WIDTH
    MESSAGE_EXIT_DELIMITER = "-" * MESSAGE_DELIMITER_WIDTH

    message_summary_logger: logging.Logger
    lifecycle_logger: logging.Logger
    comm_event_logger: logging.Logger

    def __init__(
        self,
        base: str,
        message_summary: str,
        lifecycle: str,
        comm_event: str,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(logging.getLogger(base), extra)
        self.message_summary_logger = logging.getLogger(message_summary)
        self.lifecycle_logger = logging.getLogger(lifecycle)
        self.comm_event_logger = logging.getLogger(comm_event)

    def __repr__(self) -> str:
        others = (self.message_summary_logger, self.lifecycle_logger, self.comm_event_logger)
        names = (logger.name for logger in (self.logger, *others))
        return f"<{type(self).__name__} {', '.join(names)}>"

    @property
    def general_enabled(self) -> bool:
        """Whether the base takes INFO."""
        return self.logger.isEnabledFor(logging.INFO)

    @property
    def message_summary_enabled(self) -> bool:
        """Whether message summaries are written."""
        return self.message_summary_logger.isEnabledFor(logging.INFO)

    @property
    def path_enabled(self) -> bool:
        """Whether the way of each message is written."""
        return self.message_summary_logger.isEnabledFor(logging.DEBUG)

    @property
    def lifecycle_enabled(self) -> bool:
        """Whether starts and stops are written."""
        return self.lifecycle_logger.isEnabledFor(logging.INFO)

    @property
    def comm_event_enabled(self) -> bool:
        """Whether what happens to links is written."""
        return self.comm_event_logger.isEnabledFor(logging.INFO)

    def message_summary(
        self,
        direction: str,
        actor_alias: str,
        topic: str,
        payload_object: object = None,
        broker_flag: str = " ",
        timestamp: datetime | None = None,
        message_id: str = "",
    ) -> None:
        """Write one line about a message that was received or sent; made only if it is wanted.

        Args:
            direction: Begins with IN or RCV, or with OUT or SND.
            actor_alias: Who receives or sends it.
            topic: Where it came from or goes to.
            payload_object: The message or its payload, of which the class is shown; a text is shown
                as it is.
            broker_flag: A sign for the broker, one character.
            timestamp: When that was, if not now: each record of a log has its own time.
            message_id: The message's id, of which the beginning is shown.
        """
        if self.message_summary_enabled:
            line = summary_line(
                direction, actor_alias, topic, payload_object, broker_flag, timestamp, message_id
            )
            self._write(self.message_summary_logger, logging.INFO, "%s", line)

    def path(self, msg: str, *args: object, **kwargs: Any) -> None:
        """Write a line about the way of a message; parameters as those of `logging.debug`."""
        self._write(self.message_summary_logger, logging.DEBUG, msg, *args, **kwargs)

    def lifecycle(self, msg: str, *args: object, **kwargs: Any) -> None:
        """Write a line about what starts or stops; parameters as those of `logging.info`."""
        self._write(self.lifecycle_logger, logging.INFO, msg, *args, **kwargs)

    def comm_event(self, msg: str, *args: object, **kwargs: Any) -> None:
        """Write a line about what happens to a link; parameters as those of `logging.info`."""
        self._write(self.comm_event_logger, logging.INFO, msg, *args, **kwargs)

    def message_enter(self, msg: str, *args: object, **kwargs: Any) -> None:
        """Write a line of the path where the work on a message begins, set off from the last."""
        self._write(self.message_summary_logger, logging.DEBUG, self.MESSAGE_ENTRY_DELIMITER)
        self._write(self.message_summary_logger, logging.DEBUG, msg, *args, **kwargs)

    def message_exit(self, msg: str, *args: object, **kwargs: Any) -> None:
        """Write a line of the path where the work on a message ends, set off from the next."""
        self._write(self.message_summary_logger, logging.DEBUG, msg, *args, **kwargs)
        self._write(self.message_summary_logger, logging.DEBUG, self.MESSAGE_EXIT_DELIMITER)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, Any]:
        """Add our `extra` to that of the call, which wins."""
        extra = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, {**kwargs, "extra": extra}

    def _write(
        self, logger: logging.Logger, level: int, msg: str, *args: object, **kwargs: Any
    ) -> None:
        """Write to one of the loggers what `extra` completes, in the name of our caller's line."""
        if logger.isEnabledFor(level):
            msg, completed = self.process(msg, kwargs)
            completed["stacklevel"] = completed.get("stacklevel", 1) + 2
            logger.log(level, msg, *args, **completed)


def summary_line(
    direction: str,
    actor_alias: str,
    topic: str,
    payload_object: object = None,
    broker_flag: str = " ",
    timestamp: datetime | None = None,
    message_id: str = "",
) -> str:
    """The line of `ProactorLogger.message_summary`: always one, whatever the texts hold.

    Example::

        OUT       ->   a.child                   [gw/a-child/to/b/gridworks-ping]  Ping  2f6c41d8
    """
    payload = getattr(payload_object, "Payload", payload_object)
    fields = (
        f"{timestamp.isoformat()}  " if timestamp else "",
        f"{direction:8s}  {_arrow(direction)} {broker_flag} {actor_alias:24s}  [{topic}]",
        "" if payload is None else f"  {_name_of(payload)}",
        f"  {message_id[:ID_CHARACTERS]}" if message_id else "",
    )
    return in_one_line("".join(fields))


def _name_of(payload: object) -> str:
    return payload if isinstance(payload, str) else type(payload).__name__


def _arrow(direction: str) -> str:
    begins = (arrow for name, arrow in _ARROWS.items() if direction.startswith(name))
    return next(begins, "? ")
