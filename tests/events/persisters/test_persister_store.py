"""Persisters behind the port: what they say, raise, keep and lose."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest
from result import Err, Ok, Result

from gwproactor.errors import StoreError, StoreUnusableError
from gwproactor.events.persisters.persister import (
    PersisterInterface,
    StubPersister,
)
from gwproactor.events.persisters.persister_errors import (
    JSONDecodingError,
    PersisterError,
    PersisterWarning,
    ReadFailed,
    WriteFailed,
)
from gwproactor.events.persisters.persister_store import PersisterStore
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.events.store import StoredEvent
from gwproactor.problems import Problems
from gwproactor_test.disk import ERRORS, SlowDisk, UnreliableDisk
from gwproactor_test.persisters import DictPersister

Outcome = Callable[[], Result[bool, Problems]]


def event(sequence: int, uid: str = "", tag: str = "") -> StoredEvent:
    return StoredEvent(sequence, uid or f"e{sequence}", b'{"n": %d}' % sequence, tag)


class UsersOwn(DictPersister):
    """A persister of a user's, that may do anything when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.does: dict[str, Callable[[], object]] = {}
        self.calls: list[tuple[str, str]] = []

    def _does(self, call: str, uid: str = "") -> Result[bool, Problems]:
        self.calls.append((call, uid))
        return self.does.get(call, lambda: Ok(True))()  # type: ignore[return-value]  # a user's may return anything

    def persist(self, uid: str, content: bytes) -> Result[bool, Problems]:
        result = self._does("persist", uid)
        super().persist(uid, content)
        return result

    def clear(self, uid: str) -> Result[bool, Problems]:
        result = self._does("clear", uid)
        super().clear(uid)
        return result

    def retrieve(self, uid: str) -> Result[bytes | None, Problems]:
        if "retrieve" in self.does:
            return self._does("retrieve", uid)  # type: ignore[return-value]
        return super().retrieve(uid)

    def reindex(self) -> Result[bool | None, Problems]:
        return self._does("reindex")

    def sync_removals(self) -> Result[bool, Problems]:
        return self._does("sync")


class OpenStore(Protocol):
    """Makes a store and opens it; it is closed at the end of the test."""

    async def __call__(self, persister: PersisterInterface) -> PersisterStore: ...


@pytest.fixture
async def opened(reports: list[str]) -> AsyncIterator[OpenStore]:
    async with AsyncExitStack() as stack:

        async def open_store(persister: PersisterInterface) -> PersisterStore:
            store = PersisterStore(
                persister, report=lambda summary, details: reports.append(f"{summary}: {details}")
            )
            stack.push_async_callback(store.close)
            assert await store.open() == []
            return store

        yield open_store


@pytest.fixture
def reports() -> list[str]:
    return []


def ids(store: PersisterStore) -> list[str]:
    return [ref.event_id for ref in store.pending()]


async def test_what_is_found_is_numbered_in_its_order(tmp_path: Path, opened: OpenStore) -> None:
    store = await opened(TimedRollingFilePersister(tmp_path))
    await store.commit([event(n, tag="line") for n in (7, 8, 9)], ())
    await store.commit((), [8])
    await store.close()
    store = await opened(TimedRollingFilePersister(tmp_path))
    assert list(store.pending()) == [
        event(7).ref._replace(sequence=1),
        event(9).ref._replace(sequence=2),
    ]
    assert store.next_sequence == 3
    assert (await store.read([2])).events == [event(9)._replace(sequence=2)]
    assert store.size_bytes == sum(ref.size_bytes for ref in store.pending())


async def test_content_of_several_lines_becomes_one(opened: OpenStore) -> None:
    persister = UsersOwn()
    persister.contents["a"] = b'{\n "n": 1\n}'
    store = await opened(persister)
    assert [e.payload for e in (await store.read([1])).events] == [b'{  "n": 1 }']


async def test_of_two_events_with_one_id_the_later_is_kept(opened: OpenStore) -> None:
    persister = UsersOwn()
    store = await opened(persister)
    await store.commit([event(1, "a")], ())
    await store.commit([event(2, "a")], [1])
    assert [ref.sequence for ref in store.pending()] == [2]
    assert (await store.read([1, 2])).events == [event(2, "a")]
    await store.commit([event(3, "a"), event(4, "a")], ())
    assert [ref.sequence for ref in store.pending()] == [4]
    await store.commit((), [4])
    assert persister.contents == {}
    assert store.size_bytes == 0


async def test_another_id_under_an_old_sequence_replaces_it(opened: OpenStore) -> None:
    persister = UsersOwn()
    store = await opened(persister)
    await store.commit([event(1, "a")], ())
    await store.commit([event(1, "b")], ())
    assert list(persister.contents) == ids(store) == ["b"]


