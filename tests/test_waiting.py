import asyncio

import pytest

from gwproactor.waiting import until_any
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
