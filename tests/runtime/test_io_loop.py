"""Coroutines by handle: from any thread, before and after the start, and none left behind."""

import asyncio
import inspect
import itertools
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from result import Err

from gwproactor.config.events import EventSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.errors import UsageError
from gwproactor.interfaces import INVALID_IO_TASK_HANDLE, ServicesInterface
from gwproactor.runtime import io_loop as io_loop_module
from gwproactor.runtime.io_loop import IOLoop
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.envelope import Message
from gwproactor_test.clients import until
from gwproactor_test.overseer import AT_ONCE, KeepingOverseer, failing, forever

SECONDS = 10.0


def made(notes: KeepingOverseer) -> IOLoop:
    return IOLoop(cast("ServicesInterface", notes), AT_ONCE, notes, SECONDS)


@asynccontextmanager
async def running() -> AsyncIterator[tuple[IOLoop, KeepingOverseer]]:
    notes = KeepingOverseer()
    loop = made(notes)
    loop.start()
    try:
        async with asyncio.timeout(SECONDS):
            yield loop, notes
    finally:
        await loop.stop_and_join()


async def test_a_coroutine_runs_and_is_forgotten() -> None:
    log: list[str] = []
    async with running() as (loop, notes):
        handle = loop.add_io_coroutine(failing(0, log)())
        assert handle >= 0
        assert loop.add_io_coroutine(failing(0, log)()) != handle
        await until(lambda: log == ["begun", "begun"] and len(loop) == 0)
        loop.cancel_io_routine(handle)
        assert notes.problems == []


async def test_from_other_threads() -> None:
    """A thread adds and cancels; the loop has nothing to do with it."""
    async with running() as (loop, _):
        ended = asyncio.Event()

        async def work() -> None:
            try:
                await forever()
            finally:
                ended.set()

        handle = await asyncio.to_thread(loop.add_io_coroutine, work(), "worker")
        await until(lambda: any("worker" in task.get_name() for task in asyncio.all_tasks()))
        await asyncio.to_thread(loop.cancel_io_routine, handle)
        await ended.wait()
        await until(lambda: len(loop) == 0)
        await asyncio.to_thread(loop.cancel_io_routine, handle)


@pytest.mark.parametrize("turns_before_the_stop", [0, 1, 20])
async def test_threads_add_and_cancel_while_it_starts_and_stops(
    turns_before_the_stop: int,
) -> None:
    notes = KeepingOverseer()
    loop = made(notes)
    alive: set[object] = set()

    async def work() -> None:
        alive.add(mark := object())
        try:
            await forever()
        finally:
            alive.remove(mark)

    def add_and_cancel() -> None:
        for number in range(100):
            handle = loop.add_io_coroutine(work())
            if number % 3:
                loop.cancel_io_routine(handle)

    threads = [asyncio.create_task(asyncio.to_thread(add_and_cancel)) for _ in range(4)]
    await asyncio.sleep(0)
    loop.start()
    for _ in range(turns_before_the_stop):
        await asyncio.sleep(0)
    await loop.stop_and_join()
    await asyncio.gather(*threads)
    await asyncio.sleep(0)
    assert (alive, len(loop), notes.problems) == (set(), 0, [])


async def test_before_the_start_they_wait_for_it() -> None:
    log: list[str] = []
    loop = made(KeepingOverseer())
    loop.add_io_coroutine(failing(0, log))
    cancelled = loop.add_io_coroutine(failing(0, log)())
    loop.cancel_io_routine(cancelled)
    await asyncio.sleep(0)
    assert log == []
    assert len(loop) == 1
    loop.start()
    await until(lambda: len(loop) == 0)
    assert log == ["begun"]
    await loop.stop_and_join()


async def test_what_is_cancelled_before_the_start_is_let_go_of_at_once() -> None:
    loop = made(KeepingOverseer())
    kept = loop.add_io_coroutine(forever)
    for _ in range(10):
        work = forever()
        loop.cancel_io_routine(loop.add_io_coroutine(work))
        assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
    assert len(loop._waiting) == len(loop) == 1
    loop.cancel_io_routine(kept)
    await loop.stop_and_join()


async def test_never_started_it_leaves_nothing() -> None:
    loop = made(KeepingOverseer())
    loop.add_io_coroutine(forever())
    await loop.stop_and_join()


async def test_one_cancelled_before_it_could_begin_never_begins() -> None:
    log: list[str] = []
    async with running() as (loop, _):
        loop.cancel_io_routine(loop.add_io_coroutine(failing(0, log)()))
        await asyncio.sleep(0)
        assert log == []
        assert len(loop) == 0


async def test_the_stop_cancels_all_and_later_ones_are_not_run() -> None:
    async with running() as (loop, _):
        for _ in range(10):
            loop.add_io_coroutine(forever())
        await until(lambda: len(loop) == 10)
        late = loop.add_io_coroutine(forever())  # which cannot begin before the stop
        assert late != INVALID_IO_TASK_HANDLE
    assert len(loop) == 0
    assert loop.add_io_coroutine(forever()) == INVALID_IO_TASK_HANDLE
    loop.cancel_io_routine(INVALID_IO_TASK_HANDLE)


async def test_one_that_fails_follows_the_policy() -> None:
    async with running() as (loop, notes):
        loop.add_io_coroutine(failing(2), "again")
        await until(lambda: len(loop) == 0)
        assert notes.summaries() == ["Task 'again' died"] * 2
        report = TaskPolicy(on_failure=OnFailure.report)
        loop.add_io_coroutine(failing(1)(), "spare", report)
        await until(lambda: len(loop) == 0)
        assert notes.failures == []
        loop.add_io_coroutine(failing(1)(), "once")
        await notes.failed.wait()
        assert str(notes.failures[0][0]) == "task 'once' died: OSError: no driver"


