"""What a proactor does over tasks that die, handlers that fail, and names that expire."""

import asyncio
import contextlib
import functools
import logging
import os
import threading
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from gwproactor.actors.actor import Actor
from gwproactor.config.events import EventSettings
from gwproactor.config.paths import Paths
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.config.watchdog import WatchdogSettings, WhenExpired
from gwproactor.errors import (
    HandlerFailedError,
    NotRunningError,
    TaskDiedError,
    UsageError,
    WatchdogExpiredError,
)
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.interfaces import MonitoredName
from gwproactor.runtime.external_watchdog import ExternalWatchdogCommandBuilder
from gwproactor.runtime.loop_watch import THREAD_NAME
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent, ProblemEvent
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.proactor_pair import CHILD, NOBODY, PARENT, link_to_child, link_to_parent
from gwproactor_test.problem_notes import ProblemNotes
from gwproactor_test.programs import shutdown_reasons
from gwproactor_test.service_manager import ServiceManager

SECONDS = 10.0
AT_ONCE = TaskPolicy(first_delay_seconds=1e-6, longest_delay_seconds=1e-6, max_restarts=2)
STOP = TaskPolicy(on_failure=OnFailure.stop)


class Greeting(BaseModel):
    """A message of the application."""

    TypeName: Literal["test.greeting"] = "test.greeting"


class Problems(ProblemNotes):
    """The problems that a proactor has reported, but for those of its link to nobody."""

    def problem(self, event: ProblemEvent) -> None:
        if not event.Summary.startswith("link "):
            super().problem(event)


def node(cls: type[Proactor] = Proactor, url: str = NOBODY, **values: Any) -> Proactor:
    made = cls(CHILD, ProactorSettings(**values))
    made.add_link(link_to_parent(url))
    return made


async def forever() -> None:
    await asyncio.Event().wait()


def names_of_tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks()]


async def die() -> None:
    raise OSError("no driver")


async def ended(proactor: Proactor) -> None:
    async with asyncio.timeout(SECONDS):
        await proactor.stopped()


def shutdown_reason(folder: Path) -> str:
    (reason,) = shutdown_reasons(folder)
    return reason


# Tasks


async def test_a_task_that_dies_is_begun_anew_and_the_proactor_goes_on() -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise OSError("no driver")
        await forever()

    proactor = node(tasks=AT_ONCE)
    problems = Problems(proactor)
    task = proactor.add_task(work, "driver")
    async with proactor:
        await until(lambda: begun == 3)
        assert task.restart_count == 2
        assert problems.summaries() == ["Task 'driver' died"] * 2
        assert "OSError: no driver" in problems.events[0].Details
    assert task.done


async def test_one_that_dies_too_often_ends_the_proactor_with_an_error(tmp_path: Path) -> None:
    """join raises, and the shutdown event says what died, and where."""
    proactor = node(tasks=AT_ONCE, events=EventSettings(folder=tmp_path))
    proactor.add_task(die, "driver")
    proactor.start()
    await ended(proactor)
    with pytest.raises(TaskDiedError, match="task 'driver' died: OSError: no driver") as caught:
        await proactor.join()
    assert isinstance(caught.value.__cause__, OSError)
    reason = shutdown_reason(tmp_path)
    assert reason.startswith("task 'driver' died: OSError: no driver\n")
    assert "in die" in reason


async def test_a_failure_during_a_long_stop_ends_it_and_is_its_reason(tmp_path: Path) -> None:
    proactor = node(events=EventSettings(folder=tmp_path))
    proactor.start()
    await proactor.started()
    proactor.stop("enough", wait_for_acks=True)  # and there is no peer
    await asyncio.sleep(0)
    proactor.fail(TaskDiedError("the pump burns"))
    await ended(proactor)
    with pytest.raises(TaskDiedError, match="the pump burns"):
        await proactor.join()
    assert shutdown_reason(tmp_path) == "the pump burns"


@pytest.mark.parametrize("how", ["run_forever", "async with"])
async def test_the_error_comes_out_of_every_way_to_run(how: str) -> None:
    proactor = node()
    proactor.add_task(die, policy=STOP)

    async def run() -> None:
        if how == "run_forever":
            await proactor.run_forever()
        else:
            async with proactor:
                await proactor.stopped()

    with pytest.raises(TaskDiedError):
        await run()


