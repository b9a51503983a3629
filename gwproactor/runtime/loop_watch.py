"""A thread that notices when the event loop stands still.

Nothing on the loop can notice that: code that blocks blocks the watchdog too. So a small thread
asks the loop for an answer, again and again. Where none comes in time it writes the stacks of all
threads to the log, in which the culprit is found, and again ever more rarely while it lasts. When
the loop turns again, that is reported. A loop that stands still again and again is told of at a
bounded rate.

It does no more, for no more is needed: pats of the watchdog outside are made by the loop, and while
it stands still there are none, so that a service manager starts the program anew.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable

from gwproactor.links.core.reports import FIRST_PAUSE_SECONDS, ReportRate
from gwproactor.logs.one_line import Lines
from gwproactor.runtime.stacks import thread_stacks_text

logger = logging.getLogger(__name__)

THREAD_NAME = "gwproactor loop watch"

JOIN_SECONDS = 1.0
"""The thread ends within a turn; only one that is just writing to a log that hangs takes longer."""


class LoopWatch:
    """Watches the running loop, from `start` to `stop`, which are for its thread.

    Args:
        hang_seconds: The loop stands still when it has not answered for so long.
        report: Called on the loop, with a summary and details, once it turns again.
    """

    def __init__(self, hang_seconds: float, report: Callable[[str, str], None]) -> None:
        self._hang_seconds = hang_seconds
        self._report = report
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._answered = threading.Event()
        self._ended = asyncio.Event()
        self._rate = ReportRate()
        """For the watching thread only."""

    def start(self) -> None:
        """Begin to watch the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self._thread.start()

    async def stop(self, timeout_seconds: float = JOIN_SECONDS) -> None:
        """Watch no longer, and wait until the thread has ended. A second call does nothing."""
        thread, self._thread = self._thread, None
        self._stopping.set()
        self._answered.set()
        if thread is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._ended.wait()
            thread.join()  # what is left of it ends by itself

    def _run(self) -> None:
        try:
            self._watch()
        finally:
            self._ask(self._ended.set)

    def _watch(self) -> None:
        """What the thread does."""
        while not self._stopping.wait(self._hang_seconds / 2):
            self._answered.clear()
            if self._stopping.is_set() or not self._ask(self._answered.set):
                return
            if not self._answered.wait(self._hang_seconds):
                self._wait_until_it_turns()

    def _ask(self, callback: Callable[[], None]) -> bool:
        """Have something called by the loop; False where there is no loop any more."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            return False
        return True

    def _wait_until_it_turns(self) -> None:
        """Write to the log where everybody is, until the loop has answered; then report it."""
        asked_at = time.monotonic() - self._hang_seconds
        title = "where everybody was:"
        told = self._rate.told(time.monotonic(), "hang", title)
        if told is None and self._answered.wait(FIRST_PAUSE_SECONDS):
            return
        stacks = thread_stacks_text()
        self._log_until_it_turns(asked_at, stacks)
        if not self._stopping.is_set():
            summary = f"The event loop stood still for {time.monotonic() - asked_at:.1f} s"
            self._ask(lambda: self._report(summary, f"{told or title}\n{stacks}"))

    def _log_until_it_turns(self, asked_at: float, stacks: str) -> None:
        pause_seconds = self._hang_seconds
        while True:
            seconds = time.monotonic() - asked_at
            logger.error("the event loop has stood still for %.1f s: %s", seconds, Lines(stacks))
            if self._answered.wait(pause_seconds):
                return
            pause_seconds *= 2
            stacks = thread_stacks_text()
