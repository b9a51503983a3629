"""What a proactor does with the tasks of its own program, and how it ends over a failure."""

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any

from gwproactor.config.tasks import TaskPolicy
from gwproactor.errors import ProactorFailedError
from gwproactor.interfaces import MonitoredName, Work
from gwproactor.runtime.external_watchdog import ExternalWatchdogCommandBuilder
from gwproactor.runtime.io_loop import IOLoop
from gwproactor.runtime.lifecycle import Lifecycle
from gwproactor.runtime.oversight import Oversight
from gwproactor.runtime.tasks import SupervisedTask
from gwproactor.texts import in_words, name_of

logger = logging.getLogger(__name__)


class OwnTasks(Lifecycle):
    """The part of a proactor that is about tasks and watchdogs.

    Everything is for the event loop's thread, but for what is said to be for any.
    """

    _oversight: Oversight
    _io_loop: IOLoop

    def __init__(self) -> None:
        super().__init__()
        self._failure: BaseException | None = None

    def add_task(
        self,
        task: "asyncio.Task[Any] | Work | Coroutine[Any, Any, object]",
        name: str = "",
        policy: TaskPolicy | None = None,
    ) -> SupervisedTask:
        """Put a task of the application under supervision.

        When it dies that is reported, and what follows is the policy's to say. When the proactor
        stops the task is cancelled, before the shutdown event is made.

        Args:
            task: A function that makes the coroutine to run, which can be begun anew; or a
                coroutine, or a task, which cannot. What is no task yet begins when everything
                else runs, or at once where it does already.
            name: What reports call it; found out where not given.
            policy: What becomes of it when it fails; `settings.tasks` when not given.

        Returns:
            The task, to be cancelled or waited for.

        Raises:
            NotRunningError: The proactor has stopped.
            UsageError: It is none of these, or the caller is on another thread.
        """
        self._home.check("add_task", "io_loop_manager.add_io_coroutine")
        if isinstance(task, asyncio.Task):
            return self._oversight.tasks.adopt(task, policy)
        return self._oversight.tasks.run(task, name or name_of(task), policy)

    @property
    def io_loop_manager(self) -> IOLoop:
        """Runs coroutines by handle, which may be added and cancelled from any thread."""
        return self._io_loop

    @property
    def monitored_names(self) -> Sequence[MonitoredName]:
        """What of the proactor itself the watchdog monitors, by `pat_watchdog`: nothing.

        To be overridden. It is looked at when everything runs. From then on each name has to pat,
        until the proactor stops.
        """
        return ()

    def pat_watchdog(self, name: str) -> None:
        """Tell the watchdog that a monitored name is alive. From any thread; never waits.

        Raises:
            UsageError: It is not monitored.
        """
        self._oversight.watchdog.pat(name)

    def get_external_watchdog_builder_class(self) -> type[ExternalWatchdogCommandBuilder]:
        """What makes the command that pats a watchdog outside the process; to be overridden.

        systemd needs none, it is told directly.
        """
        return ExternalWatchdogCommandBuilder

    def fail(self, error: BaseException, details: str = "") -> None:
        """End the proactor in good order over something that it cannot go on with.

        The shutdown event says what, and `join`, `run_forever` and `async with` raise the error, so
        that a program which does not catch it ends with a status that is not 0. The body of an
        `async with` is cancelled. From any thread.

        Args:
            error: What to raise; the first one counts.
            details: What else is to stand in the shutdown event.
        """
        words = str(error) if isinstance(error, ProactorFailedError) else in_words(error)
        reason = f"{words}\n{details}" if details else words
        self._home.call(lambda: self._end_over(error, reason))

    def _end_over(self, error: BaseException, reason: str) -> None:
        logger.critical("%s ends: %s", self._label(), reason.partition("\n")[0])
        if self._failure is None:
            self._failure = error
            self._stop_reason = reason  # a stop that is under way has another reason from now on
        self.stop(reason)
        self._end_body()

    def _begin_oversight(self) -> None:
        """Begin to watch over what runs, and the tasks of the application."""
        for monitored in self.monitored_names:
            self._oversight.watchdog.add_monitored_name(monitored)
        builder = self.get_external_watchdog_builder_class()
        self._oversight.begin(builder.pat_args(self._service_name()))

    @abstractmethod
    def _service_name(self) -> str:
        """What the service is called that this program may be."""

    def _raise_failure(self) -> None:
        """Raise what the proactor has ended over, if anything."""
        if self._failure is not None:
            raise self._failure
