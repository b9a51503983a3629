"""Some room on the disk that is kept for the moment when there is no other.

An event leaves the inbox by being marked done, and a mark takes room: on a disk that is full to the
last byte nothing could be marked, so nothing removed, and the disk would stay full for ever. So
there are a few files of random bytes, which a file system cannot make smaller. They are removed one
by one when a mark finds no room, and written again before anything else is.
"""

import os
from pathlib import Path

from gwproactor.events.disk.disk_thread import DiskThread
from gwproactor.events.disk.file_calls import FileCalls, store_error, write_all

RESERVE_BYTES = 2 * 1024 * 1024
"""The marks of all events of one segment of 4 MiB, whose removal makes room."""

SHARE_OF_DISK = 1 / 16
"""Of a small disk no more."""

PIECES = 8
"""Given away one by one: what is given at once, others on the disk may take before us."""


class Reserve:
    """Room that is kept. For the loop's thread; the disk is worked on in another one.

    Args:
        folder: Where its files are, and no others; created when missing, private to the user.
        size_bytes: How much is kept, but for a small disk.
        files: The file operations; a test gives its own.
    """

    def __init__(
        self, folder: Path, *, size_bytes: int = RESERVE_BYTES, files: FileCalls | None = None
    ) -> None:
        self._paths = [folder / f"piece-{number}" for number in range(PIECES)]
        self._folder = folder
        self._size_bytes = size_bytes
        self._files = files or FileCalls()
        self._disk = DiskThread(f"gwproactor-{folder.name}")
        self._aim = 0
        self._is_kept = False

    async def open(self) -> None:
        """Take the room, or as much of it as there is; no later call insists on more."""
        self._aim = await self._disk.run(self._take)
        self._is_kept = True

    async def keep(self) -> None:
        """Take again what was given away; at no cost where nothing was.

        Raises:
            StoreError: There is no such room.
        """
        if self._aim and not self._is_kept:
            await self._disk.run(self._take_again)
            self._is_kept = True

    async def give(self) -> bool:
        """Give a piece of it to whoever needs it; return False where nothing is left."""
        self._is_kept = False
        return await self._disk.run(self._remove_one)

    async def close(self) -> None:
        """End the thread; what is kept stays."""
        await self._disk.run_last(lambda: None)

    def _take(self) -> int:
        """Return how many pieces there are in the end."""
        try:
            self._files.make_folder(self._folder)
            disk_bytes, _ = self._files.disk_bytes(self._folder)
            self._size_bytes = min(self._size_bytes, int(disk_bytes * SHARE_OF_DISK))
            for taken, path in enumerate(self._paths):
                if not self._may_take(path):
                    return taken
                self._write(path)
        except OSError:
            return 0  # what is wrong with the disk, the stores tell
        return PIECES

    def _may_take(self, path: Path) -> bool:
        """Whether a piece is there, or there is room for it and as much besides."""
        _, free_bytes = self._files.disk_bytes(self._folder)
        return self._is_there(path) or free_bytes >= 2 * self._piece_bytes

    def _take_again(self) -> None:
        try:
            self._files.make_folder(self._folder)
            for path in self._paths[: self._aim]:
                self._write(path)
        except OSError as error:
            raise store_error("keep room in", self._folder, error) from error

    @property
    def _piece_bytes(self) -> int:
        return self._size_bytes // PIECES

    def _is_there(self, path: Path) -> bool:
        try:
            return self._files.size_bytes(path) == self._piece_bytes
        except FileNotFoundError:
            return False

    def _write(self, path: Path) -> None:
        """Make sure that a piece is there."""
        if self._is_there(path):
            return
        descriptor = self._files.create(path)
        try:
            write_all(self._files, descriptor, os.urandom(self._piece_bytes))
        except OSError:
            self._files.remove(path)
            raise
        finally:
            self._files.close(descriptor)

    def _remove_one(self) -> bool:
        for path in reversed(self._paths):
            try:
                self._files.size_bytes(path)
                self._files.remove(path)
            except OSError:
                continue  # it is not there, or cannot be removed
            return True
        return False
