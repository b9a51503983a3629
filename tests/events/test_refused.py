"""Events that the peer never takes: moved aside durably, named, and in nobody's way."""

import asyncio
import errno
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.boxes.box import Boxes
from gwproactor.boxes.requeue import requeue
from gwproactor.boxes.transfer import Lines, import_events
from gwproactor.boxes.verify import verify
from gwproactor.errors import EventRefusedError, UsageError
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.persisters.persister_store import PersisterStore
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.events.refused import RefusedEvents
from gwproactor.events.store import StoredEvent
from gwproactor_test.clients import until
from gwproactor_test.disk import SlowDisk, UnreliableDisk
from gwproactor_test.events_command import stored
from tests.events.test_outgoing import Node, payload, running
from tests.events.test_payloads import BadSectors


def refused_in(folder: Path) -> list[StoredEvent]:
    log = SegmentLog(folder / "refused")
    assert log.open() == []
    events = log.read([ref.sequence for ref in log.pending()]).events
    log.close()
    return list(events)


def stores(folder: Path, disk: UnreliableDisk | None = None) -> tuple[LogStore, LogStore]:
    return LogStore(folder / "outbox"), LogStore(folder / "refused", files=disk)


async def refuse(node: Node, *event_ids: str) -> None:
    """Send all there is; the peer takes all but these, whose acks are overdue then."""
    node.events.activated()
    for event_id in await node.sent():
        if event_id not in event_ids:
            node.events.acked(event_id)
    node.events.deactivated()
    for event_id in event_ids:
        node.events.overdue([event_id], in_batch=False)


async def test_it_is_moved_named_and_its_ticket_says_so(tmp_path: Path) -> None:
    store, aside = stores(tmp_path)
    async with running(store, Outbox(max_tries=1), refused=aside) as node:
        node.post("a")
        ticket = node.events.post("b", payload("b"), "line", source="meter", priority=3)
        node.post("c")
        await refuse(node, "b")
        with pytest.raises(EventRefusedError, match="b is set aside: the peer has not taken it"):
            await ticket.acked()
        await ticket.stored()
        await node.events.drained()
        assert node.events.refused_count == 1
        assert "acked b" not in node.told
        (report,) = node.reports
        assert report.startswith("Event b is set aside")
        assert "gwproactor events requeue" in report
    assert refused_in(tmp_path) == [StoredEvent(2, "b", payload("b"), "line", "meter", 3)]
    async with running(*_again(tmp_path)) as node:
        assert node.events.pending_count == 0
        node.post("d")
        await node.events.flush()
        assert node.events.post("d", payload("d")).ref.sequence == 4


def _again(folder: Path) -> tuple[LogStore, Outbox]:
    return LogStore(folder / "outbox"), Outbox()


async def test_before_its_last_try_it_stays(tmp_path: Path) -> None:
    store, aside = stores(tmp_path)
    async with running(store, Outbox(max_tries=2), refused=aside) as node:
        node.post("a", "b")
        await refuse(node, "a")
        await until(lambda: "acked b" in node.told)
        assert (node.events.pending_count, node.events.refused_count) == (1, 0)
        node.post("c")
        node.events.activated()
        assert await node.sent() == ["c"]  # it is put off, and holds up nobody
    assert refused_in(tmp_path) == []


async def test_an_ack_that_comes_after_all_is_an_ack(tmp_path: Path) -> None:
    store, aside = stores(tmp_path)
    async with running(store, Outbox(max_tries=1), refused=aside) as node:
        node.post("a", "b")
        await node.events.flush()
        await refuse(node, "a")
        node.events.acked("a")  # before it could be moved
        await node.events.drained()
        assert node.told.count("acked a") == 1
    assert refused_in(tmp_path) == []


