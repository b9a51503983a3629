"""Posting events from the loop and from other threads, and what a proactor keeps them in."""

import asyncio
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from gwproactor.config.events import EventSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import NotRunningError, SettingsError, StoreError, StoreFullError, UsageError
from gwproactor.events.persisters.persister import PersisterInterface, StubPersister
from gwproactor.events.tickets import EventTicket
from gwproactor.links.core.reupload_progress import ReuploadState
from gwproactor.runtime import event_hatch
from gwproactor.runtime.event_hatch import EventHatch
from gwproactor.runtime.observer import Observer
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.payloads import EventBase
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.proactor_pair import CHILD, Parent, child, child_of_class, event
from gwproactor_test.problem_notes import ProblemNotes

SECONDS = 15.0


async def in_thread(work: Callable[[], None]) -> None:
    async with asyncio.timeout(SECONDS):
        await asyncio.to_thread(work)


# From the loop


async def test_store_event_returns_when_the_event_is_durable(tmp_path: Path) -> None:
    async with child(folder=tmp_path) as node:
        ticket = await node.store_event(event("e"), tag="t")
        assert ticket.ref.tag == "t"
        text = b"".join(path.read_bytes() for path in (tmp_path / "outbox").iterdir())
        assert b'"e"' in text


async def test_store_event_raises_what_post_event_raises(tmp_path: Path) -> None:
    node = child(folder=tmp_path, max_bytes=2000)
    with pytest.raises(NotRunningError):
        await node.store_event(event("e"))
    async with node:
        with pytest.raises(StoreFullError, match="max_bytes = 2000"):
            await node.store_event(event("e", Text="x" * 3000))


async def test_flush_has_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with child(folder=tmp_path) as node:
        await node.flush_events(timeout_seconds=SECONDS)
        may_go_on = asyncio.Event()
        store = node._events.outgoing._store
        commit = store.commit

        async def slow(*args: Any, **kwargs: Any) -> None:
            await may_go_on.wait()
            await commit(*args, **kwargs)

        monkeypatch.setattr(store, "commit", slow)
        ticket = node.post_event(event("e"))
        with pytest.raises(StoreError, match=r"events are not durable after 0.05 s") as raised:
            await node.flush_events(timeout_seconds=0.05)
        missing = node.pending_event_count - node.stored_event_count  # the node's own among them
        assert missing >= 1
        assert str(raised.value).startswith(f"{missing} events")
        may_go_on.set()
        await ticket.stored()


async def test_what_is_not_kept_is_counted_and_reported_at_a_bounded_rate(tmp_path: Path) -> None:
    async with child(folder=tmp_path, max_bytes=2000) as node:
        notes = ProblemNotes(node)
        for number in range(30):
            outcome = node.generate_event(event(f"big-{number}", Text="x" * 3000))
            assert isinstance(outcome.err(), StoreFullError)
        with pytest.raises(StoreFullError):
            node.post_event(event("another", Text="x" * 3000))
        assert isinstance(node.generate_event("no event").err(), UsageError)  # type: ignore[arg-type]
        assert node.rejected_event_count == 32
        told = [each for each in notes.events if "not kept" in each.Summary]
        assert [each.Summary for each in told] == ["1 events were handed in and not kept"]
        assert told[0].Details.startswith("big-0: ")
    told = [each for each in notes.events if "not kept" in each.Summary]
    assert told[-1].Summary == "31 events were handed in and not kept"
    assert "and 11 before these. 32 in all" in told[-1].Details


async def test_what_is_handed_in_after_the_end_is_told_to_its_maker_alone(tmp_path: Path) -> None:
    node = child(folder=tmp_path)
    notes = ProblemNotes(node)
    async with node:
        pass
    assert isinstance(node.generate_event(event("late")).err(), NotRunningError)
    assert node.rejected_event_count == 0
    assert [each for each in notes.summaries() if "not kept" in each] == []


# From other threads


