"""Output that cannot be written: one line says so, and no half file is left."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gwproactor_test.events_command import refused


@pytest.mark.parametrize("command", ["list", "export", "stats"])
def test_output_that_cannot_be_written_is_said_in_one_line(data: Path, command: str) -> None:
    words = [sys.executable, "-m", "gwproactor.cli", "events", command, "--data", str(data)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False, timeout=30)
    assert done.stderr == b"gwproactor: the output: No space left on device (ENOSPC)\n"
    assert done.returncode == 2


def test_an_export_that_fails_leaves_no_file(
    data: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    said = refused(capfd, "export", "--data", data, "--output", tmp_path / "lines")
    assert "No space left on device; give a file where there is room" in said
    assert not (tmp_path / "lines").exists()
