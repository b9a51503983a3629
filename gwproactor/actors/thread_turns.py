"""What a thread of `SyncAsyncInteractionThread` does, turn by turn, until it is to stop.

It is a class of its own, so that a driver that derives from the thread may call its methods what it
likes: of the thread, only what is documented there is called here.
"""

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.queue_writers import SyncAsyncQueueWriter
from gwproactor.actors.queues import ThreadEnd
from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.errors import GwproactorError, QueueClosedError
from gwproactor.message import InternalShutdownMessage, KnownNames
from gwproactor.restarts import Restarts
from gwproactor.texts import traceback_text
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import ProblemEvent, ProblemType

_LOGGER = logging.getLogger(__name__)

LONG_SECONDS = 3600.0
"""For a thread that waits for messages only: it is woken for each."""


class TurningThread(Protocol):
    """The thread, as far as it is known here."""

    running: bool | None
    name: str

    def time_to_pat(self) -> bool:
        """Whether it is to show that it is alive."""
        ...

    def pat_watchdog(self) -> None:
        """Show that it is alive."""
        ...


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a derived class does; see `SyncAsyncInteractionThread`."""

    preiterate: Callable[[], None]
    iterate: Callable[[], None] | None
    handle_message: Callable[[Any], None]
    handle_exception: Callable[[Exception], bool]


class Turns:
    """The turns of one thread, for that thread.

    Args:
        thread: The thread.
        hooks: What it does; without `iterate` it only handles messages.
        channel: The ways to the loop and back.
        interrupt: Is set when the thread is to stop.
        iterate_sleep_seconds: How long it sleeps in each turn.
        policy: What becomes of it when it fails.
    """

    def __init__(
        self,
        thread: TurningThread,
        hooks: Hooks,
        channel: SyncAsyncQueueWriter,
        interrupt: Interrupt,
        iterate_sleep_seconds: float | None,
        policy: TaskPolicy,
    ) -> None:
        self._thread = thread
        self._hooks = hooks
        self._channel = channel
        self._interrupt = interrupt
        self._policy = policy
        self._restarts = Restarts(policy)
        self._is_ready = False
        self._sleep_seconds = iterate_sleep_seconds
        if iterate_sleep_seconds is None and hooks.iterate is None:
            self._sleep_seconds = LONG_SECONDS

    def run(self) -> None:
        """Turn until the thread is to stop, or has failed for good; then read what is left."""
        self._turn_on()
        self._channel.close()
        failed_count = self._handle_the_rest() if self._is_ready else 0
        self._report_unhandled(failed_count + self._unread_count())

    def _turn_on(self) -> None:
        while self._thread.running:
            try:
                if not self._is_ready:
                    self._hooks.preiterate()
                    self._is_ready = True
                self._turn()
            except BaseException as error:  # sys.exit would end the thread in silence
                if self._is_to_stop():
                    name = self._thread.name
                    _LOGGER.info("thread %s was cut short by its stop", name, exc_info=True)
                    return
                self._is_ready = self._is_handled(error)
                if not self._is_ready and not self._begins_anew_after(error):
                    return

    def _handle_the_rest(self) -> int:
        """Handle what was accepted before the stop; how often that failed.

        Only so many as wait now: a queue of another kind cannot be closed.
        """
        failed_count = 0
        for _ in range(self._unread_count()):
            try:
                self._read(0)
            except BaseException:  # as above: the others are to be handled all the same
                failed_count += 1
                _LOGGER.exception("thread %s failed with a message at its stop", self._thread.name)
        return failed_count

    def _unread_count(self) -> int:
        waiting = self._channel.sync_queue
        return waiting.qsize() if isinstance(waiting, ThreadEnd | queue.Queue) else 0

    def _report_unhandled(self, count: int) -> None:
        if not count:
            return
        name = self._thread.name
        problem = ProblemEvent(
            ProblemType=ProblemType.error,
            Summary=f"{count} messages to thread '{name}' were not handled before its end",
        )
        try:
            self._tell(Message[Any](Src=name, Dst=KnownNames.proactor, Payload=problem))
        except GwproactorError:
            _LOGGER.exception("%s, and nobody listens", problem.Summary)

    def _is_to_stop(self) -> bool:
        return not self._thread.running

    def _turn(self) -> None:
        """Sleep, iterate, pat, and read a message."""
        if self._sleep_seconds is not None:
            self._sleep(self._sleep_seconds, read=True)
        if self._thread.running and self._hooks.iterate is not None:
            self._hooks.iterate()
        self._pat_in_time()
        if self._thread.running and self._channel.sync_queue is not None:
            self._read(0)

    def _sleep(self, seconds: float, *, read: bool) -> None:
        """Sleep, and handle what comes meanwhile; the thread's pulse beats."""
        deadline = time.monotonic() + seconds
        while self._thread.running and (left := deadline - time.monotonic()) > 0:
            if read and isinstance(self._channel.sync_queue, ThreadEnd):
                self._read(left)
            else:  # a queue of another kind knows no interrupt
                self._interrupt.wait(left)
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
            self._interrupt.wait(seconds)
            return
        self._hooks.handle_message(message)

    def _pat_in_time(self) -> None:
        if self._thread.running and self._thread.time_to_pat():
            self._thread.pat_watchdog()

    def _is_handled(self, error: BaseException) -> bool:
        try:
            return isinstance(error, Exception) and self._hooks.handle_exception(error)
        except BaseException as second:  # noqa: BLE001 - it is reported with the first
            error.add_note(f"_handle_exception failed with it:\n{traceback_text(second)}")
            return False

    def _begins_anew_after(self, error: BaseException) -> bool:
        """Report a failure, and do what the policy says; whether the thread goes on."""
        delay_seconds = self._restarts.after_failure(time.monotonic())
        details = traceback_text(error)
        message = self._report(details, delay_seconds)
        try:
            self._tell(message)
            if delay_seconds is not None:
                self._sleep(delay_seconds, read=False)
        except GwproactorError:
            name = self._thread.name
            _LOGGER.exception("thread %s failed, and nobody listens: %s", name, details)
            return False
        return delay_seconds is not None

    def _tell(self, message: Message[Any]) -> None:
        self._channel.put_to_async_queue(message, interrupt=self._interrupt)

    def _report(self, details: str, delay_seconds: float | None) -> Message[Any]:
        """What the loop is told of a failure."""
        summary = f"Thread '{self._thread.name}' failed"
        if delay_seconds is None and self._policy.on_failure is not OnFailure.report:
            reason = f"{summary}\n{details}"
            return InternalShutdownMessage(Src=self._thread.name, Reason=reason, Failed=True)
        what = "it ends" if delay_seconds is None else f"it begins anew in {delay_seconds:g} s"
        problem = ProblemEvent(
            ProblemType=ProblemType.error, Summary=summary, Details=f"{what}\n{details}"
        )
        return Message[Any](Src=self._thread.name, Dst=KnownNames.proactor, Payload=problem)
