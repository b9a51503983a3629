"""What is remembered of events dealt with: in memory, on disk, across kills and power cuts."""

import errno
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import psutil
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gwproactor.errors import StoreError, StoreFormatError, StoreUnusableError
from gwproactor.events.core.seen_ids import SeenIds, digest_of
from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.log.seen_files import SeenFiles, decode_file, encode_header, encode_line
from gwproactor.events.log.seen_log import MemorySeen, Seen, SeenLog
from gwproactor_test.disk import ERRORS, PowerCut, UnreliableDisk

# In memory


@given(st.lists(st.lists(st.text(max_size=3), max_size=20), max_size=6), st.integers(0, 6))
def test_a_dropped_generation_is_forgotten_and_no_other(
    generations: list[list[str]], drop: int
) -> None:
    ids = SeenIds()
    for generation in generations:
        ids.begin_generation()
        for event_id in generation:
            ids.add(digest_of(event_id))
    for _ in range(min(drop, len(generations))):
        ids.drop_generation()
    kept = generations[drop:]
    known = {event_id for generation in kept for event_id in generation}
    assert len(ids) == sum(map(len, kept))
    assert all((digest_of(event_id) in ids) == (event_id in known) for event_id in "abc")
    assert all(digest_of(event_id) in ids for event_id in known)


def test_any_text_has_a_digest() -> None:
    assert digest_of("\ud800") != digest_of("")
    assert len(digest_of("é" * 10_000)) == 16


# In files


