"""The order in which a proactor ends, what may still be said meanwhile, and how long it takes."""

import asyncio
import contextlib
import threading
import time
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from gwproactor.actors.actor import Actor
from gwproactor.actors.sync_thread import SyncAsyncInteractionThread
from gwproactor.actors.sync_thread_actor import SyncThreadActor
from gwproactor.config.events import EventSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import NotRunningError, ProactorFailedError
from gwproactor.runtime import loop_watch
from gwproactor.runtime.observer import Observer
from gwproactor.runtime.orderly_end import REQUESTS_SHARE
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent, ProblemEvent
from gwproactor_test.clients import until
from gwproactor_test.leaks import no_leaks
from gwproactor_test.overseer import forever
from gwproactor_test.proactor_pair import CHILD, NOBODY, link_to_parent
from gwproactor_test.programs import shutdown_reasons

SECONDS = 20.0

PATIENCE_SECONDS = 1000.0
"""For a stop in which nothing hangs, on a machine that may be busy."""


class Order(BaseModel):
    Number: int = 0
    TypeName: Literal["test.order"] = "test.order"


def order(receiver: str, number: int = 0) -> Message[Any]:
    return Message[Any](Src="test", Dst=receiver, Payload=Order(Number=number))


class Node(Proactor):
    """Notes its problems, and what comes to it."""

    def __init__(self, **values: Any) -> None:
        values.setdefault("stop_seconds", PATIENCE_SECONDS)
        super().__init__(CHILD, ProactorSettings(**values))
        self.log: list[str] = []
        self.problems: list[str] = []
        notes = Observer()
        notes.problem = self.note_problem  # type: ignore[method-assign]
        self.observe(notes)

    def note_problem(self, event: ProblemEvent) -> None:
        self.problems.append(event.Summary)

    async def process_message(self, message: Message[Any]) -> None:
        self.log.append(f"proactor {message.Payload.Number}")


class Clerk(Actor):
    """Notes what happens to it, and says something at its stop and in its join."""

    def __init__(self, name: str, node: Node, *tells: str) -> None:
        super().__init__(name, node.services)
        self.owner = node
        self.tells = tells
        node.add_communicator(self)

    async def process_message(self, message: Message[Any]) -> None:
        await asyncio.sleep(0.001)
        self.owner.log.append(f"{self.name} {message.Payload.Number}")

    def stop(self) -> None:
        self.owner.log.append(f"{self.name} stop")
        for receiver in self.tells:
            self.services.send(order(receiver, 8))

    async def join(self) -> None:
        await asyncio.sleep(0.001)
        for receiver in self.tells:
            self.services.send(order(receiver, 9))
        self.owner.log.append(f"{self.name} joined")


async def test_an_actor_deals_with_what_waits_before_its_stop_and_takes_nothing_after() -> None:
    node = Node()
    Clerk("a", node)
    async with node:
        for number in range(4):
            node.send(order("a", number))
    assert node.log == ["a 0", "a 1", "a 2", "a 3", "a stop", "a joined"]
    with pytest.raises(NotRunningError, match="'a' takes no messages any more"):
        node.send(order("a"))
    assert node.problems == []


async def test_actors_end_the_last_first_and_what_they_say_then_reaches_who_ends_after() -> None:
    node = Node()
    Clerk("first", node)
    Clerk("second", node, "first", "proactor")
    async with node:
        node.send(order("second", 1))

    def of(name: str) -> list[str]:
        return [each for each in node.log if each.startswith(name)]

    assert of("second") == ["second 1", "second stop", "second joined"]
    assert of("first") == ["first 8", "first 9", "first stop", "first joined"]
    assert of("proactor") == ["proactor 8", "proactor 9"]
    assert node.log.index("second joined") < node.log.index("first stop")
    assert node.problems == []


async def test_a_message_that_is_passed_on_from_actor_to_actor_comes_to_its_end() -> None:
    class Passes(Clerk):
        async def process_message(self, message: Message[Any]) -> None:
            await super().process_message(message)
            for receiver in self.tells:
                self.services.send(order(receiver, message.Payload.Number))

        def stop(self) -> None:
            pass

        async def join(self) -> None:
            pass

    node = Node()
    for name, *tells in (("a", "b"), ("b", "c"), ("c", "proactor")):
        Passes(name, node, *tells)
    async with node:
        node.send(order("a", 1))
    assert node.log == ["a 1", "b 1", "c 1", "proactor 1"]
    assert node.problems == []


