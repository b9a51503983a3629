"""Exceptions as texts of bounded size, for events."""

from collections import deque
from traceback import walk_tb

from gwproactor.problems import format_exceptions
from gwproactor.runtime.stacks import cut_to_bytes

MAX_TRACEBACK_BYTES = 16 * 1024
"""Of one failure: more than a person reads of it."""

MAX_WORDS_BYTES = 500
"""Of one failure, in a line."""


def traceback_text(error: BaseException) -> str:
    """The exception, those that led to it, and where they come from."""
    return cut_to_bytes(format_exceptions([error]), MAX_TRACEBACK_BYTES)


def in_words(error: BaseException) -> str:
    """The exception's class and words, in one line."""
    words = cut_to_bytes(f"{type(error).__name__}: {error}", MAX_WORDS_BYTES)
    return " ".join(words.split()).removesuffix(":")


def kind_of(error: BaseException) -> str:
    """What tells a failure from others: the exception's class, and the line that raised it.

    Not its words: they may be others each time. So there are as many kinds as the program has lines
    that raise, and of a failure that repeats there is one.
    """
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    for frame, line in deque(walk_tb(error.__traceback__), maxlen=1):
        return f"{kind} {frame.f_code.co_filename}:{line}"
    return kind
