"""Received events: durable, acknowledged, handled, marked done, in that order and each once.

Behind every test there are real stores and their threads.
"""

import asyncio
import errno
import functools
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gwproactor.events.core.inbox import Inbox
from gwproactor.events.disk.reserve import Reserve
from gwproactor.events.incoming import IncomingEvents, ReceivedEvent
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.log.seen_log import MemorySeen, Seen, SeenLog
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.store import EventStore, StoredEvent
from gwproactor_test.clients import until
from gwproactor_test.disk import SlowDisk, UnreliableDisk
from gwproactor_test.event_runs import killed_script, running_events
from tests.events.test_payloads import BadSectors


class Node:
    """Incoming events, what the handler got, and what was acknowledged and told."""

    def __init__(
        self,
        folder: Path | None,
        inbox: Inbox | None = None,
        *,
        disk: UnreliableDisk | SlowDisk | None = None,
        seen_disk: UnreliableDisk | SlowDisk | None = None,
        dead_disk: UnreliableDisk | SlowDisk | None = None,
        reserve: Reserve | None = None,
        **options: int,
    ) -> None:
        self.log: list[str] = []
        self.reports: list[str] = []
        self.failures: Counter[str] = Counter()
        self.failure: type[BaseException] = ValueError
        self.may_handle = asyncio.Event()
        self.may_handle.set()
        store: EventStore = MemoryStore()
        dead_letters: EventStore = MemoryStore()
        seen: Seen = MemorySeen()
        if folder is not None:
            store = LogStore(folder / "inbox", files=disk)
            dead_letters = LogStore(folder / "dead", files=dead_disk)
            seen = SeenLog(folder / "seen", files=seen_disk)
        self.events = IncomingEvents(
            store,
            dead_letters,
            seen,
            inbox or Inbox(ack_when_handled=folder is None),
            handler=self.handle,
            acknowledge=lambda link_name, event_id: self.log.append(f"ack {event_id}"),
            report=lambda summary, details: self.reports.append(f"{summary}: {details}"),
            reserve=reserve,
            **options,
        )

    async def handle(self, event: ReceivedEvent) -> None:
        await self.may_handle.wait()
        assert event.payload == payload(event.event_id)
        if self.failures[event.event_id]:
            self.failures[event.event_id] -= 1
            raise self.failure("no such device")
        self.log.append(f"got {event.event_id}")

    def receive(self, *event_ids: str, link_name: str = "child") -> None:
        for event_id in event_ids:
            self.events.receive(link_name, event_id, payload(event_id))

    def got(self) -> list[str]:
        return [line.removeprefix("got ") for line in self.log if line.startswith("got ")]

    async def idle(self) -> None:
        await until(lambda: self.events.pending_count == 0)


def payload(event_id: str) -> bytes:
    return b'{"MessageId": "%b"}' % event_id.encode()


@asynccontextmanager
async def started(node: Node) -> AsyncIterator[Node]:
    async with running_events(node.events):
        yield node


async def test_acknowledged_then_handled_then_known(tmp_path: Path) -> None:
    async with started(Node(tmp_path)) as node:
        node.receive("a", "b")
        await node.idle()
        assert node.log == ["ack a", "ack b", "got a", "got b"]
        node.receive("a")
        assert node.log[4:] == ["ack a"]
    assert node.reports == []
    async with started(Node(tmp_path)) as node:
        node.receive("b", "c")
        await node.idle()
        assert node.log == ["ack b", "ack c", "got c"]


@pytest.mark.parametrize("in_memory", [True, False])
async def test_who_wants_no_acknowledgement_gets_none(tmp_path: Path, in_memory: bool) -> None:
    async with started(Node(None if in_memory else tmp_path)) as node:
        node.events.receive("child", "a", payload("a"), ack_required=False)
        node.receive("b")
        await node.idle()
        node.events.receive("child", "a", payload("a"), ack_required=False)
        assert sorted(node.log) == ["ack b", "got a", "got b"]
        node.receive("a")
        assert node.log[-1] == "ack a"