async def test_a_task_of_the_proactor_itself_that_dies_ends_it() -> None:
    proactor = node()
    problems = Problems(proactor)

    async def broken() -> None:
        raise ZeroDivisionError

    proactor._mailbox.run = broken  # type: ignore[method-assign]
    with pytest.raises(TaskDiedError, match="task 'mailbox' died: ZeroDivisionError"):
        await proactor.run_forever()
    assert problems.summaries() == ["Task 'mailbox' died"]


async def test_one_that_ends_by_itself_has_died_as_well() -> None:
    proactor = node()

    async def idle() -> None:
        return

    proactor._events.incoming.run = idle  # type: ignore[method-assign]
    with pytest.raises(TaskDiedError, match="'incoming events' died: RuntimeError: it ended by"):
        await proactor.run_forever()


async def test_start_tasks_begins_what_the_application_wants_and_stop_ends_it() -> None:
    log: list[str] = []

    class WithTasks(Proactor):
        def start_tasks(self) -> None:
            self.add_task(self.work)
            self.add_task(asyncio.create_task(forever(), name="bare"))
            self.add_task(forever())

        async def work(self) -> None:
            log.append("begun")
            try:
                await forever()
            finally:
                self.post_event(AnyEvent())
                log.append("ended")

    proactor = node(WithTasks)
    async with proactor:
        await until(lambda: log == ["begun"])
    assert log == ["begun", "ended"]
    with pytest.raises(NotRunningError, match="has stopped"):
        proactor.add_task(forever)


async def test_what_start_tasks_raises_is_a_failed_start() -> None:
    class Clumsy(Proactor):
        def start_tasks(self) -> None:
            raise KeyError("port")

    proactor = node(Clumsy)
    with pytest.raises(KeyError, match="port"):
        async with proactor:
            pytest.fail("entered")


async def test_a_task_is_named_by_its_function() -> None:
    proactor = node()
    assert proactor.add_task(forever).name == "forever"
    assert proactor.add_task(forever(), "named").name == "named"
    async with proactor:
        pass


@pytest.mark.parametrize("how", ["add_task", "add_io_coroutine"])
async def test_no_argument_of_a_task_stands_in_a_report(how: str) -> None:
    async def log_in(password: str) -> None:
        raise OSError("no driver")

    proactor = node(tasks=TaskPolicy(on_failure=OnFailure.report))
    problems = Problems(proactor)
    add = proactor.add_task if how == "add_task" else proactor.io_loop_manager.add_io_coroutine
    add(functools.partial(log_in, "hunter2"))
    async with proactor:
        await until(lambda: bool(problems.events))
    assert problems.summaries()[0].endswith("log_in' died")
    assert "hunter2" not in str(problems.events)


async def test_a_coroutine_by_handle_is_run_and_ends_with_the_proactor() -> None:
    log: list[str] = []

    async def work(name: str) -> None:
        try:
            log.append(name)
            await forever()
        finally:
            log.append(f"{name} ended")

    proactor = node()
    early = proactor.io_loop_manager.add_io_coroutine(work("early"))
    assert proactor.get_communicator("io_loop_manager") is proactor.io_loop_manager
    async with proactor:
        await until(lambda: log == ["early"])
        await asyncio.to_thread(proactor.io_loop_manager.add_io_coroutine, work("late"))
        await until(lambda: log == ["early", "late"])
        proactor.io_loop_manager.cancel_io_routine(early)
        await until(lambda: log[-1] == "early ended")
    assert log[-1] == "late ended"


async def test_a_coroutine_by_handle_that_dies_ends_the_proactor() -> None:
    proactor = node()
    proactor.io_loop_manager.add_io_coroutine(die(), "poller")
    with pytest.raises(TaskDiedError, match="task 'poller' died: OSError: no driver"):
        await proactor.run_forever()


# Problems


async def test_a_problem_is_counted_and_its_texts_are_bounded() -> None:
    """Also of characters that no JSON can hold: the name of a file may be any."""
    proactor = node()
    problems = Problems(proactor)
    proactor.report_problem("odd \udcff", "x" * 1_000_000)
    (event,) = problems.events
    assert event.Summary == "odd \\udcff"
    assert len(event.Details) < 66_000
    assert "bytes are left out" in event.Details
    assert proactor.stats.num_problems_by_summary == {"odd \\udcff": 1}
    async with proactor:
        pass


