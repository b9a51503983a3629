"""Starting, stopping and joining something that runs as one task.

`Lifecycle` knows nothing of what runs: a derived class says in `_run` what that is, sets
`_ready` when everything runs, and ends soon after `_stop_requested`. From that follow the ways of
use: as an async context manager, by `start`, `stop` and `join`, or by `run_forever`.

Whichever way it is, SIGTERM stops it in good order. An `async with` has a body besides, which knows
nothing of that and may wait for something else; so a signal ends the body, as a failure does.

`sys.exit` is for the caller, too. Raised in the task that runs, it would end the loop at once, and
who waits would be cancelled instead of told; so it is kept until all has ended, and comes out of
`join`.
"""

import asyncio
import contextlib
import signal
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import ClassVar, Self

from gwproactor.errors import NotRunningError, UsageError
from gwproactor.interfaces import Runnable
from gwproactor.runtime.body import Body
from gwproactor.runtime.exits import EXITS
from gwproactor.runtime.home_loop import HomeLoop
from gwproactor.runtime.stop_signals import (
    STOP_SIGNALS,
    call_on_stop_signals,
    calling_on_stop_signals,
)
from gwproactor.texts import in_words
from gwproactor.waiting import until_any


class Lifecycle(Runnable):
    """Runs once. Every method is for the event loop's thread, but for `stop`.

    Attributes:
        stop_signals: What stops it in good order, where its loop runs in the main thread and nobody
            else handles that signal. A derived class sets it to `()` to be left alone by signals.
    """

    stop_signals: ClassVar[tuple[signal.Signals, ...]] = STOP_SIGNALS

    def __init__(self) -> None:
        self._home = HomeLoop()
        self._main: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._stop_requested = asyncio.Event()
        self._stop_reason = ""
        self._body: Body | None = None
        self._is_leaving = False
        self._spares_a_cancel = False
        self._exit: BaseException | None = None
        self._waiting_count = 0
        self._release_signals: Callable[[], None] = _nothing

    @abstractmethod
    async def _run(self) -> None:
        """Do everything, from opening to closing; call `_ready.set()` once all tasks run."""

    @abstractmethod
    def _label(self) -> str:
        """What tasks and errors call this object."""

    def start(self) -> None:
        """Start. Returns at once; `started` waits until everything runs.

        SIGTERM and SIGINT stop it from now on; see `stop_signals`.

        Raises:
            UsageError: It was started before: each object runs once.
        """
        self._require_fresh()
        self._home.enter()
        self._main = asyncio.create_task(self._run_to_the_end(), name=self._label())
        self._main.add_done_callback(self._has_ended)
        self._release_signals = call_on_stop_signals(
            self._take_signal, self.stop_signals, also_from_runner=self._body is None
        )

    async def started(self) -> None:
        """Wait until everything runs. Cancelling is safe.

        Raises:
            NotRunningError: `start` was not called.
            GwproactorError: It could not start; `join` raises the same.
        """
        main = self._require_main()
        with self._waited_for():
            await until_any(main, self._ready.wait())
        if main.done():
            await self.join()

    def stop(self, reason: str = "stop called") -> None:
        """Ask it to stop in good order; `join` waits for that. May be called again.

        From any thread, and from a handler of `signal.signal`.

        Args:
            reason: Why; the first one counts.
        """
        self._home.call(lambda: self._request_stop(reason))

    def _request_stop(self, reason: str) -> None:
        self._stop_reason = self._stop_reason or reason
        self._stop_requested.set()

    async def join(self) -> None:
        """Wait until it has stopped. Cancelling is safe: it goes on running.

        Raises:
            NotRunningError: `start` was not called.
            Exception: What ended it, where that was no orderly stop.
            SystemExit: Something in it called `sys.exit`.
        """
        main = self._require_main()
        with self._waited_for():
            try:
                await asyncio.shield(main)
            except BaseExceptionGroup as group:
                raise _only_one(group) from None
        if self._exit is not None:
            raise self._exit

    @property
    def has_stopped(self) -> bool:
        """Whether it ran and has ended."""
        return self._main is not None and self._main.done()

    async def stopped(self) -> None:
        """Wait until it has stopped; `join` tells why, and raises a `sys.exit`. Cancel-safe."""
        main = self._require_main()
        with self._waited_for():
            await until_any(main)

    async def stop_and_join(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.stop()
        await self.join()

    async def run_forever(self) -> None:
        """Start, and run until `stop`, a signal or a failure; see `stop_signals`.

        Cancelling stops it in good order first. A signal that comes while it stops changes nothing.

        Raises:
            Exception: See `join`.
        """
        with calling_on_stop_signals(self._take_signal, self.stop_signals):
            async with self:
                await self.stopped()

    async def __aenter__(self) -> Self:
        self._require_fresh()
        self._body = Body()
        self.start()
        try:
            await self.started()
        except BaseException as error:
            await self._leave(_reason(error), self.stopped)
            raise
        self._body.enter()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._body is not None
        ended_by_us = self._body.left_with(error)
        await self._leave(_reason(error), self.join)
        return ended_by_us

    async def _leave(self, reason: str, wait: Callable[[], Awaitable[None]]) -> None:
        """Stop, and wait for the orderly end."""
        self._is_leaving = True
        try:
            self.stop(reason)
            await self._not_left_running(wait)
        finally:
            self._release_signals()

    async def _not_left_running(self, wait: Callable[[], Awaitable[None]]) -> None:
        """Wait for the end; who is cancelled meanwhile has no time for it, so it comes at once."""
        main = self._require_main()
        try:
            await wait()
        except asyncio.CancelledError:
            if self._spares_a_cancel:
                self._spares_a_cancel = False
                await self._not_left_running(self.stopped)
            else:
                await _end_at_once(main)
            raise

    def _take_signal(self, name: str) -> None:
        # An `async with` around this one is told too, and cancels what this one waits in.
        self._spares_a_cancel = self._is_leaving
        self.stop(name)
        self._end_body()

    def _end_body(self) -> None:
        if self._body is not None:
            self._body.end()

    async def _run_to_the_end(self) -> None:
        try:
            await self._run()
        except EXITS as error:
            self._exit = error

    def _has_ended(self, main: "asyncio.Task[None]") -> None:
        if self._body is not None:
            if self._exit is not None or main.cancelled() or main.exception() is not None:
                self._body.end()
            return
        self._release_signals()
        if self._exit is not None and not self._waiting_count:
            raise self._exit  # out of the loop, for nobody else would do it

    @contextlib.contextmanager
    def _waited_for(self) -> Iterator[None]:
        self._waiting_count += 1
        try:
            yield
        finally:
            self._waiting_count -= 1

    def _require_fresh(self) -> None:
        if self._main is not None:
            raise UsageError(f"{self._label()} was started before; make a new one")

    def _require_main(self) -> asyncio.Task[None]:
        if self._main is None:
            raise NotRunningError(f"{self._label()} was not started")
        return self._main


def _nothing() -> None:
    """What there is to release before the start."""


def _reason(error: BaseException | None) -> str:
    """Why a stop was asked for at the end of an `async with`, which was left with this."""
    if error is None:
        return "stop called"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else in_words(error)


async def _end_at_once(main: "asyncio.Task[None]") -> None:
    """Cancel the task that runs, and wait for its end; further cancels change nothing."""
    main.cancel()
    while not main.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait((main,))


def _only_one(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception in a group of one, however deep; else the group."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return inner
