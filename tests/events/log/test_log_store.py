"""The store on disk as the port: it agrees with the one in memory, and outlives its process."""

import asyncio
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gwproactor.errors import StoreError
from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.memory_store import MemoryStore
from gwproactor.events.persisters.persister import StubPersister
from gwproactor.events.persisters.persister_store import PersisterStore
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.events.store import EventStore, StoredEvent
from gwproactor_test.disk import SlowDisk
from gwproactor_test.event_runs import killed_script

ids = st.text(min_size=1, max_size=20)
payloads = st.text(max_size=100).map(lambda text: text.replace("\n", " ").encode())
puts = st.lists(st.tuples(ids, payloads, st.sampled_from(["", "line"])), max_size=4)
steps = st.lists(st.tuples(puts, st.lists(st.integers(1, 20), max_size=4), st.booleans()))


@pytest.fixture(params=["log", "log, os", "memory", "files", "stub"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventStore]:
    stores: dict[str, EventStore] = {
        "log": LogStore(tmp_path / "a"),
        "log, os": LogStore(tmp_path / "b", durable=False),
        "memory": MemoryStore(),
        "files": PersisterStore(TimedRollingFilePersister(tmp_path / "c")),
        "stub": PersisterStore(StubPersister()),
    }
    chosen = stores[request.param]
    assert await chosen.open() == []
    yield chosen
    for each in stores.values():
        await each.close()


async def test_what_is_put_is_there_until_it_is_removed(store: EventStore) -> None:
    events = [StoredEvent(n, f"e{n}", b'{"n": 1}', "line") for n in range(1, 6)]
    assert store.next_sequence == 1
    await store.commit(events, ())
    await store.commit((), [2, 99])
    assert [ref.sequence for ref in store.pending()] == [1, 3, 4, 5]
    assert store.next_sequence == 6
    assert await store.read([5, 2, 1]) == ([events[4], events[0]], [])
    size_bytes = store.size_bytes
    await store.commit([StoredEvent(6, "large", b'{"x": "%b"}' % (b"x" * 1000))], ())
    assert store.size_bytes >= size_bytes + 1000


async def test_put_and_removed_at_once_is_gone(store: EventStore) -> None:
    await store.commit([StoredEvent(1, "a", b"{}")], [1])
    assert list(store.pending()) == []


async def test_putting_again_replaces(store: EventStore) -> None:
    for text in (b'{"is": "old"}', b'{"is": "new"}'):
        await store.commit([StoredEvent(1, "a", text)], ())
    assert [event.payload for event in (await store.read([1])).events] == [b'{"is": "new"}']


async def test_closing_twice_is_once(store: EventStore) -> None:
    await store.close()
    await store.close()


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps)
async def test_log_and_memory_agree(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[list[tuple[str, bytes, str]], list[int], bool]],
) -> None:
    folder = tmp_path_factory.mktemp("agree")
    memory, log = MemoryStore(), LogStore(folder, durable=False, segment_bytes=500)
    await log.open()
    for new, removed, restart in steps:
        events = [StoredEvent(memory.next_sequence + n, *parts) for n, parts in enumerate(new)]
        for store in (memory, log):
            await store.commit(events, removed)
        if restart:
            await log.close()
            log = LogStore(folder, durable=False, segment_bytes=500)
            assert await log.open() == []
        assert list(log.pending()) == list(memory.pending())
        assert log.next_sequence >= memory.next_sequence
        wanted = [ref.sequence for ref in memory.pending()][::-1]
        assert await log.read(wanted) == await memory.read(wanted)
    await log.close()


async def test_a_cancelled_commit_is_completed_or_repeated_without_harm(tmp_path: Path) -> None:
    files = SlowDisk()
    files.hold()
    store = LogStore(tmp_path, files=files)
    await store.open()
    event = StoredEvent(1, "a", b"{}")
    commit = asyncio.create_task(store.commit([event], ()))
    await asyncio.to_thread(files.syncing.wait, 20)
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    files.let_go.set()
    await store.commit([event], ())
    assert list(store.pending()) == [event.ref]
    await store.close()
    store = LogStore(tmp_path)
    await store.open()
    assert list(store.pending()) == [event.ref]
    await store.close()


async def test_a_commit_that_ends_after_the_store_is_closed_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwproactor.events.disk.disk_thread._LAST_CALL_SECONDS", 0.01)
    files = SlowDisk()
    store = LogStore(tmp_path, segment_bytes=1, files=files)
    await store.open()
    await store.commit([StoredEvent(1, "a", b"{}")], ())
    files.hold()
    removal = asyncio.create_task(store.commit((), [1], sync_removals=True))
    await asyncio.to_thread(files.syncing.wait, 20)
    await store.close()
    files.let_go.set()
    await removal  # and tidying is left to the next run