async def test_the_broker_keeps_the_latest_copy_until_it_is_durable(tmp_path: Path) -> None:
    disk = SlowDisk()
    async with started(Node(tmp_path, disk=disk)) as node:
        disk.hold()
        for copy in ("first", "second"):
            safe = functools.partial(node.log.append, f"{copy} is safe")
            node.events.receive("child", "a", payload("a"), safe=safe)
        assert node.log == ["first is safe"]
        disk.let_go.set()
        await node.idle()
        assert node.log[:3] == ["first is safe", "second is safe", "ack a"]


@pytest.mark.parametrize("in_memory", [True, False])
async def test_an_id_twice_in_a_batch_is_accepted_at_both_places(
    tmp_path: Path, in_memory: bool
) -> None:
    async with started(Node(None if in_memory else tmp_path)) as node:
        answers: list[list[int]] = []
        batch = [(event_id, payload(event_id)) for event_id in ("a", "b", "a", "a", "c", "b")]
        for _ in range(2):  # the second time all are known
            node.events.receive_batch("child", batch, lambda refused: answers.append(list(refused)))
            await node.idle()
            await until(lambda: len(answers) > 0)
        assert answers == [[], []]
        assert node.log == ["got a", "got b", "got c"]


async def test_what_only_the_broker_keeps_is_taken_when_there_is_room() -> None:
    async with started(Node(None, Inbox(max_bytes=2000))) as node:
        node.may_handle.clear()
        ids = [str(number) for number in range(60)]
        for event_id in ids:
            safe = functools.partial(node.log.append, f"{event_id} is safe")
            node.events.receive("child", event_id, payload(event_id), False, safe)
        assert any("the inbox is full" in report for report in node.reports)
        node.may_handle.set()
        await until(lambda: len(node.got()) == len(ids) and f"{ids[-1]} is safe" in node.log)
        assert node.got() == ids
        assert sum("is safe" in line for line in node.log) == len(ids)


async def test_who_asks_for_it_later_is_acknowledged(tmp_path: Path) -> None:
    async with started(Node(tmp_path)) as node:
        node.events.receive("child", "a", payload("a"), ack_required=False)
        node.receive("a")
        await node.idle()
        assert node.log == ["ack a", "got a"]


async def test_nothing_is_acknowledged_before_it_is_durable(tmp_path: Path) -> None:
    disk = SlowDisk()
    async with started(Node(tmp_path, disk=disk)) as node:
        disk.hold()
        node.receive("a", "a")
        await asyncio.to_thread(disk.syncing.wait)
        node.receive("a")
        await asyncio.sleep(0)
        assert node.log == []
        disk.let_go.set()
        await node.idle()
        assert node.log == ["ack a", "got a"]


async def test_a_slow_handler_costs_no_acknowledgement(tmp_path: Path) -> None:
    async with started(Node(tmp_path)) as node:
        node.may_handle.clear()
        node.receive(*map(str, range(1000)))
        await until(lambda: len(node.log) == 1000)
        assert node.got() == []
        node.receive("5")
        assert node.log[-1] == "ack 5"
        node.may_handle.set()
        await node.idle()
        assert node.got() == [str(n) for n in range(1000)]


async def test_what_was_not_handled_is_delivered_by_the_next_run(tmp_path: Path) -> None:
    node = Node(tmp_path)
    async with started(node):
        node.receive("a", "b")
        await until(lambda: "got b" in node.log)
        node.may_handle.clear()
        node.receive("c", "d")
        await until(lambda: "ack d" in node.log)
        await node.events.close(handler_seconds=0)
    async with started(Node(tmp_path)) as node:
        await node.idle()
        assert node.log == ["got c", "got d"]


async def test_closing_waits_for_the_handler(tmp_path: Path) -> None:
    node = Node(tmp_path)
    async with started(node):
        node.may_handle.clear()
        node.receive("a", "b")
        await until(lambda: "ack b" in node.log)
        closing = asyncio.create_task(node.events.close(handler_seconds=20))
        await asyncio.sleep(0)
        node.may_handle.set()
        await closing
        assert node.got() == ["a"]
    async with started(Node(tmp_path)) as node:
        await node.idle()
        assert node.got() == ["b"]


async def test_at_most_so_many_are_handled_and_not_marked(tmp_path: Path) -> None:
    disk = SlowDisk()
    async with started(Node(tmp_path, Inbox(max_unmarked=8), seen_disk=disk)) as node:
        disk.hold()
        node.receive(*map(str, range(100)))
        await until(lambda: len(node.got()) == 8)
        await asyncio.to_thread(disk.syncing.wait)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(node.got()) == 8
        disk.let_go.set()
        await node.idle()
        assert len(node.got()) == 100


