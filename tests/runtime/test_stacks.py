import asyncio
import sys
import threading
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.runtime.stacks import MAX_FRAMES, cut_to_bytes, stacks_text, thread_stacks_text


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
    tasks = [asyncio.create_task(outer(), name=f"task \N{SNOWMAN} {n}") for n in range(100)]
    await asyncio.sleep(0)
    for max_bytes in (200, 1000, 5000):
        text = stacks_text(max_bytes=max_bytes)
        assert len(text.encode()) <= max_bytes
        assert "left out" in text
    assert "left out" not in stacks_text(max_bytes=1_000_000)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@given(st.text(), st.integers(min_value=100, max_value=400))
def test_a_text_is_cut_between_characters(text: str, max_bytes: int) -> None:
    cut = cut_to_bytes(text * 20, max_bytes)
    assert len(cut.encode()) <= max_bytes
