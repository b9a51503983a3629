"""The files of the log: private, bounded, and no end to the program."""

import io
import logging
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gwproactor.config.logging import RotatingFileHandlerSettings
from gwproactor.logs.files import PrivateFiles

SMALL = RotatingFileHandlerSettings(bytes_per_log_file=200, num_log_files=3)


def record(text: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text, "levelno": logging.INFO})


@pytest.fixture
def files(tmp_path: Path) -> Iterator[PrivateFiles]:
    handler = PrivateFiles(tmp_path / "a" / "log", SMALL)
    yield handler
    handler.close()


def test_folder_and_files_are_private(files: PrivateFiles, tmp_path: Path) -> None:
    for number in range(30):
        files.emit(record(f"{number:050}"))
    made = sorted((tmp_path / "a" / "log").iterdir())
    assert [path.name for path in made] == ["proactor.log", "proactor.log.1", "proactor.log.2"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert all(path.stat().st_size <= 200 for path in made)
    assert f"{29:050}\n" in made[0].read_text()


def test_a_file_that_was_there_becomes_private_and_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "proactor.log"
    path.write_text("before\n")
    path.chmod(0o644)
    handler = PrivateFiles(tmp_path, SMALL)
    handler.emit(record("after"))
    handler.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "before\nafter\n"


def test_files_that_are_too_many_now_are_removed(tmp_path: Path) -> None:
    kept = ["proactor.log", "proactor.log.1", "proactor.log.2"]
    others = ["proactor.log.20261121", "proactor.log.gz", "other.log.7"]
    for name in [*kept, *others, "proactor.log.3", "proactor.log.9"]:
        (tmp_path / name).write_text("before\n")
    PrivateFiles(tmp_path, SMALL).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept + others)


def test_a_single_file_is_begun_anew(tmp_path: Path) -> None:
    handler = PrivateFiles(tmp_path, SMALL.model_copy(update={"num_log_files": 1}))
    for number in range(30):
        handler.emit(record(f"{number:050}"))
    handler.close()
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size <= 200
    assert f"{29:050}\n" in path.read_text()


def test_a_level_is_that_of_the_files(tmp_path: Path) -> None:
    settings = RotatingFileHandlerSettings(level=logging.ERROR)
    handler = PrivateFiles(tmp_path, settings)
    handler.close()
    assert handler.level == logging.ERROR


def test_any_text_can_be_written(files: PrivateFiles) -> None:
    files.emit(record("é \udcff"))
    assert Path(files.baseFilename).read_bytes() == b"\xc3\xa9 \\udcff\n"


def test_a_file_that_was_taken_away_is_made_anew(files: PrivateFiles) -> None:
    path = Path(files.baseFilename)
    files.emit(record("first"))
    path.rename(path.with_suffix(".old"))
    files.emit(record("second"))
    assert path.read_text() == "second\n"
    shutil.rmtree(path.parent)
    files.emit(record("third"))
    assert path.read_text() == "third\n"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_disk_that_takes_nothing_is_told_once_and_the_log_goes_on(
    files: PrivateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    path = Path(files.baseFilename)
    shutil.rmtree(path.parent)
    path.parent.touch()  # a file where the folder was
    for _ in range(5):
        files.emit(record("lost"))
    path.parent.unlink()
    files.emit(record("there again"))
    assert told.getvalue().count("\n") == 1
    assert "1 records were lost: [Errno" in told.getvalue()
    assert path.read_text() == "there again\n"


def test_a_stream_that_takes_nothing_harms_nobody(
    files: PrivateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    files.formatter = logging.Formatter("%(no_such)s")
    files.emit(record("lost"))
    files.formatter = None
    files.emit(record("fine"))
    assert Path(files.baseFilename).read_text() == "fine\n"
