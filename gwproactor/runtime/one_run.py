"""One run of a proactor, from the folder that is opened to the lock that is let go.

    open       the events of earlier runs; and the ports of the web servers
    begin      what is the node's own: events, links, mailboxes
    start      what is the application's: web servers, actors, tasks
    (run)      until a stop is asked for
    end        the application's, the other way round
    farewell   the shutdown event, and the acks that come at once
    close      links, and the stores

Whatever fails at the start goes the same way to the end, so that the events on disk say why. What
must be done in any case, also after a cancel, stands once more at the very end, where it finds
nothing left to do.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator

from gwproactor.errors import ProactorFailedError, StoreError
from gwproactor.runtime.exits import EXITS
from gwproactor.runtime.mail import Mail
from gwproactor.runtime.outcomes import call_plain
from gwproactor.runtime.own_events import OwnEvents
from gwproactor.runtime.reporting import Reporting
from gwproactor.runtime.tasks import SupervisedTask
from gwproactor.texts import MAX_TEXT_BYTES, cut_to_bytes, in_words, traceback_text
from gwproactor.waiting import is_being_cancelled, until_any
from gwproactor.web.servers import WebServers
from gwproactor.wire.payloads import ShutdownEvent, StartupEvent

_FAREWELL_SECONDS = 0.3
"""How long a stop waits for the peer to acknowledge the last events: a few round trips."""


class OneRun(OwnEvents, Mail, Reporting):
    """The part of a proactor that is about its one run. For the event loop's thread."""

    _web: WebServers

    def __init__(self) -> None:
        super().__init__()
        self._stop_now = asyncio.Event()
        self._start_error: BaseException | None = None
        self._talking: list[SupervisedTask] = []
        """What can still bring messages; it ends last."""

    def stop(self, reason: str = "stop called", *, wait_for_acks: bool = False) -> None:
        """Ask the proactor to stop in good order; `join` waits for that. From any thread.

        It sends a shutdown event, makes durable what is not yet, and closes everything within
        `stop_seconds`. Pending events are sent by the next run.

        Args:
            reason: Why; stands in the shutdown event.
            wait_for_acks: Stop only when the peer has acknowledged every event, the shutdown event
                included, however long that takes. Calling again without it stops at once.
        """
        if not wait_for_acks:
            self._home.call(self._stop_now.set)
        super().stop(reason)

    def _label(self) -> str:
        return f"proactor {self._name}"

    def _service_name(self) -> str:
        return str(self._settings.paths.name)

    async def _run(self) -> None:
        self._logger.lifecycle("%s starts", self._label())
        self._oversight.watch_loop()
        try:
            await self._events.open()
            await self._run_opened()
        except StoreError as error:
            if self._failure is None:
                raise
            self._failure.add_note(str(error))
        finally:
            await self._close()
            self._logger.lifecycle("%s has stopped", self._label())
        self._raise_failure()

    async def _run_opened(self) -> None:
        """Begin everything, wait until it is to stop, and end it in good order."""
        run = self._oversight.run_endless
        run("outgoing events", self._events.outgoing.run)
        threads = run("events of other threads", self._hatch.run)
        run("incoming events", self._events.incoming.run)
        self._links.events.generate_own(StartupEvent(Src=self._name))
        self._begin_talking("mailbox", self._mailbox.run)
        self._hatch.open()
        messages = run("messages of threads", self.process_messages)
        try:
            await self._start()
        except BaseException as error:
            if error is not self._start_error:
                raise
        await self._stop_requested.wait()
        self._logger.lifecycle("%s stops: %s", self._label(), self._stop_reason)
        await self._end_application(messages)
        self._hatch.close()
        await self._say_farewell()
        await _end(self._settings.stop_seconds, *self._talking)
        self._links.events.flush()
        await _end(self._settings.stop_seconds, threads)
        await self._close_events()

    def _begin_talking(self, what: str, work: Callable[[], Awaitable[None]]) -> SupervisedTask:
        self._talking.append(self._oversight.run_endless(what, work))
        return self._talking[-1]

    # The start

    async def _start(self) -> None:
        """Start what others see, and what is the application's.

        Raises:
            BaseException: What one of it raised; the proactor is asked to end over it then.
        """
        with self._starting("web servers"):
            await self._web.bind()  # a second node fails here, before it dials anybody
        self._begin_talking("links", self._links.run)
        with self._starting("web servers"):
            await self._web.serve()
        for line in self._web.said():
            self._logger.lifecycle("%s", line)
        self._communicators.start(self._begin_talking, self._starting)
        with self._starting("tasks of the application"):
            self._begin_oversight()
            call_plain(self.start_tasks)
        self._ready.set()
        self._logger.lifecycle("%s runs", self._label())
        self._oversight.notify.ready()

    @contextlib.contextmanager
    def _starting(self, what: str) -> Iterator[None]:
        """Say why the proactor ends where something cannot start."""
        try:
            yield
        except (Exception, asyncio.CancelledError, *EXITS) as error:
            if is_being_cancelled():
                raise
            reason = f"{what} could not start: {in_words(error)}"
            self.report_problem(f"{what} could not start", traceback_text(error))
            stray = isinstance(error, asyncio.CancelledError)  # who joins has not been cancelled
            self._end_over(ProactorFailedError(reason) if stray else error, reason)
            self._start_error = error
            raise

    # The end

    async def _end_application(self, messages: SupervisedTask) -> None:
        """End what is the application's; what it has sent by then is dealt with."""
        deadline = time.monotonic() + self._settings.stop_seconds
        await self._web.stop()
        await self._end_tasks()
        await self._stop_communicators(self._settings.stop_seconds)
        await messages.wait()
        await self._drain_mailboxes(deadline - time.monotonic())

    async def _say_farewell(self) -> None:
        """Tell the peer that this node stops, and wait for its acks as long as was asked for."""
        self._links.events.flush()
        await until_any(self.all_events_acked(), self._stop_now.wait())
        self._oversight.notify.stopping(self._stop_reason)
        self._links.events.flush()
        reason = cut_to_bytes(self._stop_reason, MAX_TEXT_BYTES)
        self._links.events.generate_own(ShutdownEvent(Src=self._name, Reason=reason))
        await until_any(self.all_events_acked(), self._stop_now.wait())
        upstream = self._links.upstream
        if upstream is not None and upstream.active:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await self.all_events_acked()

    async def _close_events(self) -> None:
        try:
            await self._events.close(self._settings.stop_seconds)
        except StoreError as error:
            count = self.pending_event_count - self.stored_event_count
            raise StoreError(f"{error}; {count} events were not stored") from error

    async def _close(self) -> None:
        """Let go of everything, however far the run has come."""
        await self._web.stop()
        await self._stop_communicators(self._settings.stop_seconds)
        self._close_mailboxes()
        self._io_loop.stop()  # it was perhaps never started, and has coroutines all the same
        self._hatch.close()
        self._rejections.close()
        self._links.events.discard()
        await self._oversight.close()
        await self._events.close(self._settings.stop_seconds)
        await self._hatch.settle()


async def _end(timeout_seconds: float, *tasks: SupervisedTask) -> None:
    """End tasks, as far as they let themselves be ended; who does not is reported later."""
    for task in tasks:
        task.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            for task in tasks:
                await task.wait()
