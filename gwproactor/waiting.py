"""Waiting for whichever of several things happens first, and telling whose a cancellation is."""

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
