"""Coroutines by handle: for those who do not want to own a task, from any thread.

The predecessor runs them on an event loop of their own, in a thread of its own. Here everything is
asyncio already, so they are tasks of the one loop, under supervision like all others. They begin
when the proactor runs, and end with it: those that are added while it ends are last words, and
have some time to be spoken.
"""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Coroutine
from typing import Any, NamedTuple

from result import Err

from gwproactor.actors.communicator import Communicator
from gwproactor.config.tasks import TaskPolicy
from gwproactor.errors import UsageError
from gwproactor.interfaces import (
    INVALID_IO_TASK_HANDLE,
    IOLoopInterface,
    ProcessResult,
    ServicesInterface,
    Work,
)
from gwproactor.message import KnownNames
from gwproactor.runtime.tasks import (
    Overseer,
    SupervisedTask,
    TaskSupervisor,
    check_is_work,
    discard,
)
from gwproactor.texts import name_of
from gwproactor.wire.envelope import Message

MAX_COROUTINES = 10_000
"""At one time; who has more of them forgets to end them."""


class _Added(NamedTuple):
    """What was added, until it begins."""

    handle: int
    work: Work | Coroutine[Any, Any, object]
    name: str
    policy: TaskPolicy | None


class IOLoop(Communicator, IOLoopInterface):
    """Runs coroutines as supervised tasks. For the loop's thread, but for adding and cancelling.

    Args:
        services: The proactor.
        policy: What becomes of a coroutine that fails, where it has no policy of its own.
        overseer: Is told of those that fail.
        stop_seconds: How long they may take to end in the end.
    """

    def __init__(
        self,
        services: ServicesInterface,
        policy: TaskPolicy,
        overseer: Overseer,
        stop_seconds: float,
    ) -> None:
        super().__init__(KnownNames.io_loop_manager, services)
        self._supervisor = TaskSupervisor(self.name, policy, overseer)
        self._stop_seconds = stop_seconds
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self._handles = itertools.count(INVALID_IO_TASK_HANDLE + 1)
        self._tasks: dict[int, SupervisedTask | None] = {}
        """Those that are not over, by their handles; None before they have begun."""
        self._waiting: list[_Added] = []
        self._first_last_words = 0
        self._news = asyncio.Event()
        """One is over. For the loop only."""

    def process_message(self, message: Message[Any]) -> ProcessResult:
        """It takes no messages: Err."""
        return Err(
            UsageError(f"{self.name} takes no messages, and no {message.Header.MessageType}")
        )

    def __len__(self) -> int:
        """How many coroutines are not over."""
        return len(self._tasks)

    def add_io_coroutine(
        self,
        coro: Work | Coroutine[Any, Any, object],
        name: str = "",
        policy: TaskPolicy | None = None,
    ) -> int:
        """Run a coroutine as a task, from any thread; before the start, it waits for that.

        Args:
            coro: The coroutine, which runs once; or a function that makes it, so that it can be
                begun anew when it fails.
            name: What reports call it; found out where not given.
            policy: What becomes of it when it fails; that of the proactor when not given.

        Returns:
            A handle for `cancel_io_routine`; -1 after the stop, and nothing is run.

        Raises:
            UsageError: There are 10,000 already, or it is neither of the two.
        """
        name = name or name_of(coro)
        check_is_work(coro, name)
        with self._lock:
            if self._stopped:
                discard(coro)
                return INVALID_IO_TASK_HANDLE
            if len(self._tasks) >= MAX_COROUTINES:
                discard(coro)
                raise UsageError(f"{self.name} runs {MAX_COROUTINES} coroutines already; end some")
            handle = next(self._handles)
            self._tasks[handle] = None
            added = _Added(handle, coro, name, policy)
            if self._loop is None:
                self._waiting.append(added)
            else:
                self._loop.call_soon_threadsafe(self._begin, added)
        return handle

    def cancel_io_routine(self, handle: int) -> None:
        """Cancel a coroutine, from any thread; one that is over or unknown is nothing to cancel.

        Args:
            handle: What `add_io_coroutine` returned.
        """
        with self._lock:
            task = self._tasks.pop(handle, None)
            if self._loop is None:
                self._let_go_of_cancelled()
            elif task is not None and not self._stopped:
                self._loop.call_soon_threadsafe(task.cancel)

    def _let_go_of_cancelled(self) -> None:
        """Keep nothing of those that will not begin, however long the start is in coming."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if each.handle in self._tasks:
                self._waiting.append(each)
            else:
                discard(each.work)

    def start(self) -> None:
        """Begin what waits, and from now on everything at once."""
        self._supervisor.open()
        with self._lock:
            self._loop = asyncio.get_running_loop()
            waiting, self._waiting = self._waiting, []
        for each in waiting:
            self._begin(each)

    def expect_last_words(self) -> None:
        """The proactor begins to end: what is added from now on, `finish` lets come to its end."""
        with self._lock:
            self._first_last_words = next(self._handles)

    async def finish(self, timeout_seconds: float) -> None:
        """Cancel what was there before `expect_last_words`, wait for the rest, and stop.

        Cancelling is safe: all are cancelled all the same.

        Args:
            timeout_seconds: For all of it; the half of it for who was added last.
        """
        with self._lock:
            found = tuple(self._tasks.items())
        for handle, task in found:
            if task is not None and handle < self._first_last_words:
                task.cancel()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds / 2):
                    await self._last_words_spoken()
        finally:
            self.stop()
        await self._supervisor.close(timeout_seconds / 2)

    async def _last_words_spoken(self) -> None:
        while self._loop is not None and self._has_last_words():
            self._news.clear()
            await self._news.wait()

    def _has_last_words(self) -> bool:
        with self._lock:
            return any(handle >= self._first_last_words for handle in self._tasks)

    def stop(self) -> None:
        """Cancel all coroutines; `join` waits for them."""
        with self._lock:
            self._stopped = True
            waiting, self._waiting = self._waiting, []
            self._tasks = {handle: task for handle, task in self._tasks.items() if task is not None}
            tasks = [task for task in self._tasks.values() if task is not None]
        for each in waiting:
            discard(each.work)
        for task in tasks:
            task.cancel()

    async def join(self) -> None:
        """Wait until all coroutines have ended, as long as a stop may take. Cancelling is safe."""
        await self._supervisor.close(self._stop_seconds)

    def _begin(self, added: _Added) -> None:
        handle, work, name, policy = added
        with self._lock:
            if handle not in self._tasks:  # cancelled meanwhile, or stopped
                discard(work)
                self._news.set()
                return
            task = self._tasks[handle] = self._supervisor.run(work, name, policy)
        task.when_done(lambda: self._forget(handle))

    def _forget(self, handle: int) -> None:
        with self._lock:
            self._tasks.pop(handle, None)
        self._news.set()