async def test_a_long_reason_is_cut(tmp_path: Path) -> None:
    proactor = node(events=EventSettings(folder=tmp_path))
    async with proactor:
        proactor.stop("because " * 100_000)
    assert len(shutdown_reason(tmp_path)) < 66_000


# Handlers


async def test_a_handler_that_fails_ends_the_proactor_where_that_is_asked_for(
    broker: AnyBroker,
) -> None:
    class Fails(Proactor):
        async def process_event(self, event: ReceivedEvent) -> None:
            raise ValueError("cannot take it")

    parent = Fails(PARENT, ProactorSettings(stop_when_handler_fails=True))
    parent.add_link(link_to_child(broker.url))
    parent.start()
    async with node(url=broker.url) as child:
        child.post_event(AnyEvent())
        await ended(parent)
    with pytest.raises(HandlerFailedError, match="handler of events failed: ValueError: cannot"):
        await parent.join()


async def test_the_watchdog_ends_the_proactor_and_says_who_hangs(tmp_path: Path) -> None:
    """A driver in a thread pats, and hangs then: its name and its stack are in the event."""
    free, hangs = threading.Event(), threading.Event()

    class Driven(Proactor):
        @property
        def monitored_names(self) -> list[MonitoredName]:
            return [MonitoredName("driver", 0.1)]

        def start_tasks(self) -> None:
            thread.start()
            assert hangs.wait(SECONDS)

    def drive() -> None:
        proactor.pat_watchdog("driver")
        wait_for_hardware()

    def wait_for_hardware() -> None:
        hangs.set()
        free.wait(SECONDS)

    thread = threading.Thread(target=drive, name="driver thread")
    proactor = node(Driven, events=EventSettings(folder=tmp_path))
    proactor.start()
    await ended(proactor)
    free.set()
    await asyncio.to_thread(thread.join)
    with pytest.raises(WatchdogExpiredError, match="driver has given no sign of life"):
        await proactor.join()
    reason = shutdown_reason(tmp_path)
    assert "\nthread driver thread\n" in reason
    assert "wait_for_hardware" in reason
    assert " proactor d1.site.scada: mailbox" in reason
    assert len(reason.encode()) < 40_000


async def test_what_start_tasks_begins_may_pat_at_once() -> None:
    class Driven(Proactor):
        @property
        def monitored_names(self) -> list[MonitoredName]:
            return [MonitoredName("driver", 3600)]

        def start_tasks(self) -> None:
            self.pat_watchdog("driver")

    async with node(Driven):
        pass


async def test_by_policy_what_expires_is_only_reported() -> None:
    class Driven(Proactor):
        @property
        def monitored_names(self) -> list[MonitoredName]:
            return [MonitoredName("driver", 0.02)]

    proactor = node(Driven, watchdog=WatchdogSettings(when_expired=WhenExpired.report))
    problems = Problems(proactor)
    async with proactor:
        await until(lambda: bool(problems.events))
        assert "driver has given no sign of life" in problems.summaries()[0]
        assert not proactor.has_stopped


async def test_a_long_stop_is_no_expiry(broker: AnyBroker) -> None:
    """What patted has ended; the stop waits for the peer all the same."""

    class Driven(Proactor):
        @property
        def monitored_names(self) -> list[MonitoredName]:
            return [MonitoredName("driver", 0.2)]

        def start_tasks(self) -> None:
            self.add_task(self.drive)

        async def drive(self) -> None:
            while True:
                self.pat_watchdog("driver")
                await asyncio.sleep(0.02)

    proactor = node(Driven, url=broker.url)
    proactor.start()
    await proactor.started()
    proactor.stop("enough", wait_for_acks=True)
    await asyncio.sleep(0.4)
    parent = Proactor(PARENT, ProactorSettings())
    parent.add_link(link_to_child(broker.url))
    async with parent:
        await proactor.join()


async def test_only_what_is_monitored_can_pat() -> None:
    with pytest.raises(UsageError, match="nobody pats and is not monitored"):
        node().pat_watchdog("nobody")


async def test_the_command_of_a_builder_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCADA_RUNNING_AS_SERVICE", "1")

    class Touch(ExternalWatchdogCommandBuilder):
        @classmethod
        def default_pat_args(cls, pid: int | None = None) -> list[str]:
            return ["touch", str(tmp_path / "patted")]

    class Patted(Proactor):
        def get_external_watchdog_builder_class(self) -> type[ExternalWatchdogCommandBuilder]:
            return Touch

    async with node(Patted, paths=Paths(name="scada")):
        await until((tmp_path / "patted").exists)


