"""Threads as actors of a real proactor."""

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gwproactor.actors.queue_writers import AsyncQueueWriter
from gwproactor.actors.queues import SyncAsyncQueue
from gwproactor.actors.responsive_sleep import responsive_sleep
from gwproactor.actors.sync_thread import STOP_ON_FAILURE, SyncAsyncInteractionThread
from gwproactor.actors.sync_thread_actor import SyncThreadActor
from gwproactor.actors.thread_queues import QueuesByReceiver
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.config.watchdog import WatchdogSettings, WhenExpired
from gwproactor.errors import (
    NotRunningError,
    QueueClosedError,
    QueueFullError,
    TaskDiedError,
    UsageError,
    WatchdogExpiredError,
)
from gwproactor.events.tickets import EventTicket
from gwproactor.message import InternalShutdownMessage, PatInternalWatchdogMessage
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent, EventBase, ProblemEvent, ProblemType
from gwproactor_test.clients import until
from gwproactor_test.problem_notes import ProblemNotes

SECONDS = 10.0
LONG_SECONDS = 1000.0
ONLY_REPORT = WatchdogSettings(when_expired=WhenExpired.report)
"""For timeouts that a busy machine may miss."""


class Meter(SyncAsyncInteractionThread):
    """A driver that answers what it is asked, and sends what it reads to an actor."""

    def __init__(self, work: Callable[["Meter"], None] | None = None, **options: Any) -> None:
        options.setdefault("iterate_sleep_seconds", 0.001)
        super().__init__(name="some thread", **options)
        self.work = work
        self.reading = 0

    def _iterate(self) -> None:
        if self.work is not None:
            self.work(self)

    def _handle_message(self, message: Any) -> None:
        self.reading += 1
        event = AnyEvent(TypeName="gridworks.event.reading", Reading=self.reading)
        to_display = Message[Any](Src=self.name, Dst="display", Payload=event)
        self._put_to_async_queue(to_display)


class MeterActor(SyncThreadActor[Meter]):
    """Asks its thread for what it is asked for."""

    def process_message(self, message: Message[Any]) -> None:
        self.send_driver_message(message.Header.MessageType)


class Display(SyncThreadActor[Meter]):
    """Notes the readings that come."""

    def __init__(self, node: Proactor) -> None:
        super().__init__("display", node.services, Meter(iterate_sleep_seconds=LONG_SECONDS))
        self.shown: list[tuple[str, int]] = []
        node.add_communicator(self)

    def process_message(self, message: Message[Any]) -> None:
        self.shown.append((message.Header.Src, message.Payload.Reading))


def node(**values: Any) -> Proactor:
    return Proactor("d1.site.scada", ProactorSettings(**values))


def add_meter(proactor: Proactor, meter: Meter, name: str = "meter") -> MeterActor:
    actor = MeterActor(name, proactor.services, meter)
    proactor.add_communicator(actor)
    return actor


async def test_messages_go_to_the_thread_and_come_back_from_it() -> None:
    proactor = node()
    add_meter(proactor, Meter(iterate_sleep_seconds=LONG_SECONDS))
    display = Display(proactor)
    async with proactor:
        for _ in range(3):
            proactor.send(Message[Any](Src="t", Dst="meter", MessageType="read", Payload=1))
        await until(lambda: display.shown == [("meter", 1), ("meter", 2), ("meter", 3)])


async def test_the_thread_has_the_name_of_its_actor_by_which_it_is_monitored() -> None:
    proactor = node()
    meter = Meter(pat_timeout=0.05)
    actor = add_meter(proactor, meter)
    assert meter.name == "meter"
    ((monitored),) = actor.monitored_names
    assert (monitored.name, monitored.timeout_seconds) == ("meter", 0.05)
    assert list(add_meter(node(), Meter(pat_timeout=None)).monitored_names) == []


