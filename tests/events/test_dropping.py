"""Where the store is full, events make room for others: counted, told, and never said to be acked.

Behind every test there are a real store and its thread.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gwproactor.config.limit_policy import LimitPolicy
from gwproactor.errors import EventDroppedError, StoreFullError, UsageError
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.store import EventRef, event_size_bytes
from gwproactor_test.event_runs import running_events

SIZE_BYTES = event_size_bytes("a", 2, "")


class Node:
    """Outgoing events with room for three, and what was told about them."""

    def __init__(self, folder: Path, policy: LimitPolicy) -> None:
        self.told: list[str] = []
        self.reports: list[str] = []
        self.events = OutgoingEvents(
            LogStore(folder),
            Outbox(max_bytes=3 * SIZE_BYTES, when_full=policy),
            on_stored=lambda ref: self.tell("stored", ref),
            on_acked=lambda ref: self.tell("acked", ref),
            report=lambda summary, details: self.reports.append(f"{summary}: {details}"),
        )

    def tell(self, word: str, ref: EventRef) -> None:
        self.told.append(f"{word} {ref.event_id}")


@asynccontextmanager
async def running(folder: Path, policy: LimitPolicy) -> AsyncIterator[Node]:
    node = Node(folder, policy)
    async with running_events(node.events):
        yield node


async def sent(events: OutgoingEvents) -> list[str]:
    return [event.event_id for event in await events.next_to_send()]


async def test_the_oldest_goes_and_its_tickets_say_so(tmp_path: Path) -> None:
    async with running(tmp_path, LimitPolicy.drop_oldest) as node:
        first = node.events.post("a", b"{}")
        await first.stored()
        waiting = asyncio.create_task(first.acked())
        await asyncio.sleep(0)
        for event_id in "bcd":
            node.events.post(event_id, b"{}")
        with pytest.raises(EventDroppedError, match="event a was dropped"):
            await waiting
        with pytest.raises(EventDroppedError):
            await first.acked()
        await first.stored()  # it was
        await node.events.flush()
        assert (node.events.dropped_count, node.events.stored_count) == (1, 3)
        assert not node.events.acked("a")
        assert node.told == ["stored a", "stored b", "stored c", "stored d"]
    async with running(tmp_path, LimitPolicy.drop_oldest) as node:
        node.events.activated()
        assert await sent(node.events) == ["b", "c", "d"]


async def test_what_is_dropped_before_it_is_stored_is_never_said_to_be(tmp_path: Path) -> None:
    async with running(tmp_path, LimitPolicy.drop_oldest) as node:
        tickets = [node.events.post(event_id, b"{}") for event_id in "abcde"]
        node.events.post("c", b"{}")
        for ticket in tickets[:2]:
            with pytest.raises(EventDroppedError):
                await ticket.stored()
        await node.events.flush()
        assert sorted(set(node.told)) == ["stored c", "stored d", "stored e"]
        assert (node.events.dropped_count, node.events.pending_count) == (2, 3)
    async with running(tmp_path, LimitPolicy.drop_oldest) as node:
        assert node.events.pending_count == 3


async def test_none_goes_that_is_worth_more(tmp_path: Path) -> None:
    async with running(tmp_path, LimitPolicy.drop_lowest_priority) as node:
        for event_id, priority in (("a", 1), ("b", 0), ("c", 1)):
            node.events.post(event_id, b"{}", priority=priority)
        node.events.post("d", b"{}", priority=1)
        with pytest.raises(StoreFullError, match="max_bytes"):
            node.events.post("e", b"{}")
        with pytest.raises(UsageError, match="priority is 100"):
            node.events.post("f", b"{}", priority=100)
        assert node.events.dropped_count == 1
    async with running(tmp_path, LimitPolicy.drop_lowest_priority) as node:
        with pytest.raises(StoreFullError, match="max_bytes"):  # it is on the disk
            node.events.post("e", b"{}")
        node.events.activated()
        assert await sent(node.events) == ["a", "c", "d"]


async def test_what_is_in_flight_stays(tmp_path: Path) -> None:
    async with running(tmp_path, LimitPolicy.drop_oldest) as node:
        for event_id in "abc":
            node.events.post(event_id, b"{}")
        node.events.activated()
        assert await sent(node.events) == ["a", "b", "c"]
        with pytest.raises(StoreFullError):
            node.events.post("d", b"{}")
        node.events.deactivated()
        node.events.post("d", b"{}")
        assert not node.events.acked("a")  # late, and harmless
        assert node.events.acked("b")


async def test_drops_are_told_at_a_bounded_rate_and_all_of_them(tmp_path: Path) -> None:
    async with running(tmp_path, LimitPolicy.drop_oldest) as node:
        for number in range(100):
            node.events.post(f"{number % 10}", b"{}")
        assert node.events.dropped_count > 50
        assert [text.partition(":")[0] for text in node.reports] == ["1 events were dropped"]
    assert node.reports[1].startswith(f"{node.events.dropped_count - 1} events were dropped")
    assert f"{node.events.dropped_count} in all" in node.reports[1]


async def test_sources_take_turns_after_a_restart_too(tmp_path: Path) -> None:
    for _ in range(2):
        async with running(tmp_path, LimitPolicy.refuse) as node:
            if not node.events.pending_count:
                node.events.post("1", b"", source="x")
                node.events.post("2", b"", source="x")
                node.events.post("3", b"", source="y")
            node.events.activated()
            assert await sent(node.events) == ["1", "3", "2"]
