"""The system calls that stores make, in one small object that a test can replace.

Nothing here decides anything. Every path that these calls create is private to the user, whatever
the umask says: events may tell who is at home.
"""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from gwproactor.errors import StoreError

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where less data might have found room."""


class FileCalls:
    """File operations on the real file system. All of them block; all raise OSError."""

    def make_folder(self, folder: Path) -> None:
        """Create `folder` and its parents where missing, each private, to outlive a power cut."""
        missing = [path for path in (folder, *folder.parents) if not path.is_dir()]
        for path in reversed(missing):
            path.mkdir(_FOLDER_MODE, exist_ok=True)  # another process may have been faster
            path.chmod(_FOLDER_MODE)
            try:
                self.sync_folder(path.parent)
            except OSError:
                with suppress(OSError):
                    path.rmdir()  # the next try must not take it for one that was synced
                raise

    def names(self, folder: Path) -> list[str]:
        """Give the names of what is in `folder`, sorted."""
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are wanted, not paths

    def create(self, path: Path) -> int:
        """Create an empty file for writing, emptying one that is there; return its descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, _FILE_MODE)
        try:
            os.fchmod(descriptor, _FILE_MODE)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of `data`, and return how many bytes were taken."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Let the file's content outlive a power cut."""
        getattr(os, "fdatasync", os.fsync)(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Let the names in `folder` outlive a power cut."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut the file to `size_bytes`."""
        os.ftruncate(descriptor, size_bytes)

    def close(self, descriptor: int) -> None:
        """Close; an error here tells nothing that a sync has not told."""
        with suppress(OSError):
            os.close(descriptor)

    def size_bytes(self, path: Path) -> int:
        """The size of a file."""
        return path.stat().st_size

    def disk_bytes(self, path: Path) -> tuple[int, int]:
        """The size of the disk that `path` is on, and what of it is free for us."""
        usage = shutil.disk_usage(path)
        return usage.total, usage.free

    def remove_folder(self, folder: Path) -> None:
        """Remove an empty folder."""
        folder.rmdir()

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""
        path.unlink(missing_ok=True)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in the same file system, replacing what has that name."""
        old.replace(new)

    def read(self, path: Path) -> bytes:
        """Read a whole file."""
        return path.read_bytes()

    def open_to_read(self, path: Path) -> int:
        """Open a file for `read_at`."""
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read_at(self, descriptor: int, size_bytes: int, offset: int) -> bytes:
        """Read from anywhere in an open file; fewer bytes when it ends before."""
        return os.pread(descriptor, size_bytes, offset)


def write_all(files: FileCalls, descriptor: int, data: bytes) -> None:
    """Write the whole of `data`, however little the system takes at a time."""
    view = memoryview(data)
    while view:
        taken = files.write(descriptor, view)
        if taken <= 0:
            raise OSError(errno.EIO, "the system takes no bytes")
        view = view[taken:]


def sync_file(files: FileCalls, path: Path) -> None:
    """Let the content of a file, whoever wrote it, outlive a power cut."""
    descriptor = files.open_to_read(path)
    try:
        files.sync(descriptor)
    finally:
        files.close(descriptor)


def make_vanished_folder(files: FileCalls, folder: Path, error: OSError) -> None:
    """Make `folder` anew, for the next try, if `error` says that it is gone.

    Where that fails, the next try says why.
    """
    if error.errno == errno.ENOENT:
        with suppress(OSError):
            files.make_folder(folder)


def describe(error: OSError) -> str:
    """Say what went wrong in words and by its name: `No space left on device (ENOSPC)`."""
    name = errno.errorcode.get(error.errno or 0, "")
    words = error.strerror or str(error) or type(error).__name__
    return f"{words} ({name})" if name else words


def is_no_room(error: StoreError) -> bool:
    """Whether a `store_error` says that the disk is full, or that a quota or limit is reached."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_ROOM


def store_error(doing: str, path: Path, error: OSError) -> StoreError:
    """Make the StoreError for a failed call: what was being done, where, and why it failed."""
    return StoreError(f"cannot {doing} {path}: {describe(error)}")
