"""What sees to it that a proactor lives, or ends in good order: its tasks and its watchdogs.

Two groups of tasks are under supervision. Those of the proactor itself are endless, and it cannot
go on without any of them. Those of the application begin after them and end before them, so that
what they do last still goes out.

The watchdogs are here too: the one inside, the thread that watches over the loop, and the pats for
those outside, which are tasks of the proactor like the others.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator

from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.runtime.external_pats import ExternalPats, ask_for_time
from gwproactor.runtime.external_watchdog import PatCommand
from gwproactor.runtime.loop_watch import LoopWatch
from gwproactor.runtime.notify_socket import NotifySocket
from gwproactor.runtime.tasks import Overseer, SupervisedTask, TaskSupervisor
from gwproactor.runtime.watchdog import WatchdogManager

_VITAL = TaskPolicy(on_failure=OnFailure.stop)
"""A proactor whose own task failed is in a state that nobody has thought of."""


class Oversight:
    """The tasks and watchdogs of one proactor. For the loop's thread.

    Args:
        label: Whose they are.
        settings: The proactor's settings.
        overseer: The proactor.
    """

    def __init__(self, label: str, settings: ProactorSettings, overseer: Overseer) -> None:
        self._settings = settings
        self._overseer = overseer
        self._own = TaskSupervisor(label, _VITAL, overseer)
        self._own.open()
        self._ending = False
        self.tasks = TaskSupervisor(label, settings.tasks, overseer)
        """The tasks of the application."""
        self.watchdog = WatchdogManager(settings.watchdog, overseer)
        """The watchdog inside."""
        self.notify = NotifySocket.from_environment()
        """Tells the service manager."""
        hang_seconds = settings.watchdog.hang_seconds
        self._loop_watch = (
            None if hang_seconds is None else LoopWatch(hang_seconds, overseer.report_problem)
        )

    def run_endless(self, what: str, work: Callable[[], Awaitable[None]]) -> SupervisedTask:
        """Run a task of the proactor, which is not to end by itself before `end_tasks`.

        Args:
            what: What it is called.
            work: What it does.
        """

        async def run() -> None:
            await work()
            if not self._ending:
                raise RuntimeError("it ended by itself")

        return self._own.run(run, what)

    def watch_loop(self) -> None:
        """Begin to watch over the loop, where that is wanted."""
        if self._loop_watch is not None:
            self._loop_watch.start()

    def begin(self, pat_arguments: list[str]) -> None:
        """Begin to watch over names, to pat others, and the tasks of the application.

        Args:
            pat_arguments: The command that pats an external watchdog; empty for none.
        """
        settings = self._settings.watchdog
        pats = ExternalPats(lambda: self.watchdog.all_is_well, self._overseer.report_problem)
        self.run_endless("watchdog", self.watchdog.run)
        self._own.run(lambda: pats.pat_service_manager(self.notify), "pats of the service manager")
        if pat_arguments:
            command = PatCommand(pat_arguments, settings.pat_timeout_seconds)
            self._own.run(
                lambda: pats.pat_by_command(command, settings.pat_seconds),
                "pats of the external watchdog",
                self._settings.tasks,
            )
        self.tasks.open()

    @contextlib.contextmanager
    def more_time(self) -> Iterator[None]:
        """Ask the service manager for time, while something lasts as long as it will."""
        asking = self._own.run(lambda: ask_for_time(self.notify), "requests for time")
        try:
            yield
        finally:
            asking.cancel()

    async def end_tasks(self, timeout_seconds: float) -> None:
        """Watch over nobody any more, for all come to their end, and end the application's tasks.

        From now on those of the proactor may end as well.
        """
        self._ending = True
        self.watchdog.end()
        await self.tasks.close(timeout_seconds)

    async def end(self, tasks: Iterable[SupervisedTask], timeout_seconds: float) -> None:
        """End some tasks of the proactor; see `TaskSupervisor.end`."""
        await self._own.end(tasks, timeout_seconds)

    async def close(self, timeout_seconds: float) -> None:
        """End all that is left. Cancelling is safe: it is cancelled all the same."""
        try:
            await self._own.close(timeout_seconds / 2)
        finally:
            self.notify.close()
            if self._loop_watch is not None:
                await self._loop_watch.stop(timeout_seconds / 2)
