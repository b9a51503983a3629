"""The body of an `async with`, which may be ended by what it is about.

As with `asyncio.timeout`, the task within is cancelled, and where nobody else has cancelled it too,
the cancel goes no further than the `async with`.
"""

import asyncio


class Body:
    """The body that the running task is about to enter. For the event loop's thread."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # nothing else can enter an `async with`
        self._task = task
        self._cancels_before = task.cancelling()
        self._is_open = False
        self._must_end = False
        self._is_cancelled = False

    def enter(self) -> None:
        """Take note that the task enters the body, which may have to end already."""
        self._is_open = True
        if self._must_end:
            self.end()

    def end(self) -> None:
        """Cancel the task, once, where it is in the body at the loop's next turn.

        Not now: where the body itself asks for it, a cancel would come out of its next `await`,
        which may be behind the body.
        """
        self._must_end = True
        asyncio.get_running_loop().call_soon(self._cancel)

    def left_with(self, error: BaseException | None) -> bool:
        """Take note that the task has left the body; whether by our cancel and nobody else's.

        Args:
            error: What it was left with.
        """
        self._is_open = False
        if not self._is_cancelled:
            return False
        cancels = self._task.uncancel()
        return isinstance(error, asyncio.CancelledError) and cancels <= self._cancels_before

    def _cancel(self) -> None:
        if self._is_open and not self._is_cancelled:
            self._is_cancelled = self._task.cancel()
