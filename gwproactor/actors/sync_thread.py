"""Threads for code that blocks: hardware drivers, libraries without asyncio.

`SyncAsyncInteractionThread` turns a simple loop: sleep, do what there is to do, show that it is
alive, read a message. It talks to the event loop through queues only. Nothing polls: while the
thread has nothing to do it sleeps, and a message or a stop wakes it at once. While it waits in a
queue or a sleep of this library, however long, its pulse beats.

What its code raises is reported with its traceback. By its policy the thread then begins anew after
a while, or the proactor ends, or the thread ends alone. A thread that hangs gives no sign of life
any more, so that the watchdog expires and names it.
"""

import asyncio
import concurrent.futures
import contextlib
import math
import threading
import time
from abc import ABC
from typing import Any

from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.pulse import Pulse, beating
from gwproactor.actors.queue_writers import SyncAsyncQueueWriter
from gwproactor.actors.queues import SyncAsyncQueue
from gwproactor.actors.thread_turns import Hooks, Turns
from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.errors import GwproactorError, UsageError
from gwproactor.interfaces import ReceiveQueue
from gwproactor.message import EndOfPatsMessage, PatInternalWatchdogMessage

_END_TURN_SECONDS = 0.001
"""A thread that has said that it is at its end is gone within microseconds."""

STOP_ON_FAILURE = TaskPolicy(on_failure=OnFailure.stop)
"""As in the predecessor: a thread that fails ends the proactor."""


