"""The communicators of a proactor: who there is, their mailboxes, and their beginning and end.

Each has a mailbox and a task that empties it, so one that takes its time delays nobody else. Those
that are `Runnable` are started when everything that they may need runs, in the order in which they
were added, and stopped the other way round, before anything of that ends. Each is stopped when it
has dealt with what was sent to it, and what it says while it ends still reaches those that were
added before it. One that does not stop in time is reported and left behind: of a thread that hangs
there is no more that one could do.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Protocol

from gwproactor.errors import NotRunningError
from gwproactor.interfaces import CommunicatorInterface, Runnable
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.runtime.exits import exits_end
from gwproactor.runtime.mailbox import Letter, Mailbox
from gwproactor.runtime.outcomes import call_plain, settled
from gwproactor.runtime.stacks import stacks_naming
from gwproactor.runtime.tasks import Overseer, SupervisedTask
from gwproactor.texts import traceback_text
from gwproactor.waiting import is_being_cancelled


class RunsTasks(Protocol):
    """Runs a task that is not to end by itself: its name, and its work."""

    def __call__(self, what: str, work: Callable[[], Awaitable[None]], /) -> SupervisedTask:
        """Begin it."""
        ...


class Communicators:
    """The communicators of one proactor. For the event loop's thread.

    Args:
        max_messages: So many may wait in the mailbox of each.
        max_tries: See `Mailbox`.
        overseer: Is told when something is wrong.
        guard: Entered around each call of a handler, with the communicator's name.
    """

    def __init__(
        self,
        max_messages: int,
        max_tries: int,
        overseer: Overseer,
        guard: Callable[[str], contextlib.AbstractContextManager[None]],
    ) -> None:
        self._max_messages = max_messages
        self._max_tries = max_tries
        self._overseer = overseer
        self._report = overseer.report_problem
        self._guard = guard
        self._found: dict[str, CommunicatorInterface] = {}
        self._mailboxes: dict[str, Mailbox] = {}
        self._tasks: dict[str, SupervisedTask] = {}
        """Those that empty the mailboxes."""
        self._is_ending = False
        self._run_task: RunsTasks | None = None
        self._started: list[tuple[str, Runnable]] = []

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[CommunicatorInterface]:
        """All of them, in the order in which they were added."""
        return iter(tuple(self._found.values()))

    def add(self, communicator: CommunicatorInterface) -> None:
        """Add one, whose name is free; where the others run already, it begins at once.

        Raises:
            NotRunningError: The others are being stopped.
            Exception: What its `start` raises; it was not added then.
        """
        if self._is_ending:
            raise NotRunningError(f"'{communicator.name}' was not added: the proactor stops")
        name = communicator.name
        self._found[name] = communicator
        self._mailboxes[name] = Mailbox(
            f"'{name}'",
            lambda letter: self._hand_over(communicator, letter),
            max_messages=self._max_messages,
            max_tries=self._max_tries,
            report=self._report,
        )
        if self._run_task is not None:
            self._begin_late(communicator, self._run_task)

    def get(self, name: str) -> CommunicatorInterface | None:
        """The one of that name, or None."""
        return self._found.get(name)

    def mailbox(self, name: str) -> Mailbox | None:
        """The mailbox of the one of that name, or None."""
        return self._mailboxes.get(name)

    @property
    def dropped_count(self) -> int:
        """How many messages their mailboxes had no room for."""
        return sum(mailbox.dropped_count for mailbox in self._mailboxes.values())

    def start(
        self,
        run_task: RunsTasks,
        guard: Callable[[str], contextlib.AbstractContextManager[None]],
    ) -> None:
        """Begin to empty the mailboxes, and start who can be started.

        Args:
            run_task: Runs a task for each mailbox, and ends it in the end.
            guard: Entered around the start of each, with what it is.

        Raises:
            Exception: What `start` of one raises; those after it are not started.
        """
        self._run_task = run_task
        for name in self._found:
            self._begin(name, run_task)
        for communicator in self:
            with guard(f"actor '{communicator.name}'"):
                self._start(communicator)

    async def drained(self) -> None:
        """Wait until what waits in their mailboxes now is dealt with. Cancelling is safe."""
        await asyncio.gather(*(mailbox.drained() for mailbox in self._mailboxes.values()))

    async def stop(
        self,
        timeout_seconds: float,
        *,
        sent_on: Callable[[], Awaitable[None]],
        spared: Collection[str] = (),
    ) -> None:
        """Stop who was started, the last first, and wait for them. A second call does nothing.

        Whoever is asked has a part of the first half of the time to come to its end before the next
        is asked; who needs longer goes on ending beside the others. A quarter of what is left is
        for mail, and has as many shares as there are actors with mail. Cancelling is safe: all are
        asked all the same.

        Args:
            timeout_seconds: How long they may take together; who takes longer is reported.
            sent_on: Waits until what threads have written is in mailboxes.
            spared: Who is not stopped.
        """
        self._is_ending = True
        to_ask = [each for each in self._started if each[0] not in spared]
        self._started.clear()
        began_at = time.monotonic()
        joins: dict[asyncio.Task[None], str] = {}
        try:
            while to_ask:
                left_seconds = began_at + timeout_seconds / 2 - time.monotonic()
                patience_seconds = max(0.0, left_seconds / len(to_ask))
                busy_count = 1 + sum(not self._mailboxes[name].is_idle for name, _ in to_ask[:-1])
                mail_seconds = max(0.0, left_seconds / 4 / busy_count)
                await self._deal_with_last_mail(
                    to_ask[-1][0], mail_seconds, patience_seconds / 4, sent_on
                )
                join = self._ask(*to_ask[-1])
                joins[join] = to_ask.pop()[0]
                await asyncio.wait((join,), timeout=patience_seconds / 2)
            await self._wait_for(joins, began_at + timeout_seconds - time.monotonic())
        finally:
            for each in reversed(to_ask):
                joins[self._ask(*each)] = each[0]
            for join in joins:
                join.cancel()

    async def _deal_with_last_mail(
        self,
        name: str,
        mail_seconds: float,
        cancel_seconds: float,
        sent_on: Callable[[], Awaitable[None]],
    ) -> None:
        """Let one deal with what was sent to it, and take nothing more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(mail_seconds):
                await sent_on()
                await self._mailboxes[name].drained()
        self._tasks[name].cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(cancel_seconds):
                await self._tasks[name].wait()
        self._mailboxes[name].close()

    def _ask(self, name: str, runnable: Runnable) -> "asyncio.Task[None]":
        """Ask one to stop; the task that waits for its end."""
        self._mailboxes[name].close()
        with self._reporting(name, "stop"):
            call_plain(runnable.stop)
        return asyncio.create_task(self._join(name, runnable), name=f"join {name}")

    async def _wait_for(self, joins: "dict[asyncio.Task[None], str]", seconds: float) -> None:
        if not joins:
            return
        _, late = await asyncio.wait(joins, timeout=max(0.0, seconds))
        for join in late:
            name = joins[join]
            details = f"it was asked, and waited for in vain\n{stacks_naming(name)}"
            self._report(f"'{name}' did not stop", details)

    def close_mailboxes(self) -> None:
        """Take no messages any more; those who wait are told."""
        self._is_ending = True
        for mailbox in self._mailboxes.values():
            mailbox.close()

    def _begin(self, name: str, run_task: RunsTasks) -> SupervisedTask:
        task = run_task(f"mailbox of {name}", self._mailboxes[name].run)
        self._tasks[name] = task
        return task

    def _begin_late(self, communicator: CommunicatorInterface, run_task: RunsTasks) -> None:
        """Begin one on its own; if it cannot start, its name is free for another try."""
        with contextlib.ExitStack() as undoing:
            undoing.callback(self._forget, communicator)
            undoing.callback(self._begin(communicator.name, run_task).cancel)
            self._start(communicator)
            undoing.pop_all()

    def _forget(self, communicator: CommunicatorInterface) -> None:
        del self._found[communicator.name]
        self._mailboxes.pop(communicator.name).close()
        del self._tasks[communicator.name]
        self._started = [each for each in self._started if each[0] != communicator.name]

    def _start(self, communicator: CommunicatorInterface) -> None:
        if isinstance(communicator, Runnable):
            self._started.append((communicator.name, communicator))
            call_plain(communicator.start)

    async def _join(self, name: str, runnable: Runnable) -> None:
        with self._reporting(name, "join"):
            await runnable.join()

    @contextlib.contextmanager
    def _reporting(self, name: str, what: str) -> Iterator[None]:
        try:
            with exits_end(self._overseer, f"{what} of '{name}'"):
                yield
        except (Exception, asyncio.CancelledError) as error:
            if is_being_cancelled():
                raise
            self._report(f"{what} of '{name}' failed", traceback_text(error))  # the others go on

    async def _hand_over(self, communicator: CommunicatorInterface, letter: Letter) -> None:
        """Have a message processed."""
        message = letter.message if isinstance(letter, ReceivedMessage) else letter
        with self._guard(f"'{communicator.name}'"):
            await settled(communicator.process_message(message))
