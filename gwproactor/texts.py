"""Texts of bounded size, of exceptions above all: for reports, logs and events.

An exception may be of any length: it may quote all that was read, or come out of a recursion. What
is made of it here fits into an event, and can be written as UTF-8 whatever stands in it.
"""

import functools
import textwrap
import traceback
from collections import deque
from collections.abc import Sequence
from typing import Final

MAX_TEXT_BYTES: Final = 64 * 1024
"""In an event of the node's own: twice the stacks, and far below what a peer takes."""

MAX_TRACEBACK_BYTES: Final = 16 * 1024
"""Of one exception: more than a person reads of it."""

MAX_WORDS_BYTES: Final = 500
"""Of one exception, in a line."""

_LEFT_OUT_BYTES: Final = 64
"""Kept free for the line that says how much is left out."""


def cut_to_bytes(text: str, max_bytes: int) -> str:
    """`text`, or as much of its beginning as fits into so many bytes of UTF-8."""
    return _cut(text, max_bytes, max(0, max_bytes - _LEFT_OUT_BYTES), 0)


def cut_inside(text: str, max_bytes: int) -> str:
    """`text`, or as much of its beginning and of its end as fits into so many bytes of UTF-8."""
    half = max(0, max_bytes - _LEFT_OUT_BYTES) // 2
    return _cut(text, max_bytes, half, half)


def format_exceptions(exceptions: Sequence[BaseException]) -> str:
    """The tracebacks of `exceptions`, each under a line that says which it is; empty for none.

    Of one that is longer than 16 KiB the middle is left out.
    """
    return "".join(
        f"Exception {number} of {len(exceptions)}:\n{textwrap.indent(traceback_text(each), '  ')}\n"
        for number, each in enumerate(exceptions, start=1)
    )


def traceback_text(error: BaseException, max_bytes: int = MAX_TRACEBACK_BYTES) -> str:
    """The exception, those that led to it, and where they come from; its ends where it is long."""
    return cut_inside("".join(traceback.format_exception(error)).rstrip("\n"), max_bytes)


def in_words(error: BaseException) -> str:
    """The exception's class and words, in one line."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001 - whatever its class does, the failure is told
        words = "(has no words)"
    kept = cut_to_bytes(f"{type(error).__name__}: {words}", MAX_WORDS_BYTES)
    return " ".join(kept.split()).removesuffix(":")


def kind_of(error: BaseException) -> str:
    """What tells a failure from others: the exception's class, and the line that raised it.

    Not its words: they may be others each time. So there are as many kinds as the program has lines
    that raise, and of a failure that repeats there is one.
    """
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    for frame, line in deque(traceback.walk_tb(error.__traceback__), maxlen=1):
        return f"{kind} {frame.f_code.co_filename}:{line}"
    return kind


def name_of(code: object) -> str:
    """What reports call a function, a coroutine, or what is called like one.

    Never its `repr`: that of a `functools.partial` has its arguments in it, which may be secrets.
    """
    while isinstance(code, functools.partial):
        code = code.func
    return str(getattr(code, "__qualname__", "") or type(code).__qualname__)


def _cut(text: str, max_bytes: int, head_bytes: int, tail_bytes: int) -> str:
    """`text` where it is short enough, else its head and tail, and how much is left out."""
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= max_bytes:
        return encoded.decode("utf-8")
    head = encoded[:head_bytes].decode("utf-8", "ignore")
    tail = encoded[len(encoded) - tail_bytes :].decode("utf-8", "ignore")
    left_out_bytes = len(encoded) - len((head + tail).encode("utf-8"))
    end = f"\n{tail}" if tail else ""
    return f"{head}\n... {left_out_bytes} bytes are left out{end}"
