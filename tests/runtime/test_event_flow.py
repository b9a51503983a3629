import asyncio
import itertools
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from gwproactor.boxes.box import Box, Boxes
from gwproactor.boxes.reader import open_box
from gwproactor.boxes.requeue import requeue
from gwproactor.config.events import Durability, EventSettings, EventStoreKind
from gwproactor.errors import (
    NotRunningError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreUnusableError,
    UsageError,
)
from gwproactor.events.core.window import Window
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.persisters import rolling_scan
from gwproactor.events.persisters.persister import PersisterInterface
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.events.store import EventRef
from gwproactor.runtime import event_flow
from gwproactor.runtime.event_flow import EventFlow, event_files
from gwproactor_test.clients import until


class Flow:
    """An EventFlow with notes of what it reports."""

    def __init__(
        self,
        settings: EventSettings,
        name: str = "d1.site",
        persister: PersisterInterface | None = None,
    ) -> None:
        self.stored: list[EventRef] = []
        self.reports: list[tuple[str, str]] = []
        self.events = EventFlow(
            name,
            settings,
            Window(),
            handler=self.handle,
            acknowledge=lambda *_: None,
            on_stored=self.stored.append,
            on_acked=lambda _: None,
            report=lambda *report: self.reports.append(report),
            persister=persister,
        )

    async def handle(self, event: ReceivedEvent) -> None:
        pytest.fail(f"nothing was received: {event}")


@pytest.mark.parametrize("durability", [Durability.fsync, Durability.os])
async def test_what_is_posted_is_there_when_opened_again(
    tmp_path: Path, durability: Durability
) -> None:
    settings = EventSettings(folder=tmp_path / "data", durability=durability)
    first = Flow(settings)
    await first.events.open()
    first.events.outgoing.post("id", b"{}", "tag")
    await first.events.close()
    await first.events.close()
    assert [ref.event_id for ref in first.stored] == ["id"]
    second = Flow(settings)
    await second.events.open()
    assert second.events.outgoing.pending_count == 1
    await second.events.close()
    assert not first.reports
    assert not second.reports


@pytest.mark.parametrize(
    "settings",
    [
        lambda folder: EventSettings(),
        lambda folder: EventSettings(folder=folder, durability=Durability.none),
    ],
)
async def test_in_memory_nothing_is_written(tmp_path: Path, settings: object) -> None:
    assert callable(settings)
    flow = Flow(settings(tmp_path / "data"))
    await flow.events.open()
    flow.events.outgoing.post("id", b"{}")
    await flow.events.outgoing.flush()
    assert [ref.event_id for ref in flow.stored] == ["id"]
    await flow.events.close()
    assert not exists(tmp_path / "data")


def exists(path: Path) -> bool:
    return path.exists()


async def test_a_folder_is_held_until_closed(tmp_path: Path) -> None:
    settings = EventSettings(folder=tmp_path)
    first, second = Flow(settings, "the.first"), Flow(settings)
    await first.events.open()
    with pytest.raises(StoreLockedError, match=r"the\.first"):
        await second.events.open()
    await first.events.close()
    third = Flow(settings)
    await third.events.open()
    await third.events.close()
    with pytest.raises(NotRunningError):
        third.events.outgoing.post("id", b"{}")


@pytest.mark.parametrize("part", ["outbox", "inbox", "dead-letters", "seen"])
async def test_a_store_that_cannot_be_opened_lets_the_folder_go(tmp_path: Path, part: str) -> None:
    obstacle = tmp_path / part
    obstacle.touch()
    settings = EventSettings(folder=tmp_path)
    with pytest.raises(StoreUnusableError, match=part):
        await Flow(settings).events.open()
    obstacle.unlink()
    flow = Flow(settings)
    await flow.events.open()
    await flow.events.close()


class HungStore(MemoryStore):
    """A store whose disk never answers a commit."""

    async def commit(self, *args: object, **options: object) -> None:
        await asyncio.Event().wait()


async def test_disks_that_hang_in_both_directions_hold_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_flow, "MemoryStore", HungStore)
    flow = Flow(EventSettings())
    await flow.events.open()
    flow.events.outgoing.post("out", b"{}")
    flow.events.incoming.receive("link", "in", b"{}")
    with pytest.raises(StoreError, match="did not answer"):
        await flow.events.close(0.05)
    assert flow.events.outgoing.stored_count == 0


async def test_a_persister_keeps_what_is_posted(tmp_path: Path) -> None:
    settings = EventSettings(folder=tmp_path / "data")
    first = Flow(settings, persister=TimedRollingFilePersister(tmp_path / "events"))
    await first.events.open()
    first.events.outgoing.post("id", b"{}", "tag")
    await first.events.close()
    persister = TimedRollingFilePersister(tmp_path / "events")
    second = Flow(settings, persister=persister)
    await second.events.open()
    assert second.events.outgoing.pending_count == 1
    assert persister.pending_ids() == ["id"]
    second.events.outgoing.activated()
    assert [e.event_id for e in await second.events.outgoing.next_to_send()] == ["id"]
    second.events.outgoing.acked("id")
    await second.events.close()
    assert persister.pending_ids() == []
    assert not first.reports
    assert not second.reports


