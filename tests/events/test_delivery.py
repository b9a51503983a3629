"""Events go to the handler one at a time; `test_incoming` has what is around it."""

import asyncio

import pytest

from gwproactor.events.core.inbox import Inbox
from gwproactor.events.dead_letters import DeadLetters
from gwproactor.events.delivery import Delivery
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.payloads import Payloads
from gwproactor.events.store import Damage, EventRef, StoredEvent
from gwproactor_test.clients import until


class Node:
    """A delivery from an inbox whose events are all durable, and what came of each event."""

    def __init__(self, max_tries: int = 10) -> None:
        self.inbox = Inbox(max_tries=max_tries)
        self.store = MemoryStore()
        self.payloads = Payloads(self.store, "events", max_bytes=1000, report=self.report)
        self.fails = False
        self.may_handle = asyncio.Event()
        self.may_handle.set()
        self.log: list[str] = []
        self.delivery = Delivery(
            self.inbox,
            self.payloads,
            DeadLetters(MemoryStore()),
            handler=self.handle,
            settled=self.settled,
            lost=self.lost,
            report=self.report,
        )
        self.task = asyncio.create_task(self.delivery.run())

    def receive(self, event_id: str, *, keep: bool = True) -> None:
        _, ref = self.inbox.receive("child", event_id, 2, seen=False)
        assert ref is not None
        if keep:
            self.payloads.keep(StoredEvent(ref.sequence, event_id, b"{}", "child"))
        self.inbox.committed([ref])
        self.delivery.wake()

    async def handle(self, event: StoredEvent) -> None:
        self.log.append(f"got {event.event_id}")
        await self.may_handle.wait()
        if self.fails:
            raise ValueError("no such device")

    def settled(self, ref: EventRef) -> None:
        self.log.append(f"settled {ref.event_id}")
        self.inbox.marked([ref])

    def lost(self, ref: EventRef, damage: Damage) -> None:
        self.log.append(f"lost {ref.event_id}")
        self.inbox.marked([ref])

    def report(self, summary: str, details: str) -> None:
        self.log.append(summary)

    async def has_logged(self, *lines: str) -> None:
        await until(lambda: self.log == list(lines))


@pytest.fixture
async def node() -> Node:
    return Node()


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gwproactor.events.core.inbox.FIRST_RETRY_SECONDS", 0.001)


async def test_events_are_handled_one_after_the_other(node: Node) -> None:
    node.receive("a")
    node.receive("b")
    await node.has_logged("got a", "settled a", "got b", "settled b")
    await node.delivery.close(1.0)
    assert node.task.done()


async def test_what_cannot_be_read_is_lost_and_the_others_go_on(node: Node) -> None:
    node.receive("a", keep=False)
    node.receive("b")
    await node.has_logged("lost a", "got b", "settled b")
    await node.delivery.close(1.0)


async def test_an_event_that_fails_too_often_is_set_aside() -> None:
    node = Node(max_tries=2)
    node.fails = True
    node.receive("a")
    await node.has_logged(
        "got a",
        "The handler of received events is in trouble",
        "got a",
        "settled a",
        "Event a is set aside: its handler failed 2 times",
    )
    await node.delivery.close(1.0)


async def test_the_handler_may_finish_its_event(node: Node) -> None:
    node.may_handle.clear()
    node.receive("a")
    node.receive("b")
    await node.has_logged("got a")
    closing = asyncio.create_task(node.delivery.close(10.0))
    await asyncio.sleep(0)
    node.may_handle.set()
    await closing
    assert node.log == ["got a", "settled a"]


async def test_a_handler_that_takes_too_long_is_cancelled(node: Node) -> None:
    node.may_handle.clear()
    node.receive("a")
    await node.has_logged("got a")
    await node.delivery.close(0.0)
    await asyncio.wait([node.task])
    assert node.task.cancelled()
    assert node.log == ["got a"]


async def test_closed_before_it_ran_it_delivers_nothing(node: Node) -> None:
    node.receive("a")
    await node.delivery.close(1.0)
    await node.task
    assert node.log == []