async def test_threads_post_in_their_order(broker: AnyBroker, tmp_path: Path) -> None:
    async with (
        Parent(broker.url, tmp_path / "p") as parent,
        child(broker.url, folder=tmp_path / "c") as node,
    ):

        def post(thread: int) -> None:
            futures = [
                node.generate_event_threadsafe(event(f"{thread}-{number}")) for number in range(300)
            ]
            for future in futures:
                future.result(SECONDS)

        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(asyncio.to_thread(post, thread) for thread in range(4)))
        wanted = 4 * 300
        await until(lambda: sum("-" in each and len(each) < 9 for each in parent.ids) == wanted)
    for thread in range(4):
        mine = [each for each in parent.ids if each.startswith(f"{thread}-") and len(each) < 9]
        assert mine == [f"{thread}-{number}" for number in range(300)]


async def test_a_thread_gets_the_error_of_its_event() -> None:
    async with child() as node:
        futures: list[Future[None]] = []
        await in_thread(
            lambda: futures.append(node.generate_event_threadsafe(event("e", Value=float("inf"))))
        )
        with pytest.raises(UsageError, match="cannot be sent"):
            await asyncio.wrap_future(futures[0])


async def test_a_thread_is_told_that_the_proactor_does_not_run() -> None:
    node = child()
    with pytest.raises(NotRunningError, match="start it before"):
        node.generate_event_threadsafe(event("e"))
    async with node:
        pass
    with pytest.raises(NotRunningError):
        node.generate_event_threadsafe(event("e"))


async def test_what_was_handed_in_before_the_stop_is_stored(tmp_path: Path) -> None:
    async with child(folder=tmp_path) as node:
        futures = [node.generate_event_threadsafe(event(f"e{number}")) for number in range(50)]
    assert [future.result(0) for future in futures] == [None] * 50
    async with child(folder=tmp_path) as node:
        assert node.pending_event_count >= 50


async def test_only_so_many_wait_for_the_loop() -> None:
    hatch = EventHatch(
        lambda _event: pytest.fail("the loop is not asked"), lambda *_: None, max_waiting=3
    )
    hatch.open()
    for number in range(3):
        hatch.put(event(f"e{number}")).cancel()
    with pytest.raises(StoreFullError, match="3 wait for the event loop"):
        hatch.put(event("e3"))
    hatch.close()


async def test_a_cancelled_event_is_not_posted() -> None:
    posted: list[EventBase] = []

    def post(each: EventBase) -> EventTicket:
        posted.append(each)
        raise UsageError("enough is known")

    hatch = EventHatch(post, lambda *_: None)
    hatch.open()
    futures = [hatch.put(event("e")), hatch.put(event("f"))]
    assert futures[0].cancel()
    hatch.close()
    assert [each.MessageId for each in posted] == ["f"]
    assert isinstance(futures[1].exception(0), UsageError)


def test_the_bound_is_what_the_docstring_says() -> None:
    assert f"{event_hatch.MAX_WAITING:,} events" in str(Proactor.generate_event_threadsafe.__doc__)


# Stores


async def test_events_in_files_are_laid_out_as_the_predecessor_does(tmp_path: Path) -> None:
    async with child(folder=tmp_path, store="files") as node:
        await node.store_event(event("e-1"))
    names = [path.name for path in (tmp_path / "event").glob("*/*.json")]
    assert any(name.endswith(".uid[e-1].json") for name in names)


async def test_files_that_are_there_are_sent(broker: AnyBroker, tmp_path: Path) -> None:
    day = tmp_path / "event" / "20260102"
    day.mkdir(parents=True)
    old = event("11111111-2222-4333-8444-555555555555", TimeCreatedMs=1, Src=CHILD)
    name = f"2026-01-02T03:04:05.678901+00:00.uid[{old.MessageId}].json"
    (day / name).write_text(old.model_dump_json())
    async with (
        Parent(broker.url) as parent,
        child(broker.url, folder=tmp_path / "c", store="files", files_folder=tmp_path / "event"),
    ):
        await until(lambda: old.MessageId in parent.ids)
    assert not (day / name).exists()