async def test_nobody_watches_over_the_loop_where_that_is_not_wanted() -> None:
    async with node(watchdog=WatchdogSettings(hang_seconds=None)):
        assert THREAD_NAME not in [thread.name for thread in threading.enumerate()]
    async with node():
        assert THREAD_NAME in [thread.name for thread in threading.enumerate()]


async def test_a_loop_that_stands_still_is_reported_by_the_proactor() -> None:
    proactor = node(watchdog=WatchdogSettings(hang_seconds=0.02))
    problems = Problems(proactor)
    stood_still = threading.Event()

    class Free(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            stood_still.set()

    handler = Free()
    logger = logging.getLogger("gwproactor.runtime.loop_watch")
    logger.addHandler(handler)
    try:
        async with proactor:
            assert hold_up_the_loop(stood_still)
            await until(lambda: bool(problems.events))
    finally:
        logger.removeHandler(handler)
    assert problems.summaries()[0].startswith("The event loop stood still for")
    assert "hold_up_the_loop" in problems.events[0].Details


def hold_up_the_loop(free: threading.Event) -> bool:
    return free.wait(SECONDS)


async def test_a_handler_that_cannot_be_cancelled_holds_up_no_stop(broker: AnyBroker) -> None:
    """It is left behind, and named with where it is."""
    let_go, begun = asyncio.Event(), asyncio.Event()
    parent = Proactor(PARENT, ProactorSettings(stop_seconds=0.1))
    problems = Problems(parent)
    parent.add_link(link_to_child(broker.url), codec=WireCodec([Greeting]))

    @parent.on_message
    async def cling(message: Message[Any]) -> None:
        begun.set()
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let_go.wait()

    async with node(url=broker.url) as child, asyncio.timeout(SECONDS):
        async with parent:
            link = child.link(PARENT)
            await link.wait_for()
            link.send(Greeting(), ack_required=False)
            await begun.wait()
        let_go.set()
        details = {event.Summary: event.Details for event in problems.events}
        assert "cling" in details["Task 'mailbox' does not end"]
        assert "the application had 1 messages left at the stop" in details
        await until(lambda: not any("d1.site: mailbox" in name for name in names_of_tasks()))


# The service manager


async def test_the_service_manager_is_told_from_begin_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    with ServiceManager(str(tmp_path / "notify")) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        async with node() as proactor:
            first = {await manager.told(), await manager.told()}
            assert first == {"READY=1", "WATCHDOG=1"}
            assert await manager.told() == "WATCHDOG=1"
            proactor.stop("maintenance\nof the pump")
            while (last := await manager.told()) == "WATCHDOG=1":
                pass
        assert last == "STOPPING=1\nSTATUS=maintenance"


async def test_of_a_stop_the_service_manager_is_told_at_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    with ServiceManager(str(tmp_path / "notify")) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        go_on = asyncio.Event()

        class Busy(Actor):
            """Takes its time to end."""

            def process_message(self, message: Message[Any]) -> None:
                raise NotImplementedError

            async def join(self) -> None:
                await go_on.wait()

        proactor = node()
        proactor.add_communicator(Busy("busy", proactor.services))
        async with proactor:
            assert await manager.told() == "READY=1"
            proactor.stop("maintenance", wait_for_acks=True)
            assert await manager.told() == "STOPPING=1\nSTATUS=maintenance"
            assert manager.told_so_far() == []
            go_on.set()
            assert await manager.told() == "EXTEND_TIMEOUT_USEC=30000000"


async def test_after_an_expiry_the_service_manager_hears_no_pat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Driven(Proactor):
        @property
        def monitored_names(self) -> list[MonitoredName]:
            return [MonitoredName("driver", 0.05)]

    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with ServiceManager(str(tmp_path / "notify")) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        report = WatchdogSettings(when_expired=WhenExpired.report)
        async with node(Driven, watchdog=report) as proactor:
            problems = Problems(proactor)
            await until(lambda: bool(problems.events))
            manager.told_so_far()
            await asyncio.sleep(0.02)  # ten pats, if there were any
            assert manager.told_so_far() == []


async def test_a_service_manager_that_is_gone_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    async with node() as proactor:
        await asyncio.sleep(0.01)
        assert not proactor.has_stopped
