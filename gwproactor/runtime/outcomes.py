"""What the application's code returns when it is called: a result, something to await, or nothing.

A handler may be a plain function or a coroutine, and may raise what went wrong or return it as
`Err`, as the predecessor's do; both are the same to who calls it. Whatever else it returns counts
as success. A hook that is called at one very moment must be a plain function, and says so if it is
not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import ParamSpec

from result import Err

from gwproactor.errors import ProactorFailedError, UsageError
from gwproactor.texts import in_words, name_of

P = ParamSpec("P")


async def settled(outcome: object) -> None:
    """Wait for what a handler does, and raise what went wrong.

    Args:
        outcome: What the call of the handler returned.

    Raises:
        BaseException: What the handler raises, or returns as Err.
        RuntimeError: It returned an Err of something that cannot be raised.
    """
    result = await outcome if isinstance(outcome, Awaitable) else outcome
    if not isinstance(result, Err):
        return
    error = result.err()
    raise error if isinstance(error, BaseException) else RuntimeError(f"Err({error!r})")


def call_plain(hook: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call a hook that must be a plain function; a coroutine would not even begin.

    Raises:
        UsageError: It is a coroutine.
        ProactorFailedError: It raises CancelledError. Nothing cancels a plain function, and who
            calls it would take that for his own cancel.
        Exception: What the hook raises.
    """
    try:
        outcome = hook(*args, **kwargs)
    except asyncio.CancelledError as error:
        raise ProactorFailedError(f"{name_of(hook)} raised {in_words(error)}") from error
    if isinstance(outcome, Coroutine):
        outcome.close()
        raise UsageError(
            f"{name_of(hook)} is a coroutine, which would never run:"
            " write it as a plain function, and let it begin what takes time with add_task"
        )
