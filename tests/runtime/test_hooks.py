"""The hooks of a derived class: what it sees of messages and links, and what it may raise."""

import asyncio
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from gwproactor.actors.actor import Actor
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import HandlerFailedError, NotRunningError
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.links.core.link_state import StateName, Transition
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.runtime.proactor import Proactor
from gwproactor.stats import ProactorStats
from gwproactor.wire.codec import WireCodec
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent, new_message_id
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.proactor_pair import CHILD, PARENT, link_to_child, link_to_parent
from gwproactor_test.problem_notes import ProblemNotes
from gwproactor_test.relay import Relay

SECONDS = 10.0


class Greeting(BaseModel):
    MessageId: str = Field(default_factory=new_message_id)
    Text: str = "hello"
    TypeName: Literal["test.greeting"] = "test.greeting"


class CountsGreetings(ProactorStats):
    """Counts more than the library does."""

    greetings = 0


class Parent(Proactor):
    """Notes what its hooks are called with; the hooks in `failing` raise."""

    error: type[BaseException] = ValueError

    def __init__(self, url: str, *failing: str, **values: Any) -> None:
        super().__init__(PARENT, ProactorSettings(**values))
        self.add_link(link_to_child(url), codec=WireCodec([Greeting]))
        self.failing = failing
        self.seen: list[str] = []
        self.problems = ProblemNotes(self).events

    @classmethod
    def make_stats(cls) -> ProactorStats:
        return CountsGreetings()

    def see(self, hook: str) -> None:
        self.seen.append(hook)
        if hook in self.failing:
            raise self.error(f"{hook} cannot")

    async def process_event(self, event: ReceivedEvent) -> None:
        if AnyEvent.model_validate_json(event.payload).TypeName == "gridworks.event.data":
            self.see("event")

    async def process_message(self, message: Message[Any]) -> None:
        assert isinstance(self.stats, CountsGreetings)
        self.stats.greetings += 1
        self.see(f"message {message.Payload.Text}")

    async def process_received(self, received: ReceivedMessage) -> None:
        self.see(f"received by {received.link_name}")
        await super().process_received(received)

    def link_activated(self, transition: Transition) -> None:
        assert transition.new_state is StateName.active
        assert self.link(transition.link_name).active
        self.see(f"activated {transition.link_name}")

    def link_deactivated(self, transition: Transition) -> None:
        assert not self.link(transition.link_name).active
        self.see(f"deactivated {transition.link_name}")


def child_of(url: str) -> Proactor:
    child = Proactor(CHILD, ProactorSettings())
    child.add_link(link_to_parent(url))
    return child


async def test_a_derived_class_sees_links_messages_and_events(
    broker: AnyBroker, relay: Relay
) -> None:
    parent, child = Parent(relay.url), child_of(broker.url)
    async with parent, child:
        link = child.link(PARENT)
        await link.wait_for(StateName.active, timeout_seconds=SECONDS)
        await until(lambda: f"activated {CHILD}" in parent.seen)
        await link.send(Greeting()).acked()
        await until(lambda: "message hello" in parent.seen)
        await child.post_event(AnyEvent()).acked()
        await until(lambda: "event" in parent.seen)
        await relay.cut()
        await until(lambda: parent.seen.count(f"activated {CHILD}") == 2)
    assert parent.seen[0] == f"activated {CHILD}"
    assert parent.seen.index(f"received by {CHILD}") < parent.seen.index("message hello")
    assert parent.seen.count(f"deactivated {CHILD}") >= 1
    assert isinstance(parent.stats, CountsGreetings)
    assert parent.stats.greetings == 1
    assert parent.problems == []


async def test_a_hook_that_raises_is_reported_and_harms_no_link(broker: AnyBroker) -> None:
    parent, child = Parent(broker.url, f"activated {CHILD}"), child_of(broker.url)
    async with parent, child:
        link = child.link(PARENT)
        await link.wait_for(StateName.active, timeout_seconds=SECONDS)
        await link.send(Greeting()).acked()
        await until(lambda: "message hello" in parent.seen)
    assert "The handler of links failed at" in parent.problems[0].Summary
    assert "ValueError: activated d1.site.scada cannot" in parent.problems[0].Details
    assert " in see" in parent.problems[0].Details