async def test_a_persister_of_ones_own_keeps_the_events(tmp_path: Path) -> None:
    threads: set[str] = set()

    class Kept(StubPersister):
        def persist(self, uid: str, content: bytes) -> Any:
            threads.add(threading.current_thread().name)
            return super().persist(uid, content)

    kept = Kept()

    class Node(Proactor):
        @classmethod
        def make_event_persister(cls, settings: ProactorSettings) -> PersisterInterface | None:
            assert settings.events.folder == tmp_path
            return kept

    async with child_of_class(Node, folder=tmp_path) as node:
        await node.store_event(event("e"))
    assert threads
    assert threading.main_thread().name not in threads


async def test_a_memory_outbox_beside_an_inbox_on_disk(broker: AnyBroker, tmp_path: Path) -> None:
    async with (
        Parent(broker.url) as parent,
        child(broker.url, folder=tmp_path, store="memory") as node,
    ):
        await node.store_event(event("e"))
        await until(lambda: "e" in parent.ids)
    assert not (tmp_path / "outbox").exists()
    assert (tmp_path / "inbox").exists()


async def test_an_inbox_in_memory_beside_an_outbox_on_disk(tmp_path: Path) -> None:
    async with child(folder=tmp_path, inbox="memory") as node:
        await node.store_event(event("e"))
    assert (tmp_path / "outbox").exists()
    assert not (tmp_path / "inbox").exists()


@pytest.mark.parametrize("setting", ["files_folder", "pat_watchdog_args"])
def test_what_is_for_files_is_refused_without_files(tmp_path: Path, setting: str) -> None:
    value = tmp_path if setting == "files_folder" else ("pat",)
    with pytest.raises(SettingsError, match=f"{setting} is for store = files"):
        EventSettings(folder=tmp_path, **{setting: value})


# Re-upload


class Reuploads(Observer):
    """Keeps what is told of re-uploads."""

    def __init__(self) -> None:
        self.states: list[ReuploadState] = []

    def reupload_progressed(self, state: ReuploadState) -> None:
        self.states.append(state)


async def test_a_reupload_is_told_and_counted(
    broker: AnyBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with child(folder=tmp_path / "c") as node:
        assert node.reupload is None
        for number in range(300):
            node.post_event(event(f"e{number}"))
    with caplog.at_level("INFO", "gwproactor.links.event_desk"):
        async with (
            Parent(broker.url, tmp_path / "p") as parent,
            child(broker.url, folder=tmp_path / "c") as node,
        ):
            seen = Reuploads()
            node.observe(seen)
            await until(lambda: node.reupload is not None and node.reupload.completed)
            await until(lambda: len(parent.ids) >= 300)
            progress, states = node.reupload, seen.states
            (link_name,) = node.stats.links
            counts = node.stats.link(link_name).reupload_counts
    assert progress is not None
    assert (states[0].total, states[0].sent, states[0].completed) == (progress.total, 0, False)
    assert states[-1] == ReuploadState(
        link_name, progress.total, progress.total, progress.total, 0, completed=True
    )
    assert (counts.total, counts.sent, counts.acked, counts.left) == states[-1][1:5]
    assert progress.total >= 300
    assert (progress.acked, progress.left) == (progress.total, 0)
    assert f"re-upload of {progress.total} events began" in caplog.text
    assert f"re-upload completed: {progress.total} events" in caplog.text


# A folder that vanishes


def remove(folder: Path) -> None:
    """Remove a folder into which a node writes meanwhile."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("box", ["outbox", "inbox", "."])
async def test_a_folder_that_vanishes_under_a_running_proactor(
    broker: AnyBroker, tmp_path: Path, box: str
) -> None:
    """What is stored from then on is safe on the disk, and sent by the next run."""
    early, late = [[f"{when}-{n}" for n in range(20)] for when in ("early", "late")]
    async with child(folder=tmp_path / "c") as node:
        for event_id in early:
            await node.store_event(event(event_id))
        remove(tmp_path / "c" / box)
        for event_id in late:
            await node.store_event(event(event_id))
    async with (
        Parent(broker.url, tmp_path / "p") as parent,
        child(broker.url, folder=tmp_path / "c") as node,
    ):
        await until(lambda: set(late) <= set(parent.ids))
        remove(tmp_path / "p" / ("inbox" if box == "outbox" else box))
        await (await node.store_event(event("last"))).acked()
        await until(lambda: "last" in parent.ids)
    assert len(parent.ids) == len(set(parent.ids))
