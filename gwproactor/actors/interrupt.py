"""An event that ends a thread's wait, whatever it waits for."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Protocol

from gwproactor.actors.pulse import steps


class Sleeper(Protocol):
    """A wait that can be ended."""

    def wake(self) -> bool:
        """End it; once more does nothing."""
        ...


class Interrupt(threading.Event):
    """A `threading.Event` for which a wait on a queue can look out as well. For any thread.

    Once it is set, waits to which it was given are over: they try once more, and where they would
    have to wait they say so. A thread that waits for it alone has a pulse meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sleepers_lock = threading.Lock()
        self._sleepers: set[Sleeper] = set()

    def set(self) -> None:
        """End all waits, now and from now on."""
        with self._sleepers_lock:
            super().set()
            for sleeper in self._sleepers:
                sleeper.wake()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, for so many seconds at most; whether it is."""
        return any(super(Interrupt, self).wait(step) for step in steps(timeout))

    @contextlib.contextmanager
    def ending(self, sleeper: Sleeper) -> Iterator[None]:
        """Wake `sleeper` when this is set, for as long as the context lasts."""
        with self._sleepers_lock:
            self._sleepers.add(sleeper)
            if self.is_set():
                sleeper.wake()
        try:
            yield
        finally:
            with self._sleepers_lock:
                self._sleepers.discard(sleeper)
