"""What an earlier run left is sent by the next one: in order, and past what is damaged."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from benchmarks.contestants import PREDECESSOR_PYTHON
from gwproactor.events.store import EventRef
from gwproactor.runtime.observer import Observer
from gwproactor.wire.payloads import ProblemEvent
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.proactor_pair import Parent, child, event

COUNT = 50
BAD = COUNT // 2
IDS = [f"e{number}" for number in range(COUNT)]
OTHERS = [each for each in IDS if each != f"e{BAD}"]

PREDECESSOR = """
import pathlib, sys
from gwproactor.persister import TimedRollingFilePersister
from gwproto.messages import ProblemEvent
persister = TimedRollingFilePersister(pathlib.Path(sys.argv[1]))
for number in range(20):
    event = ProblemEvent(Src="d1.site.scada", ProblemType="warning", Summary=f"old {number}")
    assert persister.persist(event.MessageId, event.model_dump_json(indent=2).encode()).is_ok()
    print(event.MessageId)
"""


class Diary(Observer):
    """Notes what is told of events."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.problems: list[ProblemEvent] = []

    def event_stored(self, event: EventRef) -> None:
        self.told.append(("stored", event.event_id))

    def event_acked(self, event: EventRef) -> None:
        self.told.append(("acked", event.event_id))

    def problem(self, event: ProblemEvent) -> None:
        self.problems.append(event)


def among(ids: list[str], wanted: list[str]) -> list[str]:
    known = set(wanted)
    return [each for each in ids if each in known]


def left_by_the_predecessor(folder: Path) -> list[str]:
    command = [str(PREDECESSOR_PYTHON), "-I", "-c", PREDECESSOR, str(folder)]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    return made.stdout.split()


async def leave_events(folder: Path, store: str) -> None:
    async with child(folder=folder, store=store, durability="os") as node:
        for number, event_id in enumerate(IDS):
            node.post_event(event(event_id, Note=f"note-{number:03}"))


async def send_past_the_bad_one(broker: AnyBroker, folder: Path, store: str) -> ProblemEvent:
    """Send all but the bad one, in order, and give what was said of it."""
    node = child(broker.url, folder=folder / "c", store=store, durability="os")
    diary = Diary()
    node.observe(diary)
    async with Parent(broker.url, folder / "p") as parent, node:
        await until(lambda: len(among(parent.ids, OTHERS)) == len(OTHERS))
        await until(lambda: node.reupload is not None and node.reupload.completed)
        await until(lambda: node.pending_event_count == 0)
    assert among(parent.ids, IDS) == OTHERS
    [said] = [each for each in diary.problems if f"e{BAD}" in each.Summary]
    return said


async def test_a_flipped_byte_costs_one_event(broker: AnyBroker, tmp_path: Path) -> None:
    await leave_events(tmp_path / "c", "log")
    outbox = tmp_path / "c" / "outbox"
    [segment] = outbox.glob("*.log")
    data = bytearray(segment.read_bytes())
    data[data.index(b"note-%03d" % BAD)] ^= 1
    segment.write_bytes(data)
    said = await send_past_the_bad_one(broker, tmp_path, "log")
    assert str(segment) in said.Details
    assert "its checksum does not fit" in said.Details
    [aside] = (outbox / "damaged").iterdir()
    assert b"ote-%03d" % BAD in aside.read_bytes()


async def test_a_bad_file_costs_one_event(broker: AnyBroker, tmp_path: Path) -> None:
    await leave_events(tmp_path / "c", "files")
    files = tmp_path / "c" / "event"
    [path] = files.glob(f"*/*.uid[[]e{BAD}].json")
    path.write_bytes(b"{ no json \xff")
    said = await send_past_the_bad_one(broker, tmp_path, "files")
    assert "not JSON" in said.Details
    assert (files / "damaged" / path.name).read_bytes() == b"{ no json \xff"


@pytest.mark.usefixtures("needs_peer")
async def test_the_folder_of_the_predecessor_is_sent(broker: AnyBroker, tmp_path: Path) -> None:
    files = tmp_path / "event"
    ids = await asyncio.to_thread(left_by_the_predecessor, files)
    assert len(ids) == 20
    async with (
        Parent(broker.url, tmp_path / "p") as parent,
        child(
            broker.url, folder=tmp_path / "c", durability="os", store="files", files_folder=files
        ) as node,
    ):
        await until(lambda: len(among(parent.ids, ids)) == len(ids))
        await until(lambda: node.pending_event_count == 0)
    assert among(parent.ids, ids) == ids
    assert list(files.rglob("*.uid*")) == []


@pytest.mark.parametrize("store", ["log", "files", "memory"])
async def test_stored_is_told_before_acked(broker: AnyBroker, tmp_path: Path, store: str) -> None:
    node = child(broker.url, folder=tmp_path / "c", store=store, durability="os")
    diary = Diary()
    node.observe(diary)
    async with Parent(broker.url, tmp_path / "p"), node:
        for event_id in IDS:
            assert node.generate_event(event(event_id)).is_ok()
        await until(lambda: node.pending_event_count == 0)
    for event_id in IDS:
        assert [what for what, whose in diary.told if whose == event_id] == ["stored", "acked"]
