"""The watchdog inside: what expires is told with the stacks of that moment."""

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel
from result import Err, Ok

from gwproactor.config.watchdog import WatchdogSettings, WhenExpired
from gwproactor.errors import UsageError, WatchdogExpiredError
from gwproactor.interfaces import MonitoredName
from gwproactor.message import EndOfPatsMessage, PatInternalWatchdogMessage
from gwproactor.runtime import watchdog as watchdog_module
from gwproactor.runtime.watchdog import WatchdogManager
from gwproactor.texts import MAX_TEXT_BYTES
from gwproactor.wire.envelope import Message
from gwproactor_test.clients import until

SECONDS = 10.0


class Notes:
    def __init__(self) -> None:
        self.problems: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.failures: asyncio.Queue[tuple[BaseException, str]] = asyncio.Queue()

    def report_problem(self, summary: str, details: str = "", is_error: bool = True) -> None:
        assert is_error
        self.problems.put_nowait((summary, details))

    def fail(self, error: BaseException, details: str = "") -> None:
        self.failures.put_nowait((error, details))


@asynccontextmanager
async def running(
    *monitored: MonitoredName, **values: Any
) -> AsyncIterator[tuple[WatchdogManager, Notes]]:
    notes = Notes()
    manager = WatchdogManager(WatchdogSettings(**values), notes)
    for each in monitored:
        manager.add_monitored_name(each)
    task = asyncio.create_task(manager.run(), name="watchdog")
    try:
        async with asyncio.timeout(SECONDS):
            yield manager, notes
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_driver_thread_that_hangs_is_named_and_shown() -> None:
    """The driver pats a few times from its thread, and hangs then."""
    free, hangs = threading.Event(), threading.Event()
    patted = threading.Event()

    def drive() -> None:
        patted.wait(SECONDS)
        for _ in range(3):
            manager.pat("driver")
        wait_for_hardware()

    def wait_for_hardware() -> None:
        hangs.set()
        free.wait(SECONDS)

    thread = threading.Thread(target=drive, name="driver thread")
    thread.start()
    async with running(MonitoredName("driver", 0.1), MonitoredName("idle", 3600)) as (
        manager,
        notes,
    ):
        patted.set()
        await asyncio.to_thread(hangs.wait)
        error, details = await notes.failures.get()
        free.set()
        thread.join()
        assert isinstance(error, WatchdogExpiredError)
        assert str(error).startswith("watchdog: driver has given no sign of life for ")
        assert "idle" not in str(error)
        lines = details.splitlines()
        assert lines[0].startswith("driver has given no sign of life for")
        assert lines[1] == "thread driver thread"
        assert "<locals>.wait_for_hardware" in details
        assert "task watchdog" in details
        assert not manager.all_is_well
        manager.pat("driver")
        assert not manager.all_is_well
        assert notes.failures.empty()


async def test_by_policy_it_is_reported_and_well_again_after_a_pat() -> None:
    """Each time it expires it is told; with a pat from another thread, all is well again."""
    async with running(MonitoredName("driver", 0.05), when_expired=WhenExpired.report) as (
        manager,
        notes,
    ):
        for _ in range(3):
            summary, details = await notes.problems.get()
            assert summary.startswith("Watchdog: driver has given no sign of life")
            assert "task watchdog" in details
            assert not manager.all_is_well
            await asyncio.to_thread(manager.pat, "driver")

            def is_well() -> bool:
                manager.pat("driver")
                return manager.all_is_well

            await until(is_well)
        assert notes.failures.empty()


@pytest.mark.parametrize("said", ["removed", "its pats end"])
async def test_when_what_expired_is_monitored_no_longer_all_is_well_again(said: str) -> None:
    async with running(MonitoredName("driver", 0.02), when_expired=WhenExpired.report) as (
        manager,
        notes,
    ):
        await notes.problems.get()
        assert not manager.all_is_well
        if said == "removed":
            manager.remove_monitored_name("driver")
        else:
            await asyncio.to_thread(manager.process_message, EndOfPatsMessage("driver"))
        await until(lambda: manager.all_is_well)


async def test_after_the_end_nothing_is_monitored_and_a_pat_is_no_mistake() -> None:
    async with running(MonitoredName("driver", 0.02)) as (manager, notes):
        manager.end()
        manager.pat("driver")
        manager.pat("somebody")
        await asyncio.sleep(0.1)
        assert manager.all_is_well
        assert notes.failures.empty()


