"""Where every task and every thread is at this moment, as text of bounded size.

For the report of something that hangs. Those that are at the same place are shown once, under all
their names. What has expired comes first. Half of the room is for threads and half for tasks, and
what one side does not need the other has.
"""

import asyncio
import re
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gwproactor.runtime.frames import lines_of_awaits, lines_of_frame
from gwproactor.texts import cut_inside, cut_to_bytes

T = TypeVar("T")

DEFAULT_MAX_BYTES = 32 * 1024
"""Some hundred places, in an event that every broker and peer takes."""

MAX_LOOKED_AT = 2000
"""Threads, and tasks: the loop stands still meanwhile, for less than 100 ms."""

MAX_NAMES = 20
"""Names shown of those that are at one place."""

MIN_CUT_BYTES = 256
"""A stack that has no more room than that says nothing."""

_LEFT_OUT_BYTES = 64
"""Kept free for the line that says how much is left out."""


def stacks_text(first: Collection[str] = (), max_bytes: int = DEFAULT_MAX_BYTES) -> str:
    """The stacks of all threads, and of all tasks of the running loop. For the loop's thread.

    Args:
        first: Threads and tasks with one of these in their names are shown before the others.
        max_bytes: The longest text, in UTF-8. What does not fit is counted.
    """
    return _joined(_threads(first), _tasks(first), max_bytes)


def stacks_naming(name: str, max_bytes: int = DEFAULT_MAX_BYTES) -> str:
    """The stacks of the threads and tasks that have `name` in theirs. For the loop's thread.

    Args:
        name: An actor's, for one: its thread has it, and its mailbox's task has it in its own.
        max_bytes: See `stacks_text`.
    """
    places = (*_threads((name,)).places, *_tasks((name,)).places)
    return cut_to_bytes("\n".join(each.text for each in places if each.is_first), max_bytes)


def thread_stacks_text(max_bytes: int = DEFAULT_MAX_BYTES) -> str:
    """The stacks of all threads, from any thread.

    Args:
        max_bytes: See `stacks_text`.
    """
    return _joined(_threads(), _Side("task", 0, ()), max_bytes)


def task_stack_text(task: "asyncio.Task[object]") -> str:
    """The stack of one task. For the loop's thread."""
    return _text("task", [task.get_name()], _lines_of_task(task))


@dataclass(frozen=True)
class _Place:
    """Where some of the threads or tasks are: so many, and whether one of them has expired."""

    text: str
    count: int
    is_first: bool

    @property
    def size_bytes(self) -> int:
        return len(self.text.encode("utf-8", "backslashreplace")) + 1


@dataclass(frozen=True)
class _Side:
    """All threads, or all tasks: how many there are, and where, in the order to show them."""

    kind: str
    count: int
    places: Sequence[_Place]

    def fitting(self, room_bytes: int) -> list[_Place]:
        """The first places that fit; one at least, if there is any room."""
        shown: list[_Place] = []
        room = room_bytes
        for place in self.places:
            room -= place.size_bytes
            if room < 0:
                break
            shown.append(place)
        if not shown and self.places and room_bytes >= MIN_CUT_BYTES:
            place = self.places[0]
            shown = [_Place(cut_inside(place.text, room_bytes - 1), place.count, place.is_first)]
        return shown

    def left_out(self, shown: Sequence[_Place]) -> str:
        """How many are not shown; empty for none."""
        count = self.count - sum(place.count for place in shown)
        return f"{count} {self.kind}{'s' if count > 1 else ''}" if count else ""


def _joined(threads: _Side, tasks: _Side, max_bytes: int) -> str:
    """As much of both sides as fits, and how much does not."""
    room = max_bytes - _LEFT_OUT_BYTES
    shown_threads = threads.fitting(room // 2)
    shown_tasks = tasks.fitting(room - _size_bytes(shown_threads))
    shown_threads = threads.fitting(room - _size_bytes(shown_tasks))
    shown = sorted((*shown_threads, *shown_tasks), key=lambda place: not place.is_first)
    lines = [place.text for place in shown]
    left_out = filter(None, (threads.left_out(shown_threads), tasks.left_out(shown_tasks)))
    if missing := " and ".join(left_out):
        lines.append(f"... {missing} left out")
    return cut_to_bytes("\n".join(lines), max_bytes)


def _size_bytes(places: Sequence[_Place]) -> int:
    return sum(place.size_bytes for place in places)


def _threads(first: Collection[str] = ()) -> _Side:
    # The documented way to the frames of other threads, in spite of its name.
    frames = sys._current_frames()  # noqa: SLF001
    found = [(each.name, frames.get(each.ident or 0)) for each in threading.enumerate()]
    return _side("thread", found, lines_of_frame, first)


def _tasks(first: Collection[str] = ()) -> _Side:
    found = [(task.get_name(), task) for task in asyncio.all_tasks()]
    return _side("task", found, _lines_of_task, first)


def _lines_of_task(task: "asyncio.Task[object]") -> list[str]:
    if task is asyncio.current_task():
        return ["  (asks for the stacks)"]
    return lines_of_awaits(task.get_coro())


def _side(
    kind: str,
    found: Sequence[tuple[str, T]],
    lines_of: Callable[[T], list[str]],
    first: Collection[str],
) -> _Side:
    """Put those together that are at the same place, in the order of their names."""
    names_first = _naming(first)
    ordered = sorted(found, key=lambda each: (not names_first(each[0]), each[0]))
    names_at: dict[tuple[str, ...], list[str]] = {}
    for name, each in ordered[:MAX_LOOKED_AT]:
        names_at.setdefault(tuple(lines_of(each)), []).append(name)
    places = [
        _Place(_text(kind, names, lines), len(names), names_first(names[0]))
        for lines, names in names_at.items()
    ]
    return _Side(kind, len(found), places)


def _naming(first: Collection[str]) -> Callable[[str], bool]:
    """Whether a thread or task of a name belongs to one of `first`, as far as names tell."""
    words = re.compile("|".join(rf"(?<!\w){re.escape(each)}(?!\w)" for each in first) or "(?!)")
    return lambda name: words.search(name) is not None


def _text(kind: str, names: Sequence[str], lines: Sequence[str]) -> str:
    """A stack under the names of those who are there."""
    if len(names) == 1:
        return "\n".join((f"{kind} {names[0]}", *lines))
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    title = f"{len(names)} {kind}s like this: {', '.join(names[:MAX_NAMES])}{more}"
    return "\n".join((title, *lines))