async def test_repeating_a_commit_changes_nothing(opened: OpenStore) -> None:
    persister = UsersOwn()
    store = await opened(persister)
    for _ in range(2):
        await store.commit([event(1)], ())
        await store.commit([event(2)], ())
    assert [call for call in persister.calls if call[0] == "persist"] == [
        ("persist", "e1"),
        ("persist", "e2"),
    ]


async def test_a_failed_commit_counts_as_not_done_and_goes_on_when_repeated(
    opened: OpenStore,
) -> None:
    persister = UsersOwn()
    store = await opened(persister)
    await store.commit([event(1)], ())
    outcomes: list[Result[bool, Problems]] = [Ok(True), Err(Problems(errors=[WriteFailed("full")]))]
    persister.does["persist"] = lambda: outcomes.pop(0) if outcomes else Ok(True)
    batch = [event(2), event(3), event(4)]
    with pytest.raises(StoreError, match="UsersOwn cannot persist e3: full"):
        await store.commit(batch, [1])
    assert ids(store) == ["e1"]
    assert (await store.read([1, 2, 3])).events == [event(1)]
    persister.calls.clear()
    await store.commit(batch, [1])
    assert persister.calls == [("persist", "e3"), ("persist", "e4"), ("clear", "e1")]
    assert ids(store) == ["e2", "e3", "e4"]


def raises() -> object:
    raise ZeroDivisionError("its own fault")


FAILURES: list[tuple[Callable[[], object], str]] = [
    (raises, "ZeroDivisionError: its own fault"),
    (lambda: Err(Problems(errors=[PersisterError("no way")])), "no way"),
    (lambda: Err(Problems()), "Err"),
    (lambda: Err("text"), "Err.*text"),
    (lambda: None, "None, which is no result"),
]


@pytest.mark.parametrize(("outcome", "words"), FAILURES)
async def test_whatever_goes_wrong_is_a_store_error(
    outcome: Callable[[], object], words: str, opened: OpenStore
) -> None:
    persister = UsersOwn()
    store = await opened(persister)
    await store.commit([event(1)], ())
    persister.does = dict.fromkeys(["persist", "clear", "retrieve", "sync"], outcome)
    with pytest.raises(StoreError, match=f"persist e2: .*{words}"):
        await store.commit([event(2)], ())
    with pytest.raises(StoreError, match=f"clear e1: .*{words}"):
        await store.commit((), [1])
    with pytest.raises(StoreError, match=f"retrieve e1: .*{words}"):
        await store.read([1])
    persister.does = {"sync": outcome}
    with pytest.raises(StoreError, match=f"sync: .*{words}"):
        await store.commit((), [1], sync_removals=True)


@pytest.mark.parametrize(("outcome", "words"), FAILURES)
async def test_what_cannot_be_reindexed_is_unusable(
    outcome: Callable[[], object], words: str
) -> None:
    persister = UsersOwn()
    persister.does["reindex"] = outcome
    store = PersisterStore(persister)
    with pytest.raises(StoreUnusableError, match=words):
        await store.open()
    await store.close()


async def test_warnings_are_no_errors_and_are_told_at_a_bounded_rate(
    opened: OpenStore, reports: list[str]
) -> None:
    persister = UsersOwn()
    store = await opened(persister)
    warning = Err(Problems(warnings=[PersisterWarning("odd")]))
    persister.does = {"persist": lambda: warning, "clear": lambda: warning}
    await store.commit([event(n) for n in range(1, 9)], ())
    await store.commit((), [1, 2])
    assert ids(store) == [f"e{n}" for n in range(3, 9)]
    odd = "; ".join(["PersisterWarning: odd"] * 5)
    assert reports == [f"UsersOwn warns: {odd}; and 3 more"]


async def test_what_a_persister_does_not_keep_stays_in_memory(opened: OpenStore) -> None:
    stub = StubPersister()
    store = await opened(stub)
    await store.commit([event(1, tag="line"), event(2)], ())
    assert (await store.read([2, 1])).events == [event(2), event(1, tag="line")]
    await store.commit((), [1])
    assert ids(store) == ["e2"]
    assert (stub.num_persists, stub.num_clears) == (2, 1)


# Damage


async def test_what_is_gone_is_damaged_and_can_be_removed(
    opened: OpenStore, tmp_path: Path
) -> None:
    persister = TimedRollingFilePersister(tmp_path)
    store = await opened(persister)
    await store.commit([event(1), event(2)], ())
    persister.pending_paths()[0].unlink()
    events, (damage,) = await store.read([1, 2])
    assert events == [event(2)]
    assert (damage.event_id, damage.sequence) == ("e1", 1)
    assert "gone" in damage.reason
    assert str(tmp_path) in damage.reason
    await store.commit((), [1])
    assert ids(store) == persister.pending_ids() == ["e2"]


