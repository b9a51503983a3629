"""A check that a piece of code leaves nothing behind: no task, thread, socket or file.

What is there before the block is compared with what is there after it. Things that end within a
moment (a transport that closes on the next turn of the loop) are waited for, briefly; idle
threads of a default executor are no leak, `asyncio.run` ends them.
"""

import asyncio
import contextlib
import gc
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

SETTLE_SECONDS = 2.0
"""How long what is left may take to go away; only a test that fails waits for so long."""

POLL_SECONDS = 0.002

_DESCRIPTORS = Path("/proc/self/fd")


@contextlib.asynccontextmanager
async def no_leaks() -> AsyncIterator[None]:
    """Assert that the block leaves no task, thread or descriptor, and no unretrieved exception.

    The block's loop must be the running one.

    Raises:
        AssertionError: something is left, or something reached the loop's exception handler.
    """
    loop = asyncio.get_running_loop()
    reported: list[str] = []
    previous_handler = loop.get_exception_handler()
    before = _snapshot()
    loop.set_exception_handler(lambda _loop, context: reported.append(_describe(context)))
    try:
        yield
        left = await _settled_async(lambda: _new_since(before))
    finally:
        loop.set_exception_handler(previous_handler)
    assert not left, f"left behind: {left}"
    assert not reported, f"reached the loop's exception handler: {reported}"


@contextlib.contextmanager
def no_leaks_sync() -> Iterator[None]:
    """Assert that the block, which is no coroutine, leaves no thread and no descriptor.

    Raises:
        AssertionError: something is left.
    """
    before = _snapshot()
    yield
    left = _settled(lambda: _new_since(before))
    assert not left, f"left behind: {left}"


def _snapshot() -> frozenset[str]:
    gc.collect()
    return frozenset((*_tasks(), *_threads(), *_descriptors()))


def _new_since(before: frozenset[str]) -> list[str]:
    return sorted(_snapshot() - before)


async def _settled_async(look: Callable[[], list[str]]) -> list[str]:
    deadline = time.monotonic() + SETTLE_SECONDS
    # Threads and descriptors end without telling anybody.
    while (left := look()) and time.monotonic() < deadline:  # noqa: ASYNC110 - as said above
        await asyncio.sleep(POLL_SECONDS)
    return left


def _settled(look: Callable[[], list[str]]) -> list[str]:
    deadline = time.monotonic() + SETTLE_SECONDS
    while (left := look()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return left


def _tasks() -> Iterator[str]:
    """Tasks of the running loop, but for the one that asks."""
    with contextlib.suppress(RuntimeError):  # no loop is running
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            yield f"task {task.get_name()} {id(task):x} {task.get_coro()}"


def _threads() -> Iterator[str]:
    for thread in threading.enumerate():
        if not _is_idle_worker(thread):
            yield f"thread {thread.name} {thread.ident}"


def _is_idle_worker(thread: threading.Thread) -> bool:
    """Whether it is a worker of a loop's default executor that waits for work.

    Such a worker's innermost Python frame is the executor's own loop.
    """
    if not thread.name.startswith("asyncio_"):
        return False
    # The documented way to another thread's frame, in spite of its name.
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001
    return frame is None or frame.f_code.co_name == "_worker"


def _descriptors() -> Iterator[str]:
    """Open descriptors with what they refer to, where the system tells (Linux)."""
    if not _DESCRIPTORS.is_dir():
        return
    for descriptor in _DESCRIPTORS.iterdir():
        # The descriptor of the listing itself is gone by now.
        with contextlib.suppress(OSError):
            yield f"descriptor {descriptor.name} {descriptor.readlink()}"


def _describe(context: dict[str, object]) -> str:
    return f"{context.get('message')}: {context.get('exception')!r}"
