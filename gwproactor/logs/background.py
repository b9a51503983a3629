"""Writes the log in a thread, so that no slow disk or terminal holds up the loop.

Whoever logs only puts a record into a queue. The queue is bounded: where writing cannot keep up,
records are dropped, and how many is written as soon as it has.
"""

import copy
import logging
import queue
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final

from gwproactor.logs.one_line import Lines
from gwproactor.logs.throttle import RepeatFilter

MAX_RECORDS: Final = 10_000
"""Some 10 MB of records that wait, and many times what a disk takes in a second."""

CLOSE_SECONDS: Final = 1.0
"""How long the end of a program waits for room in the queue, and then for what is in it."""


class BackgroundHandler(logging.Handler):
    """Hands records to other handlers in a thread of its own. For any thread.

    Args:
        handlers: What writes; closed with it.
        throttle: What withholds repetitions; asked in the thread.
        max_records: So many may wait.
    """

    def __init__(
        self,
        handlers: Sequence[logging.Handler],
        throttle: RepeatFilter,
        max_records: int = MAX_RECORDS,
    ) -> None:
        super().__init__()
        self._handlers = handlers
        self._throttle = throttle
        self._records: queue.Queue[logging.LogRecord | threading.Event] = queue.Queue(max_records)
        self._lost = 0
        self._counting = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Put a record into the queue, as it is now: what it refers to may change."""
        try:
            self._records.put_nowait(_ready(record))
        except queue.Full:
            with self._counting:
                self._lost += 1
        except Exception:  # noqa: BLE001 - what does not fit its format must not harm who logs it
            self.handleError(record)

    def flush(self) -> None:
        """Wait until what is in the queue is written, or as long as `close` would."""
        reached = threading.Event()
        deadline = time.monotonic() + CLOSE_SECONDS
        if self._put(reached, CLOSE_SECONDS) and self._thread.is_alive():
            reached.wait(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Write what is left, within a bounded time, and close the handlers."""
        if not self._end.is_set():
            self._put(self._end, CLOSE_SECONDS)
            self._thread.join(CLOSE_SECONDS)
            self._end.set()
            if not self._thread.is_alive():
                for handler in self._handlers:
                    handler.close()
        super().close()

    def _put(self, event: threading.Event, seconds: float) -> bool:
        try:
            self._records.put(event, timeout=seconds)
        except queue.Full:
            return False
        return True

    # In the thread

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                item = self._records.get(timeout=self._throttle.seconds_to_overdue())
            except queue.Empty:
                self._write(self._throttle.overdue())
                continue
            if isinstance(item, threading.Event):
                self._write(self._throttle.overdue())
                item.set()
            else:
                self._write(self._throttle.overdue(item.created))
                self._write(filter(self._throttle.filter, [item]))
            self._tell_of_lost()
        self._write(self._throttle.rest())

    def _tell_of_lost(self) -> None:
        if self._lost and self._records.empty():
            with self._counting:
                lost, self._lost = self._lost, 0
            text = f"{lost} records of the log were lost: they came faster than they are written"
            self._write([logging.makeLogRecord(_warning(text))])

    def _write(self, records: Iterable[logging.LogRecord]) -> None:
        for record in records:
            for handler in self._handlers:
                if record.levelno >= handler.level:
                    _handle(handler, record)


def _handle(handler: logging.Handler, record: logging.LogRecord) -> None:
    try:
        handler.handle(record)
    except Exception:  # noqa: BLE001 - one record must not end the log
        handler.handleError(record)


def _ready(record: logging.LogRecord) -> logging.LogRecord:
    """A copy that holds its text and no objects that it is made of."""
    ready = copy.copy(record)
    ready.msg, ready.args = _message_of(record, ready), None
    if record.exc_info and not record.exc_text:
        ready.exc_text = _PLAIN.formatException(record.exc_info)
    ready.exc_info = None
    return ready


def _message_of(record: logging.LogRecord, ready: logging.LogRecord) -> str:
    """The message; what is below its first line goes to `details`."""
    args = record.args if isinstance(record.args, tuple) else ()
    below = [arg.more for arg in args if isinstance(arg, Lines) and arg.more]
    if not below:
        return record.getMessage()
    ready.args = tuple(arg.first if isinstance(arg, Lines) else arg for arg in args)
    ready.details = "\n".join(below)
    return ready.getMessage()


_PLAIN = logging.Formatter()


def _warning(text: str) -> dict[str, object]:
    level = logging.WARNING
    return {"name": __name__, "levelno": level, "levelname": "WARNING", "msg": text}