async def test_what_a_persister_has_dropped_is_damaged(opened: OpenStore) -> None:
    persister = UsersOwn()
    store = await opened(persister)
    await store.commit([event(1)], ())
    persister.contents.clear()
    _, (damage,) = await store.read([1])
    assert damage.reason == "it is not there any more"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"n": ', b"\xff", b'"text"'])
async def test_what_is_no_json_object_is_damaged_and_set_aside(
    content: bytes, opened: OpenStore, tmp_path: Path
) -> None:
    persister = TimedRollingFilePersister(tmp_path)
    persister.persist("e1", content)
    (path,) = persister.pending_paths()
    store = await opened(persister)
    assert [d.event_id for d in (await store.read([1])).damages] == ["e1"]
    await store.commit((), [1])
    assert (tmp_path / "damaged" / path.name).read_bytes() == content
    assert ids(store) == persister.pending_ids() == []


async def test_what_is_damaged_is_set_aside_before_its_id_is_used_again(
    opened: OpenStore, tmp_path: Path
) -> None:
    persister = TimedRollingFilePersister(tmp_path)
    persister.persist("e1", b"rubbish")
    store = await opened(persister)
    await store.read([1])
    await store.commit([event(2, "e1")], [1])
    assert len(list((tmp_path / "damaged").iterdir())) == 1
    assert (await store.read([2])).events == [event(2, "e1")]


async def test_what_cannot_be_set_aside_stays_where_it_is(opened: OpenStore) -> None:
    persister = UsersOwn()
    store = await opened(persister)
    await store.commit([event(1)], ())
    persister.does["retrieve"] = lambda: Err(Problems(errors=[JSONDecodingError("no JSON")]))
    _, (damage,) = await store.read([1])
    assert damage.reason == "no JSON"
    await store.commit((), [1])
    assert ids(store) == []
    assert list(persister.contents) == ["e1"]


async def test_what_cannot_be_read_now_is_not_damaged(opened: OpenStore) -> None:
    persister = UsersOwn()
    store = await opened(persister)
    await store.commit([event(1)], ())
    persister.does["retrieve"] = lambda: Err(Problems(errors=[OSError(), ReadFailed("EIO")]))
    with pytest.raises(StoreError, match="UsersOwn cannot retrieve e1: EIO"):
        await store.read([1])
    persister.does.clear()
    assert await store.read([1]) == ([event(1)], [])


async def test_ids_that_cannot_be_are_named_and_left_alone(tmp_path: Path) -> None:
    persister = UsersOwn()
    persister.contents = {"x" * 5000: b"{}", "": b"{}", "a": b"{}"}
    store = PersisterStore(persister)
    long, empty = await store.open()
    assert "5000 characters" in long.reason
    assert len(long.event_id) == 100
    assert "empty" in empty.reason
    assert ids(store) == ["a"]
    assert len(persister.contents) == 3
    await store.close()


# Faults, and time


@pytest.mark.parametrize("error", ERRORS)
async def test_an_error_at_any_call_is_no_loss(
    tmp_path: Path, error: int, opened: OpenStore
) -> None:
    disk = UnreliableDisk()
    store = await opened(TimedRollingFilePersister(tmp_path, files=disk))
    await store.commit([event(1)], ())
    for first in range(30):
        disk.fail(first, 2, error)
        batch = [event(2 * first + n) for n in (2, 3)]
        done = [ref.sequence for ref in store.pending()]
        failures: list[str] = []
        try:
            await store.commit(batch, done, sync_removals=True)
        except StoreError as failure:
            failures.append(str(failure))
        disk.work()
        if failures:
            await store.commit(batch, done, sync_removals=True)
        assert all(errno.errorcode[error] in words for words in failures)
        assert (await store.read([e.sequence for e in batch])) == (batch, [])
        assert list(store.pending()) == [e.ref for e in batch]
    await store.close()
    again = await opened(TimedRollingFilePersister(tmp_path))
    assert ids(again) == ["e60", "e61"]


async def test_a_cancelled_commit_is_completed_and_repeated_without_harm(
    tmp_path: Path, opened: OpenStore
) -> None:
    files = SlowDisk()
    persister = TimedRollingFilePersister(tmp_path, files=files)
    store = await opened(persister)
    files.hold()
    commit = asyncio.create_task(store.commit([event(1)], ()))
    await asyncio.to_thread(files.syncing.wait, 20)
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    files.let_go.set()
    await store.commit([event(1)], ())
    assert list(store.pending()) == [event(1).ref]
    assert persister.num_persists == 1


async def test_closing_twice_is_once(opened: OpenStore) -> None:
    persister = UsersOwn()
    store = await opened(persister)
    await store.close()
    await store.close()
    assert persister.calls == [("reindex", ""), ("sync", "")]