async def test_a_removal_that_a_power_cut_took_back_is_no_second_delivery(tmp_path: Path) -> None:
    async with started(Node(tmp_path / "data")) as node:
        node.may_handle.clear()
        node.receive("a")
        await until(lambda: "ack a" in node.log)
        shutil.copytree(tmp_path / "data" / "inbox", tmp_path / "before")
        node.may_handle.set()
        await node.idle()
    shutil.rmtree(tmp_path / "data" / "inbox")
    shutil.move(tmp_path / "before", tmp_path / "data" / "inbox")
    async with started(Node(tmp_path / "data")) as node:
        assert node.events.pending_count == 0
        node.receive("b")
        await node.idle()
        assert node.got() == ["b"]


async def test_an_event_that_a_power_cut_doubled_is_delivered_once(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "inbox")
    await store.open()
    await store.commit([StoredEvent(n, "a", payload("a"), "child") for n in (1, 2)], ())
    await store.close()
    for expected in (["a"], []):
        async with started(Node(tmp_path)) as node:
            await node.idle()
            node.receive("a")
            assert node.log[-1] == "ack a"
            assert node.got() == expected


async def test_the_same_id_from_two_links_is_two_events(tmp_path: Path) -> None:
    async with started(Node(tmp_path)) as node:
        node.receive("a")
        node.receive("a", link_name="other")
        await node.idle()
        assert node.got() == ["a", "a"]


async def test_a_handler_that_raises_gets_the_event_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwproactor.events.core.inbox.FIRST_RETRY_SECONDS", 0.001)
    async with started(Node(tmp_path)) as node:
        node.failures["a"] = 3
        node.receive("a", "b")
        await node.idle()
        assert node.log == ["ack a", "ack b", "got b", "got a"]
        assert "The handler of received events is in trouble" in node.reports[0]
        assert "no such device" in node.reports[0]
        assert len(node.reports) == 2


async def test_an_event_that_fails_too_often_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwproactor.events.core.inbox.FIRST_RETRY_SECONDS", 0.001)
    async with started(Node(tmp_path, Inbox(max_tries=3))) as node:
        node.failures["a"] = 100
        node.receive("a", "b")
        await node.idle()
        assert node.failures["a"] == 97
        assert node.got() == ["b"]
        assert "Event a is set aside: its handler failed 3 times" in node.reports[-1]
        node.receive("a")
        assert node.log[-1] == "ack a"
    dead = LogStore(tmp_path / "dead")
    await dead.open()
    (event,) = (await dead.read([ref.sequence for ref in dead.pending()])).events
    assert (event.event_id, event.payload, event.tag) == ("a", payload("a"), "child")
    await dead.close()
    async with started(Node(tmp_path)) as node:
        assert node.events.pending_count == 0


async def test_without_room_to_set_aside_it_is_tried_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwproactor.events.core.inbox.FIRST_RETRY_SECONDS", 0.001)
    monkeypatch.setattr("gwproactor.events.core.inbox.MAX_RETRY_SECONDS", 0.001)
    async with started(Node(tmp_path, Inbox(max_tries=2), max_dead_bytes=0)) as node:
        node.failures["a"] = 10
        node.receive("a")
        await node.idle()
        assert node.got() == ["a"]


async def test_a_handlers_own_cancellation_is_a_failure_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwproactor.events.core.inbox.FIRST_RETRY_SECONDS", 0.001)
    node = Node(tmp_path)
    node.failure = asyncio.CancelledError
    node.failures["a"] = 2
    async with started(node):
        node.receive("a")
        await node.idle()
    assert node.failures["a"] == 0
    assert node.got() == ["a"]


async def test_what_there_is_no_room_for_is_dropped_and_told(tmp_path: Path) -> None:
    async with started(Node(tmp_path, Inbox(max_bytes=300))) as node:
        node.may_handle.clear()
        node.receive(*"abcdef")
        await until(lambda: len(node.log) == 3)
        assert node.log == ["ack a", "ack b", "ack c"]
        assert ["Taking in events is in trouble" in line for line in node.reports] == [True]
        node.may_handle.set()
        await node.idle()
        node.receive("d")
        await node.idle()
        assert node.got() == ["a", "b", "c", "d"]


