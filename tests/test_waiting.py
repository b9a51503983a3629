import asyncio

import pytest

from gwproactor.waiting import Progress, until_any
from gwproactor_test.clients import until


async def forever(log: list[str]) -> None:
    try:
        log.append("begun")
        await asyncio.Event().wait()
    finally:
        log.append("cancelled")


async def at_once() -> None:
    return


async def fail() -> None:
    raise OSError("not looked at")


async def test_the_first_ends_it_and_the_others_are_cancelled() -> None:
    log: list[str] = []
    await until_any(at_once(), forever(log), forever(log))
    assert log == ["begun", "begun", "cancelled", "cancelled"]


async def test_a_task_is_left_alone() -> None:
    log: list[str] = []
    task = asyncio.create_task(forever(log))
    await until_any(task, at_once())
    assert not task.done()
    task.cancel()
    await until_any(task, forever(log))
    assert task.cancelled()


async def test_exceptions_are_not_looked_at() -> None:
    await until_any(fail(), forever([]))
    task = asyncio.create_task(fail())
    await until_any(task)
    with pytest.raises(OSError, match="not looked at"):
        await task


async def test_cancelling_ends_what_was_begun() -> None:
    log: list[str] = []
    waiting = asyncio.create_task(until_any(forever(log)))
    await until(lambda: bool(log))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert log == ["begun", "cancelled"]


async def test_who_waits_for_progress_waits_for_what_is_in_hand_and_so_much_behind_it() -> None:
    progress = Progress()
    await progress.through(5)  # nobody does anything
    progress.start()
    await progress.through(0)
    progress.took_one()
    waits = [asyncio.create_task(progress.through(count)) for count in (0, 1, 2)]
    for done in range(3):
        await asyncio.sleep(0)
        assert [wait.done() for wait in waits] == [place < done for place in range(3)]
        progress.is_done_with_it()
        await waits[done]
        progress.took_one()


async def test_who_waits_for_progress_that_ends_waits_no_longer() -> None:
    progress = Progress()
    progress.start()
    waiting = asyncio.create_task(progress.through(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    progress.stop()
    await waiting
