"""Events on their way out: stored before acked, in order, in little memory, whatever the disk does.

Behind every test there are a real store and its thread.
"""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gwproactor.errors import NotRunningError, StoreError, StoreFullError, UsageError
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.core.window import Window
from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.outgoing import OutgoingEvents
from gwproactor.events.store import EventRef, EventStore, StoredEvent
from gwproactor_test.clients import until
from gwproactor_test.disk import SlowDisk, UnreliableDisk
from gwproactor_test.event_runs import running_events
from tests.events.test_payloads import BadSectors


class Node:
    """Outgoing events, and everything that was told about them."""

    def __init__(
        self,
        store: EventStore,
        outbox: Outbox | None = None,
        *,
        refused: EventStore | None = None,
        **options: int,
    ) -> None:
        self.told: list[str] = []
        self.tags: list[str] = []
        self.reports: list[str] = []
        self.events = OutgoingEvents(
            store,
            outbox or Outbox(),
            on_stored=lambda ref: self.tell("stored", ref),
            on_acked=lambda ref: self.tell("acked", ref),
            report=lambda summary, details: self.reports.append(f"{summary}: {details}"),
            refused=refused,
            **options,
        )

    def tell(self, word: str, ref: EventRef) -> None:
        self.told.append(f"{word} {ref.event_id}")
        self.tags.append(ref.tag)

    def post(self, *event_ids: str) -> None:
        for event_id in event_ids:
            self.events.post(event_id, payload(event_id), "line")

    async def sent(self) -> list[str]:
        events = await self.events.next_to_send()
        assert [event.payload for event in events] == [payload(e.event_id) for e in events]
        return [event.event_id for event in events]


def payload(event_id: str) -> bytes:
    return b'{"MessageId": "%b"}' % event_id.encode()


@asynccontextmanager
async def running(
    store: EventStore,
    outbox: Outbox | None = None,
    *,
    refused: EventStore | None = None,
    **options: int,
) -> AsyncIterator[Node]:
    node = Node(store, outbox, refused=refused, **options)
    async with running_events(node.events):
        yield node


async def test_posted_stored_sent_acked(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path)) as node:
        ticket = node.events.post("a", payload("a"), "line")
        assert ticket.event_id == "a"
        await asyncio.gather(ticket.stored(), ticket.stored())
        assert node.told == ["stored a"]
        node.events.activated()
        assert await node.sent() == ["a"]
        waiting = asyncio.create_task(ticket.acked())
        await asyncio.sleep(0)
        assert node.events.acked("a")
        await waiting
        await ticket.acked()
        await ticket.stored()
        await node.events.drained()
        assert node.told == ["stored a", "acked a"]
        assert node.tags == ["line", "line"]
        assert node.events.pending_count == node.events.pending_bytes == 0
        assert not node.events.acked("a")
    assert node.reports == []


async def test_an_ack_before_the_commit_is_told_after_it(tmp_path: Path) -> None:
    disk = SlowDisk()
    async with running(LogStore(tmp_path, files=disk)) as node:
        disk.hold()
        node.events.activated()
        node.post("a")
        assert await node.sent() == ["a"]
        await asyncio.to_thread(disk.syncing.wait)
        assert node.events.acked("a")
        assert node.events.acked("a")
        await asyncio.sleep(0)
        assert node.told == []
        disk.let_go.set()
        await node.events.drained()
        assert node.told == ["stored a", "acked a"]


async def test_an_id_posted_again_is_stored_again_and_kept_once(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path)) as node:
        node.post("a", "a")
        await node.events.flush()
        await until(lambda: len(node.told) == 2)
        node.post("a")
        await until(lambda: len(node.told) == 3)
        assert node.told == ["stored a"] * 3
        assert node.events.pending_count == 1
        node.events.activated()
        assert await node.sent() == ["a"]
        node.events.acked("a")
        await node.events.drained()
        node.post("a")
        await until(lambda: len(node.told) == 5)
        assert node.told[3:] == ["acked a", "stored a"]


async def test_what_an_earlier_run_left_is_sent_first_with_its_tag(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path)) as node:
        node.post("a", "b")
    assert node.told == ["stored a", "stored b"]
    async with running(LogStore(tmp_path)) as node:
        assert node.events.pending_count == 2
        node.events.activated()
        node.post("c")
        assert await node.sent() == ["a", "b", "c"]
        for event_id in ("a", "b", "c"):
            node.events.acked(event_id)
        await node.events.drained()
        assert node.told == ["stored c", "acked a", "acked b", "acked c"]
        assert node.tags == ["line"] * 4
    async with running(LogStore(tmp_path)) as node:
        assert node.events.pending_count == 0


async def test_a_loss_of_the_link_begins_again_with_the_oldest(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path)) as node:
        node.post(*"abcdefgh")
        node.events.activated()
        assert await node.sent() == list("abcde")
        node.events.acked("b")
        node.events.deactivated()
        waiting = asyncio.create_task(node.sent())
        await asyncio.sleep(0)
        assert not waiting.done()
        node.events.acked("c")  # a late one
        node.events.activated()
        assert await waiting == list("adefg")