async def test_trouble_with_its_store_holds_up_no_other(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    store, aside = stores(tmp_path, disk)
    async with running(store, Outbox(max_tries=1), refused=aside) as node:
        node.post("a", "b")
        disk.fail(0, 10**9, errno.EIO)
        await refuse(node, "a")
        await until(lambda: "The store of refused events is in trouble" in "".join(node.reports))
        node.events.activated()
        for event_id in ("c", "d"):
            node.post(event_id)
            assert await node.sent() == [event_id]
            node.events.acked(event_id)
        await until(lambda: "acked d" in node.told)
        assert node.events.pending_count == 1
        disk.work()
        await node.events.drained()
        assert any("works again" in report for report in node.reports)
    assert [event.event_id for event in refused_in(tmp_path)] == ["a"]


async def test_one_that_cannot_be_read_does_not_keep_others_from_being_moved(
    tmp_path: Path,
) -> None:
    store, aside = BadSectors(1), LogStore(tmp_path / "refused")
    async with running(store, Outbox(max_tries=1), refused=aside, memory_bytes=0) as node:
        node.post("a", "b", "c")
        await node.events.flush()
        for event_id in ("a", "b"):
            node.events.unsendable(event_id, "it is no event")
        await until(lambda: node.events.refused_count == 1)
        assert "Event b is set aside" in "".join(node.reports)
        store.bad.clear()
        await until(lambda: node.events.refused_count == 2)
    assert [event.event_id for event in refused_in(tmp_path)] == ["a", "b"]


async def test_without_room_or_a_store_it_stays_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RefusedEvents.__init__, "__defaults__", (10,))  # bytes
    store, aside = stores(tmp_path)
    async with running(store, Outbox(max_tries=1), refused=aside) as node:
        node.post("a", "b")
        await refuse(node, "a")
        await until(lambda: len(node.reports) == 1)
        assert "has reached 10 bytes" in node.reports[0]
        node.events.activated()
        node.post("c")
        assert await node.sent() == ["c"]
    assert refused_in(tmp_path) == []
    async with running(LogStore(tmp_path / "outbox"), Outbox(max_tries=1)) as node:
        await refuse(node, "a")
        await until(lambda: len(node.reports) == 1)
        assert "there is no store of refused events" in node.reports[0]
    async with running(LogStore(tmp_path / "outbox")) as node:
        node.events.activated()
        assert await node.sent() == ["a"]


async def test_what_the_broker_does_not_take_is_tried_again_and_then_set_aside(
    tmp_path: Path,
) -> None:
    store, aside = stores(tmp_path)
    async with running(store, Outbox(max_tries=1), refused=aside) as node:
        node.events.activated()
        node.post("a", "b")
        assert await node.sent() == ["a", "b"]
        node.events.unsendable("a", "longer than the broker takes", for_ever=False)
        node.events.unsendable("unknown", "never heard of", for_ever=False)
        node.events.acked("b")
        await node.events.drained()
        assert "longer than the broker takes" in node.reports[0]
    assert [event.event_id for event in refused_in(tmp_path)] == ["a"]


async def test_many_are_reported_at_a_bounded_rate(tmp_path: Path) -> None:
    store, aside = stores(tmp_path)
    ids = [f"e{n}" for n in range(30)]
    async with running(store, Outbox(max_tries=1), refused=aside) as node:
        node.events.activated()
        node.post(*ids)
        await node.events.flush()
        for event_id in ids:
            node.events.unsendable(event_id, "it is no event")
        await node.events.drained()
        assert len(node.reports) == 1
    assert len(node.reports) == 2  # the rest of them at the end
    assert "29 events are set aside" in node.reports[1]
    assert "e29" in node.reports[1]
    assert "and 9 before these" in node.reports[1]
    assert [event.event_id for event in refused_in(tmp_path)] == ids


async def test_what_is_moved_by_halves_is_not_lost(tmp_path: Path) -> None:
    """A kill between the two halves leaves it in both; sent again, it is moved again."""
    outbox = SegmentLog(tmp_path / "outbox")
    aside = SegmentLog(tmp_path / "refused")
    event = StoredEvent(1, "a", payload("a"))
    for log in (outbox, aside):
        log.open()
        log.commit([event], ())
        log.close()
    store, refused = stores(tmp_path)
    async with running(store, Outbox(max_tries=1), refused=refused) as node:
        node.post("b")
        await refuse(node, "a")
        await node.events.drained()
    assert refused_in(tmp_path) == [event]


async def test_a_new_outbox_gives_none_of_their_sequences_out_again(tmp_path: Path) -> None:
    aside = SegmentLog(tmp_path / "refused")
    aside.open()
    aside.commit([StoredEvent(7, "old", payload("old"))], ())
    aside.close()
    store, refused = stores(tmp_path)
    async with running(store, refused=refused) as node:
        assert node.events.post("new", payload("new")).ref.sequence == 8


