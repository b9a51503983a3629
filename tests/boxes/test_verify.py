"""Verifying: damage and gaps are named, and what nodes, kills and full disks leave is neither."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from gwproactor.boxes.box import Boxes
from gwproactor.boxes.transfer import Lines, import_events
from gwproactor.boxes.verify import verify
from gwproactor.events.log.seen_files import SeenFiles
from gwproactor.events.log.segment_index import segment_name
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.log.segments import Put, decode_segment, encode_header, encode_put
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister
from gwproactor.events.store import Damage, StoredEvent
from gwproactor_test.disk import UnreadableFiles
from gwproactor_test.events_command import stored
from gwproactor_test.proactor_pair import child, event

COUNT = 12


def put(sequence: int, event_id: str = "") -> StoredEvent:
    return StoredEvent(sequence, event_id or f"e{sequence}", b'{"n": %d}' % sequence)


def opened(data: Path, **options: Any) -> SegmentLog:
    log = SegmentLog(data / "outbox", segment_bytes=200, durable=False, **options)
    log.open()
    return log


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a log of several segments; an event is acked."""
    log = opened(tmp_path)
    for sequence in range(1, COUNT + 1):
        log.commit([put(sequence)], ())
    log.commit((), [2])
    log.close()
    return tmp_path


def segments(data: Path) -> list[Path]:
    return sorted((data / "outbox").glob("events-*.log"))


def found(data: Path, files: Path | None = None) -> list[Damage]:
    return verify(Boxes(data, files))


def without_line(path: Path, sequence: int) -> None:
    """Take a line out, as somebody may who mends a file by hand."""
    path.write_bytes(path.read_bytes().replace(encode_put(put(sequence)), b""))


def test_nothing_is_damaged_where_nothing_is(data: Path) -> None:
    assert len(segments(data)) > 3
    assert found(data) == []


def test_a_gap_that_no_ack_explains_is_named(data: Path) -> None:
    for path in segments(data):
        for sequence in (2, 3, 7, 8):
            without_line(path, sequence)
    assert [(damage.sequence, damage.place) for damage in found(data)] == [
        (3, str(data / "outbox")),
        (7, str(data / "outbox")),
    ]
    assert found(data)[0].reason == "sequence 3 is missing: neither an event nor an ack has it"
    assert found(data)[1].reason.startswith("sequences 7 to 8 are missing")


def test_a_segment_that_is_missing_is_named_with_what_was_in_it(data: Path) -> None:
    gone = segments(data)[1]
    sequences = sequences_in(gone)
    gone.unlink()
    damages = found(data)
    assert damages[0] == Damage(str(gone), "it is missing")
    assert damages[1].sequence == sequences[0]
    assert damages[1].reason.startswith(f"sequences {sequences[0]} to {sequences[-1]} are missing")


def sequences_in(path: Path) -> list[int]:
    records = decode_segment(path.read_bytes(), "").records
    return [record.event.sequence for record in records if isinstance(record, Put)]


def test_the_oldest_may_be_gone(data: Path) -> None:
    """A node removes it when all in it is done, and its acks with it."""
    segments(data)[0].unlink()
    assert found(data) == []


def damage(path: Path, text: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(text)] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("number", range(1, COUNT + 1))
def test_what_a_start_has_told_of_is_not_missing_any_more(data: Path, number: int) -> None:
    [path] = [path for path in segments(data) if number in sequences_in(path)]
    damage(path, b'{"n": %d}' % number)
    told, *gap = found(data)
    assert (told.reason, told.event_id) == ("its checksum does not fit", f"e{number}")
    assert [damage.sequence for damage in gap] in ([number], [])
    opened(data).close()
    assert found(data) == []
    left = [n for n in range(1, COUNT + 1) if n not in {2, number}]
    assert live(data) == left
    if number != 2:
        (copy,) = (data / "outbox" / "damaged").iterdir()
        damage(copy, b'z"n": %d}' % number)
        copy.replace(path)  # mended by hand, and put back
        assert live(data) == sorted([*left, number])


def test_a_command_leaves_damage_to_the_node_which_tells_of_it(data: Path) -> None:
    [path] = [path for path in segments(data) if 4 in sequences_in(path)]
    damage(path, b'{"n": 4}')
    before = found(data)
    import_events(Boxes(data), Lines(BytesIO(stored(77, 1).payload)))
    assert found(data) == before
    assert before[0].event_id == "e4"
    assert live(data)[-2:] == [COUNT, COUNT + 1]
    assert found(data) == []


def live(data: Path) -> list[int]:
    log = opened(data)
    sequences = [ref.sequence for ref in log.pending()]
    log.close()
    return sequences


def test_a_sequence_that_two_events_have_is_named(data: Path) -> None:
    """As when two nodes write to one folder, on a file system that does not lock."""
    other = data / "outbox" / segment_name(len(segments(data)) + 1)
    other.write_bytes(encode_header(COUNT + 1) + encode_put(put(COUNT, "other")))
    [damage] = found(data)
    assert damage == Damage(
        str(other), f"sequence {COUNT} is used twice, by e{COUNT} too", "other", COUNT
    )


def test_event_files_are_read(data: Path, tmp_path: Path) -> None:
    persister = TimedRollingFilePersister(tmp_path / "elsewhere", durable=False)
    persister.persist("a", b'{"MessageId": "a"}')
    persister.persist("b", b"{}}")
    path = persister.get_path("b")
    [damage] = found(data, tmp_path / "elsewhere")
    assert (damage.place, damage.event_id) == (str(path), "b")


@pytest.mark.parametrize("offset", [0, 12, 30, 50, 60, 100, -2])
def test_the_ids_seen_are_read(data: Path, offset: int) -> None:
    """Their header too."""
    seen = SeenFiles(data / "seen" / "link-x", durable=False)
    seen.open()
    for number in range(4):
        seen.add([f"e{number}"])
    seen.close()
    assert found(data) == []
    [path] = (data / "seen").rglob("seen-*.log")
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    assert found(data) == [Damage(str(path), "1 damaged lines of ids")]


async def test_what_nodes_leave_is_complete(tmp_path: Path) -> None:
    """Runs that post and stop, with drops at the limit among them."""
    for run in range(4):
        node = child(folder=tmp_path, max_bytes=6000, when_full="drop_oldest")
        async with node:
            for number in range(20):
                node.post_event(event(f"{run}-{number}", Text="x" * 200))
        assert found(tmp_path) == []


def test_what_a_start_left_out_for_an_unread_segment_is_not_missing(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.commit([put(sequence) for sequence in (1, 2, 3)], ())
    log.close()
    log = opened(tmp_path, files=UnreadableFiles(segments(tmp_path)[0].name))
    first = log.next_sequence
    log.commit([put(first), put(first + 1), put(first + 3)], ())
    log.close()
    (damage,) = found(tmp_path)
    assert damage.sequence == first + 2
    segments(tmp_path)[0].write_bytes(encode_header(1) + encode_put(put(1)) + encode_put(put(3)))
    assert [damage.sequence for damage in found(tmp_path)] == [2, first + 2]


def test_what_went_while_a_segment_was_unread_since_the_start_is_not_missing(data: Path) -> None:
    log = opened(data, files=UnreadableFiles(segments(data)[0].name))
    log.commit([put(log.next_sequence)], range(1, COUNT + 1))
    while log.needs_tidying:
        log.tidy()
    log.commit([put(log.next_sequence)], ())
    log.close()
    assert len(segments(data)) == 2
    assert found(data) == []
