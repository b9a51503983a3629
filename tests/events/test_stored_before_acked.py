"""An event is told `stored` before it is told `acked`, whatever comes when.

The whole way from `post` to `acked`, with a disk that takes as long as the test wants, and fails
when it wants, and a peer that acknowledges in any order, before the commit, twice, or never.
"""

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.errors import StoreError
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.store import EventRef, StoredEvent
from gwproactor.events.tickets import EventTicket

EVENTS = 6


class SlowStore(MemoryStore):
    """Commits wait until they are let go; some fail."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = asyncio.Semaphore(0)
        self.failures = 0
        self.held = True

    async def commit(
        self, puts: Sequence[StoredEvent], removed: Sequence[int], *, sync_removals: bool = False
    ) -> None:
        """Wait for a turn."""
        if self.held:
            await self.turns.acquire()
        if self.failures:
            self.failures -= 1
            raise StoreError("not now")
        await super().commit(puts, removed, sync_removals=sync_removals)

    def let_all_go(self) -> None:
        """Hold up nothing any more."""
        self.held, self.failures = False, 0
        for _ in range(100):
            self.turns.release()


class Flow:
    """Outgoing events, and what is told of each, checked as it is told."""

    def __init__(self) -> None:
        self.store = SlowStore()
        self.stored: set[str] = set()
        self.acked: list[str] = []
        self.tickets: dict[str, EventTicket] = {}
        self.by_peer: set[str] = set()
        self.events = OutgoingEvents(
            self.store,
            Outbox(),
            on_stored=lambda ref: self.stored.add(ref.event_id),
            on_acked=self.on_acked,
            report=lambda *_: None,
        )

    def on_acked(self, ref: EventRef) -> None:
        assert ref.event_id in self.stored
        assert ref.event_id in self.by_peer
        assert ref.event_id not in self.acked
        assert ref.sequence not in self.store._events
        self.acked.append(ref.event_id)

    def post(self, number: int) -> None:
        event_id = f"e{number}"
        if event_id not in self.by_peer:
            self.tickets[event_id] = self.events.post(event_id, b"{}")

    def ack(self, number: int) -> None:
        event_id = f"e{number}"
        if event_id in self.tickets:
            self.by_peer.add(event_id)
            self.events.acked(event_id)

    async def step(self, what: str, number: int) -> None:
        match what:
            case "post":
                self.post(number)
            case "ack":
                self.ack(number)
            case "commit":
                self.store.turns.release()
            case "fail":
                self.store.failures += 1
            case "activate":
                self.events.activated()
            case "deactivate":
                self.events.deactivated()
        for _ in range(number):
            await asyncio.sleep(0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["post", "post", "ack", "commit", "fail", "activate", "deactivate"]),
        st.integers(0, EVENTS - 1),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(STEPS)
async def test_stored_comes_before_acked(steps: list[tuple[str, int]]) -> None:
    flow = Flow()
    await flow.events.open()
    run = asyncio.create_task(flow.events.run())
    for what, number in steps:
        await flow.step(what, number)
    flow.store.let_all_go()
    for number in range(EVENTS):
        flow.ack(number)
    async with asyncio.timeout(10):
        for event_id, ticket in flow.tickets.items():
            await ticket.stored()
            await ticket.acked()
            assert event_id in flow.stored
        await flow.events.drained()
    await flow.events.close()
    await run
    assert sorted(flow.acked) == sorted(flow.tickets)
