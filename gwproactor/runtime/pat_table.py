"""Who has given a sign of life in time, and who has not: the core of the watchdog.

Each monitored name has to *pat* within its timeout, again and again. The table knows when each of
them did so last, and says who is overdue. Pure: it is told the time, in monotonic seconds.

A name that is overdue stays so until it pats again. Nothing here is done about it.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

from gwproactor.errors import UsageError


@dataclass(frozen=True, slots=True)
class Expired:
    """A monitored name that has been silent for too long.

    Args:
        name: The name.
        timeout_seconds: The longest time that it is allowed between two pats.
        silent_seconds: How long ago it patted last, or monitoring began.
    """

    name: str
    timeout_seconds: float
    silent_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.name} has given no sign of life for {self.silent_seconds:.1f} s"
            f" ({self.timeout_seconds:g} s are allowed)"
        )


@dataclass(slots=True)
class _Monitored:
    timeout_seconds: float
    patted_at: float

    @property
    def expires_at(self) -> float:
        return self.patted_at + self.timeout_seconds


class PatTable:
    """The monitored names. Not for several threads at once."""

    def __init__(self) -> None:
        self._names: dict[str, _Monitored] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def watch(self, name: str, timeout_seconds: float, now: float) -> None:
        """Begin to monitor a name; it counts as having patted just now.

        Args:
            name: The name.
            timeout_seconds: The longest time between two pats.
            now: The present moment.

        Raises:
            UsageError: It is monitored already, or the timeout is no positive number of seconds.
        """
        if name in self._names:
            raise UsageError(f"{name} is monitored already; a name belongs to one communicator")
        if not _is_duration(timeout_seconds):
            raise UsageError(
                f"{name} cannot be monitored with a timeout of {timeout_seconds!r} s:"
                " give a number of seconds above 0"
            )
        self._names[name] = _Monitored(timeout_seconds, now)

    def unwatch(self, name: str) -> None:
        """Monitor a name no longer; an unknown one is nothing to forget."""
        self._names.pop(name, None)

    def pat(self, name: str, now: float) -> bool:
        """Take note that a name is alive; return whether it is monitored."""
        monitored = self._names.get(name)
        if monitored is None:
            return False
        # Of two threads, the one with the earlier time may come later.
        monitored.patted_at = max(monitored.patted_at, now)
        return True

    def pat_all(self, now: float) -> None:
        """Count every name as having patted: monitoring begins only now."""
        for name in self._names:
            self.pat(name, now)

    def expired(self, now: float) -> list[Expired]:
        """Every name that is overdue, in the order in which they were added."""
        return [
            Expired(name, monitored.timeout_seconds, now - monitored.patted_at)
            for name, monitored in self._names.items()
            if now > monitored.expires_at
        ]

    def next_expiry(self, told: Collection[str] = ()) -> float | None:
        """The moment at which the next name expires, or has expired; None without one.

        Args:
            told: Names that have expired and of which that is known already.
        """
        others = (each.expires_at for name, each in self._names.items() if name not in told)
        return min(others, default=None)


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and value is not True and 0 < value < math.inf
