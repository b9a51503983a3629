"""The thread of a disk: order, outcomes, cancelling, and how it ends."""

import asyncio
import gc
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future

import pytest

from gwproactor.errors import NotRunningError
from gwproactor.events.disk.disk_thread import DiskThread
from gwproactor_test.clients import until


@pytest.fixture
async def disk() -> AsyncIterator[DiskThread]:
    disk = DiskThread("disk")
    yield disk
    if not disk._ended:
        await disk.run_last(lambda: None)


class Gate:
    """A call that holds up the thread until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.opened.wait(20)


def fail() -> None:
    raise OSError("no")


def ends(name: str) -> Callable[[], bool]:
    return lambda: all(thread.name != name for thread in threading.enumerate())


async def test_a_call_runs_elsewhere_and_its_outcome_comes_back(disk: DiskThread) -> None:
    assert await disk.run(threading.current_thread) is not threading.current_thread()
    assert await disk.run(divmod, 7, 2) == (3, 1)
    assert await disk.run(sorted, [1, 2], reverse=True) == [2, 1]
    with pytest.raises(OSError, match="no"):
        await disk.run(fail)
    assert disk.call(lambda: 3) == 3
    with pytest.raises(OSError, match="no"):
        disk.call(fail)


async def test_signals_are_not_for_this_thread(disk: DiskThread) -> None:
    blocked = await disk.run(signal.pthread_sigmask, signal.SIG_BLOCK, ())
    assert {signal.SIGTERM, signal.SIGINT} <= blocked


async def test_calls_happen_in_the_order_in_which_they_were_asked_for(disk: DiskThread) -> None:
    done: list[int] = []
    calls = [disk.submit(lambda n=n: done.append(n)) for n in range(100)]  # type: ignore[misc]
    await asyncio.gather(*calls)
    assert done == list(range(100))


async def test_a_cancelled_call_is_dropped_unless_it_has_begun(disk: DiskThread) -> None:
    gate, done = Gate(), list[str]()

    def begin() -> None:
        gate()
        done.append("begun")

    begun = asyncio.create_task(disk.run(begin))
    await asyncio.to_thread(gate.entered.wait, 20)
    waiting = asyncio.create_task(disk.run(done.append, "waiting"))
    await asyncio.sleep(0)
    for task in (begun, waiting):
        task.cancel()
    await asyncio.gather(begun, waiting, return_exceptions=True)
    gate.opened.set()
    await disk.run(done.append, "next")
    assert done == ["begun", "next"]


async def test_what_nobody_waits_for_is_reported_when_it_fails(disk: DiskThread) -> None:
    reported: Future[object] = Future()
    loop = asyncio.get_running_loop()
    previous = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: reported.set_result(context.get("exception")))
    disk.submit(fail)
    await disk.run(lambda: None)
    gc.collect()
    loop.set_exception_handler(previous)
    assert isinstance(reported.result(timeout=0), OSError)


async def test_after_the_last_call_there_is_none(disk: DiskThread) -> None:
    await disk.run_last(lambda: None)
    assert ends("disk")()
    with pytest.raises(NotRunningError, match="disk has ended"):
        await disk.run(lambda: None)


async def test_a_thread_that_hangs_ends_later_with_the_last_call_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gwproactor.events.disk.disk_thread._LAST_CALL_SECONDS", 0.01)
    disk, gate, done = DiskThread("slow disk"), Gate(), list[str]()
    hanging = disk.submit(gate)
    await disk.run_last(lambda: done.append("last"))
    assert not done
    gate.opened.set()
    await hanging
    await until(ends("slow disk"))
    assert done == ["last"]


async def test_a_thread_that_nobody_ends_goes_with_its_owner() -> None:
    disk = DiskThread("forgotten disk")
    await disk.run(lambda: None)
    del disk
    await until(ends("forgotten disk"))


HANGING = """
import asyncio, threading
from gwproactor.events.disk.disk_thread import DiskThread

async def main():
    disk, begun = DiskThread("disk"), threading.Event()
    disk.submit(lambda: (begun.set(), threading.Event().wait()))
    begun.wait()
    await disk.run_last(lambda: None)

asyncio.run(main())
"""


def test_a_process_ends_though_its_disk_hangs() -> None:
    subprocess.run([sys.executable, "-c", HANGING], check=True, timeout=20)