async def test_payloads_beyond_the_memory_are_read_back_in_order(tmp_path: Path) -> None:
    ids = [f"event-{n}" for n in range(2000)]
    async with running(LogStore(tmp_path), memory_bytes=1000) as node:
        node.post(*ids)
        await node.events.flush()
        node.events.activated()
        got: list[str] = []
        while len(got) < len(ids):
            batch = await node.sent()
            got += batch
            for event_id in batch:
                node.events.acked(event_id)
        await node.events.drained()
        assert got == ids
        assert node.told[-1] == "acked event-1999"


async def test_nothing_in_flight_is_lost_by_a_cancelled_wait(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path), memory_bytes=0) as node:
        node.post(*"abc")
        await node.events.flush()
        for _ in range(20):
            node.events.activated()
            waiting = asyncio.create_task(node.sent())
            for _ in range(3):
                await asyncio.sleep(0)
            waiting.cancel()
            try:
                assert await waiting == list("abc")
            except asyncio.CancelledError:
                assert await node.sent() == list("abc")


async def test_held_back_nothing_is_sent_and_all_is_stored(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path)) as node:
        node.events.activated()
        waiting = asyncio.create_task(node.sent())
        await asyncio.sleep(0)
        node.events.hold()
        node.post("a", "b")
        await node.events.flush()
        assert node.told == ["stored a", "stored b"]
        assert not waiting.done()
        node.events.release()
        assert await waiting == ["a", "b"]


async def test_what_cannot_be_sent_is_told_kept_and_in_nobodys_way(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path), Outbox(window=Window(2))) as node:
        node.events.activated()
        node.post("a", "b", "c", "d")
        assert await node.sent() == ["a", "b"]
        node.events.unsendable("a", "no event")
        node.events.unsendable("b", "no event")
        assert await node.sent() == ["c", "d"]
        for event_id in ("c", "d"):
            assert node.events.acked(event_id)
        node.events.deactivated()
        node.events.activated()
        node.post("e")
        assert await node.sent() == ["e"]
        await node.events.flush()
    assert [report.partition(":")[0] for report in node.reports] == [
        "Event a cannot be sent",
        "Event b cannot be sent",
    ]
    async with running(LogStore(tmp_path)) as again:
        again.events.activated()
        assert await again.sent() == ["a", "b", "e"]


async def test_a_damaged_event_is_named_and_holds_up_nobody(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path), memory_bytes=0) as node:
        node.post("a", "b", "c")
        ticket = node.events.post("b", payload("b"))
        await node.events.flush()
        (path,) = segments(tmp_path)
        path.write_bytes(path.read_bytes().replace(payload("b"), payload("x")))
        waiting = asyncio.create_task(ticket.acked())
        node.events.activated()
        assert await node.sent() == ["a", "c"]
        with pytest.raises(StoreError, match="checksum"):
            await waiting
        with pytest.raises(StoreError, match="checksum"):
            await ticket.acked()
        (report,) = node.reports
        assert "damaged: b" in report
        assert str(path) in report
        node.events.acked("a")
        node.events.acked("c")
        await node.events.drained()
        assert "acked b" not in node.told


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("events-*"))


async def test_damage_found_at_the_start_is_told(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path)) as node:
        node.post("a", "b")
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(payload("a"), payload("x")))
    async with running(LogStore(tmp_path)) as node:
        assert node.events.pending_count == 1
        assert ["damaged: a" in report for report in node.reports] == [True]


async def test_reading_back_is_tried_again(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    async with running(LogStore(tmp_path, files=disk), memory_bytes=0) as node:
        node.post("a")
        await node.events.flush()
        disk.fail(0, 3, errno.EMFILE)
        node.events.activated()
        assert await node.sent() == ["a"]
        assert ["in trouble" in report for report in node.reports] == [True, False]
        assert "EMFILE" in node.reports[0]


async def test_beyond_its_budget_it_refuses(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path), Outbox(max_bytes=300)) as node:
        node.post("a", "b")
        with pytest.raises(StoreFullError, match="max_bytes = 300"):
            node.post("c", "d", "e")
        node.post("a")  # pending already
        node.events.activated()
        for event_id in await node.sent():
            node.events.acked(event_id)
        await node.events.drained()
        node.post("e")