async def test_a_driver_that_hangs_is_named_by_the_watchdog_with_its_stack() -> None:
    proactor = node(stop_seconds=0.05)
    problems = ProblemNotes(proactor)
    go_on = threading.Event()

    def read_a_register_that_never_answers(_meter: Meter) -> None:
        go_on.wait(SECONDS)

    meter = Meter(read_a_register_that_never_answers, pat_timeout=0.1)
    add_meter(proactor, meter)
    with pytest.raises(WatchdogExpiredError, match="meter"):
        await proactor.run_forever()
    assert "read_a_register_that_never_answers" in proactor._stop_reason
    (late,) = (each for each in problems.events if each.Summary == "'meter' did not stop")
    assert "read_a_register_that_never_answers" in late.Details
    go_on.set()
    async with asyncio.timeout(SECONDS):
        await meter.async_join()


async def test_a_driver_that_pats_is_left_alone() -> None:
    """It pats far more often than it has to, which a busy machine does not undo."""
    proactor = node()
    meter = Meter(pat_timeout=3.0, iterate_sleep_seconds=LONG_SECONDS)
    add_meter(proactor, meter)
    meter.pat_timeout = 0.1
    patted = proactor._oversight.watchdog._table._names["meter"]
    async with proactor:
        began_at = patted.patted_at
        await until(lambda: patted.patted_at > began_at + patted.timeout_seconds)
    assert proactor.has_stopped


def fails(meter: Meter) -> None:
    raise OSError("no such register")


async def test_a_driver_that_raises_ends_the_proactor_with_an_error() -> None:
    proactor = node()
    add_meter(proactor, Meter(fails, policy=STOP_ON_FAILURE))
    with pytest.raises(TaskDiedError, match="Thread 'meter' failed"):
        await proactor.run_forever()
    assert "OSError: no such register" in proactor._stop_reason


async def test_a_failure_is_told_though_what_was_written_before_waits_for_room() -> None:
    proactor = node(mailbox_messages=5, stop_seconds=0.05)
    SlowDisplay(proactor)

    def write_and_fail(meter: Meter) -> None:
        writes(9)(meter)
        if meter.reading == 9:
            fails(meter)

    add_meter(proactor, Meter(write_and_fail))
    with pytest.raises(TaskDiedError, match="Thread 'meter' failed"):
        async with asyncio.timeout(SECONDS):
            await proactor.run_forever()


async def test_by_policy_a_driver_that_raises_begins_anew_and_the_problem_is_told() -> None:
    proactor = node()
    problems = ProblemNotes(proactor)
    readings: list[int] = []

    def fail_once(meter: Meter) -> None:
        readings.append(len(readings))
        if len(readings) == 1:
            fails(meter)

    add_meter(proactor, Meter(fail_once, policy=TaskPolicy(first_delay_seconds=0.001)))
    async with proactor:
        await until(lambda: len(readings) > 3)
    (problem,) = problems.events
    assert problem.Summary == "Thread 'meter' failed"
    assert "OSError: no such register" in problem.Details


async def test_a_driver_that_ends_alone_is_waited_for_by_no_watchdog() -> None:
    proactor = node()
    problems = ProblemNotes(proactor)
    policy = TaskPolicy(on_failure=OnFailure.report)
    add_meter(proactor, Meter(fails, policy=policy, pat_timeout=60.0))
    async with proactor:
        await until(lambda: "meter" not in proactor._oversight.watchdog._table)
    assert problems.summaries() == ["Thread 'meter' failed"]


def ends_itself(meter: Meter) -> None:
    meter.running = False


async def test_a_driver_that_ends_itself_is_waited_for_by_no_watchdog() -> None:
    proactor = node()
    problems = ProblemNotes(proactor)
    add_meter(proactor, Meter(ends_itself, pat_timeout=60.0))
    others = add_meter(proactor, Meter(pat_timeout=60.0), "stopped-by-an-actor")
    async with proactor:
        await until(lambda: "meter" not in proactor._oversight.watchdog._table)
        others.stop()
        await until(lambda: others.name not in proactor._oversight.watchdog._table)
    assert problems.events == []


