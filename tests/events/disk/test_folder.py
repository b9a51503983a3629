"""The data folder: private, and held by one process at a time."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gwproactor.errors import StoreLockedError, StoreUnusableError
from gwproactor.events.disk.folder import DataFolder

HOLDER = """
import sys
from pathlib import Path
from gwproactor.events.disk.folder import DataFolder
folder = DataFolder(Path(sys.argv[1]), "d1.first")
folder.open()
print("held", flush=True)
sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_when_missing_and_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with DataFolder(tmp_path / "a" / "data", "d1.node") as folder:
            modes = {path.name: mode(path) for path in folder.path.iterdir()}
            assert mode(folder.path) == 0o700
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}


def test_the_rights_of_one_that_is_there_are_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with DataFolder(tmp_path, "d1.node"):
        assert mode(tmp_path) == 0o755


def test_its_parts_have_places_of_their_own(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path, "d1.node")
    paths = {
        folder.outbox_path,
        folder.inbox_path,
        folder.dead_letters_path,
        folder.seen_path,
    }
    assert len(paths) == 4
    assert {path.parent for path in paths} == {tmp_path}


def test_a_second_holder_in_the_same_process_is_refused(tmp_path: Path) -> None:
    with DataFolder(tmp_path, "d1.first") as first:
        second = DataFolder(tmp_path, "d1.second")
        with pytest.raises(StoreLockedError, match=rf"d1\.first \(process {os.getpid()}\)"):
            second.open()
        second.close()
        first.close()
        first.close()
        with second:
            pass


async def test_another_process_is_named_and_a_kill_sets_the_folder_free(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, str(tmp_path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    folder = DataFolder(tmp_path, "d1.second")
    with pytest.raises(StoreLockedError, match=rf"d1\.first \(process {process.pid}\)") as caught:
        folder.open()
    assert str(tmp_path) in str(caught.value)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    with folder:
        assert "d1.second" in (tmp_path / "lock.holder").read_text()


def test_a_holder_who_cannot_be_named_holds_all_the_same(tmp_path: Path) -> None:
    with DataFolder(tmp_path, "d1.first"):
        (tmp_path / "lock.holder").write_text("garbage")
        with pytest.raises(StoreLockedError, match="another process"):
            DataFolder(tmp_path, "d1.second").open()


def test_a_file_in_its_place_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    for path in (tmp_path / "data", tmp_path / "data" / "below"):
        with pytest.raises(StoreUnusableError, match="data"):
            DataFolder(path, "d1.node").open()


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "lock.holder").mkdir()
    with pytest.raises(StoreUnusableError, match="EISDIR"):
        DataFolder(tmp_path, "d1.node").open()
    (tmp_path / "lock.holder").rmdir()
    with DataFolder(tmp_path, "d1.node"):
        pass
