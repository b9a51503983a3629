"""The proactor as a program uses it: two of them over a real broker, in one loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from gwproactor.config.events import Durability, EventSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import (
    AckTimeoutError,
    ConnectionLostError,
    NotRunningError,
    StoreFullError,
    StoreLockedError,
    StoreUnusableError,
    UsageError,
)
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.events.store import EventRef
from gwproactor.layout import NamesOnly
from gwproactor.links.core.link_state import StateName, Transition, TransitionName
from gwproactor.links.link import Link
from gwproactor.runtime.observer import Observer
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent, EventBase, ProblemEvent, new_message_id
from gwproactor_test.broker import Broker
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.proactor_pair import (
    CHILD,
    NOBODY,
    PARENT,
    link_to_child,
    link_to_parent,
)
from gwproactor_test.relay import Relay

SECONDS = 10.0

active = StateName.active


class Greeting(BaseModel):
    """A message of the application."""

    MessageId: str = Field(default_factory=new_message_id)
    Text: str
    TypeName: Literal["test.greeting"] = "test.greeting"


def settings(folder: Path | None = None, **values: Any) -> ProactorSettings:
    events = values.pop("events", None) or EventSettings(folder=folder)
    return ProactorSettings(events=events, **values)


class Parent(Proactor):
    """Notes what it gets; fails with events and messages that say so."""

    def __init__(self, url: str, folder: Path | None = None, **values: Any) -> None:
        super().__init__(PARENT, settings(folder, **values))
        self.to_child = self.add_link(link_to_child(url), codec=WireCodec([Greeting]))
        self.events: list[AnyEvent] = []
        self.messages: list[Message[Any]] = []
        self.failures = 0

    async def process_event(self, event: ReceivedEvent) -> None:
        found = AnyEvent.model_validate_json(event.payload)
        assert event.link_name == CHILD
        if "fail" in (found.model_extra or {}) and self.failures < 2:
            self.failures += 1
            raise ValueError("not yet")
        self.events.append(found)

    async def process_message(self, message: Message[Any]) -> None:
        self.messages.append(message)
        if message.Payload.Text == "fail":
            raise ValueError("cannot greet")

    def ids(self) -> list[str]:
        return [event.MessageId for event in self.events]


class Notes(Observer):
    """Everything an observer hears, in order."""

    def __init__(self) -> None:
        self.transitions: list[Transition] = []
        self.stored: list[EventRef] = []
        self.acked: list[EventRef] = []
        self.problems: list[ProblemEvent] = []

    def link_transitioned(self, transition: Transition) -> None:
        self.transitions.append(transition)

    def event_stored(self, event: EventRef) -> None:
        assert event not in self.acked
        self.stored.append(event)

    def event_acked(self, event: EventRef) -> None:
        assert event in self.stored
        self.acked.append(event)

    def problem(self, event: ProblemEvent) -> None:
        self.problems.append(event)


class Failing(Observer):
    """Raises at everything."""

    def link_transitioned(self, transition: Transition) -> None:
        raise OSError("transition")

    def event_stored(self, event: EventRef) -> None:
        raise OSError("stored")

    def event_acked(self, event: EventRef) -> None:
        raise OSError("acked")

    def problem(self, event: ProblemEvent) -> None:
        raise OSError("problem")


def child_of(url: str, folder: Path | None = None, **values: Any) -> tuple[Proactor, Link]:
    link_values = {name: values.pop(name) for name in list(values) if name.endswith("_seconds")}
    link_values |= {name: values.pop(name) for name in list(values) if name == "max_payload_bytes"}
    proactor = Proactor(CHILD, settings(folder, **values))
    return proactor, proactor.add_link(link_to_parent(url, **link_values))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextlib.asynccontextmanager
async def pair(
    url: str, folder: Path | None = None
) -> AsyncIterator[tuple[Parent, Proactor, Link]]:
    """A parent and a child that are active."""
    parent = Parent(url, folder / "p" if folder else None)
    child, link = child_of(url, folder / "c" if folder else None)
    async with parent, child:
        await link.wait_for(active, timeout_seconds=SECONDS)
        yield parent, child, link


# From end to end


@pytest.mark.parametrize("on_disk", [True, False])
async def test_an_event_is_stored_acked_and_handled(
    broker: AnyBroker, tmp_path: Path, on_disk: bool
) -> None:
    notes = Notes()
    async with pair(broker.url, tmp_path if on_disk else None) as (parent, child, _):
        child.observe(notes)
        ticket = child.post_event(AnyEvent(Reading="celsius", Value=21.5), tag="mine")
        await ticket.stored()
        await ticket.acked()
        await ticket.stored()
        await until(lambda: ticket.event_id in parent.ids())
        (event,) = [event for event in parent.events if event.MessageId == ticket.event_id]
        assert event.model_extra == {"Reading": "celsius", "Value": 21.5}
        assert event.Src == CHILD
        await child.all_events_acked()
        assert child.pending_event_count == 0
    assert [ref for ref in notes.stored if ref.tag == "mine"] == [ticket.ref]
    assert [ref for ref in notes.acked if ref.tag == "mine"] == [ticket.ref]
    assert names_in(tmp_path) == (["c", "p"] if on_disk else [])


async def test_what_was_posted_before_the_peer_came_arrives_in_order(
    broker: AnyBroker, tmp_path: Path
) -> None:
    child, link = child_of(broker.url, tmp_path / "c")
    async with child:
        tickets = [child.post_event(AnyEvent(n=n)) for n in range(200)]
        await child.flush_events()
        assert child.pending_event_count >= 200
        assert link.state is not active
        async with Parent(broker.url, tmp_path / "p") as parent:
            await asyncio.gather(*(ticket.acked() for ticket in tickets))
            ids = [ticket.event_id for ticket in tickets]
            await until(lambda: set(ids) <= set(parent.ids()))
    assert [event_id for event_id in parent.ids() if event_id in ids] == ids


async def test_messages_go_both_ways(broker: AnyBroker) -> None:
    async with pair(broker.url) as (parent, child, link):
        got = asyncio.Queue[Message[Any]]()

        @child.on_message
        async def take(message: Message[Any]) -> None:
            got.put_nowait(message)

        sent = link.send(Greeting(Text="hello"))
        await sent.acked()
        await until(lambda: len(parent.messages) == 1)
        assert parent.messages[0].Payload == Greeting(Text="hello", MessageId=sent.message_id)
        await link.send(Greeting(Text="and"), ack_required=False).acked()
        with pytest.raises(ConnectionLostError):
            child_of(NOBODY)[1].send(Greeting(Text="nobody"))
        await until(lambda: len(parent.messages) == 2)
        # The child has no class for it: told, and not acknowledged.
        notes = Notes()
        child.observe(notes)
        await parent.to_child.wait_for(active, timeout_seconds=SECONDS)
        parent.to_child.send(Greeting(Text="back"), ack_required=False)
        await until(lambda: bool(notes.problems))
        assert "test.greeting" in notes.problems[0].Details
        assert got.empty()


async def test_a_missing_ack_is_told_to_who_waits(embedded_broker: Broker) -> None:
    async with Parent(embedded_broker.url):
        child, link = child_of(embedded_broker.url, ack_timeout_seconds=0.2)
        async with child:
            await link.wait_for(active, timeout_seconds=SECONDS)

            class Unknown(BaseModel):
                MessageId: str = "u"
                TypeName: str = "nobody.knows"

            sent = link.send(Unknown())
            with pytest.raises((AckTimeoutError, ConnectionLostError)):
                await sent.acked()
            await link.wait_for(active, timeout_seconds=SECONDS)


async def test_comm_states_can_be_awaited_and_iterated(broker: AnyBroker) -> None:
    parent = Parent(broker.url)
    child, link = child_of(broker.url)
    notes = Notes()
    child.observe(notes)
    seen: list[Transition] = []

    async def watch() -> None:
        seen.extend([transition async for transition in link.transitions()])

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    assert link.state is StateName.not_started
    with pytest.raises(TimeoutError, match=r"was not active within 0.01 s; it is not_started"):
        await link.wait_for(active, timeout_seconds=0.01)
    async with parent, child:
        await link.wait_for((StateName.connecting, active), timeout_seconds=SECONDS)
        await link.wait_for(timeout_seconds=SECONDS)
        assert link.active
        await link.wait_for()
    await watching
    assert seen == notes.transitions
    assert seen[0].transition_name is TransitionName.start_called
    assert seen[-1].new_state is StateName.stopped
    with pytest.raises(NotRunningError, match="is stopped"):
        await link.wait_for(active)


# Lifecycle


async def test_stop_can_wait_for_acks(broker: AnyBroker, tmp_path: Path) -> None:
    child, _ = child_of(broker.url, tmp_path / "c")
    async with child:
        ticket = child.post_event(AnyEvent(n=1))
        child.stop("done", wait_for_acks=True)
        await ticket.stored()
        assert not child.has_stopped
        async with Parent(broker.url, tmp_path / "p") as parent:
            await child.stopped()
            await until(lambda: any(e.TypeName.endswith("shutdown") for e in parent.events))
    assert child.pending_event_count == 0
    (shutdown,) = [event for event in parent.events if event.TypeName.endswith("shutdown")]
    assert shutdown.model_extra is not None
    assert shutdown.model_extra["Reason"] == "done"
    assert ticket.event_id in parent.ids()


async def test_a_second_stop_does_not_wait(tmp_path: Path) -> None:
    child, _ = child_of(NOBODY, tmp_path)
    async with child:
        ticket = child.post_event(AnyEvent(n=1))
        child.stop(wait_for_acks=True)
        await ticket.stored()
        child.stop()
        await child.stopped()
    with pytest.raises(NotRunningError, match="sent by its next run"):
        await ticket.acked()
    await ticket.stored()
    assert child.pending_event_count >= 1


async def test_each_way_of_use_needs_its_time(tmp_path: Path) -> None:
    child, _ = child_of(NOBODY, tmp_path)
    with pytest.raises(NotRunningError):
        child.post_event(AnyEvent())
    async with child:
        with pytest.raises(UsageError, match="make a new one"):
            child.start()
    with pytest.raises(NotRunningError):
        child.post_event(AnyEvent())
    with pytest.raises(UsageError, match="make a new one"):
        child.start()
    with pytest.raises(NotRunningError, match="links are added before"):
        child.add_link(link_to_parent(NOBODY))


async def test_a_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    child, link = child_of(NOBODY, tmp_path / "file" / "c")
    with pytest.raises(StoreUnusableError, match="file"):
        async with child:
            pytest.fail("entered")
    assert link.state is StateName.not_started
    first, _ = child_of(NOBODY, tmp_path / "c")
    async with first:
        second, _ = child_of(NOBODY, tmp_path / "c")
        with pytest.raises(StoreLockedError, match=CHILD):
            await second.run_forever()
    async with child_of(NOBODY, tmp_path / "c")[0]:
        pass


async def test_cancelling_what_it_runs_in_stops_it(broker: AnyBroker, tmp_path: Path) -> None:
    child, link = child_of(broker.url, tmp_path)
    running = asyncio.create_task(child.run_forever())
    await until(lambda: link.state is StateName.awaiting_peer)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert child.has_stopped
    assert link.state is StateName.stopped


async def test_a_proactor_without_links_runs_too() -> None:
    layout = NamesOnly()
    async with Proactor(CHILD, settings(), layout) as proactor:
        assert proactor.hardware_layout is layout
        assert (proactor.name, proactor.publication_name) == (CHILD, CHILD)
        assert proactor.generate_event(AnyEvent()).unwrap() is False
        with pytest.raises(UsageError, match="no upstream link"):
            proactor.post_event(AnyEvent())
        with pytest.raises(UsageError, match="links: none"):
            proactor.link("x")


@pytest.mark.parametrize(
    "name", ["", "a/b", "a b", "a+", "#", "a\x00", "a\x85", "\udcff", "\ufffe"]
)
async def test_a_name_must_be_a_topic_level(name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        Proactor(name, settings())


async def test_links_are_told_apart() -> None:
    proactor, link = child_of(NOBODY)
    assert proactor.link(PARENT) is link
    assert link.name == PARENT
    with pytest.raises(UsageError):
        proactor.add_link(link_to_parent(NOBODY))
    with pytest.raises(UsageError):
        proactor.add_link(link_to_parent(NOBODY, name="second"))
    proactor.add_link(link_to_child(NOBODY, name="third"))
    with pytest.raises(UsageError, match=r"no link 'x'; links: d1.site, third"):
        proactor.link("x")


# What is refused, and what fails


class NoEvent(EventBase):
    TypeName: str = "gridworks.ack"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (NoEvent(), "gridworks.event"),
        (NoEvent(TypeName="gridworks.event/x"), "cannot be sent"),
        (NoEvent(TypeName="gridworks.event.x\n"), "cannot be sent"),
        (NoEvent(TypeName="gridworks.event." + "x" * 300), "cannot be sent"),
        (NoEvent(TypeName="gridworks.event.problem"), "cannot be sent"),
        (AnyEvent.model_construct(MessageId="i" * 300, TimeCreatedMs=1, Src=""), "cannot be sent"),
        (AnyEvent.model_construct(MessageId="", TimeCreatedMs=1, Src=""), "cannot be sent"),
        (AnyEvent(text="x" * 3000), "too large"),
    ],
)
async def test_an_event_that_the_peer_would_refuse_is_refused(event: EventBase, said: str) -> None:
    child, _ = child_of(NOBODY, max_payload_bytes=2000)
    async with child:
        with pytest.raises(UsageError, match=said):
            child.post_event(event)
        assert isinstance(child.generate_event(event).unwrap_err(), UsageError)
        assert child.generate_event(AnyEvent()).unwrap() is True


@pytest.mark.parametrize(
    "event",
    [
        AnyEvent(x="\ud800"),
        AnyEvent(x=object()),
        AnyEvent(x=b"\xff"),
        AnyEvent(x=float("inf")),
        AnyEvent(x=[{"y": float("nan")}]),
        AnyEvent().model_copy(update={"MessageId": 5}),
        Greeting(Text="no event"),
        {"TypeName": "gridworks.event.data"},
        None,
    ],
)
async def test_what_is_no_event_or_no_json_is_refused(event: Any) -> None:
    child, _ = child_of(NOBODY)
    async with child:
        with pytest.raises(UsageError):
            child.post_event(event)
        assert isinstance(child.generate_event(event).unwrap_err(), UsageError)
        await child.post_event(AnyEvent()).stored()


async def test_an_event_nested_too_deeply_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(220):
        deep = [deep]
    child, _ = child_of(NOBODY)
    async with child:
        with pytest.raises(UsageError, match="cannot be sent"):
            child.post_event(AnyEvent(deep=deep))


async def test_the_nodes_own_events_leave_room_for_the_applications(tmp_path: Path) -> None:
    events = EventSettings(folder=tmp_path, max_bytes=50_000, durability=Durability.os)
    child, _ = child_of(NOBODY, events=events)
    async with child:
        for n in range(100):
            child.report_problem(f"problem {n}", "x" * 1000)
        assert child.pending_event_count < 50
        child.post_event(AnyEvent(text="x" * 3000))


async def test_a_full_store_refuses(tmp_path: Path) -> None:
    events = EventSettings(folder=tmp_path, max_bytes=20_000, durability=Durability.os)
    child, _ = child_of(NOBODY, events=events)
    async with child:
        large = AnyEvent(text="x" * 15_000)
        child.post_event(large)
        with pytest.raises(StoreFullError, match="max_bytes = 20000"):
            child.post_event(AnyEvent(text="x" * 15_000))
        refusal = child.generate_event(AnyEvent(text="x" * 15_000)).unwrap_err()
        assert isinstance(refusal, StoreFullError)
        await child.post_event(large).stored()  # pending already, so it needs no room
        child.report_problem("still told", "though it cannot be stored")


async def test_an_observer_that_raises_harms_nobody(
    embedded_broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(100)
    notes = Notes()
    parent = Parent(embedded_broker.url)
    child, link = child_of(embedded_broker.url)
    child.observe(Failing())
    child.observe(notes)
    async with parent, child:
        await link.wait_for(active, timeout_seconds=SECONDS)
        child.report_problem("summary", "details", is_error=False)
        await child.post_event(AnyEvent()).acked()
    assert [problem.Summary for problem in notes.problems] == ["summary"]
    assert notes.problems[0].ProblemType == "warning"
    assert notes.acked
    assert notes.transitions[-1].new_state is StateName.stopped


async def test_a_handler_that_raises_gets_the_event_again(
    broker: AnyBroker, tmp_path: Path
) -> None:
    notes = Notes()
    async with pair(broker.url, tmp_path) as (parent, child, link):
        parent.observe(notes)
        await child.post_event(AnyEvent(MessageId="hard", fail=True)).acked()
        await child.post_event(AnyEvent(MessageId="easy")).acked()
        await until(lambda: {"hard", "easy"} <= set(parent.ids()))
        assert link.active, "a handler in trouble costs the link nothing"
        assert parent.failures == 2
    assert parent.ids().count("hard") == 1
    assert [problem for problem in notes.problems if "not yet" in problem.Details]


async def test_a_message_handler_that_raises_is_reported(broker: AnyBroker) -> None:
    notes = Notes()
    async with pair(broker.url) as (parent, _, link):
        parent.observe(notes)
        for text in ("fail", "next"):
            await link.send(Greeting(Text=text)).acked()
        await until(lambda: [m.Payload.Text for m in parent.messages] == ["fail", "next"])
        await until(lambda: bool(notes.problems))
    (problem,) = notes.problems
    assert "test.greeting" in problem.Summary
    assert "cannot greet" in problem.Details


async def test_a_full_mailbox_drops_unacked_and_the_link_recovers(embedded_broker: Broker) -> None:
    notes = Notes()
    parent = Parent(embedded_broker.url, mailbox_messages=1)
    parent.observe(notes)
    going_on = asyncio.Event()
    handled: list[str] = []

    @parent.on_message
    async def slow(message: Message[Any]) -> None:
        await going_on.wait()
        handled.append(message.Payload.Text)

    child, link = child_of(embedded_broker.url, ack_timeout_seconds=0.3)
    async with parent, child:
        await link.wait_for(active, timeout_seconds=SECONDS)
        await link.send(Greeting(Text="in hand")).acked()
        await link.send(Greeting(Text="in the mailbox")).acked()
        sent = link.send(Greeting(Text="one too many"))
        with pytest.raises((AckTimeoutError, ConnectionLostError)):
            await sent.acked()
        going_on.set()
        await until(lambda: len(handled) == 2)
        await link.wait_for(active, timeout_seconds=SECONDS)
        await link.send(Greeting(Text="again")).acked()
        await until(lambda: handled == ["in hand", "in the mailbox", "again"])
    assert ["is full" in problem.Summary for problem in notes.problems] == [True]


async def test_a_handler_that_hangs_holds_up_no_stop(broker: AnyBroker, tmp_path: Path) -> None:
    """Its event is not marked done, so the next run gets it again."""
    parent = Parent(broker.url, tmp_path / "p")
    child, _ = child_of(broker.url, tmp_path / "c")
    begun = asyncio.Event()

    @parent.on_event
    async def hang(event: ReceivedEvent) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with child:
        async with parent:
            ticket = child.post_event(AnyEvent())
            await ticket.acked()
            await begun.wait()
        later = Parent(broker.url, tmp_path / "p")
        async with later:
            await until(lambda: ticket.event_id in later.ids())


# Trouble on the way


async def test_a_cut_is_survived(broker: AnyBroker, relay: Relay, tmp_path: Path) -> None:
    parent = Parent(broker.url, tmp_path / "p")
    child, link = child_of(relay.url, tmp_path / "c")
    async with parent, child:
        tickets = []
        for round_number in range(5):
            await link.wait_for(active, timeout_seconds=SECONDS)
            tickets += [child.post_event(AnyEvent(n=n)) for n in range(20)]
            await relay.cut(reset=bool(round_number % 2))
        await asyncio.gather(*(ticket.acked() for ticket in tickets))
        await until(lambda: {ticket.event_id for ticket in tickets} <= set(parent.ids()))
    assert len(parent.ids()) == len(set(parent.ids()))


async def test_the_second_run_sends_what_the_first_could_not(
    broker: AnyBroker, tmp_path: Path
) -> None:
    child, _ = child_of(NOBODY, tmp_path / "c")
    async with child:
        ticket = child.post_event(AnyEvent(), tag="first run")
        await ticket.stored()
    notes = Notes()
    again, _ = child_of(broker.url, tmp_path / "c")
    acked = asyncio.Event()

    class Waiting(Observer):
        def event_acked(self, event: EventRef) -> None:
            if event.tag == "first run":
                assert event.event_id == ticket.event_id
                acked.set()

    again.observe(Waiting())
    parent = Parent(broker.url, tmp_path / "p")
    parent.observe(notes)
    async with parent, again:
        async with asyncio.timeout(SECONDS):
            await acked.wait()
        await until(lambda: ticket.event_id in parent.ids())
    assert not notes.problems


@pytest.mark.parametrize("name", ["", "..", "a b", "a/b"])
async def test_what_can_be_no_name_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(UsageError, match=r"no proactor can be named '.*example: d1\.site\.scada$"):
        Proactor(name)
