"""A loop that stands still is noticed from outside, and it is said who holds it up."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from gwproactor.runtime.loop_watch import THREAD_NAME, LoopWatch

SECONDS = 10.0


class Reports:
    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []
        self.came = asyncio.Event()

    def __call__(self, summary: str, details: str) -> None:
        self.made.append((summary, details))
        self.came.set()


class HeldUntilTold(logging.Handler):
    """Frees whoever holds up the loop once the log has said it so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times
        self.free = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.left -= 1
        if self.left == 0:
            self.free.set()


def hold_up_the_loop(free: threading.Event) -> None:
    assert free.wait(SECONDS)


@pytest.mark.parametrize("times", [1, 3])
async def test_it_is_logged_with_all_stacks_and_reported_later(
    times: int, caplog: pytest.LogCaptureFixture
) -> None:
    reports, held = Reports(), HeldUntilTold(times)
    watch = LoopWatch(0.2, reports)
    logger = logging.getLogger("gwproactor.runtime.loop_watch")
    logger.addHandler(held)
    try:
        watch.start()
        hold_up_the_loop(held.free)
        async with asyncio.timeout(SECONDS):
            await reports.came.wait()
    finally:
        logger.removeHandler(held)
        await watch.stop()
    said = [record for record in caplog.records if record.name == logger.name]
    assert len(said) >= times
    assert "the event loop has stood still for" in said[0].message
    assert " in hold_up_the_loop" in said[0].message
    summary, details = reports.made[0]
    assert summary.startswith("The event loop stood still for ")
    assert " in hold_up_the_loop" in details


async def test_what_happens_again_and_again_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of ten short times within a minute the first is told."""
    reports, noticed = Reports(), threading.Semaphore(0)

    class Telling(LoopWatch):
        def _wait_until_it_turns(self) -> None:
            noticed.release()
            super()._wait_until_it_turns()

    watch = Telling(0.01, reports)
    watch.start()
    async with asyncio.timeout(SECONDS):
        for _ in range(10):
            assert noticed.acquire(timeout=SECONDS)  # which holds up the loop
            await asyncio.sleep(0.005)
        await reports.came.wait()
    await watch.stop()
    assert len(reports.made) == 1
    assert reports.made[0][1].startswith("where everybody was:\nthread ")
    assert len(caplog.records) < 10


async def test_a_loop_that_turns_is_nothing_to_report(caplog: pytest.LogCaptureFixture) -> None:
    reports = Reports()
    watch = LoopWatch(SECONDS, reports)
    watch.start()
    assert any(thread.name == THREAD_NAME for thread in threading.enumerate())
    await watch.stop()
    await watch.stop()
    assert reports.made == []
    assert caplog.records == []


async def test_threads_that_hang_at_a_disk_hold_up_no_stop() -> None:
    """The loop's own threads are all taken."""
    free = threading.Event()
    executor = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(executor)
    hanging = asyncio.create_task(asyncio.to_thread(free.wait, SECONDS))
    watch = LoopWatch(SECONDS, Reports())
    watch.start()
    await asyncio.sleep(0)
    await watch.stop()
    assert not hanging.done()
    free.set()
    await hanging
    executor.shutdown()


async def test_it_asks_again_and_again() -> None:
    asked = asyncio.Semaphore(0)

    class Counting(LoopWatch):
        def _ask(self, callback: Callable[[], None]) -> bool:
            def answer() -> None:
                callback()
                asked.release()

            return super()._ask(answer)

    watch = Counting(0.01, Reports())
    watch.start()
    async with asyncio.timeout(SECONDS):
        for _ in range(5):
            await asked.acquire()
    await watch.stop()


async def test_stopped_while_the_loop_stands_still_it_ends_all_the_same() -> None:
    """The stop is asked for by whoever held up the loop, before the loop could answer."""
    reports, held = Reports(), HeldUntilTold(1)
    watch = LoopWatch(0.2, reports)
    logger = logging.getLogger("gwproactor.runtime.loop_watch")
    logger.addHandler(held)
    try:
        watch.start()
        hold_up_the_loop(held.free)
        await watch.stop()
    finally:
        logger.removeHandler(held)


def test_a_loop_that_is_gone_ends_it() -> None:
    watch = LoopWatch(0.01, Reports())

    async def start() -> None:
        watch.start()

    asyncio.run(start())
    thread = watch._thread
    assert thread is not None
    thread.join(SECONDS)
    assert not thread.is_alive()
