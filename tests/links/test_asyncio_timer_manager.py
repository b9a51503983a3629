"""Timers of the running loop."""

import asyncio

import pytest

from gwproactor.errors import UsageError
from gwproactor.links.asyncio_timer_manager import AsyncioTimerManager
from gwproactor.links.core.acks import AckManager


async def test_a_timer_calls_back_in_the_loop() -> None:
    called = asyncio.Event()
    AsyncioTimerManager().start_timer(0.0, called.set)
    async with asyncio.timeout(5):
        await called.wait()


async def test_a_cancelled_timer_does_not() -> None:
    timers, calls, done = AsyncioTimerManager(), list[str](), asyncio.Event()
    handle = timers.start_timer(0.0, lambda: calls.append("cancelled"))
    timers.cancel_timer(handle)
    timers.cancel_timer(handle)
    timers.start_timer(0.0, done.set)
    async with asyncio.timeout(5):
        await done.wait()
    assert calls == []


def test_without_a_loop_there_is_no_timer() -> None:
    with pytest.raises(RuntimeError):
        AsyncioTimerManager().start_timer(0.0, lambda: None)


async def test_what_is_no_number_of_seconds_does_not_reach_the_loop() -> None:
    nan = float("nan")
    with pytest.raises(UsageError, match="NaN"):
        AsyncioTimerManager().start_timer(nan, lambda: None)
    acks = AckManager(AsyncioTimerManager(), lambda _: None)
    with pytest.raises(UsageError, match="NaN"):
        acks.start_ack_timer("link", "message", delay_seconds=nan)
    assert acks.num_acks("link") == 0
