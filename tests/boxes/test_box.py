"""The boxes of a node: which folder is which, and which of two is the outbox."""

import json
import os
from pathlib import Path

import pytest

from gwproactor.boxes.box import Box, Boxes
from gwproactor.errors import UsageError
from gwproactor.events.disk.folder import DataFolder

DAY = "2026-01-02T00:00:00+00:00"


def with_log(data: Path) -> None:
    (data / "outbox").mkdir(parents=True)
    (data / "outbox" / "events-0000000001.log").touch()


def with_files(folder: Path) -> None:
    (folder / DAY).mkdir(parents=True)


def test_the_boxes_lie_where_a_node_keeps_them(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path, "")
    boxes = Boxes(tmp_path)
    assert boxes.path(Box.outbox) == folder.outbox_path
    assert boxes.path(Box.inbox) == folder.inbox_path
    assert boxes.path(Box.dead_letters) == folder.dead_letters_path
    assert boxes.path(Box.files) == tmp_path / "event"
    assert Boxes(tmp_path, tmp_path / "x").path(Box.files) == tmp_path / "x"


def test_the_events_on_their_way_are_where_the_node_has_put_some(tmp_path: Path) -> None:
    assert Boxes(tmp_path).sending is Box.outbox
    with_files(tmp_path / "event")
    assert Boxes(tmp_path).sending is Box.files
    with_log(tmp_path)
    assert Boxes(tmp_path).sending is Box.outbox
    assert Boxes(tmp_path, tmp_path / "event").sending is Box.files


def test_what_is_to_be_sent_goes_where_the_node_looks(tmp_path: Path) -> None:
    assert Boxes(tmp_path).box_to_send(None) is Box.outbox
    with_files(tmp_path / "event")
    assert Boxes(tmp_path).box_to_send(None) is Box.files
    with_log(tmp_path)
    with pytest.raises(UsageError, match="say --box outbox, or --box files"):
        Boxes(tmp_path).box_to_send(None)
    assert Boxes(tmp_path).box_to_send(Box.files) is Box.files
    assert Boxes(tmp_path).box_to_send(Box.outbox) is Box.outbox
    assert Boxes(tmp_path, tmp_path / "event").box_to_send(None) is Box.files
    with pytest.raises(UsageError, match="--box is inbox: events on their way"):
        Boxes(tmp_path).box_to_send(Box.inbox)


def test_a_folder_without_boxes_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no data folder of a node.* give the folder"):
        Boxes(tmp_path).check()
    with pytest.raises(UsageError, match=r"--files .* is no folder"):
        Boxes(tmp_path, tmp_path / "event").check()
    with_files(tmp_path / "event")
    Boxes(tmp_path).check()
    Boxes(tmp_path / "nothing", tmp_path / "event").check()


def test_who_runs_on_a_folder_is_told_as_long_as_it_runs(tmp_path: Path) -> None:
    boxes = Boxes(tmp_path)
    assert boxes.holder() == ""
    with DataFolder(tmp_path, "d1.scada"):
        assert boxes.holder() == f"d1.scada (process {os.getpid()})"
    no_process = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    (tmp_path / "lock.holder").write_text(json.dumps({"pid": no_process, "name": "d1.scada"}))
    assert boxes.holder() == ""
