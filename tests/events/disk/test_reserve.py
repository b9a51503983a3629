"""Room that is kept on the disk: taken once, given piece by piece, taken again before anything."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gwproactor.errors import StoreError
from gwproactor.events.disk.reserve import PIECES, Reserve
from gwproactor_test.disk import UnreliableDisk

SIZE_BYTES = 8 * 100


@asynccontextmanager
async def opened(folder: Path, disk: UnreliableDisk | None = None) -> AsyncIterator[Reserve]:
    reserve = Reserve(folder, size_bytes=SIZE_BYTES, files=disk)
    try:
        await reserve.open()
        yield reserve
    finally:
        await reserve.close()


def kept_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


async def test_it_is_given_piece_by_piece_and_taken_again(tmp_path: Path) -> None:
    async with opened(tmp_path / "reserve") as reserve:
        await reserve.keep()
        left = [kept_bytes(tmp_path / "reserve")]
        while await reserve.give():
            left.append(kept_bytes(tmp_path / "reserve"))
        assert left == [100 * pieces for pieces in range(PIECES, -1, -1)]
        await reserve.keep()
        assert kept_bytes(tmp_path / "reserve") == SIZE_BYTES
    assert (tmp_path / "reserve").stat().st_mode & 0o777 == 0o700


async def test_what_is_kept_is_not_written_again(tmp_path: Path) -> None:
    async with opened(tmp_path / "reserve"):
        before = (tmp_path / "reserve" / "piece-0").read_bytes()
    async with opened(tmp_path / "reserve") as reserve:
        await reserve.keep()
    assert (tmp_path / "reserve" / "piece-0").read_bytes() == before


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EFBIG, errno.EROFS])
async def test_no_more_is_insisted_on_than_there_was(tmp_path: Path, error: int) -> None:
    disk = UnreliableDisk()
    disk.fail(0, 10**9, error)
    async with opened(tmp_path / "reserve", disk) as reserve:
        await reserve.keep()
        assert not await reserve.give()
        await reserve.keep()


async def test_what_was_given_is_insisted_on(tmp_path: Path) -> None:
    disk = UnreliableDisk()
    async with opened(tmp_path / "reserve", disk) as reserve:
        assert await reserve.give()
        disk.fail(0, 10**9, errno.ENOSPC)
        with pytest.raises(StoreError, match="ENOSPC"):
            await reserve.keep()
        disk.work()
        await reserve.keep()
    assert kept_bytes(tmp_path / "reserve") == SIZE_BYTES