class Driver(SyncAsyncInteractionThread):
    """Notes what it is told; says one thing at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def _handle_message(self, message: Any) -> None:
        self.told.append(message)
        self._put_to_async_queue(order("display", message))


class Heater(SyncThreadActor[Driver]):
    async def process_message(self, message: Message[Any]) -> None:
        await asyncio.sleep(0.001)
        self.send_driver_message(message.Payload.Number)


async def test_a_driver_is_told_what_waits_and_what_it_answers_arrives() -> None:
    node, driver = Node(), Driver()
    Clerk("display", node)
    node.add_communicator(Heater("heater", node.services, driver))
    async with node:
        for number in range(4):
            node.send(order("heater", number))
    assert driver.told == [0, 1, 2, 3]
    shown = [f"display {number}" for number in range(4)]
    assert node.log == [*shown, "display stop", "display joined"]
    assert node.problems == []


async def test_a_coroutine_that_an_actor_adds_at_its_end_comes_to_its_own_end() -> None:
    class Polite(Clerk):
        def stop(self) -> None:
            self.services.io_loop_manager.add_io_coroutine(self.say("goodbye"))

        async def join(self) -> None:
            self.services.io_loop_manager.add_io_coroutine(self.say("and thanks"))

        async def say(self, what: str) -> None:
            await asyncio.sleep(0.01)
            assert self.services.generate_event(AnyEvent()).is_ok()
            self.owner.log.append(what)

    node = Node()
    node.add_link(link_to_parent(NOBODY))
    Polite("a", node)
    node.io_loop_manager.add_io_coroutine(forever)
    async with node:
        pass
    assert sorted(node.log) == ["and thanks", "goodbye"]


async def test_the_message_in_hand_counts_when_its_handler_is_cut_short() -> None:
    class Slow(Clerk):
        async def process_message(self, message: Message[Any]) -> None:
            self.owner.log.append("begun")
            await forever()

    node = Node(stop_seconds=0.3)
    Slow("slow", node)
    async with node:
        node.send(order("slow", 1))
        await until(lambda: node.log == ["begun"])
    assert node.log == ["begun", "slow stop", "slow joined"]
    assert node.problems == ["'slow' had 1 messages left at the stop"]
    assert node.dropped_message_count == 1


async def test_who_waits_for_that_message_is_told_and_it_does_not_count() -> None:
    class Slow(Clerk):
        async def process_message(self, message: Message[Any]) -> None:
            await forever()

    node = Node(stop_seconds=0.3)
    Slow("slow", node)
    async with node:
        waiting = asyncio.create_task(node.await_processing(order("slow")))
        await asyncio.sleep(0)
    assert isinstance((await waiting).err(), NotRunningError)
    assert node.problems == []
    assert node.dropped_message_count == 0


async def test_no_actor_is_added_while_the_others_are_stopped() -> None:
    class Adds(Clerk):
        def stop(self) -> None:
            Clerk("late", self.owner)

    node = Node()
    Adds("adds", node)
    async with node:
        pass
    assert node.problems == ["stop of 'adds' failed"]
    assert node.get_communicator("late") is None


async def test_a_cancelled_error_of_the_application_is_a_failure_like_others() -> None:
    class Confused(Clerk):
        def stop(self) -> None:
            raise asyncio.CancelledError

        async def join(self) -> None:
            raise asyncio.CancelledError

    node, driver = Node(), Driver()
    node.add_communicator(SyncThreadActor("thread", node.services, driver))
    Confused("confused", node)
    async with node:
        pass
    assert node.problems == ["stop of 'confused' failed", "join of 'confused' failed"]
    assert not driver.is_alive()


async def test_neither_an_observer_nor_an_actor_that_is_added_late_cancels_who_calls() -> None:
    class Confused(Clerk):
        def start(self) -> None:
            raise asyncio.CancelledError

    class ConfusedObserver(Observer):
        def problem(self, event: ProblemEvent) -> None:
            raise asyncio.CancelledError

    node = Node()
    node.observe(ConfusedObserver())
    async with node:
        node.report_problem("smoke")
        with pytest.raises(ProactorFailedError, match=r"Confused\.start raised CancelledError"):
            Confused("confused", node)
    assert node.problems == ["smoke"]


# How long it takes


STOP_SECONDS = 2.0


async def clings(let_go: asyncio.Event) -> None:
    """What nothing can end before it is let go."""
    while not let_go.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await let_go.wait()


async def test_one_time_is_for_everything_that_hangs(tmp_path: Path) -> None:
    """Whoever hangs is named, the stores have their time, and all together have no more than that.

    A stop that gave each of them its whole time would take more than five times as long.
    """
    let_go, begun = asyncio.Event(), []

    class Hangs(Clerk):
        async def process_message(self, message: Message[Any]) -> None:
            begun.append("handler")
            await clings(let_go)

        async def join(self) -> None:
            await clings(let_go)

    async def hangs() -> None:
        begun.append("task")
        await clings(let_go)

    node = Node(stop_seconds=STOP_SECONDS, events=EventSettings(folder=tmp_path))
    node.add_link(link_to_parent(NOBODY))
    Hangs("hangs", node)
    good = Clerk("good", node)
    async with node:
        node.add_task(hangs, "a task")
        node.io_loop_manager.add_io_coroutine(hangs, "a coroutine")
        node.send(order("hangs"))
        await until(lambda: len(begun) == 3)
        stopped_at = time.monotonic()
    seconds = time.monotonic() - stopped_at
    let_go.set()
    assert seconds < 3 * STOP_SECONDS  # once, and a busy machine
    assert good.owner.log[:2] == ["good stop", "good joined"]
    for said in (
        *("Task 'a task' does not end", "Task 'a coroutine' does not end"),
        *("'hangs' did not stop", "'hangs' had 1 messages left at the stop"),
        "Task 'mailbox of hangs' does not end",
    ):
        assert said in node.problems
    assert shutdown_reasons(tmp_path) == ["stop called"]
    on_disk = outbox(tmp_path)
    assert all(f'"Summary":"{said}"' in on_disk for said in node.problems)


def outbox(folder: Path) -> str:
    return "\n".join(file.read_text() for file in folder.glob("outbox/*.log"))


async def test_process_messages_of_a_derived_class_that_goes_on_holds_up_no_stop() -> None:
    class Node2(Node):
        async def process_messages(self) -> None:
            await forever()

    node = Node2(stop_seconds=0.3)
    async with asyncio.timeout(SECONDS), node:
        node.send_threadsafe(order("proactor", 1))
    assert node.problems == ["1 messages of threads were not sent"]
    assert node.dropped_message_count == 1


@pytest.mark.parametrize("where", ["_web", "_io_loop", "_post_office", "_links"])
async def test_whatever_raises_the_rest_ends(where: str, tmp_path: Path) -> None:
    """A derived class that has put something else in the place of a part of ours."""
    node = Node(events=EventSettings(folder=tmp_path))
    node.add_link(link_to_parent(NOBODY))
    driver = Driver()
    node.add_communicator(SyncThreadActor("thread", node.services, driver))
    node.start()
    await node.started()
    part = getattr(node, where)
    setattr(node, where, None)
    with pytest.raises(AttributeError):
        await node.stop_and_join()
    setattr(node, where, part)
    driver.request_stop()  # the actors are perhaps those that could not be ended
    await asyncio.to_thread(driver.join, SECONDS)
    assert loop_watch.THREAD_NAME not in [thread.name for thread in threading.enumerate()]
    async with Node(events=EventSettings(folder=tmp_path)):  # the folder is let go of
        pass


async def test_cancelled_again_and_again_it_still_ends_in_order(tmp_path: Path) -> None:
    node = Node(stop_seconds=1.0, events=EventSettings(folder=tmp_path))
    node.add_link(link_to_parent(NOBODY))

    class Slow(Clerk):
        async def join(self) -> None:
            await forever()

    Slow("slow", node)
    async with no_leaks():
        running = asyncio.create_task(node.run_forever())
        await node_runs(node)
        for _ in range(5):
            running.cancel()
            await asyncio.sleep(0.01)
        async with asyncio.timeout(SECONDS):
            await asyncio.wait((running,))
    assert running.cancelled()
    assert node.has_stopped
    assert node.log == ["slow stop"]
    assert shutdown_reasons(tmp_path) == ["cancelled"]


async def node_runs(node: Node) -> None:
    await until(lambda: node._main is not None)
    await node.started()


async def test_before_a_run_that_cannot_open_its_store_who_waits_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    node = Node(events=EventSettings(folder=tmp_path / "file"))
    Clerk("a", node)
    waiting = asyncio.create_task(node.await_processing(order("a")))
    await asyncio.sleep(0)
    with pytest.raises(Exception, match="file"):
        await node.run_forever()
    async with asyncio.timeout(SECONDS):
        assert isinstance((await waiting).err(), NotRunningError)
    with pytest.raises(NotRunningError):
        node.send(order("a"))


def test_web_servers_know_the_share_of_their_stage() -> None:
    node = Node()
    shares: list[int | None] = [stage.share for stage in node._order_of_ending()._stages]
    first, total = shares[0], sum(share or 0 for share in shares)
    assert first is not None
    assert first / total == REQUESTS_SHARE