async def test_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io_loop_module, "MAX_COROUTINES", 2)
    async with running() as (loop, _):
        loop.add_io_coroutine(forever())
        loop.add_io_coroutine(forever())
        with pytest.raises(UsageError, match="io_loop_manager runs 2 coroutines already"):
            loop.add_io_coroutine(forever())


@pytest.mark.parametrize("started", [False, True])
async def test_what_is_no_coroutine_is_refused_where_it_is_added(started: bool) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1

    loop = made(KeepingOverseer())
    if started:
        loop.start()
    for work in (None, 42, numbers(), asyncio.get_running_loop().create_future()):
        with pytest.raises(UsageError, match=r"task 'x' is .*, not a coroutine or a function"):
            loop.add_io_coroutine(work, "x")  # type: ignore[arg-type]
    assert len(loop) == 0
    await loop.stop_and_join()


async def test_it_is_a_communicator_that_takes_no_messages() -> None:
    class Other(BaseModel):
        TypeName: str = "test.other"

    notes = KeepingOverseer()
    loop = made(notes)
    assert loop.name == "io_loop_manager"
    assert loop.services is cast("ServicesInterface", notes)
    assert list(loop.monitored_names) == []
    answer = loop.process_message(Message(Src="a", Payload=Other()))
    assert isinstance(answer, Err)
    assert "takes no messages" in str(answer.err_value)


STEPS = ("add", "add_in_a_thread", "cancel", "turn", "start", "stop")


class Script:
    """Carries out steps; what runs is noted by the coroutines themselves."""

    def __init__(self) -> None:
        self.overseer = KeepingOverseer()
        self.loop = made(self.overseer)
        self.numbers = itertools.count()
        self.alive: set[int] = set()
        self.expected: dict[int, int] = {}
        """The numbers of the coroutines that should live, and their handles."""
        self.started = self.stopped = False

    async def work(self, number: int) -> None:
        self.alive.add(number)
        try:
            await forever()
        finally:
            self.alive.remove(number)

    def add(self, _: int) -> None:
        number = next(self.numbers)
        handle = self.loop.add_io_coroutine(self.work(number))
        if not self.stopped:
            self.expected[number] = handle

    def add_in_a_thread(self, which: int) -> None:
        thread = threading.Thread(target=self.add, args=(which,))
        thread.start()
        thread.join()

    def cancel(self, which: int) -> None:
        if self.expected:
            victim = list(self.expected)[which % len(self.expected)]
            self.loop.cancel_io_routine(self.expected.pop(victim))

    def turn(self, _: int) -> None:
        pass

    def start(self, _: int) -> None:
        if not self.started and not self.stopped:
            self.loop.start()
            self.started = True

    def stop(self, _: int) -> None:
        self.loop.stop()
        self.stopped = True
        self.expected.clear()

    async def carry_out(self, steps: list[tuple[str, int, int]]) -> None:
        for step, which, turns in steps:
            getattr(self, step)(which)
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns:
                assert self.alive == (set(self.expected) if self.started else set())
        await self.loop.stop_and_join()
        assert self.alive == set()
        assert len(self.loop) == 0
        assert self.overseer.problems == []


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(0, 5), st.sampled_from([0, 4])), max_size=30
    )
)
def test_in_any_order_what_should_run_runs_and_nothing_is_left(
    steps: list[tuple[str, int, int]],
) -> None:
    async def run() -> None:
        await Script().carry_out(steps)

    asyncio.run(run())


async def test_after_a_failed_start_no_coroutine_is_kept(tmp_path: Path) -> None:
    """The store is opened first, so the loop of coroutines was never started."""
    (tmp_path / "file").write_text("")
    settings = ProactorSettings(events=EventSettings(folder=tmp_path / "file"))
    failing = Proactor("d1.site.scada", settings)
    manager = failing.io_loop_manager
    manager.add_io_coroutine(forever)
    with pytest.raises(Exception, match="file"):
        await failing.run_forever()
    assert len(manager) == 0
    assert manager.add_io_coroutine(forever) == INVALID_IO_TASK_HANDLE


async def test_last_words_come_to_their_end_and_the_others_are_cancelled() -> None:
    log: list[str] = []

    async def work(name: str, pause_seconds: float) -> None:
        try:
            await asyncio.sleep(pause_seconds)
            log.append(f"{name} said")
        finally:
            log.append(f"{name} over")

    async with running() as (loop, notes):
        loop.add_io_coroutine(work("poller", 1000))
        await until(lambda: loop._supervisor._running != {})
        loop.expect_last_words()
        loop.add_io_coroutine(work("goodbye", 0.001))
        cancelled = loop.add_io_coroutine(work("never", 0))
        loop.cancel_io_routine(cancelled)
        await loop.finish(1000)
        assert log == ["poller over", "goodbye said", "goodbye over"]
        assert loop.add_io_coroutine(forever()) == INVALID_IO_TASK_HANDLE
        assert notes.problems == []


async def test_last_words_that_find_no_end_are_cut_short() -> None:
    async with running() as (loop, _):
        loop.expect_last_words()
        loop.add_io_coroutine(forever())
        await loop.finish(0.02)
        assert len(loop) == 0
