"""The thread for code that blocks: its turns, its messages, its end, and what becomes of it."""

import asyncio
import math
import queue
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gwproactor.actors.queue_writers import SyncAsyncQueueWriter
from gwproactor.actors.queues import SyncAsyncQueue
from gwproactor.actors.responsive_sleep import responsive_sleep
from gwproactor.actors.sync_thread import SyncAsyncInteractionThread
from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.errors import QueueClosedError, QueueFullError, UsageError
from gwproactor.message import EndOfPats, PatInternalWatchdog, Shutdown
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import ProblemEvent
from gwproactor_test.clients import until

SECONDS = 10.0
LONG_SECONDS = 1000.0
RESTART = TaskPolicy(first_delay_seconds=0.001, longest_delay_seconds=0.002, max_restarts=3)


class Driver(SyncAsyncInteractionThread):
    """Notes what it is asked to do, in order."""

    def __init__(self, **options: Any) -> None:
        self.notes: list[Any] = []
        self.work: Callable[[], None] = lambda: None
        options.setdefault("pat_timeout", None)
        super().__init__(name="driver", **options)

    def _preiterate(self) -> None:
        self.notes.append("begin")

    def _iterate(self) -> None:
        self.notes.append("iterate")
        self.work()

    def _handle_message(self, message: Any) -> None:
        self.notes.append(message)
        if isinstance(message, Exception):
            raise message

    def tell(self, item: Any) -> None:
        self._put_to_async_queue(item)


class Stage:
    """A loop that reads what threads write, and stops them in the end."""

    def __init__(self, max_items: int = 1000) -> None:
        self.queue: SyncAsyncQueue[Any] = SyncAsyncQueue(max_items)
        self.threads: list[Driver] = []

    def start(self, driver: Driver) -> Driver:
        driver.set_async_loop_and_start(asyncio.get_running_loop(), self.queue.loop_end)
        self.threads.append(driver)
        return driver

    async def next(self) -> Any:
        async with asyncio.timeout(SECONDS):
            return await self.queue.loop_end.get()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    found = Stage()
    yield found
    for thread in found.threads:
        thread.request_stop()
    for thread in found.threads:
        async with asyncio.timeout(SECONDS):
            await thread.async_join()
        assert not thread.is_alive()


async def test_it_begins_iterates_and_reads(stage: Stage) -> None:
    driver = Driver(iterate_sleep_seconds=0.001)
    assert driver.running is None
    stage.start(driver)
    driver.put_to_sync_queue("hello")
    await until(lambda: "hello" in driver.notes and driver.notes.count("iterate") > 2)
    assert driver.notes[0] == "begin"
    assert driver.running is True


async def test_a_message_is_handled_at_once_though_it_sleeps(stage: Stage) -> None:
    driver = stage.start(Driver(iterate_sleep_seconds=LONG_SECONDS))
    for number in range(5):
        driver.put_to_sync_queue(number)
    await until(lambda: driver.notes == ["begin", 0, 1, 2, 3, 4])


async def test_a_thread_that_only_reads_waits_for_messages(stage: Stage) -> None:
    class Reader(SyncAsyncInteractionThread):
        def __init__(self) -> None:
            super().__init__(pat_timeout=None)
            self.looks = 0
            self.got: list[Any] = []

        def time_to_pat(self) -> bool:
            self.looks += 1
            return False

        def _handle_message(self, message: Any) -> None:
            self.got.append(message)

    reader = Reader()
    stage.start(reader)  # type: ignore[arg-type]
    for number in range(3):
        reader.put_to_sync_queue(number)
        await until(lambda number=number: number in reader.got)  # type: ignore[misc]
    assert reader.looks <= 3


async def test_a_driver_may_call_its_methods_what_it_likes(stage: Stage) -> None:
    class Inventive(Driver):
        def _read(self, register: int) -> int:
            return register

        _sleep = _report = _turn = _turns = _interrupt = _running = _hooks = _read

    driver = Inventive(iterate_sleep_seconds=0.001)
    stage.start(driver)
    driver.put_to_sync_queue("hello")
    await until(lambda: "hello" in driver.notes)


async def test_a_queue_of_the_standard_library_is_read_once_in_each_turn(stage: Stage) -> None:
    own: queue.Queue[Any] = queue.Queue()
    driver = Driver(channel=SyncAsyncQueueWriter(own), iterate_sleep_seconds=0.001)
    own.put(1)
    own.put(2)
    stage.start(driver)
    await until(lambda: 2 in driver.notes)
    assert driver.notes[:5] == ["begin", "iterate", 1, "iterate", 2]