async def test_two_that_expire_are_told_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(watchdog_module, "time", SimpleNamespace(monotonic=lambda: now))
    names = (MonitoredName("a", 0.02), MonitoredName("b", 0.1))
    async with running(*names, when_expired=WhenExpired.report) as (_, notes):
        await asyncio.sleep(0)
        now = 0.05
        first, _ = await notes.problems.get()
        assert first == "Watchdog: a has given no sign of life for 0.1 s (0.02 s are allowed)"
        now = 0.2
        second, _ = await notes.problems.get()
        assert "a has given" in second
        assert "b has given" in second


async def test_a_name_that_comes_later_is_monitored_and_may_go() -> None:
    async with running() as (manager, notes):
        await asyncio.sleep(0)
        manager.add_monitored_name(MonitoredName("gone", 0.01))
        manager.remove_monitored_name("gone")
        manager.add_monitored_name(MonitoredName("late", 0.05))
        error, _ = await notes.failures.get()
        assert "late" in str(error)
        assert "gone" not in str(error)


async def test_the_time_before_the_start_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(watchdog_module, "time", SimpleNamespace(monotonic=lambda: now))
    manager = WatchdogManager(WatchdogSettings(), Notes())
    manager.add_monitored_name(MonitoredName("driver", 10.0))
    now = 1000.0
    task = asyncio.create_task(manager.run())
    await asyncio.sleep(0)
    assert manager._table.next_expiry() == 1010.0
    task.cancel()
    await asyncio.wait([task])


async def test_a_name_that_expires_before_the_watchdog_sleeps_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process stood still between two looks at the clock."""
    moments = itertools.chain([0.0, 0.0], itertools.count(1000.0))
    clock = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr(watchdog_module, "time", clock)
    monkeypatch.setattr(watchdog_module, "LATE_SECONDS", 1e9)
    async with running(MonitoredName("driver", 10.0)) as (_, notes):
        error, _ = await notes.failures.get()
        assert "driver has given no sign of life" in str(error)


def stand_still(seconds: float) -> None:
    time.sleep(seconds)


async def test_while_the_loop_stands_still_nobody_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """One who lives on the loop and pats in time could not, and gets a moment to catch up."""
    monkeypatch.setattr(watchdog_module, "LATE_SECONDS", 0.05)
    monkeypatch.setattr(watchdog_module, "GRACE_SECONDS", 0.1)

    async def live() -> None:
        while True:
            manager.pat("poller")
            pats.release()
            await asyncio.sleep(0.05)

    pats = asyncio.Semaphore(0)
    async with running(MonitoredName("poller", 0.2)) as (manager, notes):
        # The watchdog sleeps already, so that it wakes before the poller does.
        await asyncio.sleep(0)
        living = asyncio.create_task(live())
        await pats.acquire()
        stand_still(0.5)
        for _ in range(3):
            await pats.acquire()
        assert notes.failures.empty()
        assert manager.all_is_well
        living.cancel()
        await asyncio.wait([living])


async def test_pats_that_come_as_messages() -> None:
    class Other(BaseModel):
        TypeName: str = "test.other"

    manager = WatchdogManager(WatchdogSettings(), Notes())
    manager.add_monitored_name(MonitoredName("driver", 1))
    assert manager.process_message(PatInternalWatchdogMessage("driver")) == Ok(True)
    assert PatInternalWatchdogMessage("driver").Header.Dst == manager.name
    answer = manager.process_message(PatInternalWatchdogMessage("nobody"))
    assert isinstance(answer, Err)
    assert "nobody pats and is not monitored" in str(answer.err_value)
    wrong = manager.process_message(Message[Any](Src="driver", Payload=Other()))
    assert isinstance(wrong, Err)
    assert "the watchdog does not know test.other" in str(wrong.err_value)


async def test_a_name_twice_is_refused() -> None:
    manager = WatchdogManager(WatchdogSettings(), Notes())
    manager.add_monitored_name(MonitoredName("driver", 1))
    with pytest.raises(UsageError, match="driver is monitored already"):
        manager.add_monitored_name(MonitoredName("driver", 1))


async def test_many_that_expire_leave_room_for_the_stacks() -> None:
    names = [f"driver {number:03}" for number in range(400)]
    most = 48 * 1024
    async with running(*(MonitoredName(name, 0.01) for name in names), max_stacks_bytes=most) as (
        _,
        notes,
    ):
        error, details = await notes.failures.get()
    assert len(f"{error}\n{details}".encode()) < MAX_TEXT_BYTES
    assert str(error).endswith("(0.01 s are allowed); and 395 more")
    assert " bytes are left out\n" in details
    assert f"in {test_many_that_expire_leave_room_for_the_stacks.__name__}" in details


async def test_the_stacks_are_bounded() -> None:
    async with running(MonitoredName("driver", 0.01), max_stacks_bytes=1024) as (_, notes):
        _, details = await notes.failures.get()
        assert len(details.encode()) < 1024 + 100