async def test_trouble_with_the_disk_is_told_bounded_and_survived(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    async with running(LogStore(tmp_path, files=disk), max_waiting_bytes=500) as node:
        disk.fail(0, 10**9, errno.ENOSPC)
        node.events.activated()
        node.post("a")
        await until(lambda: bool(node.reports))
        assert await node.sent() == ["a"]  # from memory
        node.events.acked("a")
        more = [f"more-{n}" for n in range(100)]
        with pytest.raises(StoreFullError, match="ENOSPC"):
            node.post(*more)
        assert node.told == []
        disk.work()
        await until(lambda: "acked a" in node.told)
        assert node.told[:2] == ["stored a", "stored more-0"]
        await until(lambda: len(node.reports) == 2)
        assert "The event store is in trouble: cannot write" in node.reports[0]
        assert "The event store works again" in node.reports[1]
        node.post("after")
        await node.events.flush()


async def test_what_cannot_be_stored_before_the_end_is_counted(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    node = Node(LogStore(tmp_path, files=disk))
    await node.events.open()
    disk.fail(0, 10**9, errno.ENOSPC)
    ticket = node.events.post("a", b"{}")
    waiting = asyncio.create_task(ticket.stored())
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match=r"1 events could not be stored.*ENOSPC"):
        await node.events.close()
    with pytest.raises(StoreError, match="ENOSPC"):
        await waiting
    with pytest.raises(StoreError, match="ENOSPC"):
        await ticket.stored()
    await node.events.close()


async def test_closing_stores_what_was_posted_without_run(tmp_path: Path) -> None:
    node = Node(LogStore(tmp_path))
    await node.events.open()
    ticket = node.events.post("a", payload("a"))
    acked = asyncio.create_task(ticket.acked())
    sending = asyncio.create_task(node.sent())
    await asyncio.sleep(0)
    await node.events.close()
    assert node.told == ["stored a"]
    await ticket.stored()
    for waiting in (acked, sending):
        with pytest.raises(NotRunningError):
            await waiting
    with pytest.raises(NotRunningError):
        await ticket.acked()


async def test_a_cancelled_run_loses_nothing(tmp_path: Path) -> None:
    node = Node(LogStore(tmp_path))
    await node.events.open()
    run = asyncio.create_task(node.events.run())
    for n in range(100):
        node.post(f"{n}")
        await asyncio.sleep(0)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await node.events.close()
    async with running(LogStore(tmp_path)) as node:
        assert node.events.pending_count == 100


async def test_only_a_running_node_takes_events() -> None:
    node = Node(MemoryStore())
    with pytest.raises(NotRunningError):
        node.post("a")
    await node.events.open()
    node.post("a")
    await node.events.close()
    with pytest.raises(NotRunningError):
        node.post("b")


@pytest.mark.parametrize("event_id", ["", "x" * 257])
async def test_an_impossible_id_is_the_callers_mistake(event_id: str) -> None:
    async with running(MemoryStore()) as node:
        with pytest.raises(UsageError):
            node.post(event_id)
        node.events.post("x" * 256, b"{}")
        assert node.events.pending_count == 1


async def test_line_breaks_between_tokens_do_no_harm(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path)) as node:
        node.events.post("a", b'{\n"a": 1\n}')
    async with running(LogStore(tmp_path)) as node:
        node.events.activated()
        assert [event.payload for event in await node.events.next_to_send()] == [b'{ "a": 1 }']


async def test_a_report_may_post_an_event(tmp_path: Path) -> None:
    async with running(LogStore(tmp_path)) as node:
        node.post("a")
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(payload("a"), payload("x")))
    told: list[str] = []

    def report(summary: str, details: str) -> None:
        events.post("problem", b"{}")

    events = OutgoingEvents(
        LogStore(tmp_path, files=FileCalls()),
        Outbox(),
        on_stored=lambda ref: told.append(ref.event_id),
        on_acked=lambda ref: None,
        report=report,
    )
    await events.open()
    await events.flush()
    assert told == ["problem"]
    await events.close()


async def test_in_memory_it_is_the_same_without_the_disk() -> None:
    async with running(MemoryStore()) as node:
        node.events.activated()
        node.post(*"abc")
        for event_id in await node.sent():
            node.events.acked(event_id)
        await node.events.drained()
        assert node.told == [f"{word} {i}" for word in ("stored", "acked") for i in "abc"]


async def test_an_id_that_a_power_cut_doubled_is_sent_once(tmp_path: Path) -> None:
    store = LogStore(tmp_path)
    await store.open()
    await store.commit([StoredEvent(n, "a", payload("a"), "line") for n in (1, 2)], ())
    await store.close()
    async with running(LogStore(tmp_path)) as node:
        assert node.events.pending_count == 1
        node.events.activated()
        assert await node.sent() == ["a"]
        node.events.acked("a")
        await node.events.drained()
        assert node.told == ["acked a"]
    async with running(LogStore(tmp_path)) as node:
        assert node.events.pending_count == 0


async def test_one_that_cannot_be_read_lets_the_others_pass_and_comes_later() -> None:
    store = BadSectors(2)
    async with running(store, memory_bytes=0) as node:
        node.post("a", "b", "c")
        await node.events.flush()
        node.events.activated()
        assert await node.sent() == ["a", "c"]
        node.post("d")
        assert await node.sent() == ["d"]
        for event_id in ("a", "c", "d"):
            node.events.acked(event_id)
        await until(lambda: node.events.pending_count == 1)
        assert ["in trouble" in report for report in node.reports] == [True]
        store.bad.clear()
        async with asyncio.timeout(15):
            assert await node.sent() == ["b"]
        assert ["works again" in report for report in node.reports] == [False, True]
