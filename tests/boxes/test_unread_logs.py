"""Commands that change a log refuse to when they cannot read all of it."""

import io
from pathlib import Path

import pytest

from gwproactor.boxes.box import Boxes
from gwproactor.boxes.requeue import requeue
from gwproactor.boxes.transfer import Lines, import_events
from gwproactor.errors import StoreError
from gwproactor.events.log.segment_index import segment_name
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.store import StoredEvent
from gwproactor_test.disk import UnreadableFiles

LINE = b'{"MessageId": "new", "TypeName": "gridworks.event.x", "Version": "000",'
LINE += b' "TimeCreatedMs": 1700000000000, "Src": "a"}\n'

BOXES = ["dead-letters", "inbox", "refused", "outbox"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with an event in each log."""
    for box in BOXES:
        log = SegmentLog(tmp_path / box)
        log.open()
        log.commit([StoredEvent(1000, f"{box} event", b"{}", "link")], ())
        log.close()
    return tmp_path


def contents(data: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in data.rglob("events-*")}


def make_unreadable(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Let no file of that folder be read in any log that is opened from now on."""
    path = folder / segment_name(1)
    module = "gwproactor.events.log.segment_"
    monkeypatch.setattr(f"{module}opening._READ_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(f"{module}log.FileCalls", lambda: UnreadableFiles(str(path)))
    return path


@pytest.mark.parametrize("box", BOXES)
def test_nothing_is_requeued(data: Path, monkeypatch: pytest.MonkeyPatch, box: str) -> None:
    before = contents(data)
    path = make_unreadable(monkeypatch, data / box)
    with pytest.raises(StoreError, match="nothing was done") as caught:
        requeue(Boxes(data), None)
    assert str(path) in str(caught.value)
    assert contents(data) == before
    monkeypatch.undo()
    assert requeue(Boxes(data), None) == 2


@pytest.mark.parametrize("box", ["outbox", "refused"])
def test_nothing_is_imported(data: Path, monkeypatch: pytest.MonkeyPatch, box: str) -> None:
    before = contents(data)
    path = make_unreadable(monkeypatch, data / box)
    with pytest.raises(StoreError, match="nothing was done") as caught:
        import_events(Boxes(data), Lines(io.BytesIO(LINE)))
    assert str(path) in str(caught.value)
    assert contents(data) == before
    monkeypatch.undo()
    assert import_events(Boxes(data), Lines(io.BytesIO(LINE))) == (1, 0)