async def test_a_driver_that_does_not_keep_up_is_no_secret_to_who_writes_to_it() -> None:
    proactor = node()
    actor = add_meter(proactor, Meter())
    for number in range(1000):
        actor.send_driver_message(number)
    with pytest.raises(QueueFullError):
        actor.send_driver_message(1000)


async def test_a_thread_that_has_stopped_takes_no_messages() -> None:
    proactor = node()
    actor = add_meter(proactor, Meter())
    async with proactor:
        pass
    with pytest.raises(QueueClosedError):
        actor.send_driver_message(1)


async def test_a_thread_that_writes_what_is_no_message_is_told_and_goes_on() -> None:
    proactor = node()
    display = Display(proactor)
    refused: list[UsageError] = []

    def write(meter: Meter) -> None:
        if not refused:
            with pytest.raises(UsageError, match="a Message can be sent, not str") as caught:
                meter._put_to_async_queue("hello")
            refused.append(caught.value)
        writes(1)(meter)

    add_meter(proactor, Meter(write))
    async with proactor:
        await until(lambda: display.shown == [("meter", 1)])
    assert refused


async def test_an_actor_of_a_thread_that_handles_no_messages_says_so() -> None:
    proactor = node()
    actor: SyncThreadActor[Meter] = SyncThreadActor("plain", proactor.services, Meter())
    with pytest.raises(UsageError, match="override process_message"):
        actor.process_message(Message[Any](Src="t", MessageType="read", Payload=1))
    with pytest.raises(NotRunningError, match="was not started"):
        actor.start()


async def test_what_threads_write_at_the_end_still_goes_out() -> None:
    """Events of a thread that were accepted before it ended are generated, whatever is going on."""
    proactor = node(mailbox_messages=5)
    display = Display(proactor)
    accepted = 0

    def write_much(meter: Meter) -> None:
        nonlocal accepted
        meter._handle_message(None)
        accepted += 1

    add_meter(proactor, Meter(write_much, iterate_sleep_seconds=None))
    async with proactor:
        await until(lambda: len(display.shown) > 100)
    await asyncio.sleep(0)
    assert len(proactor._post_office.queue) == 0
    shown = [reading for _, reading in display.shown]
    assert shown == sorted(shown)
    assert accepted >= len(shown)


class SlowDisplay(Display):
    """Takes nothing before it is let go on."""

    def __init__(self, node: Proactor) -> None:
        super().__init__(node)
        self.go_on = asyncio.Event()

    async def process_message(self, message: Message[Any]) -> None:  # type: ignore[override]
        await self.go_on.wait()
        super().process_message(message)


def writes(count: int) -> Callable[[Meter], None]:
    """Work that writes so many readings, and then nothing more."""

    def write(meter: Meter) -> None:
        if meter.reading < count:
            meter._handle_message(None)

    return write


async def test_a_thread_waits_for_a_slow_receiver_and_nobody_else_does() -> None:
    proactor = node(mailbox_messages=5)
    slow = SlowDisplay(proactor)
    fast = MeterActor("fast", proactor.services, Meter())
    proactor.add_communicator(fast)
    meter = Meter(writes(100), iterate_sleep_seconds=None)
    add_meter(proactor, meter)
    async with proactor:
        await until(lambda: meter.reading > 10)
        await asyncio.sleep(0.05)
        held_back_at = meter.reading
        assert held_back_at < 20
        assert fast._sync_thread.reading == 0
        proactor.send_threadsafe(Message[Any](Src="t", Dst="fast", MessageType="read", Payload=1))
        await until(lambda: fast._sync_thread.reading == 1)
        slow.go_on.set()
        await until(lambda: [at for name, at in slow.shown if name == "meter"] == [*range(1, 101)])
    assert proactor.dropped_message_count == 0


FOR_OTHERS: dict[str, Message[Any]] = {
    "an actor": Message[Any](Src="meter", Dst="fast", MessageType="read", Payload=1),
    "the proactor": Message[Any](Src="meter", MessageType="read", Payload=1),
    "an order": InternalShutdownMessage(Src="meter", Reason="overheating"),
    "an event": Message[Any](
        Src="meter", Payload=AnyEvent(TypeName="gridworks.event.hot", Celsius=99)
    ),
    "a problem": Message[Any](
        Src="meter", Payload=ProblemEvent(ProblemType=ProblemType.error, Summary="too hot")
    ),
}


