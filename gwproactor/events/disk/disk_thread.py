"""One thread for the blocking calls of one part of the disk.

Its own thread, so that a disk that hangs holds up nothing else that uses threads; one thread, so
that calls happen in the order in which they were asked for, and never two at a time.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

from aiofiles.os import wrap

_LAST_CALL_SECONDS = 0.3
"""A node must stop within 2 s, also when its disk does not answer. The thread itself cannot be
ended from outside: Python waits for it when the process exits in the usual way."""

P = ParamSpec("P")
T = TypeVar("T")


class DiskThread:
    """Runs functions in a thread of its own; for the loop's thread.

    Args:
        name: The thread's name, for whoever looks at a list of them.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in the thread, and return what it returns or raise what it raises.

        Cancelling is safe: a call that has begun runs to its end, one that has not is dropped.
        """
        return await wrap(function)(*args, executor=self._executor, **kwargs)

    async def run_last(self, function: Callable[[], None]) -> None:
        """Call `function`, and end the thread; a disk that hangs is not waited for.

        Then the thread ends when the disk lets it.
        """
        finished = False
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_CALL_SECONDS):
                    await self.run(function)
                finished = True
        finally:
            if not finished:
                self.submit(function)  # behind what hangs
            self._executor.shutdown(wait=finished)

    def submit(self, function: Callable[[], None]) -> None:
        """Call `function` in the thread, after what was asked for before, and wait for nothing."""
        self._executor.submit(function)

    def call(self, function: Callable[[], T]) -> T:
        """Call `function` in the thread, and hold up the loop until it has returned."""
        return self._executor.submit(function).result()
