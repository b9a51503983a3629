"""Waiting for what happens first, or for who has come so far; and telling whose a cancel is."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def until_any(*waits: Coroutine[Any, Any, Any] | asyncio.Task[Any]) -> None:
    """Wait until one of `waits` is over. Cancelling is safe.

    Coroutines are cancelled when they are not needed any more, tasks are left alone; neither's
    result or exception is looked at.
    """
    own = [asyncio.ensure_future(wait) for wait in waits if not isinstance(wait, asyncio.Task)]
    others = [wait for wait in waits if isinstance(wait, asyncio.Task)]
    try:
        await asyncio.wait((*own, *others), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in own:
            wait.cancel()
        await asyncio.gather(*own, return_exceptions=True)


def is_being_cancelled() -> bool:
    """Whether the running task is to end.

    A CancelledError where this is false comes from something else that was cancelled and that the
    task waited for. To the task it is a failure like any other.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Progress:
    """How far somebody has come who deals with one thing after the other. For the loop's thread."""

    def __init__(self) -> None:
        self._begun = 0
        self._done = 0
        self._runs = False
        self._news = asyncio.Event()

    def start(self) -> None:
        """He begins to deal with things; before, and after `stop`, there is nothing to wait for."""
        self._runs = True

    def stop(self) -> None:
        """He deals with nothing any more."""
        self._runs = False
        self._news.set()

    def took_one(self) -> None:
        """He has the next one in hand."""
        self._begun += 1

    def is_done_with_it(self) -> None:
        """He has dealt with it."""
        self._done = self._begun
        self._news.set()

    async def through(self, waiting: int) -> None:
        """Wait until he is done with what he has in hand, and with so many behind it; cancel-safe.

        What comes meanwhile is not waited for: two who give each other work never come to an end.
        """
        last = self._begun + waiting
        while self._runs and self._done < last:
            self._news.clear()
            await self._news.wait()