async def test_a_full_persister_refuses_and_drops_nothing(tmp_path: Path) -> None:
    persister = TimedRollingFilePersister(tmp_path / "events", max_bytes=1000)
    flow = Flow(EventSettings(), persister=persister)
    await flow.events.open()
    kept = 0
    with suppress(StoreFullError):
        while kept < 100:
            flow.events.outgoing.post(f"e{kept}", b"{}")
            kept += 1
    assert 0 < kept < 100
    await flow.events.close()
    assert persister.pending_ids() == [f"e{n}" for n in range(kept)]
    assert not flow.reports


def test_the_watchdog_is_patted_while_many_files_are_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = EventSettings(
        folder=tmp_path,
        store=EventStoreKind.files,
        pat_watchdog_args=("touch", str(tmp_path / "patted")),
    )
    persister = event_files(settings)
    assert persister is not None
    persister.persist("id", b"{}")
    two_seconds_later_each_time = SimpleNamespace(monotonic=itertools.count(0, 2).__next__)
    monkeypatch.setattr(rolling_scan, "time", two_seconds_later_each_time)
    with caplog.at_level("INFO", "gwproactor.runtime.event_flow"):
        persister.reindex()
    assert (tmp_path / "patted").exists()
    assert "events found so far" in caplog.text


async def refuse_one(settings: EventSettings, persister: PersisterInterface | None) -> Flow:
    """Post two events, of which one can never be sent."""
    flow = Flow(settings, persister=persister)
    await flow.events.open()
    running = asyncio.create_task(flow.events.outgoing.run())
    for event_id in ("a", "b"):
        flow.events.outgoing.post(event_id, payload(event_id))
    flow.events.outgoing.unsendable("a", "it is no event")
    await until(lambda: bool(flow.reports))
    await flow.events.close()
    await running
    return flow


def payload(event_id: str) -> bytes:
    return b'{"MessageId": "%b"}' % event_id.encode()


async def test_what_is_refused_of_event_files_is_set_aside_and_goes_back_there(
    tmp_path: Path,
) -> None:
    settings = EventSettings(folder=tmp_path, store=EventStoreKind.files)
    flow = await refuse_one(settings, event_files(settings))
    assert flow.events.outgoing.refused_count == 1
    assert "gwproactor events requeue" in flow.reports[0][1]
    boxes = Boxes(tmp_path)
    for count in (1, 0):  # done again, it changes nothing
        assert await asyncio.to_thread(requeue, boxes, None) == count
        assert [event.event_id for event in open_box(boxes, Box.files)] == ["b", "a"]
    assert not exists(tmp_path / "outbox")


async def test_though_no_event_file_is_left_it_goes_where_they_are(tmp_path: Path) -> None:
    settings = EventSettings(folder=tmp_path, store=EventStoreKind.files)
    await refuse_one(settings, event_files(settings))
    persister = event_files(settings)
    assert persister is not None
    persister.reindex()
    persister.clear("b")
    assert await asyncio.to_thread(requeue, Boxes(tmp_path), {"a"}) == 1
    assert [event.event_id for event in open_box(Boxes(tmp_path), Box.files)] == ["a"]


async def test_with_a_log_and_files_it_is_said_where_refused_events_go(tmp_path: Path) -> None:
    settings = EventSettings(folder=tmp_path, store=EventStoreKind.files)
    await refuse_one(settings, event_files(settings))
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "events-0000000001.log").touch()
    with pytest.raises(UsageError, match="say --box outbox, or --box files"):
        await asyncio.to_thread(requeue, Boxes(tmp_path), None)
    assert await asyncio.to_thread(requeue, Boxes(tmp_path), None, Box.outbox) == 1
    assert [event.event_id for event in open_box(Boxes(tmp_path), Box.outbox)] == ["a"]


async def test_in_a_persister_of_ones_own_it_stays(tmp_path: Path) -> None:
    persister = TimedRollingFilePersister(tmp_path / "own")
    flow = await refuse_one(EventSettings(folder=tmp_path), persister)
    assert flow.events.outgoing.refused_count == 0
    assert "not tried again in this run" in flow.reports[0][1]
    assert sorted(persister.pending_ids()) == ["a", "b"]


async def test_in_memory_nothing_is_promised_of_requeue() -> None:
    flow = await refuse_one(EventSettings(), None)
    assert flow.events.outgoing.refused_count == 1
    assert "requeue" not in flow.reports[0][1]
    assert "in memory, until the node stops" in flow.reports[0][1]