async def test_a_hook_that_raises_a_cancelled_error_costs_no_link_its_connection(
    broker: AnyBroker,
) -> None:
    parent, child = Parent(broker.url, f"activated {CHILD}"), child_of(broker.url)
    parent.error = asyncio.CancelledError
    async with parent, child:
        await child.link(PARENT).wait_for()
        await until(lambda: bool(parent.problems))
        await child.link(PARENT).send(Greeting()).acked()
    assert "The handler of links failed at" in parent.problems[0].Summary
    assert "link_activated raised CancelledError" in parent.problems[0].Details
    assert parent.seen.count(f"activated {CHILD}") == 1


@pytest.mark.parametrize(
    ("failing", "what"),
    [(f"activated {CHILD}", "links"), ("message hello", "messages"), ("event", "events")],
)
async def test_where_it_is_asked_for_the_proactor_ends(
    broker: AnyBroker, failing: str, what: str
) -> None:
    parent, child = Parent(broker.url, failing, stop_when_handler_fails=True), child_of(broker.url)
    parent.start()
    async with child:
        link = child.link(PARENT)
        await link.wait_for(StateName.active, timeout_seconds=SECONDS)
        if what == "messages":
            link.send(Greeting(), ack_required=False)
        child.post_event(AnyEvent())
        async with asyncio.timeout(SECONDS):
            await parent.stopped()
    with pytest.raises(
        HandlerFailedError, match=f"handler of {what} failed: ValueError: {failing}"
    ):
        await parent.join()


class Clerk(Actor):
    """Takes what comes."""

    def process_message(self, message: Message[Any]) -> None:
        pass


class Telling(Parent):
    """Tells an actor what becomes of its link, and notes what is raised there."""

    def __init__(self, url: str) -> None:
        super().__init__(url, stop_when_handler_fails=True)
        self.add_communicator(Clerk("clerk", self.services))
        self.raised: list[Exception] = []

    def link_deactivated(self, transition: Transition) -> None:
        try:
            self.send(Message(Src=self.name, Dst="clerk", Payload=Greeting()))
        except NotRunningError as error:
            self.raised.append(error)
            raise


@pytest.mark.parametrize("end", ["stop", "cancel"])
async def test_at_a_stop_a_hook_may_send_to_an_actor_that_has_ended(
    broker: AnyBroker, end: str
) -> None:
    parent = Telling(broker.url)
    running = asyncio.create_task(parent.run_forever())
    async with child_of(broker.url) as child:
        await child.link(PARENT).wait_for(StateName.active, timeout_seconds=SECONDS)
        await until(lambda: parent.link(CHILD).active)
        parent.stop() if end == "stop" else running.cancel()
        await asyncio.wait((running,), timeout=SECONDS)
        assert running.cancelled() == (end == "cancel")
        if end == "stop":
            await running
    assert len(parent.raised) == 1
    assert parent.problems == []


async def test_while_it_runs_such_an_error_of_a_hook_is_a_problem(broker: AnyBroker) -> None:
    """It may be another proactor that does not run."""
    parent = Parent(broker.url, f"activated {CHILD}")
    parent.error = NotRunningError
    async with parent, child_of(broker.url):
        await until(lambda: bool(parent.problems))
    assert "NotRunningError" in parent.problems[0].Details


async def test_handlers_may_take_the_place_of_the_hooks(broker: AnyBroker) -> None:
    parent, child = Parent(broker.url), child_of(broker.url)
    taken: list[str] = []

    @parent.on_received
    async def take(received: ReceivedMessage) -> None:
        taken.append(received.message.Payload.Text)

    async with parent, child:
        link = child.link(PARENT)
        await link.wait_for(StateName.active, timeout_seconds=SECONDS)
        await link.send(Greeting()).acked()
        await until(lambda: taken == ["hello"])
    assert "message hello" not in parent.seen


async def test_a_handler_whose_wait_was_cancelled_harms_no_mailbox(broker: AnyBroker) -> None:
    """It waited for something that somebody else cancelled; the next message is handled."""
    parent, child = Parent(broker.url), child_of(broker.url)
    taken: list[str] = []

    @parent.on_message
    async def take(message: Message[Any]) -> None:
        taken.append(message.Payload.Text)
        raise asyncio.CancelledError

    async with parent, child:
        link = child.link(PARENT)
        await link.wait_for(StateName.active, timeout_seconds=SECONDS)
        for text in ("first", "second"):
            await link.send(Greeting(Text=text)).acked()
        await until(lambda: taken == ["first", "second"])
    assert "CancelledError" in parent.problems[0].Details
