"""A fault of ours costs one link its connection: told with its traceback, and no other link learns.

What fails here is made to fail: no broker and no peer can bring these about.
"""

import asyncio
import contextlib
import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, NoReturn

import pytest

from gwproactor.config.mqtt import MQTTClient, broker_from_url
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.links.core import backoff
from gwproactor.links.core.link_state import StateName
from gwproactor.links.fault_desk import FaultDesk
from gwproactor.links.link import Link
from gwproactor.links.link_set import LinkSet
from gwproactor.links.mqtt.aiomqtt_transport import connect_with_aiomqtt
from gwproactor.links.own_faults import (
    CALM_SECONDS,
    FaultRest,
    only_one,
)
from gwproactor.links.problem_desk import ProblemDesk
from gwproactor.links.transport import Connection, ConnectOptions
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.link_pair import (
    CHILD,
    PARENT,
    WAIT_SECONDS,
    End,
    Recorder,
    child_settings,
    link_pair,
    parent_settings,
    running,
)


class MistakeError(Exception):
    """What nobody foresaw."""


@pytest.fixture
def short_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "RETRY_FIRST_SECONDS", 0.001)


# How long a link rests


def test_rests_double_to_a_minute_and_begin_anew_after_calm() -> None:
    rest, now, seconds = FaultRest(lambda: 1.0), 0.0, []
    for _ in range(8):
        seconds.append(rest.next_seconds(now))
        now += seconds[-1] + 1
    assert seconds == [1, 2, 4, 8, 16, 32, 60, 60]
    assert rest.next_seconds(now - 1 - 60 + CALM_SECONDS) == 1


def test_a_link_that_fails_soon_after_each_beginning_is_not_calm() -> None:
    rest = FaultRest(lambda: 0.0)
    starts = itertools.accumulate(range(100), lambda now, _: now + rest.next_seconds(now) + 60)
    assert list(starts)[-1] > 100 * 60 + 90 * 30


def test_the_exception_that_matters_is_shown() -> None:
    inner = MistakeError()
    assert only_one(ExceptionGroup("g", [ExceptionGroup("h", [inner])])) is inner
    several = ExceptionGroup("g", [inner, MistakeError()])
    assert only_one(several) is several


# Where a fault may happen


def fails(
    times: int, then: Callable[..., Any], fault: BaseException | None = None
) -> Callable[..., Any]:
    """Something that fails at first."""
    left = itertools.count(times, -1)

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(left) > 0:
            raise fault or MistakeError("here")
        return then(*args, **kwargs)

    return call


def in_connected(link: Link, patch: pytest.MonkeyPatch) -> None:
    """In the link's own task, on a connection."""
    patch.setattr(link._conversation.core, "connected", fails(2, link._conversation.core.connected))


def in_disconnected(link: Link, patch: pytest.MonkeyPatch) -> None:
    """While another fault is dealt with."""
    core = link._conversation.core
    patch.setattr(core, "connected", fails(1, core.connected))
    patch.setattr(core, "disconnected", fails(1, core.disconnected))


def in_suback(link: Link, patch: pytest.MonkeyPatch) -> None:
    """In what the loop calls when an answer came."""
    core = link._conversation.core
    patch.setattr(core, "subscriptions_answered", fails(2, core.subscriptions_answered))


def in_timer(link: Link, patch: pytest.MonkeyPatch) -> None:
    """In what the link's timer calls."""
    clock = link._conversation._clock
    patch.setattr(clock, "_catch_up", fails(1, clock._catch_up))


def in_an_effect(link: Link, patch: pytest.MonkeyPatch) -> None:
    """In the middle of what the core wants done."""
    patch.setattr(link._history, "add", fails(3, link._history.add))


