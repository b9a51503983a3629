import asyncio
import os
import signal
import threading
from collections.abc import Callable
from queue import Queue

import pytest

from gwproactor.errors import NotRunningError, UsageError
from gwproactor.runtime.lifecycle import Lifecycle
from gwproactor_test.clients import until


class Worker(Lifecycle):
    """Does nothing until it is asked to stop; fails where it is told to."""

    def __init__(
        self, *, at_start: BaseException | None = None, at_end: BaseException | None = None
    ) -> None:
        super().__init__()
        self.at_start = at_start
        self.at_end = at_end
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.log: list[str] = []

    async def _run(self) -> None:
        self.log.append("begun")
        try:
            await self.may_start.wait()
            if self.at_start is not None:
                raise self.at_start
            self._ready.set()
            await self._stop_requested.wait()
            if self.at_end is not None:
                raise self.at_end
        finally:
            self.log.append(f"ended: {self._stop_reason}")

    def _label(self) -> str:
        return "worker"


async def test_async_with_starts_and_stops() -> None:
    worker = Worker()
    async with worker as entered:
        assert entered is worker
        assert worker.log == ["begun"]
        assert not worker.has_stopped
    assert worker.log == ["begun", "ended: stop called"]
    assert worker.has_stopped


async def test_start_stop_and_join() -> None:
    worker = Worker()
    worker.start()
    assert worker.log == []
    await worker.started()
    worker.stop("first")
    worker.stop("second")
    await worker.join()
    await worker.join()
    await worker.stopped()
    assert worker.log == ["begun", "ended: first"]


async def test_each_runs_once() -> None:
    worker = Worker()
    async with worker:
        with pytest.raises(UsageError, match="worker was started before; make a new one"):
            worker.start()
    with pytest.raises(UsageError, match="make a new one"):
        worker.start()


@pytest.mark.parametrize(
    "wait", [Lifecycle.started, Lifecycle.join, Lifecycle.stopped, Lifecycle.stop_and_join]
)
async def test_what_was_not_started_cannot_be_waited_for(
    wait: Callable[[Lifecycle], "asyncio.Future[None]"],
) -> None:
    worker = Worker()
    assert not worker.has_stopped
    with pytest.raises(NotRunningError, match="worker was not started"):
        await wait(worker)


async def test_stopped_before_it_was_ready() -> None:
    worker = Worker()
    worker.stop("early")
    async with worker:
        await worker.stopped()
    assert worker.log == ["begun", "ended: early"]


async def test_a_failing_start_is_raised_everywhere() -> None:
    worker = Worker(at_start=OSError("no"))
    with pytest.raises(OSError, match="no"):
        async with worker:
            pytest.fail("entered")
    for wait in (worker.started, worker.join):
        with pytest.raises(OSError, match="no"):
            await wait()
    await worker.stopped()


async def test_a_failure_while_running_is_raised_at_the_end() -> None:
    async def use() -> None:
        async with Worker(at_end=OSError("late")) as worker:
            worker.stop()
            await worker.stopped()

    with pytest.raises(OSError, match="late"):
        await use()


async def test_a_group_of_one_is_raised_as_that_one() -> None:
    inner = OSError("alone")
    worker = Worker(at_start=ExceptionGroup("outer", [ExceptionGroup("inner", [inner])]))
    worker.start()
    with pytest.raises(OSError, match="alone"):
        await worker.join()
    worker = Worker(at_start=ExceptionGroup("two", [OSError("1"), OSError("2")]))
    worker.start()
    with pytest.raises(ExceptionGroup, match="two"):
        await worker.join()


async def test_what_the_body_raises_passes_and_the_worker_stops() -> None:
    worker = Worker()
    with pytest.raises(KeyError):
        async with worker:
            raise KeyError
    assert worker.has_stopped


async def test_cancelling_a_wait_leaves_it_running() -> None:
    async with Worker() as worker:
        waits = [asyncio.create_task(wait()) for wait in (worker.join, worker.stopped)]
        await asyncio.sleep(0)
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)
        assert all(wait.cancelled() for wait in waits)
        assert not worker.has_stopped


async def test_cancelled_twice_it_is_not_left_running() -> None:
    worker, entered = Stubborn(), asyncio.Event()

    async def use() -> None:
        async with worker:
            entered.set()
            await asyncio.Event().wait()

    using = asyncio.create_task(use())
    await entered.wait()
    using.cancel()
    await until(worker._stop_requested.is_set)
    assert not worker.has_stopped
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert worker.has_stopped


async def starting() -> tuple[Worker, "asyncio.Task[None]"]:
    """A worker that has begun and may not start yet, and the task that enters its context."""
    worker = Worker()
    worker.may_start.clear()

    async def enter() -> None:
        async with worker:
            pytest.fail("entered")

    entering = asyncio.create_task(enter())
    await until(lambda: bool(worker.log))
    return worker, entering


async def test_cancelled_twice_while_it_starts_it_is_not_left_running() -> None:
    worker, entering = await starting()
    entering.cancel()
    await until(worker._stop_requested.is_set)
    assert not worker.has_stopped
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert worker.has_stopped


class Stubborn(Worker):
    """Does not stop when it is asked to."""

    async def _run(self) -> None:
        self._ready.set()
        await asyncio.Event().wait()


async def test_cancelled_while_it_starts_it_is_stopped() -> None:
    worker, entering = await starting()
    entering.cancel()
    await asyncio.sleep(0)
    assert not entering.done()
    worker.may_start.set()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert worker.has_stopped


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_run_forever_ends_with_a_signal(number: int) -> None:
    """In this process: the handlers are there while it runs, and gone afterwards."""
    before = signal.getsignal(number)
    worker = Worker()
    running = asyncio.create_task(worker.run_forever())
    await until(lambda: bool(worker.log))
    os.kill(os.getpid(), number)
    await running
    assert worker.log[-1] == f"ended: {signal.Signals(number).name}"
    assert signal.getsignal(number) in (before, signal.default_int_handler, signal.SIG_DFL)


async def test_run_forever_ends_with_stop_and_with_a_failure() -> None:
    worker = Worker()
    running = asyncio.create_task(worker.run_forever())
    await asyncio.sleep(0)
    worker.stop("enough")
    await running
    assert worker.log[-1] == "ended: enough"
    with pytest.raises(OSError, match="no"):
        await Worker(at_start=OSError("no")).run_forever()


async def test_run_forever_cancelled_stops_in_good_order() -> None:
    worker = Worker()
    running = asyncio.create_task(worker.run_forever())
    await until(worker._ready.is_set)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert worker.log[-1] == "ended: cancelled"


def test_run_forever_in_another_thread() -> None:
    """It has no signals there, and is ended by `stop`."""
    workers: Queue[tuple[Worker, asyncio.AbstractEventLoop]] = Queue()

    async def run() -> None:
        worker = Worker()
        workers.put((worker, asyncio.get_running_loop()))
        await worker.run_forever()

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    worker, loop = workers.get(timeout=10)
    assert signal.getsignal(signal.SIGTERM) == before
    loop.call_soon_threadsafe(worker.stop, "enough")
    thread.join(10)
    assert worker.log == ["begun", "ended: enough"]