async def test_an_impossible_id_is_dropped_and_told(tmp_path: Path) -> None:
    async with started(Node(tmp_path)) as node:
        node.receive("", "x" * 257)
        assert node.events.pending_count == 0
        assert len(node.reports) == 1


async def test_trouble_with_the_disk_holds_back_acks_only(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    async with started(Node(tmp_path, disk=disk)) as node:
        disk.fail(0, 10**9, errno.EROFS)
        node.receive("a")
        await until(lambda: bool(node.reports))
        assert node.log == []
        disk.work()
        await node.idle()
        assert node.log == ["ack a", "got a"]
        assert "EROFS" in node.reports[0]


@pytest.mark.parametrize("which", ["seen_disk", "dead_disk"])
async def test_trouble_with_any_disk_delivers_nothing_twice(
    which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwproactor.events.core.inbox.FIRST_RETRY_SECONDS", 0.001)
    disk = UnreliableDisk()
    node = Node(tmp_path, Inbox(max_tries=1), **{which: disk})  # type: ignore[arg-type]
    async with started(node):
        disk.fail(0, 10**9, errno.EIO)
        node.failures["bad"] = 10
        node.receive("good", "bad")
        await until(lambda: any("The inbox is in trouble" in line for line in node.reports))
        disk.work()
        await node.idle()
        assert node.got() == ["good"]
        assert node.failures["bad"] == 9


async def test_payloads_beyond_the_memory_are_read_back(tmp_path: Path) -> None:
    async with started(Node(tmp_path, memory_bytes=100)) as node:
        node.may_handle.clear()
        node.receive(*map(str, range(500)))
        await until(lambda: len(node.log) == 500)
        node.may_handle.set()
        await node.idle()
        assert node.got() == [str(n) for n in range(500)]


async def test_payloads_that_wait_for_a_further_try_are_not_all_kept_in_memory(
    tmp_path: Path,
) -> None:
    async with started(Node(tmp_path, memory_bytes=100)) as node:
        event_ids = [f"e{n}" for n in range(50)]
        node.failures.update(event_ids)
        node.receive(*event_ids)
        await until(lambda: node.failures.total() == 0)
        assert node.events.pending_count == 50
        assert node.events._payloads.size_bytes < 200
        await node.idle()
        assert sorted(node.got()) == sorted(event_ids)


async def test_a_damaged_event_is_named_and_new_when_it_comes_again(tmp_path: Path) -> None:
    async with started(Node(tmp_path)) as node:
        node.may_handle.clear()
        node.receive("a", "b", "c")
        await until(lambda: len(node.log) == 3)
        await node.events.close(handler_seconds=0)
    node = Node(tmp_path)
    await node.events.open()
    (path,) = sorted((tmp_path / "inbox").glob("events-*"))
    path.write_bytes(path.read_bytes().replace(payload("b"), payload("x")))
    run = asyncio.create_task(node.events.run())
    await node.idle()
    assert node.got() == ["a", "c"]
    assert ["A received event is damaged: b" in line for line in node.reports] == [True]
    node.receive("b")
    await node.idle()
    assert node.got()[-1] == "b"
    await node.events.close()
    await run


async def test_reading_back_is_tried_again(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    async with started(Node(tmp_path, disk=disk)) as node:
        node.may_handle.clear()
        node.receive("a", "b")
        await until(lambda: len(node.log) == 2)
        await node.events.close(handler_seconds=0)
    node = Node(tmp_path, disk=disk)
    await node.events.open()
    disk.fail(0, 3, errno.EMFILE)
    run = asyncio.create_task(node.events.run())
    await node.idle()
    assert node.got() == ["a", "b"]
    assert "EMFILE" in node.reports[0]
    await node.events.close()
    await run


async def test_in_memory_the_ack_follows_the_handler() -> None:
    async with started(Node(None)) as node:
        node.may_handle.clear()
        node.receive("a", "b", "a")
        for _ in range(20):
            await asyncio.sleep(0)
        assert node.log == []
        node.may_handle.set()
        await node.idle()
        assert Counter(node.log) == Counter(["got a", "got b", "ack a", "ack b"])
        assert node.log.index("got a") < node.log.index("ack a")
        node.receive("a")
        assert node.log[4:] == ["ack a"]


async def test_closed_or_not_yet_open_it_takes_nothing(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.receive("a")
    await node.events.open()
    await node.events.close()
    await node.events.close()
    node.receive("a")
    assert node.log == []


async def test_a_cancelled_run_can_still_be_closed(tmp_path: Path) -> None:
    node = Node(tmp_path)
    await node.events.open()
    run = asyncio.create_task(node.events.run())
    node.receive(*map(str, range(50)))
    await until(lambda: bool(node.got()))
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await node.events.close()
    done = node.got()
    async with started(Node(tmp_path)) as node:
        await node.idle()
        assert done + node.got() == [str(n) for n in range(50)]


RECEIVER = """
import asyncio, sys
from pathlib import Path
from gwproactor.events.core.inbox import Inbox
from gwproactor.events.incoming import IncomingEvents
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.log.seen_log import SeenLog

async def main():
    folder = Path(sys.argv[1])

    async def handle(event):
        print("got", event.event_id, flush=True)

    events = IncomingEvents(
        LogStore(folder / "inbox", durable=False, segment_bytes=5000),
        LogStore(folder / "dead", durable=False),
        SeenLog(folder / "seen", durable=False, ids_per_file=500, max_ids=100_000),
        Inbox(max_unmarked=8),
        handler=handle,
        acknowledge=lambda link_name, event_id: print("ack", event_id, flush=True),
        report=lambda summary, details: print("problem", summary, details, flush=True),
    )

    def receive(n):
        events.receive("child", f"e{n}", b'{"MessageId": "e%d"}' % n)

    await events.open()
    running = asyncio.create_task(events.run())
    for n in range(int(sys.argv[2]), 10**9):
        receive(n)
        if n % 7 == 0:
            receive(n - 7)
            await asyncio.sleep(0.001 if n % 70 == 0 else 0)

asyncio.run(main())
"""


async def killed_receiver(folder: Path, first: int, lines: int) -> list[list[str]]:
    """Let a process receive events, kill it after so many lines; return all it said."""
    return await killed_script(RECEIVER, folder, first, lines=lines)


@pytest.mark.parametrize("kills", [4, pytest.param(200, marks=pytest.mark.prove)])
@pytest.mark.timeout(300)
async def test_kills_lose_nothing_acknowledged_and_repeat_little(
    tmp_path: Path, kills: int
) -> None:
    acked: set[str] = set()
    got: Counter[str] = Counter()
    first = 0
    for run in range(kills):
        for word, event_id in await killed_receiver(tmp_path, first, 100 + 137 * run % 700):
            if word == "ack":
                acked.add(event_id)
            else:
                got[event_id] += 1
        first = max([first, *(int(event_id[1:]) for event_id in {*acked, *got})]) + 1
    async with started(Node(tmp_path)) as node:
        while node.events.pending_count:  # many after many kills
            with suppress(TimeoutError):
                await node.idle()
    got.update(node.got())
    assert acked <= set(got)
    repeated = got.total() - len(got)
    assert repeated <= 8 * kills


async def test_one_that_cannot_be_read_lets_the_others_pass_and_comes_later() -> None:
    store = BadSectors(2)
    got: list[str] = []
    reports: list[str] = []
    may_handle = asyncio.Event()

    async def handle(event: ReceivedEvent) -> None:
        await may_handle.wait()
        got.append(event.event_id)

    events = IncomingEvents(
        store,
        MemoryStore(),
        MemorySeen(),
        Inbox(),
        handler=handle,
        acknowledge=lambda _link_name, _event_id: None,
        report=lambda summary, details: reports.append(f"{summary}: {details}"),
        memory_bytes=0,
    )
    async with running_events(events):
        for event_id in ("a", "b", "c", "d"):
            events.receive("child", event_id, payload(event_id))
        may_handle.set()
        await until(lambda: got == ["a", "c", "d"])
        assert len(reports) == 1
        store.bad.clear()
        await until(lambda: got == ["a", "c", "d", "b"])
        await until(lambda: events.pending_count == 0)
        assert ["works again" in report for report in reports] == [False, True]