@pytest.mark.parametrize("own_queue", [True, False])
async def test_a_stop_wakes_a_thread_that_sleeps(stage: Stage, own_queue: bool) -> None:
    channel = None if own_queue else SyncAsyncQueueWriter(queue.Queue())
    driver = stage.start(Driver(channel=channel, iterate_sleep_seconds=LONG_SECONDS))
    await until(lambda: driver.notes == ["begin"])
    driver.request_stop()
    async with asyncio.timeout(SECONDS):
        await driver.async_join()
    assert driver.notes == ["begin"]
    assert driver.running is False
    if own_queue:
        with pytest.raises(QueueClosedError):
            driver.put_to_sync_queue(1)


async def test_a_stop_wakes_a_thread_that_waits_for_room(stage: Stage) -> None:
    stage.queue = SyncAsyncQueue(1)
    driver = Driver()
    failures: list[Exception] = []

    def write() -> None:
        try:
            driver.tell(len(driver.notes))
        except QueueFullError as error:
            failures.append(error)

    driver.work = write
    stage.start(driver)
    await until(lambda: bool(stage.queue.thread_end._state.writers))
    driver.request_stop()
    async with asyncio.timeout(SECONDS):
        await driver.async_join()
    assert len(failures) == 1
    assert await stage.next() == 2


async def test_a_stop_wakes_a_thread_that_sleeps_in_its_own_code(stage: Stage) -> None:
    driver = Driver()
    went_on: list[bool] = []
    driver.work = lambda: went_on.append(responsive_sleep(driver, LONG_SECONDS, 0.1, "running"))
    stage.start(driver)
    await until(lambda: "iterate" in driver.notes)
    driver.running = False
    async with asyncio.timeout(SECONDS):
        await driver.async_join()
    assert went_on == [False]


async def test_one_that_was_stopped_before_its_start_does_nothing(stage: Stage) -> None:
    driver = Driver()
    driver.request_stop()
    stage.start(driver)
    async with asyncio.timeout(SECONDS):
        await driver.async_join()
    assert driver.notes == []


async def test_async_join_returns_in_time_and_waits_for_a_run_of_its_own(stage: Stage) -> None:
    end = threading.Event()

    class OwnRun(Driver):
        JOIN_CHECK_THREAD_SECONDS = 0.01

        def run(self) -> None:
            end.wait(SECONDS)

    driver = OwnRun()
    await driver.async_join()  # it was not started
    stage.start(driver)
    await driver.async_join(timeout=0.01)
    assert driver.is_alive()
    end.set()
    async with asyncio.timeout(SECONDS):
        await driver.async_join()


# Signs of life


async def test_it_pats_while_it_sleeps_and_while_it_iterates(stage: Stage) -> None:
    stage.start(Driver(pat_timeout=0.02, iterate_sleep_seconds=LONG_SECONDS))
    for _ in range(3):
        pat = await stage.next()
        assert isinstance(pat.Payload, PatInternalWatchdog)
        assert pat.Header.Src == "driver"


async def test_a_thread_that_hangs_does_not_pat(stage: Stage) -> None:
    driver, go_on = Driver(pat_timeout=0.001), threading.Event()

    def hang() -> None:
        driver.tell("stuck")
        go_on.wait(SECONDS)

    driver.work = hang
    stage.start(driver)
    while await stage.next() != "stuck":
        pass
    assert driver.time_to_pat() or len(stage.queue) == 0
    await until(driver.time_to_pat)
    assert len(stage.queue) == 0
    go_on.set()
    assert isinstance((await stage.next()).Payload, PatInternalWatchdog)


async def test_one_that_nobody_watches_over_does_not_pat(stage: Stage) -> None:
    driver = Driver(pat_timeout=None)
    assert not driver.time_to_pat()
    assert Driver(pat_timeout=20).pat_timeout == SyncAsyncInteractionThread.PAT_TIMEOUT


# Failures


def failing(times: int) -> Callable[[], None]:
    left = [times]

    def fail() -> None:
        if left[0]:
            left[0] -= 1
            raise OSError("no such register")

    return fail


async def test_what_it_raises_ends_the_proactor_with_its_traceback(stage: Stage) -> None:
    driver = Driver()
    driver.work = failing(1)
    stage.start(driver)
    message: Message[Shutdown] = await stage.next()
    assert message.Payload.Failed
    assert message.Payload.Reason.startswith("Thread 'driver' failed\n")
    assert "OSError: no such register" in message.Payload.Reason
    assert "in fail" in message.Payload.Reason
    await driver.async_join()


