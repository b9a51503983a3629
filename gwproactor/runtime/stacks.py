"""Where every task and every thread is at this moment, as text of bounded size.

For the report of something that hangs. Only names, files and lines are shown: no source line is
read from a disk, which may be what hangs, and no local variable is shown, which may be a secret.

A task that waits is shown with the whole chain of what it awaits, outermost first, as in a
traceback. `asyncio` itself shows only the first of them.
"""

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from types import AsyncGeneratorType, CodeType, FrameType

DEFAULT_MAX_BYTES = 32 * 1024
"""Some hundred tasks and threads, in an event that every broker and peer takes."""

MAX_FRAMES = 40
"""Frames shown of one stack. In a deep recursion the innermost ones say where it is."""

MAX_SCANNED_FRAMES = 2000
"""Frames looked at: more than Python's limit of recursion; a chain of awaits may be endless."""

_LEFT_OUT_BYTES = 64
"""Kept free for the line that says how much is left out."""


def stacks_text(first: Collection[str] = (), max_bytes: int = DEFAULT_MAX_BYTES) -> str:
    """The stacks of all threads, and of all tasks of the running loop. For the loop's thread.

    Args:
        first: Threads and tasks with one of these in their names are shown before the others.
        max_bytes: The longest text, in UTF-8. What does not fit is counted.
    """
    return _joined([*_threads(first), *_tasks(first)], max_bytes)


def thread_stacks_text(max_bytes: int = DEFAULT_MAX_BYTES) -> str:
    """The stacks of all threads, from any thread.

    Args:
        max_bytes: See `stacks_text`.
    """
    return _joined(_threads(), max_bytes)


def task_stack_text(task: "asyncio.Task[object]") -> str:
    """The stack of one task. For the loop's thread."""
    if task is asyncio.current_task():
        return _stack(f"task {task.get_name()}", ["  (asks for the stacks)"])
    return _stack(f"task {task.get_name()}", _lines_of_awaits(task.get_coro()))


def cut_to_bytes(text: str, max_bytes: int) -> str:
    """`text`, or as much of its beginning as fits into so many bytes of UTF-8."""
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= max_bytes:
        return encoded.decode("utf-8")
    kept = encoded[: max(0, max_bytes - _LEFT_OUT_BYTES)].decode("utf-8", "ignore")
    return f"{kept}\n... {len(encoded) - len(kept.encode('utf-8'))} bytes are left out"


def _joined(stacks: Sequence[Callable[[], str]], max_bytes: int) -> str:
    """As many of the stacks as fit, and how many do not; those are not even looked at."""
    shown: list[str] = []
    room = max_bytes - _LEFT_OUT_BYTES
    for make_stack in stacks:
        stack = make_stack()
        room -= len(stack.encode("utf-8", "backslashreplace")) + 1
        if room < 0:
            break
        shown.append(stack)
    left_out = len(stacks) - len(shown)
    if left_out:
        shown.append(f"... {left_out} stacks are left out")
    return cut_to_bytes("\n".join(shown), max_bytes)


def _threads(first: Collection[str] = ()) -> list[Callable[[], str]]:
    # The documented way to the frames of other threads, in spite of its name.
    frames = sys._current_frames()  # noqa: SLF001
    threads = sorted(threading.enumerate(), key=lambda thread: not _names(thread.name, first))
    return [
        partial(_thread_stack_text, thread.name, frames.get(thread.ident or 0))
        for thread in threads
    ]


def _thread_stack_text(name: str, frame: FrameType | None) -> str:
    return _stack(f"thread {name}", _lines_of_frame(frame))


def _tasks(first: Collection[str] = ()) -> list[Callable[[], str]]:
    tasks = sorted(asyncio.all_tasks(), key=lambda task: task.get_name())
    tasks.sort(key=lambda task: not _names(task.get_name(), first))
    return [partial(task_stack_text, task) for task in tasks]


def _names(name: str, first: Collection[str]) -> bool:
    """Whether a thread or task of that name belongs to one of `first`, as far as names tell."""
    return any(each in name for each in first)


def _stack(title: str, lines: list[str]) -> str:
    if len(lines) > MAX_FRAMES:
        lines = [f"  ... {len(lines) - MAX_FRAMES} further out", *lines[-MAX_FRAMES:]]
    return "\n".join((title, *(lines or ["  (is over)"])))


def _lines_of_frame(innermost: FrameType | None) -> list[str]:
    """A line for each frame of a thread, the outermost first."""
    lines: list[str] = []
    frame = innermost
    while frame is not None and len(lines) < MAX_SCANNED_FRAMES:
        lines.append(_line(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return lines[::-1]


def _lines_of_awaits(outermost: object) -> list[str]:
    """A line for each coroutine that waits for the next, the outermost first."""
    lines: list[str] = []
    for awaited in _await_chain(outermost):
        frame = _attribute(awaited, "cr_frame", "ag_frame", "gi_frame")
        if isinstance(frame, FrameType):
            lines.append(_line(frame.f_code, frame.f_lineno))
    return lines


def _await_chain(outermost: object) -> Iterator[object]:
    """A coroutine, what it awaits, what that awaits, and so on."""
    awaited: object = outermost
    for _ in range(MAX_SCANNED_FRAMES):
        if awaited is None:
            return
        yield awaited
        awaited = _attribute(awaited, "cr_await", "ag_await", "gi_yieldfrom") or _step_of(awaited)


def _step_of(awaited: object) -> object:
    """The asynchronous generator of which `awaited` is the next step; such a step names it not."""
    if hasattr(awaited, "asend") or not hasattr(awaited, "throw"):
        return None
    referents = gc.get_referents(awaited)
    return next((each for each in referents if isinstance(each, AsyncGeneratorType)), None)


def _attribute(awaited: object, *names: str) -> object:
    """The first of these attributes that it has, or None."""
    return next((getattr(awaited, name) for name in names if hasattr(awaited, name)), None)


def _line(code: CodeType, line: int | None) -> str:
    return f"  {code.co_filename}:{line} in {code.co_qualname}"
