"""Tasks under supervision: what happens to one that dies, and that none is left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.errors import NotRunningError, TaskDiedError
from gwproactor.runtime.tasks import TaskSupervisor
from gwproactor_test.overseer import AT_ONCE, KeepingOverseer, failing, forever

SECONDS = 10.0


@asynccontextmanager
async def supervisor(
    policy: TaskPolicy = AT_ONCE,
) -> AsyncIterator[tuple[TaskSupervisor, KeepingOverseer]]:
    notes = KeepingOverseer()
    tasks = TaskSupervisor("test", policy, notes)
    tasks.open()
    async with asyncio.timeout(SECONDS):
        try:
            yield tasks, notes
        finally:
            await tasks.close(SECONDS)


async def test_a_task_that_ends_is_forgotten() -> None:
    async with supervisor() as (tasks, notes):
        task = tasks.run(failing(0), "short")
        assert len(tasks) == 1
        await task.wait()
        assert task.done
        assert len(tasks) == 0
        assert notes.problems == []
        assert notes.failures == []


async def test_a_task_that_dies_is_reported_and_begun_anew() -> None:
    async with supervisor() as (tasks, notes):
        log: list[str] = []
        task = tasks.run(failing(3, log), "driver")
        await task.wait()
        assert log == ["begun"] * 4
        assert task.restart_count == 3
        assert notes.summaries() == ["Task 'driver' died"] * 3
        details = notes.problems[0][1]
        assert details.startswith("it is begun anew in 1e-06 s\n")
        assert "OSError: no driver" in details
        assert "in work" in details
        assert notes.failures == []


async def test_one_that_dies_too_often_ends_the_proactor() -> None:
    policy = AT_ONCE.model_copy(update={"max_restarts": 4})
    async with supervisor(policy) as (tasks, notes):
        log: list[str] = []
        await tasks.run(failing(99, log), "driver").wait()
        assert len(log) == 5
        ((error, details),) = notes.failures
        assert isinstance(error, TaskDiedError)
        assert str(error) == "task 'driver' died: OSError: no driver"
        assert isinstance(error.__cause__, OSError)
        assert "in work" in details
        assert len(notes.problems) == 5


async def test_by_policy_one_death_is_enough_or_none_is() -> None:
    async with supervisor() as (tasks, notes):
        report = TaskPolicy(on_failure=OnFailure.report)
        await tasks.run(failing(1), "spare", report).wait()
        assert notes.summaries() == ["Task 'spare' died"]
        assert notes.failures == []
        stop = TaskPolicy(on_failure=OnFailure.stop)
        await tasks.run(failing(1), "vital", stop).wait()
        assert len(notes.failures) == 1


async def test_what_cannot_be_begun_anew_ends_the_proactor() -> None:
    async with supervisor() as (tasks, notes):
        await tasks.run(failing(1)(), "coroutine").wait()
        await tasks.adopt(asyncio.create_task(failing(1)(), name="task")).wait()
        assert [str(error) for error, _ in notes.failures] == [
            "task 'coroutine' died: OSError: no driver",
            "task 'task' died: OSError: no driver",
        ]


async def test_no_kind_of_exception_goes_unnoticed() -> None:
    class Odd(BaseException):
        pass

    async def work() -> None:
        raise Odd

    async with supervisor() as (tasks, notes):
        await tasks.run(work, "odd").wait()
        assert [str(error) for error, _ in notes.failures] == ["task 'odd' died: Odd"]


async def test_a_task_is_cancelled_at_once_whatever_it_is_at() -> None:
    async with supervisor(TaskPolicy(first_delay_seconds=3600, longest_delay_seconds=3600)) as (
        tasks,
        notes,
    ):
        at_work, asleep = tasks.run(forever, "at work"), tasks.run(failing(9), "asleep")
        adopted = tasks.adopt(asyncio.create_task(forever()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert notes.summaries() == ["Task 'asleep' died"]
        for task in (at_work, asleep, adopted):
            task.cancel()
            await task.wait()
            task.cancel()
        assert len(tasks) == 0
        assert len(notes.problems) == 1


async def test_one_that_fails_when_it_is_cancelled_is_not_begun_anew() -> None:
    async def work() -> None:
        try:
            await forever()
        finally:
            raise OSError("cannot let go")

    async with supervisor() as (tasks, notes):
        task = tasks.run(work, "clumsy")
        await asyncio.sleep(0)
        task.cancel()
        await task.wait()
        assert notes.summaries() == ["Task 'clumsy' failed when it was cancelled"]
        assert notes.failures == []


async def test_what_is_cancelled_from_below_has_died() -> None:
    """Something that the task waits for is cancelled; nobody has cancelled the task."""

    async def work() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with supervisor() as (tasks, notes):
        policy = AT_ONCE.model_copy(update={"max_restarts": 2})
        await tasks.run(work, "worker", policy).wait()
        assert notes.summaries() == ["Task 'worker' died"] * 3
        await tasks.adopt(asyncio.create_task(work(), name="adopted")).wait()
        assert [str(error) for error, _ in notes.failures] == [
            "task 'worker' died: CancelledError",
            "task 'adopted' died: CancelledError",
        ]


async def test_tasks_wait_for_the_opening() -> None:
    notes = KeepingOverseer()
    tasks = TaskSupervisor("test", AT_ONCE, notes)
    log: list[str] = []
    early, cancelled = tasks.run(failing(0, log), "early"), tasks.run(failing(0, log)(), "never")
    assert len(tasks) == 2
    cancelled.cancel()
    assert cancelled.done
    assert len(tasks) == 1
    await asyncio.sleep(0)
    assert log == []
    assert repr(early) == "<SupervisedTask 'early': waiting>"
    tasks.open()
    assert repr(early) == "<SupervisedTask 'early': running>"
    await early.wait()
    assert repr(early) == "<SupervisedTask 'early': over>"
    assert log == ["begun"]
    await tasks.close(SECONDS)


async def test_never_opened_it_begins_nothing_and_leaves_nothing() -> None:
    tasks = TaskSupervisor("test", AT_ONCE, KeepingOverseer())
    waiting = [tasks.run(forever, "function"), tasks.run(forever(), "coroutine")]
    await tasks.close(SECONDS)
    assert all(task.done for task in waiting)


async def test_after_the_end_nothing_begins() -> None:
    async with supervisor() as (tasks, _):
        pass
    with pytest.raises(NotRunningError, match="test has stopped; task 'late' was not begun"):
        tasks.run(forever, "late")
    with pytest.raises(NotRunningError, match="task 'late' was not begun"):
        tasks.run(forever(), "late")
    late = asyncio.create_task(forever(), name="late")
    with pytest.raises(NotRunningError, match="test has stopped; late was cancelled"):
        tasks.adopt(late)
    await asyncio.wait([late])
    assert late.cancelled()


async def test_one_that_does_not_end_is_named_with_where_it_is() -> None:
    let_go = asyncio.Event()

    async def stubborn() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    notes = KeepingOverseer()
    tasks = TaskSupervisor("test", AT_ONCE, notes)
    tasks.open()
    tasks.run(stubborn, "stubborn")
    await asyncio.sleep(0)
    await tasks.close(0.01)
    ((summary, details),) = notes.problems
    assert summary == "Task 'stubborn' does not end"
    assert details.startswith("it was cancelled 0.01 s ago\n")
    assert "stubborn" in details.splitlines()[-2]
    let_go.set()
    await tasks.close(SECONDS)
    assert len(notes.problems) == 1


async def test_who_wants_to_know_is_told_once_when_it_is_over() -> None:
    told: list[str] = []
    async with supervisor() as (tasks, _):
        task = tasks.run(failing(2), "worker")
        task.when_done(lambda: told.append("over"))
        await task.wait()
        assert told == ["over"]
        task.when_done(lambda: told.append("late"))
        task.cancel()
        assert told == ["over", "late"]


async def test_a_task_may_close_its_own_supervisor() -> None:
    notes = KeepingOverseer()
    tasks = TaskSupervisor("test", AT_ONCE, notes)
    tasks.open()

    async def last() -> None:
        await tasks.close(SECONDS)
        await asyncio.sleep(0)

    other, task = tasks.run(forever, "other"), tasks.run(last, "last")
    await task.wait()
    assert other.done
    assert notes.problems == []


async def test_a_huge_traceback_is_cut() -> None:
    async def work() -> None:
        raise OSError("x" * 1_000_000)

    async with supervisor() as (tasks, notes):
        await tasks.run(work, "loud", TaskPolicy(on_failure=OnFailure.report)).wait()
        assert len(notes.problems[0][1]) < 20_000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(OnFailure)), max_size=8))
def test_each_death_is_reported_and_nothing_is_left(plan: list[tuple[int, OnFailure]]) -> None:
    borne = {OnFailure.restart: 3, OnFailure.stop: 0, OnFailure.report: 0}

    async def run() -> None:
        async with supervisor() as (tasks, notes):
            running = []
            for failures, on_failure in plan:
                policy = AT_ONCE.model_copy(update={"on_failure": on_failure, "max_restarts": 3})
                running.append(tasks.run(failing(failures), "one", policy))
            for task in running:
                await task.wait()
            assert len(tasks) == 0
            deaths = [min(failures, borne[policy] + 1) for failures, policy in plan]
            assert len(notes.problems) == sum(deaths)
            vital = [each for each in plan if each[1] is not OnFailure.report]
            assert len(notes.failures) == sum(
                failures > borne[policy] for failures, policy in vital
            )

    asyncio.run(run())