async def test_a_thread_that_exits_is_no_secret(stage: Stage) -> None:
    """`sys.exit` in a thread ends it in silence elsewhere; and no `_handle_exception` takes it."""
    driver = Driver()
    driver.work = sys.exit
    driver._handle_exception = lambda exception: True  # type: ignore[method-assign]
    stage.start(driver)
    message: Message[Shutdown] = await stage.next()
    assert message.Payload.Failed
    assert "SystemExit" in message.Payload.Reason
    await driver.async_join()


async def test_messages_wait_for_a_thread_that_begins_anew(stage: Stage) -> None:
    driver = Driver(policy=RESTART, iterate_sleep_seconds=None)
    failing_once, sent = failing(1), threading.Event()

    def fail_when_sent() -> None:
        assert sent.wait(SECONDS)
        failing_once()

    driver.work = fail_when_sent
    stage.start(driver)
    for number in range(5):
        driver.put_to_sync_queue(number)
    sent.set()
    assert (await stage.next()).Payload.Summary == "Thread 'driver' failed"
    await until(lambda: [note for note in driver.notes if isinstance(note, int)] == [*range(5)])
    assert driver.notes[:4] == ["begin", "iterate", "begin", "iterate"]


@pytest.mark.parametrize("where", ["iterate", "message", "preiterate"])
async def test_by_its_policy_it_begins_anew(stage: Stage, where: str) -> None:
    driver = Driver(policy=RESTART, iterate_sleep_seconds=0.001)
    if where == "iterate":
        driver.work = failing(2)
    elif where == "message":
        driver.put_to_sync_queue(OSError("no such register"))
        driver.put_to_sync_queue(OSError("no such register"))
    else:
        fail, begin = failing(2), driver._preiterate

        def begin_and_fail() -> None:
            begin()
            fail()

        driver._preiterate = begin_and_fail  # type: ignore[method-assign]
    stage.start(driver)
    for _ in range(2):
        problem: ProblemEvent = (await stage.next()).Payload
        assert problem.Summary == "Thread 'driver' failed"
        assert "it begins anew in" in problem.Details
        assert "OSError: no such register" in problem.Details
    await until(lambda: driver.notes[-1] == "iterate" and driver.notes.count("begin") == 3)


async def test_one_that_fails_too_often_ends_the_proactor(stage: Stage) -> None:
    driver = Driver(policy=RESTART)
    driver.work = failing(1000)
    stage.start(driver)
    for _ in range(RESTART.max_restarts):
        assert isinstance((await stage.next()).Payload, ProblemEvent)
    assert (await stage.next()).Payload.Failed
    await driver.async_join()


async def test_one_whose_failure_is_only_reported_ends_alone(stage: Stage) -> None:
    driver = Driver(policy=TaskPolicy(on_failure=OnFailure.report))
    driver.work = failing(1)
    stage.start(driver)
    problem: ProblemEvent = (await stage.next()).Payload
    assert problem.Details.startswith("it ends\n")
    await driver.async_join()
    assert len(stage.queue) == 0


async def test_one_that_ends_alone_says_that_it_pats_no_more(stage: Stage) -> None:
    driver = Driver(policy=TaskPolicy(on_failure=OnFailure.report), pat_timeout=60)
    driver.work = failing(1)
    stage.start(driver)
    assert isinstance((await stage.next()).Payload, ProblemEvent)
    assert isinstance((await stage.next()).Payload, EndOfPats)


async def test_what_its_own_code_deals_with_is_not_reported(stage: Stage) -> None:
    driver = Driver(iterate_sleep_seconds=0.001)
    handled: list[Exception] = []

    def handle(exception: Exception) -> bool:
        handled.append(exception)
        return True

    driver._handle_exception = handle  # type: ignore[method-assign]
    driver.work = failing(2)
    stage.start(driver)
    await until(lambda: len(handled) == 2 and driver.notes.count("iterate") > 3)
    assert driver.notes.count("begin") == 1
    assert len(stage.queue) == 0


async def test_a_handler_of_exceptions_that_fails_is_reported_too(stage: Stage) -> None:
    driver = Driver()

    def handle(exception: Exception) -> bool:
        raise ZeroDivisionError("while handling")

    driver._handle_exception = handle  # type: ignore[method-assign]
    driver.work = failing(1)
    stage.start(driver)
    reason = (await stage.next()).Payload.Reason
    assert "OSError: no such register" in reason
    assert "ZeroDivisionError: while handling" in reason


async def test_what_it_raises_when_it_is_stopped_is_not_reported(stage: Stage) -> None:
    driver = Driver()

    def close_device() -> None:
        driver.request_stop()
        raise OSError("closed")

    driver.work = close_device
    stage.start(driver)
    await driver.async_join()
    assert len(stage.queue) == 0