async def test_one_whose_place_is_taken_among_those_refused_replaces_nothing(
    tmp_path: Path,
) -> None:
    """As where the outbox is kept in files, and numbered anew in each run."""
    old = StoredEvent(1, "old", payload("old"))
    set_aside(tmp_path, old)
    hold(tmp_path, StoredEvent(1, "a", payload("a"), "line"))
    store, aside = stores(tmp_path)
    async with running(store, Outbox(max_tries=1), refused=aside) as node:
        node.post("b")
        await refuse(node, "a")
        await until(lambda: node.events.refused_count == 1)
        assert node.events.post("c", payload("c")).ref.sequence == 4
        await node.events.flush()
    assert refused_in(tmp_path) == [old, StoredEvent(3, "a", payload("a"), "line")]
    assert verify(Boxes(tmp_path)) == []


async def test_one_whose_place_is_taken_and_that_is_acked_after_all_leaves_the_other(
    tmp_path: Path,
) -> None:
    old = StoredEvent(1, "old", payload("old"))
    set_aside(tmp_path, old)
    hold(tmp_path, StoredEvent(1, "a", payload("a")))
    disk = SlowDisk()
    store, aside = LogStore(tmp_path / "outbox"), LogStore(tmp_path / "refused", files=disk)
    async with running(store, Outbox(max_tries=1), refused=aside) as node:
        disk.hold()
        node.events.unsendable("a", "it is no event")
        await until(disk.syncing.is_set)
        node.events.acked("a")
        disk.let_go.set()
        await node.events.drained()
        await until(lambda: not node.events._refused._moves)
    assert refused_in(tmp_path) == [old]


async def test_refused_again_in_every_run_of_a_node_with_files_none_is_lost(
    tmp_path: Path,
) -> None:
    for event_id in ("a", "b", "c"):
        store = PersisterStore(TimedRollingFilePersister(tmp_path / "event"))
        aside = LogStore(tmp_path / "refused")
        async with running(store, Outbox(max_tries=1), refused=aside) as node:
            node.post(event_id)
            node.events.unsendable(event_id, "it is no event")
            await node.events.drained()
    assert [event.event_id for event in refused_in(tmp_path)] == ["a", "b", "c"]


async def test_where_the_outbox_was_lost_beside_them_nothing_is_missing(tmp_path: Path) -> None:
    set_aside(tmp_path, StoredEvent(7, "old", payload("old")))
    for event_ids in (("a", "b"), ("c",)):
        store, aside = stores(tmp_path)
        async with running(store, refused=aside) as node:
            node.post(*event_ids)
    assert [event.sequence for event in outbox_of(tmp_path)] == [8, 9, 10]
    assert verify(Boxes(tmp_path)) == []


# Requeued


def outbox_of(folder: Path) -> list[StoredEvent]:
    log = SegmentLog(folder / "outbox")
    log.open()
    events = log.read([ref.sequence for ref in log.pending()]).events
    log.close()
    return list(events)


async def test_requeued_they_are_in_their_old_places(tmp_path: Path) -> None:
    store, aside = stores(tmp_path)
    async with running(store, Outbox(max_tries=1), refused=aside) as node:
        node.post("a", "b", "c", "d")
        await node.events.flush()
        node.events.activated()
        assert await node.sent() == ["a", "b", "c", "d"]
        for event_id in ("b", "a"):
            node.events.unsendable(event_id, "it is no event")
        await until(lambda: node.events.refused_count == 2)
    for _ in range(2):  # done again, it changes nothing
        assert await asyncio.to_thread(requeue, Boxes(tmp_path), None) in (2, 0)
        assert [event.event_id for event in outbox_of(tmp_path)] == ["a", "b", "c", "d"]
    assert refused_in(tmp_path) == []
    async with running(LogStore(tmp_path / "outbox")) as node:
        node.events.activated()
        assert await node.sent() == ["a", "b", "c", "d"]


def set_aside(folder: Path, *events: StoredEvent) -> None:
    log = SegmentLog(folder / "refused")
    log.open()
    log.commit(events, ())
    log.close()


def hold(folder: Path, *events: StoredEvent) -> None:
    log = SegmentLog(folder / "outbox")
    log.open()
    log.commit(events, ())
    log.close()