class Listening(Proactor):
    """Notes who was told something."""

    def __init__(self) -> None:
        super().__init__("d1.site.scada", ProactorSettings(mailbox_messages=5))
        self.told: list[str] = []

    def process_message(self, message: Message[Any]) -> None:  # type: ignore[override]
        self.told.append("the proactor")

    def stop(self, reason: str = "stop called", *, wait_for_acks: bool = False) -> None:
        super().stop(reason, wait_for_acks=wait_for_acks)
        if reason == "overheating":
            self.told.append("an order")

    def post_event(self, event: EventBase, **options: Any) -> EventTicket:
        self.told.append("an event")
        return super().post_event(event, **options)

    def tell_problem(self, event: ProblemEvent) -> None:
        super().tell_problem(event)
        if event.Summary == "too hot":
            self.told.append("a problem")


@pytest.mark.parametrize("receiver", FOR_OTHERS)
async def test_what_a_thread_writes_waits_behind_nothing_for_a_slow_actor(receiver: str) -> None:
    """The mailbox of the slow one is full, and other messages to it wait in a queue."""
    proactor = Listening()
    slow = SlowDisplay(proactor)
    fast = MeterActor("fast", proactor.services, Meter())
    proactor.add_communicator(fast)
    behind = 9

    def write(meter: Meter) -> None:
        if meter.reading == behind:
            meter._put_to_async_queue(FOR_OTHERS[receiver])
            meter.reading += 1
        elif meter.reading < behind:
            meter._handle_message(None)

    add_meter(proactor, Meter(write))
    async with proactor:
        if receiver == "an actor":
            await until(lambda: fast._sync_thread.reading == 1)
        else:
            await until(lambda: receiver in proactor.told)
        assert slow.shown == []
        slow.go_on.set()
    assert [reading for _, reading in slow.shown[:behind]] == list(range(1, behind + 1))


class Patting(Meter):
    """Counts its pats."""

    pats = 0

    def pat_watchdog(self) -> None:
        super().pat_watchdog()
        self.pats += 1


def waits_for_room(meter: Meter) -> bool:
    queues = meter._channel._to_loop._queue
    assert isinstance(queues, QueuesByReceiver)
    return any(queue._state.writers for queue in tuple(queues._queues.values()))


async def test_a_thread_that_is_held_back_longer_than_its_timeout_pats_and_is_well() -> None:
    proactor = node(mailbox_messages=5, watchdog=ONLY_REPORT)
    slow = SlowDisplay(proactor)
    meter = Patting(writes(100), iterate_sleep_seconds=None, pat_timeout=0.05)
    add_meter(proactor, meter)
    patted = proactor._oversight.watchdog._table._names["meter"]
    async with proactor:
        await until(lambda: waits_for_room(meter))
        pats, patted_at = meter.pats, patted.patted_at
        await until(lambda: meter.pats > pats + 4)  # more than two timeouts
        assert patted.patted_at > patted_at
        assert waits_for_room(meter)
        assert meter.reading < 20  # it writes 100
        slow.go_on.set()
        await until(lambda: len(slow.shown) == 100)
    assert proactor.dropped_message_count == 0


@pytest.mark.parametrize("wait", ["get", "sleep", "responsive_sleep"])
async def test_a_thread_that_waits_in_this_library_pats(wait: str) -> None:
    proactor = node(watchdog=ONLY_REPORT)
    nothing: SyncAsyncQueue[int] = SyncAsyncQueue()
    machine = SimpleNamespace(_main_loop_running=True)
    waits: dict[str, Callable[[], object]] = {
        "get": lambda: list(nothing.thread_end),
        "sleep": lambda: meter.sleep(LONG_SECONDS),
        "responsive_sleep": lambda: responsive_sleep(machine, LONG_SECONDS, 0.01),
    }
    meter = Patting(lambda _: (waits[wait](), None)[1], pat_timeout=0.05)
    add_meter(proactor, meter)
    async with proactor:
        await until(lambda: meter.pats > 4)
        nothing.close()
        machine._main_loop_running = False