class SyncAsyncInteractionThread(threading.Thread, ABC):
    """A thread that does something again and again, and talks with the event loop.

    Override `_iterate`, and where there is more to do `_preiterate`, `_handle_message` and
    `_handle_exception`; they are called in the thread, one at a time.

    Args:
        channel: The ways to the loop and back; one with a bounded queue when not given.
        name: What the thread is called; a `SyncThreadActor` gives it its own name.
        iterate_sleep_seconds: How long to sleep before each `_iterate`; messages that come
            meanwhile are handled at once. None where `_iterate` waits by itself.
        responsive_sleep_step_seconds: Kept for its name: a sleep ends at once when it is to.
        pat_timeout: Seconds within which the thread shows that it is alive; None for a thread that
            nobody watches over.
        daemon: Whether the process may end while the thread runs.
        policy: What becomes of the thread when its code raises.

    Raises:
        UsageError: `iterate_sleep_seconds` is no time to sleep.
    """

    SLEEP_STEP_SECONDS = 0.1
    PAT_TIMEOUT = 20
    JOIN_CHECK_THREAD_SECONDS = 1.0

    pat_timeout: float | None

    def __init__(
        self,
        channel: SyncAsyncQueueWriter | None = None,
        name: str | None = None,
        iterate_sleep_seconds: float | None = None,
        responsive_sleep_step_seconds: float = SLEEP_STEP_SECONDS,
        pat_timeout: float | None = PAT_TIMEOUT,
        daemon: bool = True,
        *,
        policy: TaskPolicy = STOP_ON_FAILURE,
    ) -> None:
        super().__init__(name=name, daemon=daemon)
        self._channel = channel or SyncAsyncQueueWriter(SyncAsyncQueue[Any]().thread_end)
        self._iterate_sleep_seconds = _checked_sleep(iterate_sleep_seconds)
        self._responsive_sleep_step_seconds = responsive_sleep_step_seconds
        self.pat_timeout = pat_timeout
        self._failure_policy = policy
        self._last_pat_time = time.monotonic()
        self._thread_running: bool | None = None
        self._stop_interrupt = Interrupt()
        self._at_end: concurrent.futures.Future[None] = concurrent.futures.Future()

    # What a derived class overrides

    def _preiterate(self) -> None:
        """Called before the first `_iterate`, and before the first after a failure."""

    def _iterate(self) -> None:
        """Do what there is to do."""

    def _handle_message(self, message: Any) -> None:
        """Deal with what the loop wrote to the thread."""

    def _handle_exception(self, exception: Exception) -> bool:  # noqa: ARG002 - to be overridden
        """Deal with what one of the others raised; True where the thread may go on as it is."""
        return False

    # For any thread

    @property
    def running(self) -> bool | None:
        """Whether it runs: None before the start, False once it was asked to stop."""
        return self._thread_running

    @running.setter
    def running(self, value: bool | None) -> None:
        self._thread_running = value
        if value is False:
            self._stop_interrupt.set()

    def request_stop(self) -> None:
        """Ask it to stop. What it waits for is over at once; `_iterate` is not cut short."""
        self.running = False
        self._channel.close()

    def set_async_loop(self, loop: asyncio.AbstractEventLoop, async_queue: ReceiveQueue) -> None:
        """Say where the thread writes to; see `AsyncQueueWriter.set_async_loop`."""
        self._channel.set_async_loop(loop, async_queue)

    def set_async_loop_and_start(
        self, loop: asyncio.AbstractEventLoop, async_queue: ReceiveQueue
    ) -> None:
        """Say where the thread writes to, and start it."""
        self.set_async_loop(loop, async_queue)
        self.start()

    def put_to_sync_queue(
        self, message: Any, block: bool = True, timeout: float | None = None
    ) -> None:
        """Write to the thread; see `SyncAsyncQueueWriter.put_to_sync_queue`."""
        self._channel.put_to_sync_queue(message, block=block, timeout=timeout)

    async def async_join(self, timeout: float | None = None) -> None:
        """Wait on a loop until the thread has ended. Cancelling is safe.

        Args:
            timeout: The longest wait in seconds; None for as long as it takes.
        """
        at_end = asyncio.wrap_future(self._at_end)
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while self.is_alive() and (left := deadline - time.monotonic()) > 0:
            if at_end.done():
                await asyncio.sleep(_END_TURN_SECONDS)
            else:  # a derived class with a `run` of its own does not tell its end
                await asyncio.wait([at_end], timeout=min(left, self.JOIN_CHECK_THREAD_SECONDS))

    # For the thread itself

    def sleep(self, seconds: float) -> bool:
        """Sleep, but no longer than until the thread is asked to stop.

        Returns:
            Whether it is to go on.
        """
        return not self._stop_interrupt.wait(seconds)

    def time_to_pat(self) -> bool:
        """Whether half of `pat_timeout` has passed since the thread showed that it is alive."""
        return self._seconds_to_pat() <= 0

    def pat_watchdog(self) -> None:
        """Show that the thread is alive."""
        self._last_pat_time = time.monotonic()
        self._put_to_async_queue(PatInternalWatchdogMessage(self.name))

    def _put_to_async_queue(self, message: Any) -> None:
        """Write to the loop, and wait for room if there is none.

        Raises:
            MailError: The loop reads no more, or there was no room before the thread was asked to
                stop; the message was not taken.
        """
        self._channel.put_to_async_queue(message, interrupt=self._stop_interrupt)

    def run(self) -> None:
        """What the thread does; once, and not at all where it was asked to stop before."""
        try:
            if self._thread_running is None:
                self._thread_running = True
                self._last_pat_time = time.monotonic()
                with beating(Pulse(self._seconds_to_pat, self._beat)):
                    self._make_turns().run()
                self._end_pats()
        finally:
            self.request_stop()
            self._channel.close_async_queue()
            self._at_end.set_result(None)

    def _make_turns(self) -> Turns:
        own = type(self)._iterate  # noqa: SLF001 - of this very class
        iterates = own is not SyncAsyncInteractionThread._iterate or "_iterate" in vars(self)
        return Turns(
            self,
            Hooks(
                self._preiterate,
                self._iterate if iterates else None,
                self._handle_message,
                self._handle_exception,
            ),
            self._channel,
            self._stop_interrupt,
            self._iterate_sleep_seconds,
            self._failure_policy,
        )

    def _seconds_to_pat(self) -> float:
        pause = math.inf if self.pat_timeout is None else self.pat_timeout / 2
        return self._last_pat_time + pause - time.monotonic()

    def _end_pats(self) -> None:
        """Let the watchdog wait no longer for a thread that is over, by its own will or another's.

        What it has failed with is told by now.
        """
        if self.pat_timeout is None:
            return
        with contextlib.suppress(GwproactorError):  # where nobody listens, nobody waits
            last = EndOfPatsMessage(self.name)
            self._channel.put_to_async_queue(last, interrupt=self._stop_interrupt)

    def _beat(self) -> None:
        self._last_pat_time = time.monotonic()  # an overridden `pat_watchdog` may forget it
        self.pat_watchdog()


def _checked_sleep(seconds: object) -> float | None:
    """Refuse what would end in a thread that spins, or fails only there."""
    if seconds is None:
        return None
    if (
        isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and 0 <= seconds < math.inf
    ):
        return seconds
    raise UsageError(f"iterate_sleep_seconds is {seconds!r}; it is 0 or more seconds, or None")
