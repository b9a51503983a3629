"""Where one thread or one task is, as lines of text: a file, a line and a function for each frame.

No source line is read from a disk, which may be what hangs, and no local variable is shown, which
may be a secret. A task that waits is shown with the whole chain of what it awaits, as in a
traceback; `asyncio` itself shows only the first of them.
"""

import gc
from collections.abc import Iterator
from types import AsyncGeneratorType, CodeType, FrameType

MAX_FRAMES = 40
"""Frames shown of one stack. In a deep recursion the innermost ones say where it is."""

MAX_SCANNED_FRAMES = 2000
"""Frames looked at: more than Python's limit of recursion; a chain of awaits may be endless."""


def lines_of_frame(innermost: FrameType | None) -> list[str]:
    """A line for each frame of a thread, the outermost first."""
    lines: list[str] = []
    frame = innermost
    while frame is not None and len(lines) < MAX_SCANNED_FRAMES:
        lines.append(_line(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return _innermost(lines[::-1])


def lines_of_awaits(outermost: object) -> list[str]:
    """A line for each coroutine that waits for the next, the outermost first."""
    lines: list[str] = []
    for awaited in _await_chain(outermost):
        frame = _attribute(awaited, "cr_frame", "ag_frame", "gi_frame")
        if isinstance(frame, FrameType):
            lines.append(_line(frame.f_code, frame.f_lineno))
    return _innermost(lines)


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


def _innermost(lines: list[str]) -> list[str]:
    further_out = len(lines) - MAX_FRAMES
    if further_out <= 0:
        return lines or ["  (is over)"]
    return [f"  ... {further_out} further out", *lines[-MAX_FRAMES:]]


def _line(code: CodeType, line: int | None) -> str:
    return f"  {code.co_filename}:{line} in {code.co_qualname}"
