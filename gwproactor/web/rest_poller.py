"""Asks a server the same again and again, and hands on what it makes of the answers.

    request → converter → message → `forward`

The next request begins a period after the begin of the last, and only when the last answer was
taken: where `forward` returns something to await, a receiver that is slow makes polls fall out
instead of messages pile up. Nothing that a server does ends the poller, nor what the application
gives to it (`make_request`, the converter, the receiver), unless its settings say so; failures are
counted and told at a bounded rate.
"""

import asyncio
import inspect
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from result import Err

from gwproactor.errors import PollError
from gwproactor.extras import need_package
from gwproactor.interfaces import INVALID_IO_TASK_HANDLE, IOLoopInterface
from gwproactor.texts import traceback_text
from gwproactor.waiting import is_being_cancelled
from gwproactor.web.poll_times import PollTimes
from gwproactor.web.poll_troubles import PollReport, PollTroubles
from gwproactor.web.rest_response import RESTResponse
from gwproactor.web.rest_settings import ErrorResponse, RequestArgs, RESTPollerSettings
from gwproactor.wire.envelope import Message

logger = logging.getLogger(__name__)

T = TypeVar("T")

Converter = Callable[[RESTResponse], Message[Any] | Awaitable[Message[Any] | None] | None]
"""Makes a message of an answer, or nothing; a plain function or a coroutine."""

Forwarder = Callable[[Message[Any]], object]
"""Is given each message. What it returns is awaited, where that can be; an Err is a failure."""

Reporter = Callable[[str, str, bool], None]
"""Is told summary, details and whether it is an error."""

Ask = Callable[[RequestArgs], Awaitable[RESTResponse]]

PAT_SECONDS = 5.0
"""How often a poller that waits says that it is alive."""

CONVERT_SECONDS = 20.0
"""A converter that takes longer, beyond what a request may take, looks hung to the watchdog."""


def null_converter(_: RESTResponse) -> None:
    """Make nothing of an answer."""


def null_forwarder(_: Message[Any]) -> None:
    """Let a message go."""


