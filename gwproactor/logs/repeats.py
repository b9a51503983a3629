"""Decides which of many records that are alike are written, and counts the others.

Of each kind of record some are shown as they come: `burst` within a window. The others are withheld
and counted, and told as a count when the window ends. As long as the trouble lasts, one window
follows the other, and each is worth one count; a window in which nothing came ends that.

Pure: told the time in monotonic seconds, it says what is to be done. Of more than `max_kinds` kinds
the one whose window began longest ago makes room, and what was withheld of it is told at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

MAX_KINDS: Final = 500
"""Different troubles at a time are tens; those with random text in them are endless."""

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Withheld(Generic[ItemT]):
    """Records of a kind that were not shown.

    Args:
        last: The last of them.
        count: How many.
    """

    last: ItemT
    count: int


@dataclass(slots=True)
class _Window(Generic[ItemT]):
    ends_at: float
    left: int
    """So many may still be shown."""
    last: ItemT
    count: int = 0


class Repeats(Generic[ItemT]):
    """Counts records by their kind.

    Args:
        burst: So many of a kind are shown within a window.
        window_seconds: Length of a window.
        max_kinds: So many kinds are told apart.
    """

    def __init__(self, burst: int, window_seconds: float, max_kinds: int = MAX_KINDS) -> None:
        self._burst = burst
        self._window_seconds = window_seconds
        self._max_kinds = max_kinds
        self._windows: dict[str, _Window[ItemT]] = {}
        """By kind; in the order in which they began, which is that in which they end."""
        self._evicted: list[Withheld[ItemT]] = []

    def shown(self, now: float, kind: str, item: ItemT) -> bool:
        """Take note of a record; whether it is to be shown. Ask `ended` first.

        Args:
            now: The present moment.
            kind: What makes records alike.
            item: The record.
        """
        window = self._windows.get(kind)
        if window is None:
            window = self._begin(now, kind, item, self._burst)
        if window.left > 0:
            window.left -= 1
            return True
        window.last = item
        window.count += 1
        return False

    def ended(self, now: float) -> Iterator[Withheld[ItemT]]:
        """What was withheld in windows that have ended by now, each told once.

        Args:
            now: The present moment; infinity ends all.
        """
        while self._windows:
            kind, window = next(iter(self._windows.items()))
            if window.ends_at > now:
                break
            del self._windows[kind]
            if window.count:
                yield Withheld(window.last, window.count)
                if now != float("inf"):
                    self._begin(now, kind, window.last, 0)
        evicted, self._evicted = self._evicted, []
        yield from evicted

    def seconds_to_end(self, now: float) -> float | None:
        """How long until the next window ends; None where there is none."""
        if self._evicted:
            return 0.0
        if not self._windows:
            return None
        return max(0.0, next(iter(self._windows.values())).ends_at - now)

    def _begin(self, now: float, kind: str, item: ItemT, left: int) -> _Window[ItemT]:
        if len(self._windows) >= self._max_kinds:
            oldest = self._windows.pop(next(iter(self._windows)))
            if oldest.count:
                self._evicted.append(Withheld(oldest.last, oldest.count))
        window = _Window(now + self._window_seconds, left, item)
        self._windows[kind] = window
        return window
