"""How something ends that has many parts: stage after stage, in one time for all of them.

Each stage is told how long it has: of what is left its share, among those still to come. So one
that needs nothing leaves its time to those behind it, and one that hangs takes nothing of theirs.
It has to keep to that time by itself, for it alone can say what it leaves behind; where it does
not, it is cut short, and reported with where it is.

Whatever a stage raises, the others follow, and what was raised first comes out in the end. Who
cancels the end has no time for it: a quarter is left then, so that what is to be written can still
be written, and the cancel goes on behind it.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from gwproactor.errors import ProactorFailedError
from gwproactor.logs.one_line import Lines
from gwproactor.runtime.exits import EXITS
from gwproactor.runtime.stacks import task_stack_text
from gwproactor.texts import in_words, traceback_text
from gwproactor.waiting import is_being_cancelled

logger = logging.getLogger(__name__)

SLACK_SECONDS = 0.1
"""A stage knows its time and keeps to it; so much later it is clear that it does not, and so long
it then has to let go, also on a busy machine."""

HURRIED_SHARE = 0.25
"""What is left of the time after a cancel: enough for a disk that answers."""


@dataclass(frozen=True)
class Stage:
    """One part of an end.

    Args:
        what: What ends in it, for reports.
        share: Its part of the time, beside those of the others; None for one that takes as long as
            it takes, and costs the others nothing.
        work: Does it, and is given the seconds that it has.
    """

    what: str
    share: int | None
    work: Callable[[float], Awaitable[None]]


class Ending:
    """An end, as an async context: it begins when the block is left, in whatever way.

    Args:
        stages: In their order.
        seconds: For all of them together.
        report: Called with summary and details when one had to be cut short; must not raise.
        hurry: Called when there is no time any more, so that nobody goes on waiting for others.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        seconds: float,
        *,
        report: Callable[[str, str], None],
        hurry: Callable[[], None],
    ) -> None:
        self._stages = stages
        self._left_seconds = seconds
        self._hurried_seconds = seconds * HURRIED_SHARE
        self._counts_from = 0.0
        """When the time of this stage began to be counted."""
        self._report = report
        self._tell_to_hurry = hurry
        self._is_hurried = False
        self._was_cancelled = False
        self._error: BaseException | None = None

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            self._hurry()
        for place, stage in enumerate(self._stages):
            shares = sum(each.share or 0 for each in self._stages[place:])
            await self._end(stage, (stage.share or 0) / (shares or 1))
        if error is None and self._was_cancelled:
            raise asyncio.CancelledError
        if self._error is not None:
            if error is None:
                raise self._error
            error.add_note(f"and then: {in_words(self._error)}")

    async def _end(self, stage: Stage, share: float) -> None:
        """Do one stage; it has this share of what is left."""
        self._counts_from = began_at = time.monotonic()
        seconds = self._left_seconds * share
        until = began_at + seconds + SLACK_SECONDS
        if stage.share is None and not self._is_hurried:
            until = math.inf
        task = asyncio.create_task(self._guarded(stage, seconds), name=f"end of {stage.what}")
        while await self._was_cancelled_before(task, until):
            self._spend(stage)
            self._hurry()
            # without slack: it keeps to the time that it was told, and there is less now
            until = min(until, time.monotonic() + self._left_seconds * share)
        self._spend(stage)
        if not task.done():
            await self._cut_short(stage, task, time.monotonic() - began_at)

    async def _was_cancelled_before(self, task: "asyncio.Task[None]", until: float) -> bool:
        """Wait for the end of a stage, or of its time; True where a cancel came before."""
        left_seconds = max(0.0, until - time.monotonic())
        try:
            await asyncio.wait((task,), timeout=None if until == math.inf else left_seconds)
        except asyncio.CancelledError:
            self._was_cancelled = True
            return True
        return False

    def _spend(self, stage: Stage) -> None:
        now = time.monotonic()
        if stage.share is not None:
            self._left_seconds = max(0.0, self._left_seconds - (now - self._counts_from))
        self._counts_from = now

    def _hurry(self) -> None:
        if not self._is_hurried:
            self._is_hurried = True
            self._left_seconds = min(self._left_seconds, self._hurried_seconds)
            self._tell_to_hurry()

    async def _guarded(self, stage: Stage, seconds: float) -> None:
        try:
            await stage.work(seconds)
        except asyncio.CancelledError as error:
            if not is_being_cancelled():
                self._failed(stage, ProactorFailedError(f"end of {stage.what}: {in_words(error)}"))
        except (Exception, *EXITS) as error:  # noqa: BLE001 - the others are to end all the same
            self._failed(stage, error)

    def _failed(self, stage: Stage, error: BaseException) -> None:
        logger.error("the end of %s failed: %s", stage.what, Lines(traceback_text(error)))
        self._error = self._error or error

    async def _cut_short(self, stage: Stage, task: "asyncio.Task[None]", seconds: float) -> None:
        where = task_stack_text(task)
        task.cancel()
        if not self._is_hurried:
            details = f"it has taken {seconds:.1f} s\n{where}"
            self._report(f"The end of {stage.what} was cut short", details)
        await self._was_cancelled_before(task, time.monotonic() + SLACK_SECONDS)
