"""What is shown on a terminal: bars where it takes long, and nothing that it might obey."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gwproactor.cli import main, terminal
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.store import StoredEvent
from gwproactor_test.events_command import fill, ids, run


def test_what_a_on_itmight_obey_is_printed_as_an_escape(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = SegmentLog(tmp_path / "inbox")
    log.open()
    log.commit([StoredEvent(1, "a\x1b[2J\t\x9b\ud800b", b"{}", "li\nnk")], ())
    log.close()
    listed = run(capfd, "list", "--data", tmp_path, "--box", "inbox")
    assert listed == "a\\x1b[2J\\t\\x9b\\ud800b\t\t\t\t2\tli\\nnk\t0\n"
    assert ids(run(capfd, "list", "--data", tmp_path, "--box", "inbox", "--json")) == [
        "a\x1b[2J\t\x9b\ud800b"
    ]


class Screen:
    """A terminal that is standard error, and what it has been sent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def shown(self) -> str:
        """What has come since the last time."""
        sys.stderr.flush()
        os.set_blocking(self._descriptor, False)
        found = b""
        with suppress(BlockingIOError):
            while True:
                found += os.read(self._descriptor, 4096)
        return found.decode()


@contextmanager
def screen() -> Iterator[Screen]:
    reading, writing = os.openpty()
    try:
        with (
            os.fdopen(writing, "w") as stream,
            Path(os.devnull).open("w") as nowhere,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(sys, "stderr", stream)
            patch.setattr(sys, "stdout", nowhere)
            yield Screen(reading)
    finally:
        os.close(reading)


@pytest.mark.parametrize("command", ["export", "stats", "verify", "list"])
def test_a_bar_is_shown_where_it_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(terminal, "PATIENCE_SECONDS", 0.0)
    with screen() as on_it:
        assert main(["events", command, "--data", str(fill(tmp_path))]) == 0
        assert "━" in on_it.shown()


def test_a_bar_needs_rich_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "PATIENCE_SECONDS", 0.0)
    for module in ("rich.console", "rich.progress"):
        monkeypatch.setitem(sys.modules, module, None)
    with screen() as on_it:
        assert main(["events", "verify", "--data", str(fill(tmp_path))]) == 0
        assert on_it.shown() == ""


def test_no_bar_is_shown_for_what_is_quick_but_who_runs_is(tmp_path: Path) -> None:
    words = ["events", "verify", "--data", str(fill(tmp_path))]
    with screen() as on_it:
        main(words)
        assert on_it.shown() == ""
        with DataFolder(tmp_path, "d1.scada"):
            main(words)
        assert on_it.shown().startswith("d1.scada (process ")