class PollClock(Protocol):
    """The time, as a poller sees it."""

    def monotonic(self) -> float:
        """The present moment, monotonic seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class RealClock:
    """The time."""

    def monotonic(self) -> float:
        """The present moment, monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class RESTPoller:
    """Polls one server. For the event loop's thread.

    Args:
        name: Stands in reports, and in the name of its task.
        rest: Whom to ask, how and how often.
        loop_manager: Runs its task.
        convert: Makes messages of answers.
        forward: Is given the messages.
        cache_request_args: Make the request once; otherwise `make_request` is asked by each poll.
        report: Is told of trouble, and when it is over; the log when not given.
        pat: Called at least every few seconds while all is well.
        clock: The time; a test may have one of its own.
        random: Gives a number between 0 and 1 for the jitter of the start.
    """

    def __init__(
        self,
        name: str,
        rest: RESTPollerSettings,
        loop_manager: IOLoopInterface,
        *,
        convert: Converter = null_converter,
        forward: Forwarder = null_forwarder,
        cache_request_args: bool = True,
        report: Reporter | None = None,
        pat: Callable[[], None] = lambda: None,
        clock: PollClock | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._rest = rest
        self._loop_manager = loop_manager
        self._convert = convert
        self._forward = forward
        self._cache_request_args = cache_request_args
        self._report = report or _log
        self._pat = pat
        self._clock = clock or RealClock()
        self._random = random
        self._troubles = PollTroubles()
        self._times: PollTimes | None = None
        self._request: RequestArgs | None = None
        """Kept, where it is made once."""
        self._handle = INVALID_IO_TASK_HANDLE
        self._over = asyncio.Event()
        self._over.set()
        self._is_begun = False
        self.poll_count = 0
        """How often it asked since it was made."""

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def failure_count(self) -> int:
        """How many polls failed since it was made."""
        return self._troubles.failure_count

    @property
    def missed_count(self) -> int:
        """How many polls fell out since the start, because the one before took too long."""
        return 0 if self._times is None else self._times.missed_count

    @property
    def pat_timeout_seconds(self) -> float:
        """The longest time between two calls of `pat` in which nothing is wrong."""
        return self._rest.timeout.total + CONVERT_SECONDS

    def make_request(self) -> RequestArgs:
        """Make the request; override it for one that is not always the same.

        Called by the first poll, or by each: see `cache_request_args`. What it raises is a failed
        request, and the next poll calls it again.
        """
        return self._rest.request

    def start(self) -> None:
        """Begin to poll, within `start_jitter_seconds`. One that polls already goes on.

        Raises:
            MissingExtraError: aiohttp is not installed.
        """
        need_package("aiohttp", f"REST poller '{self._name}'")
        if not self._over.is_set():
            return
        self._over.clear()
        self._is_begun = False
        self._request = None
        self._handle = self._loop_manager.add_io_coroutine(self._run(), f"poll {self._name}")
        if self._handle == INVALID_IO_TASK_HANDLE:
            self._over.set()  # it was too late to begin

    def stop(self) -> None:
        """Ask no more; a request that is under way is broken off. `join` waits for that."""
        self._loop_manager.cancel_io_routine(self._handle)
        if not self._is_begun:
            self._over.set()

    async def join(self) -> None:
        """Wait until it has stopped and its connection is closed. Cancelling is safe."""
        await self._over.wait()

    async def _run(self) -> None:
        from gwproactor.web.aiohttp_client import PollClient

        if self._over.is_set():
            return  # it was stopped before it could begin
        self._is_begun = True
        try:
            async with PollClient(self._rest) as client:
                await self._keep_polling(client.ask)
        finally:
            self._over.set()

    async def _keep_polling(self, ask: Ask) -> None:
        first_at = self._clock.monotonic() + self._random() * self._rest.jitter_seconds
        self._times = PollTimes(self._rest.poll_period_seconds, first_at)
        await self._sleep_until(first_at)
        while True:
            self._pat()
            await self._poll(ask)
            due_at = self._times.next(self._clock.monotonic())
            await self._sleep_until(due_at)

    async def _poll(self, ask: Ask) -> None:
        """Ask once, and hand on what comes of it."""
        self.poll_count += 1
        errors = self._rest.errors
        at = "the request failed", errors.request
        try:
            response = await ask(self._next_request())
            at = "the converter failed", errors.convert
            message = await _result(self._convert(response))
            self._pat()
            if message is not None:
                at = "the receiver failed", errors.convert
                await self._hand_on(message)
        except (Exception, asyncio.CancelledError) as error:
            if is_being_cancelled():
                raise
            self._failed(*at, error)  # whatever it is, it is told
        else:
            self._tell(self._troubles.worked(self._clock.monotonic()))

    def _next_request(self) -> RequestArgs:
        if self._request is None or not self._cache_request_args:
            self._request = self.make_request()
        return self._request

    async def _hand_on(self, message: Message[Any]) -> None:
        """Give a message to the receiver, for as long as that takes."""
        outcome = self._forward(message)
        if inspect.isawaitable(outcome):
            outcome = await self._taken(outcome)
        if isinstance(outcome, Err):
            raise outcome.err()

    async def _taken(self, outcome: Awaitable[object]) -> object:
        """What the receiver says in the end."""
        taking = asyncio.ensure_future(outcome)
        try:
            while not taking.done():
                await asyncio.wait([taking], timeout=PAT_SECONDS)
                self._pat()  # it is the receiver that is slow
        finally:
            taking.cancel()
            await asyncio.wait([taking])
        return taking.result()

    async def _sleep_until(self, due_at: float) -> None:
        while (rest_seconds := due_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(rest_seconds, PAT_SECONDS))
            self._pat()

    def _failed(self, kind: str, response: ErrorResponse, error: BaseException) -> None:
        """Deal with a failure as the settings say; called while it is handled."""
        details = str(error) if isinstance(error, PollError) else traceback_text(error)
        now = self._clock.monotonic()
        self._tell(self._troubles.failed(now, kind, details, tell=response.report))
        if response.raise_exception:
            raise error

    def _tell(self, report: PollReport | None) -> None:
        if report is not None:
            summary = f"REST poller '{self._name}': {report.what}"
            self._report(summary, report.details, report.is_error)


async def _result(outcome: T | Awaitable[T]) -> T:
    return await outcome if inspect.isawaitable(outcome) else outcome


def _log(summary: str, details: str, is_error: bool) -> None:
    logger.log(logging.ERROR if is_error else logging.WARNING, "%s: %s", summary, details)
