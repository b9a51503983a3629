import asyncio
import re
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from gwproactor.runtime import stacks
from gwproactor.runtime.frames import MAX_FRAMES
from gwproactor.runtime.stacks import MAX_NAMES, stacks_naming, stacks_text, thread_stacks_text


async def outer() -> None:
    await inner()


async def inner() -> None:
    async for _ in endless():
        pass


async def endless() -> AsyncIterator[None]:
    await asyncio.Event().wait()
    yield


def hang_here(free: threading.Event, hangs: threading.Event) -> None:
    hangs.set()
    free.wait()


def lines_under(title: str, text: str) -> list[str]:
    lines = iter(text.splitlines())
    assert title in lines, text
    found = []
    for line in lines:
        if not line.startswith("  "):
            break
        found.append(line)
    return found


def titles(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(" ")]


async def ended(tasks: Collection["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def at_line(number: int, source: str) -> Callable[..., Any]:
    """A function of its own, so that who is in it is where nobody else is."""
    namespace: dict[str, Any] = {}
    exec(compile("\n" * number + source, "crowd", "exec"), namespace)
    return cast("Callable[..., Any]", namespace["stand"])


@asynccontextmanager
async def crowd(threads: int = 0, tasks: int = 0) -> AsyncIterator[None]:
    """So many threads and tasks, each at a place of its own."""
    free, arrived = threading.Event(), threading.Semaphore(0)
    threaded = [
        threading.Thread(
            target=at_line(number, "def stand(free, arrived): arrived.release(); free.wait()"),
            args=(free, arrived),
            name=f"different {number:03}",
        )
        for number in range(threads)
    ]
    waiting = [
        asyncio.create_task(
            at_line(number, "async def stand(event): await event.wait()")(asyncio.Event()),
            name=f"different {number:03}",
        )
        for number in range(tasks)
    ]
    try:
        for thread in threaded:
            thread.start()
            await asyncio.to_thread(arrived.acquire)
        await asyncio.sleep(0)
        yield
    finally:
        free.set()
        for thread in threaded:
            thread.join()
        if waiting:
            await ended(waiting)


async def test_a_task_is_shown_with_all_that_it_awaits() -> None:
    task = asyncio.create_task(outer(), name="waiting")
    await asyncio.sleep(0)
    chain = lines_under("task waiting", stacks_text())
    functions = [line.split(" in ")[-1] for line in chain]
    assert functions[:3] == ["outer", "inner", "endless"]
    assert __file__ in chain[0]
    assert "Event.wait" in functions
    task.cancel()
    await asyncio.wait([task])


async def test_the_task_that_asks_and_one_that_has_not_begun() -> None:
    task = asyncio.create_task(outer(), name="fresh")
    asking = asyncio.current_task()
    assert asking is not None
    text = stacks_text()
    assert lines_under(f"task {asking.get_name()}", text) == ["  (asks for the stacks)"]
    assert lines_under("task fresh", text)[0].endswith(" in outer")
    task.cancel()
    await asyncio.wait([task])


async def test_a_thread_that_hangs_is_shown_where_it_hangs() -> None:
    free, hangs = threading.Event(), threading.Event()
    thread = threading.Thread(target=hang_here, args=(free, hangs), name="driver")
    thread.start()
    try:
        await asyncio.to_thread(hangs.wait)
        for text in (stacks_text(), thread_stacks_text()):
            assert any(
                line.endswith(" in hang_here") for line in lines_under("thread driver", text)
            )
        assert stacks_text(first=["driver"]).startswith("thread driver\n")
    finally:
        free.set()
        thread.join()


async def test_those_of_one_name_alone_are_shown() -> None:
    both = [
        asyncio.create_task(waiting, name=f"mailbox of {name}")
        for name, waiting in (("meter", outer()), ("fan", inner()))
    ]
    await asyncio.sleep(0)
    assert titles(stacks_naming("meter")) == ["task mailbox of meter"]
    assert stacks_naming("nobody") == ""
    await ended(both)


def test_threads_can_be_asked_for_without_a_loop() -> None:
    text = thread_stacks_text()
    assert "test_threads_can_be_asked_for_without_a_loop" in text


def deep(levels: int) -> str:
    return thread_stacks_text() if levels == 0 else deep(levels - 1)


def test_of_a_deep_recursion_the_inner_end_is_shown() -> None:
    lines = lines_under(f"thread {threading.current_thread().name}", deep(200))
    assert "further out" in lines[0]
    assert len(lines) == MAX_FRAMES + 1
    assert lines[-3].endswith(" in deep")


async def test_a_chain_of_awaits_of_any_depth_is_bounded() -> None:
    async def nested(levels: int) -> None:
        await (asyncio.Event().wait() if levels == 0 else nested(levels - 1))

    task = asyncio.create_task(nested(sys.getrecursionlimit() // 3), name="nested")
    await asyncio.sleep(0)
    assert len(lines_under("task nested", stacks_text())) == MAX_FRAMES + 1
    task.cancel()
    await asyncio.wait([task])


async def test_the_text_is_bounded_and_says_what_is_left_out() -> None:
    async with crowd(tasks=100):
        for max_bytes in (200, 1000, 5000):
            text = stacks_text(max_bytes=max_bytes)
            assert len(text.encode()) <= max_bytes
            assert re.search(r"\.\.\. (1 thread|\d+ threads)?( and )?\d+ tasks left out$", text)
        assert "left out" not in stacks_text(max_bytes=1_000_000)


@pytest.mark.parametrize(("threads", "tasks"), [(150, 3), (3, 400), (150, 400)])
async def test_many_of_one_kind_leave_room_for_those_of_the_other(threads: int, tasks: int) -> None:
    async with crowd(threads, tasks):
        text = stacks_text(max_bytes=32 * 1024)
    assert len(text.encode()) <= 32 * 1024
    shown = Counter(title.split()[0] for title in titles(text) if "different" in title)
    for kind, count in (("thread", threads), ("task", tasks)):
        assert shown[kind] == count or shown[kind] > 10


async def test_what_one_side_does_not_need_the_other_has() -> None:
    async with crowd(threads=0, tasks=150):
        alone = stacks_text(max_bytes=16 * 1024)
        assert len(alone.encode()) > 15 * 1024
        assert " tasks left out" in alone
    async with crowd(threads=150, tasks=0):
        alone = thread_stacks_text(max_bytes=16 * 1024)
        assert len(alone.encode()) > 15 * 1024
        assert " threads left out" in alone


async def test_those_at_one_place_are_shown_once_with_their_names() -> None:
    tasks = [asyncio.create_task(outer(), name=f"same {n:02}") for n in range(37)]
    await asyncio.sleep(0)
    text = stacks_text(["same 30"])
    assert text.startswith("37 tasks like this: same 30, same 00, same 01, ")
    assert text.splitlines()[0].endswith(f", same {MAX_NAMES - 2:02} and 17 more")
    assert text.count(" in inner") == 1
    await ended(tasks)


async def test_what_expired_is_first_whatever_it_is() -> None:
    async with crowd(threads=150, tasks=150):
        text = stacks_text(["different 077"], max_bytes=8000)
    assert titles(text)[:2] == ["thread different 077", "task different 077"]


async def test_a_name_is_found_as_a_word() -> None:
    found = [asyncio.create_task(outer(), name=name) for name in ("mailbox of pump", "pumpkin")]
    await asyncio.sleep(0)
    other = asyncio.create_task(inner(), name="app")
    await asyncio.sleep(0)
    assert titles(stacks_text(["pump"]))[0] == "2 tasks like this: mailbox of pump, pumpkin"
    assert "app" not in titles(stacks_text(["pump"]))[0]
    await ended([*found, other])


async def test_where_there_is_little_room_a_deep_stack_keeps_its_ends() -> None:
    async def nested(levels: int) -> None:
        await (asyncio.Event().wait() if levels == 0 else nested(levels - 1))

    task = asyncio.create_task(nested(30), name="nested")
    await asyncio.sleep(0)
    text = stacks_text(["nested"], max_bytes=1024)
    assert len(text.encode()) <= 1024
    assert text.startswith("task nested\n")
    assert " in Event.wait" in text
    await ended([task])


async def test_no_more_are_looked_at_than_the_loop_has_time_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stacks, "MAX_LOOKED_AT", 5)
    async with crowd(tasks=20):
        text = stacks_text(["different 019"])
    assert "task different 019\n" in text
    assert "16 tasks left out" in text  # one of them is this test
