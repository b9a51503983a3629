"""Data folders for the commands, and nothing in the environment that says where others are."""

import os
from pathlib import Path

import pytest

from gwproactor_test.events_command import fill, fill_files


@pytest.fixture(autouse=True)
def nothing_is_said_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("GWPROACTOR_", "PROACTOR_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a log."""
    return fill(tmp_path / "data")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A data folder with event files."""
    return fill_files(tmp_path / "files")
