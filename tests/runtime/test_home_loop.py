"""Calls from other threads and from signal handlers: done on the loop, or refused with the cure."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from result import Ok

from gwproactor.actors.actor import Actor
from gwproactor.config.events import EventSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.watchdog import WatchdogSettings
from gwproactor.errors import NotRunningError, ProactorFailedError, UsageError
from gwproactor.runtime.home_loop import HomeLoop
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.envelope import Message
from gwproactor_test.clients import until
from gwproactor_test.overseer import forever
from gwproactor_test.proactor_pair import CHILD, NOBODY, event, link_to_parent
from gwproactor_test.problem_notes import ProblemNotes

SECONDS = 15.0

T = TypeVar("T")


class Idle(Actor):
    """An actor that is never added."""

    def process_message(self, message: Message[Any]) -> None:
        """Nothing comes."""


async def test_a_call_is_made_on_the_loop_whoever_makes_it() -> None:
    home, threads = HomeLoop(), list[int]()
    home.enter()
    home.call(lambda: threads.append(threading.get_ident()))
    assert threads == [threading.get_ident()]
    await asyncio.to_thread(home.call, lambda: threads.append(threading.get_ident()))
    await until(lambda: len(threads) == 2)
    assert set(threads) == {threading.get_ident()}


def test_before_the_start_everybody_calls_at_once() -> None:
    home, called = HomeLoop(), list[str]()
    thread = threading.Thread(target=lambda: home.call(lambda: called.append("x")))
    thread.start()
    thread.join(SECONDS)
    home.check("call")
    assert (called, home.is_elsewhere) == (["x"], False)


def test_a_loop_that_is_closed_is_left_alone() -> None:
    home, called = HomeLoop(), list[str]()

    async def enter() -> None:
        home.enter()

    asyncio.run(enter())
    thread = threading.Thread(target=lambda: home.call(lambda: called.append("x")))
    thread.start()
    thread.join(SECONDS)
    assert called == []


def sleeping_node(folder: Path | None = None, **events: Any) -> Proactor:
    """A node whose loop nothing rouses but what a test does."""
    node = Proactor(
        CHILD,
        ProactorSettings(
            events=EventSettings(folder=folder, **events),
            watchdog=WatchdogSettings(hang_seconds=None),
        ),
    )
    node.add_link(link_to_parent(NOBODY))
    return node


async def in_thread(work: Callable[[], T]) -> T:
    async with asyncio.timeout(SECONDS):
        return await asyncio.to_thread(work)


async def test_a_proactor_is_stopped_from_a_thread_while_its_loop_sleeps() -> None:
    async with sleeping_node() as node:
        thread = threading.Thread(target=lambda: node.stop("from a thread"))
        thread.start()
        async with asyncio.timeout(SECONDS):
            await node.stopped()
        thread.join(SECONDS)
        assert node._stop_reason == "from a thread"


async def test_a_handler_of_signals_may_stop_a_proactor_while_its_loop_sleeps() -> None:
    node = sleeping_node()
    before = signal.signal(signal.SIGUSR1, lambda *_: node.stop("SIGUSR1"))
    try:
        async with node:
            os.kill(os.getpid(), signal.SIGUSR1)
            async with asyncio.timeout(SECONDS):
                await node.stopped()
    finally:
        signal.signal(signal.SIGUSR1, before)


async def test_a_thread_may_end_a_proactor_over_a_failure() -> None:
    node = sleeping_node()
    node.start()
    await node.started()
    await in_thread(lambda: node.fail(ProactorFailedError("no such device")))
    with pytest.raises(ProactorFailedError, match="no such device"):
        async with asyncio.timeout(SECONDS):
            await node.join()


async def test_a_problem_of_a_thread_is_reported_on_the_loop() -> None:
    async with sleeping_node() as node:
        notes = ProblemNotes(node)
        await in_thread(lambda: node.report_problem("too hot", "96 degrees"))
        await until(lambda: "too hot" in notes.summaries())


async def test_an_event_of_a_thread_goes_the_way_of_threads(tmp_path: Path) -> None:
    async with sleeping_node(tmp_path) as node:
        assert await in_thread(lambda: node.generate_event(event("mine"))) == Ok(True)
    assert b'"mine"' in b"".join(path.read_bytes() for path in (tmp_path / "outbox").iterdir())
    late = await in_thread(lambda: node.generate_event(event("late")))
    assert isinstance(late.err(), NotRunningError)


async def test_an_event_of_a_thread_that_is_refused_becomes_a_problem(tmp_path: Path) -> None:
    async with sleeping_node(tmp_path, max_bytes=2000) as node:
        notes = ProblemNotes(node)
        big = event("big", Text="x" * 3000)
        assert await in_thread(lambda: node.generate_event(big)) == Ok(True)
        await until(lambda: "1 events were handed in and not kept" in notes.summaries())
        assert node.rejected_event_count == 1


async def test_an_event_of_a_thread_without_an_upstream_link_goes_nowhere() -> None:
    async with Proactor(CHILD) as node:
        assert await in_thread(lambda: node.generate_event(event("e"))) == Ok(False)


@pytest.mark.parametrize(
    ("call", "instead"),
    [
        (lambda node: node.post_event(event("e")), "generate_event_threadsafe"),
        (lambda node: node.send(Message(Dst=CHILD, Payload=event("e"))), "send_threadsafe"),
        (lambda node: node.add_task(forever), "io_loop_manager.add_io_coroutine"),
        (lambda node: node.add_communicator(Idle("idle", node)), "loop.call_soon_threadsafe"),
        (lambda node: node.add_link(link_to_parent(NOBODY)), "loop.call_soon_threadsafe"),
    ],
    ids=["post_event", "send", "add_task", "add_communicator", "add_link"],
)
async def test_what_is_for_the_loop_alone_names_what_threads_may_call(
    call: Callable[[Proactor], object], instead: str
) -> None:
    async with sleeping_node() as node:
        names = node.get_communicator_names()
        with pytest.raises(UsageError, match=f"others use {instead}$"):
            await in_thread(lambda: call(node))
        assert node.get_communicator_names() == names