async def test_closing_does_not_wait_for_a_disk_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gwproactor.events.disk.disk_thread._LAST_CALL_SECONDS", 0.01)
    files = SlowDisk()
    files.hold()
    store = LogStore(tmp_path, files=files)
    await store.open()
    commit = asyncio.create_task(store.commit([StoredEvent(1, "a", b"{}")], ()))
    await asyncio.to_thread(files.syncing.wait, 20)
    await store.close()
    assert not commit.done()
    files.let_go.set()
    await commit


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from gwproactor.errors import StoreError
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.store import StoredEvent

async def main():
    store = LogStore(Path(sys.argv[1]))
    await store.open()
    failures = 0
    for n in range(1, 101):
        event = StoredEvent(n, f"e{n}", b"x" * 200)
        try:
            await store.commit([event], ())
        except StoreError as error:
            assert "EFBIG" in str(error), error
            failures += 1
            await store.commit([event], ())  # a fresh file has room
    assert failures > 5, failures
    await store.close()

resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
asyncio.run(main())
"""


async def test_a_limit_on_file_sizes_is_an_error_and_no_loss(tmp_path: Path) -> None:
    await run_python(LIMITED, str(tmp_path))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    store = LogStore(tmp_path)
    assert await store.open() == []
    assert [ref.event_id for ref in store.pending()] == [f"e{n}" for n in range(1, 101)]
    await store.close()


FULL = """
import asyncio, resource, sys
from pathlib import Path
from gwproactor.errors import StoreError
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.store import StoredEvent

async def main():
    store = LogStore(Path(sys.argv[1]))
    await store.open()
    for n in range(1, 20):
        try:
            await store.commit([StoredEvent(n, f"e{n}", b"x" * 200)], ())
        except StoreError as error:
            assert "EFBIG" in str(error), error
        else:
            raise SystemExit("it was written")
    await store.close()

resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
asyncio.run(main())
"""


async def test_a_full_disk_leaves_no_junk(tmp_path: Path) -> None:
    await run_python(FULL, str(tmp_path / "outbox"))
    assert list((tmp_path / "outbox").iterdir()) == []


async def run_python(code: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, stderr=subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


POSTER = """
import asyncio, sys
from pathlib import Path
from gwproactor.events.log.log_store import LogStore
from gwproactor.events.core.outbox import Outbox
from gwproactor.events.outgoing import OutgoingEvents

async def main():
    events = OutgoingEvents(
        LogStore(Path(sys.argv[1]), durable=False, segment_bytes=5000),
        Outbox(),
        on_stored=lambda ref: print("stored", ref.event_id, flush=True),
        on_acked=lambda ref: print("acked", ref.event_id, flush=True),
        report=lambda summary, details: print("problem", summary, details, flush=True),
    )
    await events.open()
    running = asyncio.create_task(events.run())
    events.activated()
    for n in range(int(sys.argv[2]), 10**9):
        events.post(f"e{n}", b'{"n": 1}', "line")
        if n % 20 == 0:
            events.deactivated()
            events.activated()
        if n % 10 == 0:
            for event in await events.next_to_send():
                if (event.sequence + n // 20) % 3:
                    print("peer-acks", event.event_id, flush=True)
                    events.acked(event.event_id)
        await asyncio.sleep(0)

asyncio.run(main())
"""


async def kill_in_mid_stream(folder: Path, run: int, lines: int) -> list[list[str]]:
    """Let a process post events, kill it after so many lines of output; return all it said."""
    return await killed_script(POSTER, folder, run * 10**6, lines=lines)


@pytest.mark.parametrize("kills", [4, pytest.param(200, marks=pytest.mark.prove)])
@pytest.mark.timeout(300)
async def test_a_kill_loses_nothing_stored_and_brings_back_nothing_acked(
    tmp_path: Path, kills: int
) -> None:
    heard: dict[str, set[str]] = {"stored": set(), "acked": set(), "peer-acks": set()}
    for run in range(kills):
        said = await kill_in_mid_stream(tmp_path, run, 100 + 137 * run % 1000)
        for word, event_id in said:
            heard[word].add(event_id)
        pending = set(await pending_ids(tmp_path))
        assert heard["stored"] - heard["peer-acks"] <= pending
        assert not heard["acked"] & pending
        # An event of an earlier run may have been stored at the moment of its kill, untold.
        own = {event_id for event_id in heard["acked"] if int(event_id[1:]) >= run * 10**6}
        assert own <= heard["stored"]
    assert heard["stored"] & heard["acked"]


async def pending_ids(folder: Path) -> Sequence[str]:
    store = LogStore(folder)
    assert await store.open() == []
    ids = [ref.event_id for ref in store.pending()]
    await store.close()
    return ids


async def test_errors_name_the_file_and_the_cause(tmp_path: Path) -> None:
    class FullDisk(FileCalls):
        def write(self, descriptor: int, data: memoryview) -> int:
            raise OSError(28, "No space left on device")

    store = LogStore(tmp_path, files=FullDisk())
    await store.open()
    with pytest.raises(StoreError, match=r"events-0000000001\.log: No space left.*ENOSPC"):
        await store.commit([StoredEvent(1, "a", b"{}")], ())
    await store.close()