async def test_a_pat_counts_before_whatever_its_thread_has_written() -> None:
    """The loop stands still, and 900 messages wait in the thread's queue."""
    proactor = node()
    Display(proactor)
    meter = Meter(iterate_sleep_seconds=LONG_SECONDS, pat_timeout=60.0)
    add_meter(proactor, meter)
    async with proactor:
        table = proactor._oversight.watchdog._table
        before = table._names["meter"].patted_at

        def write_and_pat() -> None:
            for _ in range(900):
                meter._handle_message(None)
            meter.pat_watchdog()
            proactor.send_threadsafe(PatInternalWatchdogMessage("display"))

        patted = [before, table._names["display"].patted_at]
        writing = threading.Thread(target=write_and_pat)
        writing.start()
        writing.join()
        assert table._names["meter"].patted_at > patted[0]
        assert table._names["display"].patted_at > patted[1]
        assert len(proactor._post_office.queue) == 0


async def test_a_pat_under_a_name_that_nobody_monitors_is_told() -> None:
    proactor = node()
    problems = ProblemNotes(proactor)

    def pat_as_somebody(meter: Meter) -> None:
        meter.name = "somebody"
        meter.pat_watchdog()

    add_meter(proactor, Meter(pat_as_somebody))
    async with proactor:
        await until(lambda: bool(problems.events))
    assert "somebody pats and is not monitored" in problems.events[0].Summary


async def test_who_pats_while_the_proactor_stops_does_no_wrong() -> None:
    proactor = node()
    problems = ProblemNotes(proactor)

    class Zealous(Meter):
        def _handle_message(self, message: Any) -> None:
            self.pat_watchdog()

    actor = add_meter(proactor, Zealous())
    async with proactor:
        proactor._oversight.watchdog.end()
        actor.send_driver_message("pat")
        await until(actor._sync_thread._channel.sync_queue.empty)  # type: ignore[union-attr]
    assert problems.events == []


async def test_the_queue_of_a_thread_that_has_ended_is_forgotten() -> None:
    proactor = node()
    policy = TaskPolicy(on_failure=OnFailure.report)
    display = Display(proactor)

    def write_and_fail(meter: Meter) -> None:
        meter._handle_message(None)
        fails(meter)

    for number in range(5):
        meter = Meter(write_and_fail, policy=policy)
        add_meter(proactor, meter, f"meter{number}")
    async with proactor:
        await until(lambda: len(display.shown) == 5 and not proactor._post_office._own_queues)
        with pytest.raises(QueueClosedError):
            meter._handle_message(None)


async def test_the_queue_of_a_writer_that_is_forgotten_is_forgotten_too() -> None:
    proactor = node()
    display = Display(proactor)
    async with proactor:
        queue = proactor.async_receive_queue
        assert queue is not None
        for number in range(3):
            writer = AsyncQueueWriter()
            writer.set_async_loop(asyncio.get_running_loop(), queue)
            reading = AnyEvent(TypeName="gridworks.event.reading", Reading=number)
            writer.put(Message[Any](Src="t", Dst="display", Payload=reading))
        del writer
        await until(lambda: len(display.shown) == 3 and not proactor._post_office._own_queues)


async def test_what_threads_wrote_for_one_who_takes_nothing_is_counted_at_the_stop() -> None:
    proactor = node(mailbox_messages=5, stop_seconds=0.1)
    problems = ProblemNotes(proactor)
    SlowDisplay(proactor)
    meter = Meter(writes(9), iterate_sleep_seconds=0.001)
    add_meter(proactor, meter)
    async with proactor:
        await until(lambda: meter.reading == 9)
        await asyncio.sleep(0.01)
    assert "3 messages of threads were not sent" in problems.summaries()
    assert proactor.dropped_message_count >= 3