async def test_a_stop_wakes_one_that_waits_to_begin_anew(stage: Stage) -> None:
    policy = TaskPolicy(first_delay_seconds=LONG_SECONDS, longest_delay_seconds=LONG_SECONDS)
    driver = Driver(policy=policy)
    driver.work = failing(1)
    stage.start(driver)
    assert isinstance((await stage.next()).Payload, ProblemEvent)
    driver.request_stop()
    async with asyncio.timeout(SECONDS):
        await driver.async_join()


async def test_a_failure_that_nobody_listens_to_is_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.queue.close()
    driver = Driver()
    driver.work = failing(1)
    stage.start(driver)
    await driver.async_join()
    assert "thread driver failed, and nobody listens" in caplog.text


async def test_responsive_sleep_of_a_thread_needs_no_field(stage: Stage) -> None:
    """Its default is the name of a field that such a thread does not have."""
    slept: list[bool] = []
    driver = Driver()

    def work() -> None:
        slept.append(responsive_sleep(driver, 0.001))
        slept.append(responsive_sleep(driver, LONG_SECONDS))

    driver.work = work
    stage.start(driver)
    await until(lambda: slept == [True])
    driver.request_stop()
    await until(lambda: slept == [True, False])


async def test_what_was_accepted_before_the_stop_is_handled(stage: Stage) -> None:
    driver = Driver(iterate_sleep_seconds=0.001)
    at_work, go_on = threading.Event(), threading.Event()

    def work() -> None:
        at_work.set()
        go_on.wait(SECONDS)

    driver.work = work
    stage.start(driver)
    await until(at_work.is_set)
    for number in range(5):
        driver.put_to_sync_queue(number)
    driver.request_stop()
    go_on.set()
    async with asyncio.timeout(SECONDS):
        await driver.async_join()
    assert driver.notes[-5:] == [0, 1, 2, 3, 4]
    assert driver.notes.count("iterate") == 1
    assert len(stage.queue) == 0


async def test_a_message_that_fails_at_the_stop_is_counted_and_the_next_is_handled(
    stage: Stage,
) -> None:
    driver = Driver(iterate_sleep_seconds=0.001)
    at_work, go_on = threading.Event(), threading.Event()

    def work() -> None:
        at_work.set()
        go_on.wait(SECONDS)

    driver.work = work
    stage.start(driver)
    await until(at_work.is_set)
    driver.put_to_sync_queue(OSError("no such register"))
    driver.put_to_sync_queue("off")
    driver.request_stop()
    go_on.set()
    problem: ProblemEvent = (await stage.next()).Payload
    assert problem.Summary == "1 messages to thread 'driver' were not handled before its end"
    assert driver.notes[-1] == "off"


async def test_what_a_thread_that_failed_leaves_unread_is_counted(stage: Stage) -> None:
    driver = Driver(iterate_sleep_seconds=None, policy=TaskPolicy(on_failure=OnFailure.report))
    driver.work = failing(1)
    driver.put_to_sync_queue(1)
    driver.put_to_sync_queue(2)
    stage.start(driver)
    assert (await stage.next()).Payload.Summary == "Thread 'driver' failed"
    assert (await stage.next()).Payload.Summary.startswith("2 messages to thread 'driver'")
    assert driver.notes == ["begin", "iterate"]


# responsive_sleep, for objects of other kinds


class Machine:
    _main_loop_running = True
    _stop_requested = False


def test_it_sleeps_its_time_where_the_field_stays_as_it_is() -> None:
    machine = Machine()
    assert responsive_sleep(machine, 0.001)
    assert responsive_sleep(
        machine, 0.001, running_field_name="_stop_requested", running_field=False
    )


def test_it_ends_when_the_field_changes() -> None:
    machine = Machine()
    timer = threading.Timer(0.01, setattr, (machine, "_main_loop_running", False))
    timer.start()
    assert not responsive_sleep(machine, LONG_SECONDS, step_duration=0.001)
    timer.join()


def test_it_does_not_sleep_where_the_field_says_so_already() -> None:
    machine = Machine()
    machine._stop_requested = True
    assert not responsive_sleep(
        machine, LONG_SECONDS, running_field_name="_stop_requested", running_field=False
    )


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, True, "x"])
def test_a_thread_that_would_spin_is_not_made(seconds: Any) -> None:
    with pytest.raises(UsageError, match="iterate_sleep_seconds is"):
        Driver(iterate_sleep_seconds=seconds)
