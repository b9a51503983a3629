"""Threads for code that blocks: hardware drivers, libraries without asyncio.

`SyncAsyncInteractionThread` turns a simple loop: sleep, do what there is to do, show that it is
alive, read a message. It talks to the event loop through queues only. Nothing polls: while the
thread has nothing to do it sleeps, and a message or a stop wakes it at once.

What its code raises is reported with its traceback. By its policy the thread then begins anew after
a while, or the proactor ends, or the thread ends alone. A thread that hangs gives no sign of life
any more, so that the watchdog expires and names it.
"""

import asyncio
import concurrent.futures
import logging
import math
import queue
import threading
import time
from abc import ABC
from typing import Any

from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.queue_writers import SyncAsyncQueueWriter
from gwproactor.actors.queues import SyncAsyncQueue, ThreadEnd
from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.errors import GwproactorError, QueueClosedError
from gwproactor.interfaces import ReceiveQueue
from gwproactor.message import InternalShutdownMessage, KnownNames, PatInternalWatchdogMessage
from gwproactor.problems import format_exceptions
from gwproactor.restarts import Restarts
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import ProblemEvent, ProblemType

_LOGGER = logging.getLogger(__name__)

MAX_TRACEBACK_CHARACTERS = 16 * 1024
"""Of one failure, in a report: more than a person reads of it."""

_END_TURN_SECONDS = 0.001
"""A thread that has said that it is at its end is gone within microseconds."""

_LONG_SECONDS = 3600.0
"""For a thread that waits for messages only: it is woken for each."""

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
        self._iterate_sleep_seconds = iterate_sleep_seconds
        self._responsive_sleep_step_seconds = responsive_sleep_step_seconds
        self.pat_timeout = pat_timeout
        self._policy = policy
        self._restarts = Restarts(policy)
        self._last_pat_time = time.monotonic()
        self._running: bool | None = None
        self._interrupt = Interrupt()
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
        return self._running

    @running.setter
    def running(self, value: bool | None) -> None:
        self._running = value
        if value is False:
            self._interrupt.set()

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
        return not self._interrupt.wait(seconds)

    def time_to_pat(self) -> bool:
        """Whether half of `pat_timeout` has passed since the thread showed that it is alive."""
        return self.pat_timeout is not None and self._seconds_to_pat() <= 0

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
        self._channel.put_to_async_queue(message, interrupt=self._interrupt)

    def run(self) -> None:
        """What the thread does; once, and not at all where it was asked to stop before."""
        try:
            if self._running is None:
                self._running = True
                self._run_until_stopped()
        finally:
            self.request_stop()
            self._at_end.set_result(None)

    def _run_until_stopped(self) -> None:
        self._last_pat_time = time.monotonic()
        begun = False
        while self._running:
            try:
                if not begun:
                    begun = True
                    self._preiterate()
                self._turn()
            except Exception as error:
                if not self.running:
                    _LOGGER.info("thread %s was cut short by its stop", self.name, exc_info=True)
                    return
                begun = self._is_handled(error)
                if not begun and not self._begins_anew_after(error):
                    return

    def _turn(self) -> None:
        """Sleep, iterate, pat, and read a message."""
        if self._iterate_sleep_seconds is not None:
            self._sleep(self._iterate_sleep_seconds, read=True)
        elif self._only_reads:
            self._sleep(_LONG_SECONDS, read=True)
        if self._running:
            self._iterate()
        self._pat_in_time()
        if self._running and self._channel.sync_queue is not None:
            self._read(0)

    @property
    def _only_reads(self) -> bool:
        """Whether it has nothing to do but to handle messages."""
        own = type(self)._iterate  # noqa: SLF001 - of this very class
        return own is SyncAsyncInteractionThread._iterate

    def _sleep(self, seconds: float, *, read: bool) -> None:
        """Sleep, show in time that the thread is alive, and handle what comes meanwhile."""
        deadline = time.monotonic() + seconds
        while self._running and (left := deadline - time.monotonic()) > 0:
            step = left if self.pat_timeout is None else min(left, self._seconds_to_pat())
            if read and isinstance(self._channel.sync_queue, ThreadEnd):
                self._read(max(step, 0))
            else:  # a queue of another kind knows no interrupt
                self.sleep(max(step, 0))
            self._pat_in_time()

    def _read(self, seconds: float) -> None:
        """Handle a message, if one comes in that time."""
        try:
            message = self._channel.get_from_sync_queue(
                block=seconds > 0, timeout=seconds, interrupt=self._interrupt
            )
        except queue.Empty:
            return
        except QueueClosedError:  # from the other side
            self.sleep(seconds)
            return
        if self._running:
            self._handle_message(message)

    def _pat_in_time(self) -> None:
        if self._running and self.time_to_pat():
            self.pat_watchdog()

    def _seconds_to_pat(self) -> float:
        pause = 0.0 if self.pat_timeout is None else self.pat_timeout / 2
        return self._last_pat_time + pause - time.monotonic()

    def _is_handled(self, error: Exception) -> bool:
        try:
            return self._handle_exception(error)
        except Exception as second:  # noqa: BLE001 - it is reported with the first
            error.add_note(f"_handle_exception failed with it:\n{format_exceptions([second])}")
            return False

    def _begins_anew_after(self, error: Exception) -> bool:
        """Report a failure, and do what the policy says; whether the thread goes on."""
        delay_seconds = self._restarts.after_failure(time.monotonic())
        details = format_exceptions([error])[-MAX_TRACEBACK_CHARACTERS:]
        try:
            self._put_to_async_queue(self._report(details, delay_seconds))
            self._sleep(delay_seconds or 0, read=False)
        except GwproactorError:
            _LOGGER.exception("thread %s failed, and nobody listens: %s", self.name, details)
            return False
        return delay_seconds is not None

    def _report(self, details: str, delay_seconds: float | None) -> Message[Any]:
        """What the loop is told of a failure."""
        if delay_seconds is None and self._policy.on_failure is not OnFailure.report:
            reason = f"thread '{self.name}' failed\n{details}"
            return InternalShutdownMessage(Src=self.name, Reason=reason, Failed=True)
        what = "it ends" if delay_seconds is None else f"it begins anew in {delay_seconds:g} s"
        problem = ProblemEvent(
            ProblemType=ProblemType.error,
            Summary=f"Thread '{self.name}' failed",
            Details=f"{what}\n{details}",
        )
        return Message[Any](Src=self.name, Dst=KnownNames.proactor, Payload=problem)