@pytest.mark.usefixtures("short_rest")
@pytest.mark.parametrize(
    "fault", [in_connected, in_disconnected, in_suback, in_timer, in_an_effect]
)
async def test_the_link_comes_back_and_the_fault_is_told(
    broker: AnyBroker, fault: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"ack_timeout_seconds": 0.2, "poll_seconds": 0.2}
    config = broker_from_url(broker.url)
    child = End(CHILD, child_settings(config, **quick))
    parent = End(PARENT, parent_settings(config, **quick))
    async with running(parent, child):
        await asyncio.sleep(0)  # it has started
        fault(child.link, monkeypatch)
        await child.heard.until(lambda: child.heard.problems)
        await child.active()
        assert child.task is not None
        assert not child.task.done()
    summary, details, is_error = child.heard.problems[0]
    assert summary == f"link '{PARENT}': a fault of this program (MistakeError)"
    assert "begins again" in details
    assert "MistakeError: here" in details
    assert "test_own_faults.py" in details  # where it was raised
    assert is_error


def broken_events(fault: BaseException | None = None) -> OutgoingEvents:
    """Events of which the first to be sent cannot be had; then there are none."""
    ignore: Callable[..., None] = lambda *_: None  # noqa: E731 - three times the same
    events = OutgoingEvents(
        MemoryStore(), Outbox(), on_stored=ignore, on_acked=ignore, report=ignore
    )
    events.next_to_send = fails(1, asyncio.Event().wait, fault)  # type: ignore[method-assign]
    return events


@pytest.mark.usefixtures("short_rest")
async def test_a_stray_cancel_is_a_fault_and_ends_no_link(broker: AnyBroker) -> None:
    """What the task waits for was cancelled, not the task."""
    strays = iter(["while it connects", "while it talks"])

    @contextlib.asynccontextmanager
    async def connector(config: MQTTClient, options: ConnectOptions) -> AsyncIterator[Connection]:
        stray = next(strays, "")
        async with connect_with_aiomqtt(config, options) as connection:
            if stray == "while it connects":
                raise asyncio.CancelledError(stray)
            if stray:
                connection.read = cancelled  # type: ignore[method-assign]
            yield connection

    async def cancelled(take: object) -> NoReturn:
        raise asyncio.CancelledError("while it talks")

    async with link_pair(broker.url, broker.url, child_options={"connector": connector}) as (
        child,
        _,
    ):
        text = child.heard.problem_texts()
        assert "nobody asked for it" in text
        assert "while it connects" in text
        reasons = [each.reason for each in child.heard.transitions]
        assert "connection lost: a fault of this program, a stray cancel" in reasons
    assert child.task is not None
    assert child.task.cancelled()


@pytest.mark.usefixtures("short_rest")
async def test_a_stray_cancel_does_not_end_the_sending_of_events(broker: AnyBroker) -> None:
    options = {"events": broken_events(asyncio.CancelledError())}
    async with link_pair(broker.url, broker.url, child_options=options) as (child, _):
        await child.heard.until(lambda: child.heard.problems)
        await child.active()
        pumps = [task for task in asyncio.all_tasks() if "_pump" in repr(task.get_coro())]
        assert len(pumps) == 1
    assert "nobody asked for it" in child.heard.problem_texts()


async def test_a_fault_that_came_with_another_does_not_end_a_later_connection() -> None:
    heard = Recorder()
    desk = FaultDesk(ProblemDesk("link", heard), lambda _reason: True)
    desk.note(MistakeError("beside"))
    desk.begin()  # what the link's task raised meanwhile was reported there
    desk.raise_last()
    assert "another fault came with it" in heard.problem_texts()
    assert "MistakeError: beside" in heard.problem_texts()
    desk.note(MistakeError("later"))
    with pytest.raises(MistakeError, match="later"):
        desk.raise_last()


