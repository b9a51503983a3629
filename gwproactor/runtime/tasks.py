"""Tasks that are looked after: none dies unnoticed, and none is left behind.

A supervised task is one asyncio task from its begin to its end. When its work fails, that is
reported, and what follows is the policy's to say: the work is begun anew after a while, within the
same task; or the proactor ends; or nothing. To be begun anew, work must be given as a function that
makes a coroutine; of a bare coroutine or a task there is only one, so where it was to be restarted,
the proactor ends.

Cancelling ends a task for good, at once, whatever it is at; a restart that waits too.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.errors import NotRunningError, TaskDiedError, UsageError
from gwproactor.interfaces import Work
from gwproactor.restarts import Restarts
from gwproactor.runtime.exits import exits_end
from gwproactor.runtime.stacks import task_stack_text
from gwproactor.texts import in_words, traceback_text
from gwproactor.waiting import is_being_cancelled


class Overseer(Protocol):
    """Who is told of tasks that die: the proactor."""

    def report_problem(self, summary: str, details: str = "", is_error: bool = True) -> None:
        """Something is wrong."""
        ...

    def fail(self, error: BaseException, details: str = "") -> None:
        """It cannot go on."""
        ...


class SupervisedTask:
    """One task under supervision. For the loop's thread."""

    def __init__(self, name: str, policy: TaskPolicy) -> None:
        self.name = name
        self.policy = policy
        self.restart_count = 0
        """How often it was begun anew."""
        self._task: asyncio.Task[Any] | None = None
        self._over = asyncio.Event()
        self._when_done: Callable[[], None] | None = None

    def __repr__(self) -> str:
        state = "over" if self.done else "waiting" if self._task is None else "running"
        return f"<{type(self).__name__} {self.name!r}: {state}>"

    @property
    def done(self) -> bool:
        """Whether it is over, for good."""
        return self._over.is_set()

    def cancel(self) -> None:
        """End it; `wait` returns when it has ended. One that is over is nothing to cancel."""
        if self._task is None:
            self._set_over()
        else:
            self._task.cancel()

    def when_done(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once it is over, at once where it is; it must not raise."""
        self._when_done = callback
        if self.done:
            self._set_over()

    def _set_over(self) -> None:
        self._over.set()
        callback, self._when_done = self._when_done, None
        if callback is not None:
            callback()

    async def wait(self) -> None:
        """Wait until it is over, however it ended. Cancelling is safe: it goes on."""
        await self._over.wait()


class TaskSupervisor:
    """Runs tasks and sees to those that die. For the loop's thread.

    Args:
        label: Whose tasks they are; stands in front of their names.
        policy: What becomes of a task that was given no policy of its own.
        overseer: Is told of those that die.
    """

    def __init__(self, label: str, policy: TaskPolicy, overseer: Overseer) -> None:
        self._label = label
        self._policy = policy
        self._overseer = overseer
        self._waiting: list[tuple[SupervisedTask, Work | Coroutine[Any, Any, object]]] = []
        self._running: dict[asyncio.Task[Any], SupervisedTask] = {}
        self._stuck: set[asyncio.Task[Any]] = set()
        self._is_open = False
        self._closed = False

    def __len__(self) -> int:
        """How many tasks there are that are not over."""
        return len(self._running) + sum(not task.done for task, _ in self._waiting)

    def open(self) -> None:
        """Begin the tasks that wait for this; those that are added from now on begin at once."""
        self._is_open = True
        waiting, self._waiting = self._waiting, []
        for supervised, work in waiting:
            self._begin(supervised, work)

    def run(
        self,
        work: Work | Coroutine[Any, Any, object],
        name: str,
        policy: TaskPolicy | None = None,
    ) -> SupervisedTask:
        """Run work as a task; before `open`, it waits for that.

        Args:
            work: A function that makes a coroutine, or a coroutine, which cannot be restarted.
            name: What it is called in reports.
            policy: What becomes of it when it fails.

        Raises:
            NotRunningError: After `close`.
            UsageError: It is neither of the two.
        """
        check_is_work(work, name)
        if self._closed:
            discard(work)
            raise NotRunningError(f"{self._label} has stopped; task '{name}' was not begun")
        supervised = SupervisedTask(name, policy or self._policy)
        if self._is_open:
            self._begin(supervised, work)
        else:
            self._waiting.append((supervised, work))
        return supervised

    def adopt(self, task: asyncio.Task[Any], policy: TaskPolicy | None = None) -> SupervisedTask:
        """Look after a task that runs already; it cannot be restarted.

        Args:
            task: The task; it belongs to this object from now on, which cancels it in the end.
            policy: What becomes of it when it fails.

        Raises:
            NotRunningError: After `close`; the task is cancelled.
        """
        if self._closed:
            task.cancel()
            raise NotRunningError(f"{self._label} has stopped; {task.get_name()} was cancelled")
        supervised = SupervisedTask(task.get_name(), policy or self._policy)
        self._look_after(supervised, task)
        return supervised

    async def close(self, timeout_seconds: float) -> None:
        """Cancel all tasks and wait until they have ended. A second call waits again.

        Cancelling is safe: they are cancelled all the same.

        Args:
            timeout_seconds: How long a task may take to end; one that takes longer is reported,
                with where it is.
        """
        self._closed = True
        waiting, self._waiting = self._waiting, []
        for supervised, work in waiting:
            supervised.cancel()
            discard(work)
        await self.end(tuple(self._running.values()), timeout_seconds)

    async def end(self, tasks: Iterable[SupervisedTask], timeout_seconds: float) -> None:
        """Cancel some tasks and wait until they have ended. Cancelling is safe.

        Args:
            tasks: Of this object.
            timeout_seconds: How long they may take; one that takes longer is reported once, with
                where it is.
        """
        wanted = set(tasks)
        found = {task for task, supervised in self._running.items() if supervised in wanted}
        for task in found:
            task.cancel()
        found -= {asyncio.current_task()}
        if found:
            _, stuck = await asyncio.wait(found, timeout=timeout_seconds)
            for task in stuck - self._stuck:
                self._report_stuck(task, timeout_seconds)
            self._stuck |= stuck

    def _begin(self, supervised: SupervisedTask, work: Work | Coroutine[Any, Any, object]) -> None:
        if supervised.done:  # cancelled before it could begin
            discard(work)
            return
        name = f"{self._label}: {supervised.name}"
        task = asyncio.create_task(self._run(supervised, work), name=name)
        task.add_done_callback(lambda _: discard(work))  # it may be cancelled before it begins
        self._look_after(supervised, task)

    def _look_after(self, supervised: SupervisedTask, task: asyncio.Task[Any]) -> None:
        supervised._task = task  # noqa: SLF001 - the two classes are one thing
        self._running[task] = supervised
        task.add_done_callback(self._ended)

    async def _run(
        self, supervised: SupervisedTask, work: Work | Coroutine[Any, Any, object]
    ) -> None:
        with exits_end(self._overseer, f"task '{supervised.name}'"):
            await (self._keep_running(supervised, work) if callable(work) else work)

    async def _keep_running(self, supervised: SupervisedTask, work: Work) -> None:
        """Do the work; when it fails, do it again, as long as the policy says so."""
        restarts = Restarts(supervised.policy)
        while True:
            try:
                await work()
            except (Exception, asyncio.CancelledError) as error:
                if is_being_cancelled():
                    raise
                delay_seconds = restarts.after_failure(time.monotonic())
                if delay_seconds is None:
                    raise
                details = f"it is begun anew in {delay_seconds:g} s\n{traceback_text(error)}"
                self._overseer.report_problem(f"Task '{supervised.name}' died", details)
            else:
                return
            await asyncio.sleep(delay_seconds)
            supervised.restart_count += 1

    def _ended(self, task: asyncio.Task[Any]) -> None:
        supervised = self._running.pop(task)
        supervised._set_over()  # noqa: SLF001 - the two classes are one thing
        was_cancelled = task.cancelling() > 0
        if not task.cancelled():
            error = task.exception()
        else:  # by its owner; or what it waited for was cancelled, and that is a failure
            error = None if was_cancelled else asyncio.CancelledError()
        if error is not None:
            self._died(supervised, error, was_cancelled=was_cancelled)

    def _died(
        self, supervised: SupervisedTask, error: BaseException, *, was_cancelled: bool
    ) -> None:
        """Report a task that is dead for good, and end the proactor where it must not be."""
        if was_cancelled:
            summary = f"Task '{supervised.name}' failed when it was cancelled"
            self._overseer.report_problem(summary, traceback_text(error))
            return
        self._overseer.report_problem(f"Task '{supervised.name}' died", traceback_text(error))
        if supervised.policy.on_failure is not OnFailure.report:
            died = TaskDiedError(f"task '{supervised.name}' died: {in_words(error)}")
            died.__cause__ = error
            self._overseer.fail(died, traceback_text(error))

    def _report_stuck(self, task: asyncio.Task[Any], timeout_seconds: float) -> None:
        summary = f"Task '{self._running[task].name}' does not end"
        details = f"it was cancelled {timeout_seconds:g} s ago\n{task_stack_text(task)}"
        self._overseer.report_problem(summary, details)


def check_is_work(work: object, name: str) -> None:
    """Refuse what cannot be run as a task.

    Raises:
        UsageError: It is no coroutine, and no function.
    """
    if not (callable(work) or isinstance(work, Coroutine)):
        raise UsageError(
            f"task '{name}' is {type(work).__name__}, not a coroutine or a function that makes one:"
            " give `work` or `work()` of an `async def work()`"
        )


def discard(work: Work | Coroutine[Any, Any, object]) -> None:
    """Let go of work that is never begun; Python warns of a coroutine that nobody closed."""
    if not callable(work):
        work.close()