def test_requeued_into_a_new_outbox_in_many_commits_none_replaces_another(tmp_path: Path) -> None:
    hold(tmp_path, *(StoredEvent(n, f"new{n}", b"{}") for n in range(1, 11)))
    set_aside(tmp_path, *(StoredEvent(n, f"old{n}", b"{}") for n in range(1, 2001)))
    assert requeue(Boxes(tmp_path), None) == 2000
    there = {event.event_id: event.sequence for event in outbox_of(tmp_path)}
    assert len(there) == 2010
    assert [there[f"old{n}"] for n in range(11, 2001)] == list(range(11, 2001))
    assert [there[f"old{n}"] for n in range(1, 11)] == list(range(2001, 2011))
    assert refused_in(tmp_path) == []
    assert verify(Boxes(tmp_path)) == []


def test_requeued_in_part_it_takes_no_place_of_those_that_stay(tmp_path: Path) -> None:
    hold(tmp_path, StoredEvent(1, "new", b"{}"))
    set_aside(tmp_path, *(StoredEvent(n, f"old{n}", b"{}") for n in (1, 2, 3)))
    assert requeue(Boxes(tmp_path), {"old1"}) == 1
    assert [event.sequence for event in outbox_of(tmp_path)] == [1, 4]
    assert requeue(Boxes(tmp_path), None) == 2
    assert [event.sequence for event in outbox_of(tmp_path)] == [1, 2, 3, 4]


EVENTS = st.dictionaries(st.integers(1, 12), st.integers(1, 15).map("e{}".format), max_size=10)
"""Ids by sequence: places and ids that both stores know, and ids that one of them has twice."""


@given(EVENTS, EVENTS, st.none() | st.integers(1, 15), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_requeued_every_id_is_kept_and_there_once(
    refused: dict[int, str], waiting: dict[int, str], only: int | None, at_once: int
) -> None:
    waiting = {n: event_id for event_id, n in {e: n for n, e in waiting.items()}.items()}
    chosen = None if only is None else {f"e{only}"} & set(refused.values())
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr("gwproactor.boxes.requeue._EVENTS_IN_A_COMMIT", at_once)
        folder = Path(name)
        hold(folder, *(StoredEvent(n, event_id, b"{}") for n, event_id in waiting.items()))
        set_aside(folder, *(StoredEvent(n, event_id, b"{}") for n, event_id in refused.items()))
        requeue(Boxes(folder), chosen)
        there = [event.event_id for event in outbox_of(folder)]
        left = [event.event_id for event in refused_in(folder)]
    gone = set(refused.values()) if chosen is None else chosen
    assert sorted(there) == sorted(gone | set(waiting.values()))
    assert set(left) == set(refused.values()) - gone


# Imported


def test_imported_beside_refused_events_none_gets_a_place_of_theirs(tmp_path: Path) -> None:
    old = StoredEvent(7, "old", payload("old"))
    set_aside(tmp_path, old)
    lines = BytesIO(b"".join(stored(n, 1).payload + b"\n" for n in (1, 2)))
    import_events(Boxes(tmp_path), Lines(lines))
    assert [event.sequence for event in outbox_of(tmp_path)] == [8, 9]
    assert refused_in(tmp_path) == [old]
    assert verify(Boxes(tmp_path)) == []


def test_requeued_beside_another_of_its_sequence_it_goes_to_the_end(tmp_path: Path) -> None:
    other = StoredEvent(2, "other", payload("other"))
    log = SegmentLog(tmp_path / "outbox")
    log.open()
    log.commit([other], ())
    log.close()
    two = [StoredEvent(n, f"e{n}", payload(f"e{n}")) for n in (2, 3)]
    set_aside(tmp_path, *two)
    assert requeue(Boxes(tmp_path), {"e2", "e3"}) == 2
    assert outbox_of(tmp_path) == [other, two[1], two[0]._replace(sequence=4)]


def test_requeued_though_it_is_in_the_outbox_it_is_there_once(tmp_path: Path) -> None:
    event = StoredEvent(2, "e", payload("e"))
    set_aside(tmp_path, event)
    log = SegmentLog(tmp_path / "outbox")
    log.open()
    log.commit([event], ())
    log.close()
    assert requeue(Boxes(tmp_path), ["e"]) == 1
    assert outbox_of(tmp_path) == [event]
    assert refused_in(tmp_path) == []


def test_an_unknown_id_changes_nothing(tmp_path: Path) -> None:
    event = StoredEvent(2, "e", payload("e"))
    set_aside(tmp_path, event)
    with pytest.raises(UsageError, match="no dead letter has the id 'x', nor any refused event"):
        requeue(Boxes(tmp_path), ["e", "x"])
    assert refused_in(tmp_path) == [event]
    with DataFolder(tmp_path, "test"):
        pass  # nobody holds it any more
