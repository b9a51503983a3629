"""Starting, stopping and joining something that runs as one task.

`Lifecycle` knows nothing of what runs: a derived class says in `_run` what that is, sets
`_ready` when everything runs, and ends soon after `_stop_requested`. From that follow the ways of
use: as an async context manager, by `start`, `stop` and `join`, or by `run_forever`.
"""

import asyncio
import contextlib
import signal
import threading
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Self

from gwproactor.errors import NotRunningError, UsageError
from gwproactor.interfaces import Runnable
from gwproactor.waiting import until_any

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What an operator or a service manager sends to end a program in good order."""


class Lifecycle(Runnable):
    """Runs once. Every method is for the event loop's thread."""

    def __init__(self) -> None:
        self._main: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._stop_requested = asyncio.Event()
        self._stop_reason = ""

    @abstractmethod
    async def _run(self) -> None:
        """Do everything, from opening to closing; call `_ready.set()` once all tasks run."""

    @abstractmethod
    def _label(self) -> str:
        """What tasks and errors call this object."""

    def start(self) -> None:
        """Start. Returns at once; `started` waits until everything runs.

        Raises:
            UsageError: It was started before: each object runs once.
        """
        if self._main is not None:
            raise UsageError(f"{self._label()} was started before; make a new one")
        self._main = asyncio.create_task(self._run(), name=self._label())

    async def started(self) -> None:
        """Wait until everything runs. Cancelling is safe.

        Raises:
            NotRunningError: `start` was not called.
            GwproactorError: It could not start; `join` raises the same.
        """
        main = self._require_main()
        await until_any(main, self._ready.wait())
        if main.done():
            await self.join()

    def stop(self, reason: str = "stop called") -> None:
        """Ask it to stop in good order; `join` waits for that. May be called again.

        Args:
            reason: Why; the first one counts.
        """
        self._stop_reason = self._stop_reason or reason
        self._stop_requested.set()

    async def join(self) -> None:
        """Wait until it has stopped. Cancelling is safe: it goes on running.

        Raises:
            NotRunningError: `start` was not called.
            Exception: What ended it, where that was no orderly stop.
        """
        try:
            await asyncio.shield(self._require_main())
        except BaseExceptionGroup as group:
            raise _only_one(group) from None

    @property
    def has_stopped(self) -> bool:
        """Whether it ran and has ended."""
        return self._main is not None and self._main.done()

    async def stopped(self) -> None:
        """Wait until it has stopped; `join` tells why. Cancelling is safe."""
        await until_any(self._require_main())

    async def stop_and_join(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.stop()
        await self.join()

    async def run_forever(self) -> None:
        """Start, and run until `stop`, SIGTERM or SIGINT, or a failure.

        Cancelling stops it in good order first. Signals reach only the main thread: on a loop that
        runs in another one, `stop` is what ends it. A signal that comes while it stops changes
        nothing.

        Raises:
            Exception: See `join`.
        """
        with calling_on_stop_signals(lambda: self.stop("signal")):
            async with self:
                await self.stopped()

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.started()
        except BaseException:
            self.stop()
            async with self._not_left_running():
                await self.stopped()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        async with self._not_left_running():
            await self.join()

    @contextlib.asynccontextmanager
    async def _not_left_running(self) -> AsyncIterator[None]:
        """Who is cancelled while waiting for the orderly end has no time for it: end it at once."""
        try:
            yield
        except asyncio.CancelledError:
            main = self._require_main()
            main.cancel()
            await asyncio.wait((main,))
            raise

    def _require_main(self) -> asyncio.Task[None]:
        if self._main is None:
            raise NotRunningError(f"{self._label()} was not started")
        return self._main


@contextlib.contextmanager
def calling_on_stop_signals(callback: Callable[[], None]) -> Iterator[None]:
    """Call `callback` on the loop at each SIGTERM and SIGINT, for as long as the context lasts.

    Outside the main thread there are no signals, and nothing is called.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, callback)
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


def _only_one(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception in a group of one, however deep; else the group."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return inner
