"""The loop that a proactor lives on, as other threads and handlers of signals meet it.

What only the loop's thread may touch is checked here, once for all, so that a call from another
thread is refused or handed over, and never half done. Before the start nothing runs that a thread
could disturb, and every thread may call.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable

from gwproactor.errors import UsageError


class HomeLoop:
    """A loop and its thread. For any thread, but for `enter`."""

    def __init__(self) -> None:
        self._thread_id: int | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop; None before the start."""

    def enter(self) -> None:
        """Live on the running loop from now on."""
        self._thread_id = threading.get_ident()
        self.loop = asyncio.get_running_loop()

    @property
    def is_elsewhere(self) -> bool:
        """Whether the caller is on another thread than the loop."""
        return self._thread_id is not None and self._thread_id != threading.get_ident()

    def check(self, call: str, instead: str = "") -> None:
        """Refuse a call from another thread.

        Args:
            call: What was called.
            instead: What other threads may call; that the loop is to call it, when not given.

        Raises:
            UsageError: The caller is on another thread.
        """
        if self.is_elsewhere:
            instead = instead or "loop.call_soon_threadsafe"
            raise UsageError(f"{call} is for the event loop's thread; others use {instead}")

    def call(self, callback: Callable[[], None]) -> None:
        """Call on the loop: at once where the caller is there, else soon.

        A loop that sleeps is roused in either case: a handler of `signal.signal` runs in the loop's
        thread, but between two of its turns. A loop that is closed is left alone.
        """
        here = not self.is_elsewhere
        if here:
            callback()
        if self.loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed
                self.loop.call_soon_threadsafe(_nothing if here else callback)


def _nothing() -> None:
    """What is called where the loop is only to be roused."""
