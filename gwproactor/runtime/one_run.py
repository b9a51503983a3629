"""One run of a proactor, from the folder that is opened to the lock that is let go.

    open       the events of earlier runs; and the ports of the web servers
    begin      what is the node's own: events, links, mailboxes
    start      what is the application's: web servers, actors, tasks
    (run)      until a stop is asked for
    end        the application's, the other way round; the farewell; links and stores

Whatever fails at the start goes the same way to the end, so that the events on disk say why. That
way stands in `orderly_end`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

from gwproactor.errors import ProactorFailedError
from gwproactor.runtime.exits import EXITS
from gwproactor.runtime.orderly_end import OrderlyEnd
from gwproactor.runtime.outcomes import call_plain
from gwproactor.runtime.tasks import SupervisedTask
from gwproactor.texts import in_words, traceback_text
from gwproactor.waiting import is_being_cancelled
from gwproactor.wire.payloads import StartupEvent


class OneRun(OrderlyEnd):
    """The part of a proactor that is about its one run. For the event loop's thread."""

    def __init__(self) -> None:
        super().__init__()
        self._start_error: BaseException | None = None

    def _label(self) -> str:
        return f"proactor {self._name}"

    def _service_name(self) -> str:
        return str(self._settings.paths.name)

    async def _run(self) -> None:
        self._logger.lifecycle("%s starts", self._label())
        try:
            async with self._order_of_ending():
                await self._live()
        except (Exception, *EXITS) as error:
            if self._failure is None:
                raise
            self._failure.add_note(in_words(error))
        finally:
            self._logger.lifecycle("%s has stopped", self._label())
        self._raise_failure()

    async def _live(self) -> None:
        """Open and begin everything, and wait until it is to stop."""
        self._oversight.watch_loop()
        await self._events.open()
        self._begin()
        try:
            await self._start()
        except BaseException as error:
            if error is not self._start_error:
                raise
        await self._stop_requested.wait()
        self._logger.lifecycle("%s stops: %s", self._label(), self._stop_reason)

    def _begin(self) -> None:
        """Begin what is the node's own."""
        run = self._oversight.run_endless
        run("outgoing events", self._events.outgoing.run)
        self._storing.append(run("events of other threads", self._hatch.run))
        run("incoming events", self._events.incoming.run)
        self._is_open = True
        self._links.events.generate_own(StartupEvent(Src=self._name))
        self._begin_talking("mailbox", self._mailbox.run)
        self._hatch.open()
        self._messages.append(run("messages of threads", self.process_messages))

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
