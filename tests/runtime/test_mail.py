"""Actors of a proactor, and messages between them, to the proactor, over links and from threads."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from result import Err, Ok, Result

from gwproactor.actors.actor import Actor
from gwproactor.config.events import EventSettings
from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import broker_from_url
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import (
    ConnectionLostError,
    HandlerFailedError,
    MailboxFullError,
    NotRunningError,
    QueueFullError,
    StoreError,
    UsageError,
)
from gwproactor.interfaces import MonitoredName, Runnable, ServicesInterface
from gwproactor.message import InternalShutdownMessage, PatInternalWatchdogMessage
from gwproactor.runtime.proactor import Proactor
from gwproactor.runtime.unknown_receivers import MAX_NAMES
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent, ProblemEvent, ProblemType
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.problem_notes import ProblemNotes

SECONDS = 10.0
CHILD, PARENT = "d1.site.scada", "d1.site"


class Order(BaseModel):
    """A message of the application."""

    Number: int = 0
    TypeName: Literal["test.order"] = "test.order"


def order(receiver: str, number: int = 0, sender: str = "test") -> Message[Any]:
    return Message[Any](Src=sender, Dst=receiver, Payload=Order(Number=number))


class Node(Proactor):
    """A proactor that notes what comes to it."""

    def __init__(self, name: str = CHILD, **values: Any) -> None:
        super().__init__(name, ProactorSettings(**values))
        self.got: list[int] = []
        self.notes = ProblemNotes(self)

    async def process_message(self, message: Message[Any]) -> None:
        self.got.append(message.Payload.Number)


class Clerk(Actor):
    """An actor with a plain handler, which notes what comes, and how it was begun and ended."""

    def __init__(self, name: str, node: Proactor) -> None:
        super().__init__(name, node.services)
        self.got: list[int] = []
        self.calls: list[str] = []
        node.add_communicator(self)

    def process_message(self, message: Message[Any]) -> Result[bool, BaseException]:
        number = message.Payload.Number
        self.got.append(number)
        if number < 0:
            raise ValueError(f"{number} is negative")
        return Ok(True) if number else Err(ValueError("it is zero"))

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    async def join(self) -> None:
        self.calls.append("join")


class SlowClerk(Actor):
    """An actor that takes its time over each message, until it is let go on."""

    def __init__(self, name: str, node: Proactor) -> None:
        super().__init__(name, node.services)
        self.go_on = asyncio.Event()
        self.at_work = 0
        self.got: list[int] = []
        node.add_communicator(self)

    async def process_message(self, message: Message[Any]) -> None:
        self.at_work += 1
        assert self.at_work == 1, "two at a time"
        await self.go_on.wait()
        self.at_work -= 1
        self.got.append(message.Payload.Number)


async def test_messages_reach_the_actor_that_they_are_addressed_to_in_order() -> None:
    node = Node()
    first, second = Clerk("first", node), Clerk("second", node)
    node.send(order("first", 1))  # before the start it waits
    async with node:
        for number in range(2, 50):
            node.send(order("first", number))
            node.send(order("second", number))
        await until(lambda: first.got == list(range(1, 50)))
        await until(lambda: second.got == list(range(2, 50)))
    assert node.stats.num_internal_by_type["test.order"] == 97
    assert node.stats.total_received("test.order") == 97
    assert node.stats.num_received_by_type == {}, "no link has received any of them"


async def test_a_slow_actor_delays_nobody_else_and_does_one_thing_at_a_time() -> None:
    node = Node()
    slow, quick = SlowClerk("slow", node), Clerk("quick", node)
    async with node:
        for number in range(1, 6):
            node.send(order("slow", number))
            node.send(order("quick", number))
            node.send(order(CHILD, number))
        await until(lambda: quick.got == node.got == [1, 2, 3, 4, 5])
        assert slow.got == []
        slow.go_on.set()
        await until(lambda: slow.got == [1, 2, 3, 4, 5])


async def test_an_actor_that_always_has_more_to_do_lets_the_others_have_their_turn() -> None:
    class Restless(Clerk):
        def process_message(self, message: Message[Any]) -> Result[bool, BaseException]:
            self._send(message)
            return super().process_message(message)

    node = Node()
    restless, clerk = Restless("restless", node), Clerk("clerk", node)
    async with node:
        node.send(order("restless", 1))
        await until(lambda: len(restless.got) > 10)
        node.send(order("clerk", 1))
        await until(lambda: clerk.got == [1])


async def test_who_sends_to_a_full_mailbox_is_told_and_the_others_get_theirs() -> None:
    node = Node(mailbox_messages=2)
    slow, quick = SlowClerk("slow", node), Clerk("quick", node)
    async with node:
        node.send(order("slow", 1))
        await until(lambda: slow.at_work == 1)
        node.send(order("slow", 2))
        node.send(order("slow", 3))
        with pytest.raises(MailboxFullError, match="'slow' is full"):
            node.send(order("slow", 4))
        node.send(order("quick", 1))
        await until(lambda: quick.got == [1])
        slow.go_on.set()
        await until(lambda: slow.got == [1, 2, 3])
    assert node.notes.summaries() == ["The mailbox of 'slow' is full: messages are dropped"]
    assert node.dropped_message_count == 1


async def test_who_waits_for_an_actor_is_told_what_came_of_his_message() -> None:
    node = Node(mailbox_messages=1)
    clerk, slow = Clerk("clerk", node), SlowClerk("slow", node)
    async with node:
        assert await node.await_processing(order("clerk", 1)) == Ok(True)
        assert clerk.got == [1]
        assert isinstance((await node.await_processing(order("clerk", -1))).err(), ValueError)
        assert str((await node.await_processing(order("clerk", 0))).err()) == "it is zero"
        with pytest.raises(UsageError, match=r"nobody here is named 'nobody'.*names: clerk"):
            await node.await_processing(order("nobody"))
        waiting = [asyncio.create_task(node.await_processing(order("slow", n))) for n in (1, 2, 3)]
        await until(lambda: slow.at_work == 1)
        slow.go_on.set()
        assert await asyncio.gather(*waiting) == [Ok(True)] * 3
    assert slow.got == [1, 2, 3]
    assert node.notes.events == []


@pytest.mark.parametrize(
    ("number", "said"), [(-1, "ValueError: -1 is negative"), (0, "it is zero")]
)
async def test_what_a_handler_raises_or_returns_as_err_is_a_problem_and_stops_nothing(
    number: int, said: str
) -> None:
    node = Node()
    clerk = Clerk("clerk", node)
    async with node:
        node.send(order("clerk", number))
        node.send(order("clerk", 7))
        await until(lambda: clerk.got == [number, 7])
    (problem,) = node.notes.events
    assert problem.Summary == "'clerk' failed with a test.order"
    assert said in problem.Details


async def test_a_failing_handler_ends_the_proactor_where_that_is_asked_for() -> None:
    node = Node(stop_when_handler_fails=True)
    clerk = Clerk("clerk", node)
    node.send(order("clerk", -1))
    with pytest.raises(HandlerFailedError, match="the handler of 'clerk' failed"):
        await node.run_forever()
    assert clerk.calls == ["start", "stop", "join"]


@pytest.mark.parametrize("receiver", ["", CHILD, "proactor"])
async def test_messages_to_the_proactor_come_to_process_message(receiver: str) -> None:
    node = Node()
    async with node:
        node.send(order(receiver, 5))
        await until(lambda: node.got == [5])


async def test_a_receiver_that_nobody_is_named_by_is_an_error() -> None:
    node = Node()
    Clerk("clerk", node)
    with pytest.raises(UsageError, match=r"nobody here is named 'clark'.*names: clerk"):
        node.send(order("clark"))


async def test_communicators_are_found_by_name_and_type() -> None:
    node = Node()
    clerk = Clerk("clerk", node)
    assert node.get_communicator("clerk") is clerk
    assert node.get_communicator("nobody") is None
    assert node.get_communicator_as_type("clerk", Clerk) is clerk
    assert node.get_communicator_as_type("nobody", Clerk) is None
    assert node.get_communicator_names() == {"clerk", "io_loop_manager"}
    with pytest.raises(UsageError, match="'clerk' is a Clerk, no SlowClerk"):
        node.get_communicator_as_type("clerk", SlowClerk)


async def test_names_are_unique_among_communicators_and_links(embedded_broker: Any) -> None:
    node = Node()
    Clerk("clerk", node)
    node.add_link(link_to(PARENT, "p", "s", embedded_broker.url))
    wrong: list[tuple[Any, str]] = [
        ("clerk", "already"),
        (PARENT, "a link is named"),
        ("", "no name"),
        (7, "must be of type str, not int"),
    ]
    for name, said in wrong:
        with pytest.raises(UsageError, match=said):
            Clerk(name, node)
    with pytest.raises(UsageError, match="a communicator is named 'clerk'"):
        node.add_link(link_to("clerk", "c", "s", embedded_broker.url))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("proactor", "for the proactor itself"),
        ("watchdog_manager", "for the proactor itself"),
        (CHILD, "for the proactor itself"),
        (PARENT, "a link is named"),
        ("p", "or its peer"),
        (" ", "white space"),
        ("a/b", "white space or one of /"),
    ],
)
async def test_no_actor_takes_the_messages_of_somebody_else(name: str, said: str) -> None:
    node = Node()
    node.add_link(link_to(PARENT, "p", "s", "mqtt://127.0.0.1:1"))
    with pytest.raises(UsageError, match=said):
        Clerk(name, node)
    assert node.get_communicator(name) is None


@pytest.mark.parametrize("taken", [PARENT, "p", "up"])
async def test_no_link_is_added_whose_messages_an_actor_would_get(taken: str) -> None:
    node = Node()
    Clerk(taken, node)
    with pytest.raises(UsageError, match=f"a communicator is named '{taken}' already"):
        node.add_link(link_to(PARENT, "p", "s", "mqtt://127.0.0.1:1", name="up"))


async def test_actors_begin_and_end_with_the_proactor_in_order() -> None:
    node = Node()
    first = Clerk("first", node)
    async with node:
        assert first.calls == ["start"]
        late = Clerk("late", node)
        assert late.calls == ["start"]
        node.send(order("late", 1))
        await until(lambda: late.got == [1])
    assert first.calls == late.calls == ["start", "stop", "join"]


async def test_an_actor_that_cannot_start_ends_the_start_and_the_others_are_stopped() -> None:
    class Broken(Clerk):
        def start(self) -> None:
            raise OSError("no such device")

    node = Node()
    first = Clerk("first", node)
    Broken("broken", node)
    with pytest.raises(OSError, match="no such device"):
        async with node:
            raise NotImplementedError
    assert first.calls == ["start", "stop", "join"]


async def test_an_actor_that_cannot_start_late_leaves_nothing_and_can_be_added_again() -> None:
    class Broken(Clerk):
        timeout_seconds = 60.0
        is_broken = True

        @property
        def monitored_names(self) -> Sequence[MonitoredName]:
            return [MonitoredName(self.name, 60.0), MonitoredName("door", self.timeout_seconds)]

        def start(self) -> None:
            if self.is_broken:
                raise OSError("no such device")
            super().start()

    class Unwatchable(Broken):
        timeout_seconds = 0.0

    class Mended(Broken):
        is_broken = False

    node = Node()
    with pytest.raises(UsageError, match="number of seconds above 0"):
        Unwatchable("clerk", node)
    async with node:
        for kind, error in ((Unwatchable, UsageError), (Broken, OSError)):
            with pytest.raises(error):
                kind("clerk", node)
            assert node.get_communicator("clerk") is None
            with pytest.raises(UsageError, match="nobody here is named"):
                node.send(order("clerk", 1))
        with pytest.raises(UsageError, match="pats and is not monitored"):
            node.pat_watchdog("clerk")
        clerk = Mended("clerk", node)
        node.send(order("clerk", 2))
        await until(lambda: clerk.got == [2])
    assert clerk.calls == ["start", "stop", "join"]
    assert node.notes.events == []


async def test_an_actor_that_does_not_stop_is_reported_and_left_behind() -> None:
    class Stubborn(Clerk):
        async def join(self) -> None:
            await asyncio.Event().wait()

    class Clumsy(Clerk):
        def stop(self) -> None:
            raise RuntimeError("cannot stop")

        async def join(self) -> None:
            raise RuntimeError("cannot join")

    class Deaf(Clerk):
        async def join(self) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await end.wait()
            await end.wait()

    end = asyncio.Event()
    node = Node(stop_seconds=0.05)
    Stubborn("stubborn", node)
    Deaf("deaf", node)
    Clumsy("clumsy", node)
    good = Clerk("good", node)
    async with node:
        pass
    assert good.calls == ["start", "stop", "join"]
    end.set()
    assert sorted(node.notes.summaries()) == [
        "'deaf' did not stop",
        "'stubborn' did not stop",
        "join of 'clumsy' failed",
        "stop of 'clumsy' failed",
    ]


async def test_an_event_sent_to_the_proactor_is_generated(embedded_broker: Any) -> None:
    node = Node()
    node.add_link(link_to(PARENT, "p", "s", embedded_broker.url, upstream=True))
    async with node:
        before = node.pending_event_count
        node.send(Message[Any](Src="clerk", Dst=CHILD, Payload=AnyEvent(n=1)))
        assert node.pending_event_count == before + 1
        event = Message[Any](Src="clerk", Dst="proactor", Payload=AnyEvent(n=2))
        assert await node.await_processing(event) == Ok(True)
        assert node.pending_event_count == before + 2
        problem = ProblemEvent(ProblemType=ProblemType.warning, Summary="s", Details="d")
        node.send(Message[Any](Src="clerk", Payload=problem))
        (told,) = node.notes.events
    assert (told.Summary, told.Details, told.ProblemType) == ("s", "d", ProblemType.warning)


async def test_a_shutdown_message_stops_the_proactor_with_its_reason() -> None:
    node = Node()
    async with node:
        node.send(InternalShutdownMessage(Src="clerk", Reason="it smokes"))
        async with asyncio.timeout(SECONDS):
            await node.stopped()
    assert node._stop_reason == "it smokes"


async def test_an_order_to_stop_without_a_reason_names_who_gave_it() -> None:
    node = Node()
    async with node:
        node.send(InternalShutdownMessage(Src="boiler"))
        await node.stopped()
    assert node._stop_reason == "'boiler' asked for it"


async def test_the_problem_of_an_actor_keeps_what_it_says_of_itself() -> None:
    node = Node()
    async with node:
        for source in ("boiler", ""):
            problem = ProblemEvent(Src=source, ProblemType=ProblemType.error, Summary="too hot")
            node.send(Message[Any](Src="boiler", Dst="proactor", Payload=problem))
            told = node.notes.events[-1]
            assert told == problem.model_copy(update={"Src": source or CHILD})


async def test_pats_go_to_the_watchdog_which_knows_what_an_actor_lets_it_monitor() -> None:
    class Monitored(Clerk):
        @property
        def monitored_names(self) -> Sequence[MonitoredName]:
            return [MonitoredName(self.name, 60.0)]

    node = Node()
    Monitored("clerk", node)
    async with node:
        node.send(PatInternalWatchdogMessage("clerk"))
        late = Monitored("late", node)
        node.send(PatInternalWatchdogMessage(late.name))
        with pytest.raises(UsageError, match="nobody pats"):
            node.send(PatInternalWatchdogMessage("nobody"))


async def test_a_proactor_is_what_actors_know_as_their_services() -> None:
    proactor = Node()
    assert isinstance(proactor, ServicesInterface)
    assert isinstance(proactor, Runnable)
    assert proactor.services is proactor


# Threads


async def test_threads_send_and_all_of_it_arrives_in_order() -> None:
    node = Node()
    clerk = Clerk("clerk", node)

    def send() -> None:
        for number in range(1, 500):
            node.send_threadsafe(order("clerk", number))

    async with node:
        await asyncio.to_thread(send)
        await until(lambda: clerk.got == list(range(1, 500)))


async def test_what_a_thread_sends_to_nobody_becomes_a_problem() -> None:
    node = Node()
    async with node:
        await asyncio.to_thread(node.send_threadsafe, order("nobody"))
        await until(lambda: bool(node.notes.events))
        node.send(order(CHILD, 1))
        await until(lambda: node.got == [1])
    (summary,) = node.notes.summaries()
    assert "A test.order of a thread was not sent" in summary
    assert "nobody here is named" in summary


async def test_what_threads_hand_in_is_sent_on_in_portions_so_that_the_loop_turns() -> None:
    node = Node()
    clerk = Clerk("clerk", node)
    async with node:
        for number in range(1, 901):
            node.send_threadsafe(order("clerk", number))
        left = set()
        while len(node._post_office.queue):
            left.add(len(node._post_office.queue))
            await asyncio.sleep(0)
        assert len(left) > 5
        await until(lambda: clerk.got == list(range(1, 901)))


async def test_a_thousand_messages_of_a_thread_to_nobody_are_one_problem() -> None:
    node = Node()
    async with node:
        for _ in range(900):
            node.send_threadsafe(order("nobody"))
        node.send_threadsafe(order(CHILD, 1))
        await until(lambda: node.got == [1])
        assert len(node.notes.events) == 1


async def test_what_of_a_thread_finds_no_room_is_counted_and_reported_once() -> None:
    node = Node(mailbox_messages=5)
    slow = SlowClerk("slow", node)

    def send() -> None:
        queue = node.async_receive_queue
        assert queue is not None
        for number in range(50):
            queue.thread_end.put(order("slow", number))

    async with node:
        await asyncio.to_thread(send)
        node.send_threadsafe(order(CHILD, 1))
        await until(lambda: node.got == [1])
        assert node.notes.summaries() == ["The mailbox of 'slow' is full: messages are dropped"]
        slow.go_on.set()
        await until(lambda: len(slow.got) + node.dropped_message_count == 50)
    assert slow.got == sorted(slow.got)


async def test_what_threads_sent_before_the_stop_still_goes_out() -> None:
    node = Node(mailbox_messages=3)
    async with node:
        node.send_threadsafe(InternalShutdownMessage(Src="t", Reason="from the thread"))
        node.send_threadsafe(order(CHILD, 1))
        node.send_threadsafe(order(CHILD, 2))
        with pytest.raises(QueueFullError):
            node.send_threadsafe(order(CHILD, 3))
        async with asyncio.timeout(SECONDS):
            await node.stopped()
    assert node._stop_reason == "from the thread"
    with pytest.raises(NotRunningError, match="stopped"):
        node.send_threadsafe(order(CHILD))


async def test_the_receive_queue_is_there_while_the_proactor_runs() -> None:
    node = Node()
    assert [node.event_loop, node.async_receive_queue] == [None, None]
    with pytest.raises(NotRunningError, match="does not run"):
        node.send_threadsafe(order(CHILD))
    async with node:
        assert node.event_loop is asyncio.get_running_loop()
        queue = node.async_receive_queue
        assert queue is not None
        await queue.put(order(CHILD, 1))
        await asyncio.to_thread(queue.thread_end.put, order(CHILD, 2))
        await until(lambda: node.got == [1, 2])


async def test_what_is_no_message_is_refused_and_ends_nothing() -> None:
    node = Node()
    async with node:
        said = "a Message can be sent, not str"
        for send in (node.send, node.send_threadsafe):
            with pytest.raises(UsageError, match=said):
                send("hello")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=said):
            await node.await_processing("hello")  # type: ignore[arg-type]
        queue = node.async_receive_queue
        assert queue is not None
        await queue.put(None)  # type: ignore[arg-type]
        await queue.put(order("", 7))
        await until(lambda: node.got == [7])
    (problem,) = node.notes.summaries()
    assert problem.startswith("A NoneType of a thread was not sent: UsageError: a Message")


async def test_an_order_to_stop_that_is_none_is_refused() -> None:
    node = Node()
    payload = {"TypeName": "gridworks.shutdown"}
    async with node:
        with pytest.raises(UsageError, match="dict has none"):
            node.send(Message[Any](Src="t", Dst="proactor", Payload=payload))
        assert not node._stop_requested.is_set()


async def test_send_from_another_thread_is_refused() -> None:
    async with Node() as node:
        with pytest.raises(UsageError, match="send_threadsafe"):
            await asyncio.to_thread(node.send, order(CHILD))
        assert node.got == []


async def test_an_actor_with_mail_has_the_time_of_those_without() -> None:
    """It would have 0.3 s if all ten had the same; it has 3 s."""

    class Slow(Clerk):
        async def process_message(self, message: Message[Any]) -> None:  # type: ignore[override]
            await asyncio.sleep(0.5)
            self.got.append(message.Payload.Number)

    async def nothing() -> None:
        pass

    node = Node()
    for number in range(9):
        Clerk(f"idle{number}", node)
    slow = Slow("slow", node)
    async with node:
        node.send(order("slow", 1))
        await node._communicators.stop(24.0, sent_on=nothing)
        assert slow.got == [1]
    assert node.notes.events == []


async def test_what_waits_at_the_stop_is_still_handled() -> None:
    class Sleepy(Clerk):
        async def process_message(self, message: Message[Any]) -> None:  # type: ignore[override]
            await asyncio.sleep(0.001)
            self.got.append(message.Payload.Number)

    node = Node(stop_seconds=1000.0)
    sleepy = Sleepy("sleepy", node)
    async with node:
        for number in range(1, 51):
            node.send(order("sleepy", number))
    assert sleepy.got == list(range(1, 51))
    assert node.notes.events == []
    with pytest.raises(NotRunningError, match="'sleepy' takes no messages any more"):
        node.send(order("sleepy", 51))
    assert node.dropped_message_count == 0


async def test_what_is_left_at_the_stop_is_reported_and_counted() -> None:
    node = Node(stop_seconds=0.1)
    slow = SlowClerk("slow", node)
    async with node:
        for number in range(1, 5):
            node.send(order("slow", number))
        await until(lambda: slow.at_work == 1)
    assert node.notes.summaries() == ["'slow' had 4 messages left at the stop"]
    assert node.dropped_message_count == 4  # with the one that it had in hand


async def test_where_the_start_fails_who_waits_is_told_and_what_waits_is_counted(
    tmp_path: Path,
) -> None:
    (tmp_path / "no folder").touch()
    node = Node(events=EventSettings(folder=tmp_path / "no folder"))
    Clerk("clerk", node)
    node.send(order("clerk", 1))
    waiting = asyncio.create_task(node.await_processing(order("clerk", 2)))
    with pytest.raises(StoreError):
        await node.run_forever()
    async with asyncio.timeout(SECONDS):
        answer = await waiting
    assert isinstance(answer.err(), NotRunningError)
    assert node.dropped_message_count == 1
    assert "'clerk' had 1 messages left at the stop" in node.notes.summaries()


async def test_actors_that_write_to_each_other_for_ever_do_not_hold_up_the_stop() -> None:
    class Restless(Clerk):
        def process_message(self, message: Message[Any]) -> Result[bool, BaseException]:
            self._send(message)
            return super().process_message(message)

    node = Node(stop_seconds=1000.0)
    restless = Restless("restless", node)
    async with asyncio.timeout(SECONDS), node:
        node.send(order("restless", 1))
        await until(lambda: len(restless.got) > 10)


# Links


def link_to(peer: str, peer_short: str, own_short: str, url: str, **values: Any) -> LinkSettings:
    return LinkSettings(
        peer_name=peer,
        peer_short_name=peer_short,
        subscription_name=own_short,
        brokers=(broker_from_url(url),),
        **values,
    )


@contextlib.asynccontextmanager
async def pair(broker: AnyBroker) -> AsyncIterator[tuple[Node, Node, Clerk]]:
    """A child with a clerk, and its parent, linked."""
    child, parent = Node(CHILD), Node(PARENT)
    clerk = Clerk("clerk", child)
    to_parent = child.add_link(link_to(PARENT, "p", "s", broker.url), codec=WireCodec([Order]))
    to_child = parent.add_link(link_to(CHILD, "s", "p", broker.url), codec=WireCodec([Order]))
    async with child, parent:
        await to_parent.wait_for(timeout_seconds=SECONDS)
        await to_child.wait_for(timeout_seconds=SECONDS)
        yield child, parent, clerk


@pytest.mark.parametrize("receiver", [PARENT, "p"])
async def test_a_message_goes_over_the_link_whose_peer_it_names(
    broker: AnyBroker, receiver: str
) -> None:
    async with pair(broker) as (child, parent, clerk):
        child.send(order(receiver, 3, sender=clerk.name))
        await until(lambda: parent.got == [3])


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_message_to_an_actor_reaches_it_over_a_link(broker: AnyBroker, qos: int) -> None:
    async with pair(broker) as (child, parent, clerk):
        sent = parent.link(CHILD).send(Order(Number=4), receiver="clerk", qos=qos)
        async with asyncio.timeout(SECONDS):
            await sent.acked()
        parent.link(CHILD).send(Order(Number=5), receiver="stranger", qos=qos)
        await until(lambda: clerk.got == [4])
        await until(lambda: child.got == [5])
        (problem,) = child.notes.events
        assert problem.Summary == f"link '{PARENT}': a test.order for 'stranger', whom nobody knows"
        assert problem.Details == "process_message got it; actors: clerk, io_loop_manager"
        assert problem.ProblemType is ProblemType.warning


async def test_of_names_that_a_peer_makes_up_only_so_many_are_told(embedded_broker: Any) -> None:
    async with pair(embedded_broker) as (child, parent, _clerk):
        for number in range(2 * MAX_NAMES):
            parent.link(CHILD).send(Order(Number=number), receiver=f"stranger{number}")
            parent.link(CHILD).send(Order(Number=number))
        await until(lambda: len(child.got) == 4 * MAX_NAMES)
        assert len(child.notes.events) == MAX_NAMES + 1


async def test_what_is_heard_on_other_topics_may_be_for_anybody(embedded_broker: Any) -> None:
    async with pair(embedded_broker) as (child, parent, _clerk):
        heard = Message[Any](Src="d1.other", Dst="somebody", Payload=Order(Number=8))
        child.link(PARENT).subscribe(heard.mqtt_topic(), 1)
        await child.link(PARENT).subscribed(heard.mqtt_topic(), timeout_seconds=SECONDS)
        parent.link(CHILD).publish(heard)
        await until(lambda: child.got == [8])
        assert child.notes.events == []


async def test_a_name_to_which_several_links_lead_is_ambiguous() -> None:
    node = Node()
    for peer in ("d1.x", "d1.y"):
        node.add_link(link_to(peer, "p", "s", "mqtt://127.0.0.1:1"))
    node.add_link(link_to("d1.x", "q", "t", "mqtt://127.0.0.1:2", name="spare"))
    async with node:
        with pytest.raises(UsageError, match=r"several links lead to 'p': d1.x, d1.y; give one of"):
            node.send(order("p"))
        for name in ("d1.x", "d1.y", "q"):
            with pytest.raises(ConnectionLostError):
                node.send(order(name))


async def test_an_event_of_a_peer_is_for_the_node_whoever_it_names(embedded_broker: Any) -> None:
    async with pair(embedded_broker) as (child, parent, clerk):
        events: list[str] = []
        child.on_event(lambda received: events.append(received.event_id))
        event = AnyEvent(TypeName="gridworks.event.x", MessageId="7", Src=PARENT)
        parent.link(CHILD).send(event, receiver="clerk")
        await until(lambda: events == ["7"])
        assert clerk.got == []


async def test_without_a_connection_who_sends_over_a_link_is_told() -> None:
    node = Node()
    node.add_link(link_to(PARENT, "p", "s", "mqtt://127.0.0.1:1"))
    async with node:
        with pytest.raises(ConnectionLostError):
            node.send(order("p"))
        with pytest.raises(ConnectionLostError):
            await node.await_processing(order("p"))


async def test_who_would_wait_reaches_the_proactor_and_peers_too(embedded_broker: Any) -> None:
    """The proactor's `process_message` is waited for; a peer is not."""
    async with pair(embedded_broker) as (child, parent, _clerk):
        for name in ("", CHILD, "proactor"):
            child.got.clear()
            assert await child.await_processing(order(name, 1)) == Ok(True)
            assert child.got == [1]
        assert await child.await_processing(order("p", 2)) == Ok(True)
        await until(lambda: parent.got == [2])