@pytest.mark.usefixtures("short_rest")
async def test_two_faults_at_once_cost_one_connection(
    broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        conversation = child.link._conversation

        def both(*_args: Any) -> None:
            conversation.faults.note(MistakeError("beside"))
            raise MistakeError("in the task")

        with monkeypatch.context() as patch:
            patch.setattr(conversation.receiver, "received", both)
            await child.link.ping()
            await child.link.wait_for("connecting", timeout_seconds=WAIT_SECONDS)
        await child.active()
        assert "MistakeError: in the task" in child.heard.problem_texts()
        conversation.faults.raise_last()


@pytest.mark.usefixtures("short_rest")
async def test_what_gives_the_events_may_fail(broker: AnyBroker) -> None:
    """It runs beside the link's task, to which a cancel from there would mean its end."""
    options = {"events": broken_events()}
    async with link_pair(broker.url, broker.url, child_options=options) as (child, _):
        await child.heard.until(lambda: child.heard.problems)
        await child.active()
    assert "in pump_events" in child.heard.problem_texts()
    assert [each.new_state for each in child.heard.transitions].count(StateName.stopped) == 1


async def test_the_reason_is_said_where_the_state_changed(
    broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with link_pair(broker.url, broker.url) as (child, _):
        receiver = child.link._conversation.receiver
        monkeypatch.setattr(receiver, "received", fails(1, receiver.received))
        await child.link.ping()  # its ack is what fails
        await child.link.wait_for("connecting", timeout_seconds=WAIT_SECONDS)
        reason = child.heard.transitions[-1].reason
        assert reason == "connection lost: a fault of this program, MistakeError: here"


# The others, and the end


def break_connector(link: Link) -> None:
    def connector(
        broker: MQTTClient, options: ConnectOptions
    ) -> AbstractAsyncContextManager[Connection]:
        raise MistakeError(f"never to {broker} with {options}")

    link._parts = dataclasses.replace(link._parts, connector=connector)


async def test_no_other_link_learns_of_it(broker: AnyBroker) -> None:
    config = broker_from_url(broker.url)
    heard = Recorder()
    node, other = LinkSet("d1.node", heard), LinkSet("d1.other", Recorder())
    good = node.add(child_settings(config, peer_name="d1.other", peer_short_name="o"))
    bad = node.add(parent_settings(config, peer_name="d1.bad", peer_short_name="b"))
    break_connector(bad)
    there = other.add(
        parent_settings(config, peer_name="d1.node", peer_short_name="c", subscription_name="o")
    )
    tasks = [asyncio.create_task(each.run()) for each in (node, other)]
    await good.wait_for(timeout_seconds=WAIT_SECONDS)
    await there.wait_for(timeout_seconds=WAIT_SECONDS)
    await heard.until(lambda: heard.problems)
    assert good.active
    assert bad.state is StateName.connecting
    assert not tasks[0].done()
    for task in tasks:
        task.cancel()  # while the bad one rests
    await asyncio.wait(tasks)
    assert {good.state, bad.state} == {StateName.stopped}
    assert all(task.cancelled() for task in tasks)


async def test_a_fault_while_it_is_stopped_does_not_keep_it(broker: AnyBroker) -> None:
    @contextlib.asynccontextmanager
    async def connector(config: MQTTClient, options: ConnectOptions) -> AsyncIterator[Connection]:
        async with connect_with_aiomqtt(config, options) as connection:
            try:
                yield connection
            except asyncio.CancelledError:
                raise MistakeError("at the end") from None

    child = End(CHILD, child_settings(broker_from_url(broker.url)), connector=connector)
    child.start()
    await child.link.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
    await asyncio.wait_for(child.stop(), WAIT_SECONDS)
    assert child.task is not None
    assert child.task.cancelled()
    assert child.link.state is StateName.stopped
    assert "MistakeError: at the end" in child.heard.problem_texts()


async def test_a_link_that_ends_all_the_same_is_told_and_ends_alone(
    broker: AnyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Recorder()
    links = LinkSet(CHILD, heard)
    good = links.add(child_settings(broker_from_url(broker.url)))
    bad = links.add(parent_settings(broker_from_url(broker.url)))

    async def run() -> None:
        raise MistakeError("out")

    monkeypatch.setattr(bad, "run", run)
    task = asyncio.create_task(links.run())
    await heard.until(lambda: heard.problems)
    await good.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
    assert "has ended by a fault of this program" in heard.problem_texts()
    task.cancel()
    await asyncio.wait([task])