class SeenMachine(RuleBasedStateMachine):
    """One peer's files, and the last ids written, an empty one for each that may be in vain."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name) / "seen"
        self.disk = UnreliableDisk()
        self.must: deque[str] = deque(maxlen=40)
        self.count = 0

    @initialize()
    def start(self) -> None:
        self.seen = SeenFiles(self.folder, max_ids=40, ids_per_file=10, files=self.disk)
        assert self.seen.open() == []

    def teardown(self) -> None:
        self.disk.work()
        self.disk.end_process()
        self.home.cleanup()

    def some(self, count: int) -> list[str]:
        self.count += count
        return [f"id-{n}" for n in range(self.count - count, self.count)]

    @rule(count=st.integers(1, 12))
    def add(self, count: int) -> None:
        ids = self.some(count)
        self.seen.add(ids)
        self.must.extend(ids)

    @rule(first=st.integers(0, 4), count=st.integers(1, 3), error=st.sampled_from(ERRORS))
    def add_with_errors(self, first: int, count: int, error: int) -> None:
        ids = self.some(3)
        self.disk.fail(first, count, error, short=True)
        try:
            self.seen.add(ids)
        except StoreError as failure:
            self.disk.work()
            if errno.errorcode[error] not in str(failure):
                raise
            self.must.extend([""] * 3)
            self.seen.add(ids)
        self.disk.work()
        self.must.extend(ids)

    @rule(data=st.data(), first=st.integers(0, 4), power=st.booleans(), opening=st.booleans())
    def die(self, data: st.DataObject, first: int, power: bool, opening: bool) -> None:
        ids = self.some(3)
        self.disk.cut_power_during(first)
        try:
            if opening:
                self.restart()
            self.seen.add(ids)
            self.must.extend(ids)
        except PowerCut:
            self.must.extend([""] * 3)
        self.disk.work()
        if power:
            self.disk.lose_unsynced(lambda low, high: data.draw(st.integers(low, high)))
        self.restart()

    @rule()
    def restart(self) -> None:
        self.disk.end_process()
        self.start()

    @invariant()
    def what_must_be_known_is(self) -> None:
        if hasattr(self, "seen"):
            known = filter(None, self.must)
            assert [event_id for event_id in known if event_id not in self.seen] == []
            assert "never" not in self.seen

    @invariant()
    def it_is_bounded(self) -> None:
        if hasattr(self, "seen"):
            # A file may hold twelve more than its ten, and each restart begins a new one.
            assert len(self.seen.ids) <= 40 + 22 + 12
            assert len(list(self.folder.glob("seen-*"))) <= 40


SETTINGS = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining is slow here
)


def test_seen_files_keep_their_promises() -> None:
    run_state_machine_as_test(SeenMachine, settings=SETTINGS)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_seen_files_keep_their_promises_at_length() -> None:
    long = settings(SETTINGS, max_examples=1500, stateful_step_count=60)
    run_state_machine_as_test(SeenMachine, settings=long)


def test_restarts_leave_few_files(tmp_path: Path) -> None:
    for run in range(200):
        seen = SeenFiles(tmp_path, durable=False, max_ids=1000, ids_per_file=100)
        seen.open()
        seen.add([f"id-{run}"])
        seen.close()
    assert len(list(tmp_path.iterdir())) < 60
    assert all(f"id-{run}" in seen for run in range(200))


def test_a_damaged_line_is_named_once_and_forgets_its_ids_only(tmp_path: Path) -> None:
    seen = SeenFiles(tmp_path)
    seen.open()
    for event_id in ("a", "b", "c"):
        seen.add([event_id])
    seen.close()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(digest_of("b").hex().encode(), b"0" * 32))

    seen = SeenFiles(tmp_path)
    (damage,) = seen.open()
    assert str(path) in damage.place
    assert "1 damaged line" in damage.reason
    assert [event_id in seen for event_id in ("a", "b", "c")] == [True, False, True]
    assert SeenFiles(tmp_path).open() == []


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_flipped_byte_costs_one_line_at_most(offset: int, mask: int) -> None:
    lines = [[digest_of(f"{n}"), digest_of(f"{n}b")] for n in range(5)]
    data = bytearray(encode_header() + b"".join(map(encode_line, lines)))
    data[offset % len(data)] ^= mask
    digests, damaged = decode_file(bytes(data), "test")
    lost = [line for line in lines if line[0] not in digests]
    in_last_newline = offset % len(data) == len(data) - 1
    assert len(lost) <= (2 if data.count(b"\n") < 6 else 1)
    assert damaged or not lost or in_last_newline
    assert set(digests) <= {digest for line in lines for digest in line}


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    text = encode_header().replace(b"format 001", b"format 002").split(b", crc")[0]
    (tmp_path / "seen-0000000001.log").write_bytes(b"%b, crc %08x\n" % (text, crc32(text)))
    with pytest.raises(StoreFormatError, match="format 2"):
        SeenFiles(tmp_path).open()


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "seen-0000000001.log.old").write_text("mine")
    files = SeenFiles(tmp_path)
    assert files.open() == []
    files.add(["a"])
    files.close()
    assert (tmp_path / "seen-0000000001.log.old").read_text() == "mine"
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "seen-0000000001.log",
        "seen-0000000001.log.old",
    ]


def test_an_unusable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusableError, match="file"):
        SeenFiles(tmp_path / "file" / "seen").open()


# Links

makers: dict[str, Callable[[Path, int], Seen]] = {
    "log": lambda folder, max_ids: SeenLog(folder, max_ids=max_ids, ids_per_file=max_ids),
    "memory": lambda folder, max_ids: MemorySeen(max_ids=max_ids),
}


@pytest.mark.parametrize("make", makers.values(), ids=makers)
async def test_each_link_remembers_its_own(
    make: Callable[[Path, int], Seen], tmp_path: Path
) -> None:
    seen = make(tmp_path / "seen", 10)
    assert await seen.open() == []
    await seen.add([("quiet", "a")])
    for n in range(100):
        await seen.add([("busy", f"{n}"), ("other", f"{n}")])
    assert ("quiet", "a") in seen
    assert ("busy", "a") not in seen
    assert ("unheard", "a") not in seen
    assert all(("busy", f"{n}") in seen for n in range(90, 100))
    assert ("busy", "0") not in seen
    await seen.close()
    await seen.close()


@pytest.mark.parametrize("name", ["d1.isone.ct", "..", "a/b", "ü" * 300, "\ud800", ""])
async def test_any_link_name_has_a_folder(name: str, tmp_path: Path) -> None:
    for _ in range(2):
        seen = SeenLog(tmp_path / "seen")
        await seen.open()
        await seen.add([(name, "a")])
        assert (name, "a") in seen
        assert (name + "x", "a") not in seen
        await seen.close()
    assert FileCalls().names(tmp_path) == ["seen"]


async def test_an_unusable_folder_of_links_is_named(tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("")
    seen = SeenLog(tmp_path / "seen")
    with pytest.raises(StoreUnusableError, match="seen"):
        await seen.open()
    await seen.close()


@pytest.mark.prove
async def test_a_million_ids_cost_little_memory_and_time(tmp_path: Path) -> None:
    seen = SeenLog(tmp_path / "seen", durable=False)
    await seen.open()
    for start in range(0, 1_050_000, 1000):
        await seen.add([("child", f"event-{n}") for n in range(start, start + 1000)])
    await seen.close()
    before = psutil.Process().memory_info().rss
    seen = SeenLog(tmp_path / "seen", durable=False)
    await seen.open()
    grown = psutil.Process().memory_info().rss - before
    assert ("child", "event-60000") in seen
    assert grown < 100 * 1024 * 1024
    await seen.close()
