"""A disk that fails when told to, and forgets in a power cut what was never synced.

`UnreliableDisk` takes the place of the file operations of a store. It works on real files in a real
folder, and beside that it keeps account of what POSIX promises to survive: a file's content up to
its last sync, a name up to the last sync of its folder. What is beyond that, a power cut may take
or leave, and the test chooses which. Syncs are accounted for and not made: that would cost time
and prove nothing.
"""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

from gwproactor.events.disk.file_calls import FileCalls

Choose = Callable[[int, int], int]
"""Gives a number from the first to the second, both included."""


def worst(low: int, high: int) -> int:
    """What a power cut may do at its worst: to each name that may go or come, and to all bytes."""
    return 1 if (low, high) == (0, 1) else low


class PowerCut(BaseException):
    """The power went off in the middle of a call."""


class UnreliableDisk(FileCalls):
    """File operations with faults and power cuts; see the module's description.

    Attributes:
        calls: How many calls have been made that change something, or read.
        unreadable: The names of files that cannot be read, as on bad sectors.
    """

    def __init__(self, *unreadable: str) -> None:
        self.calls = 0
        self.unreadable = set(unreadable)
        self._fail_at = range(0)
        self._errno = 0
        self._short = False
        self._cut_at = 0
        self._open_files: dict[int, tuple[int, Path]] = {}
        self._next_descriptor = 1_000_000
        self._synced_bytes: dict[Path, int] = {}
        self._durable_names: set[Path] = set()
        self._poisoned: set[Path] = set()
        self._gone: dict[Path, bytes] = {}

    # What the test decides

    def fail(self, first: int, count: int, error_number: int, *, short: bool = False) -> None:
        """Let calls fail: `count` of them, after `first` more that work.

        With `short`, a write that fails has taken half of its bytes before.
        """
        start = self.calls + first
        self._fail_at = range(start, start + count)
        self._errno = error_number
        self._short = short

    def work(self) -> None:
        """Let no call fail any more."""
        self._fail_at = range(0)
        self._cut_at = 0

    def cut_power_during(self, first: int) -> None:
        """Raise `PowerCut` in the call that comes after `first` more."""
        self._cut_at = self.calls + first + 1

    def end_process(self) -> None:
        """Close what a killed process has left open.

        A sync by the next process works again on files on which one has failed. Linux does not
        promise that; a store that were to rely on less would have to write everything anew.
        """
        for descriptor in list(self._open_files):
            self.close(descriptor)
        self._poisoned.clear()

    def lose_unsynced(self, choose: Choose) -> None:
        """Change the files into what a power cut may leave of them."""
        for path in sorted({*self._synced_bytes, *self._gone}):
            if path.exists():
                self._lose_content(path, choose)
            if path in self._gone and choose(0, 1):
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(self._gone[path])
        self._forget_everything()

    def _lose_content(self, path: Path, choose: Choose) -> None:
        if path not in self._durable_names and choose(0, 1):
            path.unlink()
            return
        size_bytes = path.stat().st_size
        synced_bytes = min(self._synced_bytes.get(path, 0), size_bytes)
        if choose(0, 3) == 1:  # the last newline only, which chance alone would hardly ever choose
            left_bytes = max(synced_bytes, size_bytes - 1)
        else:
            left_bytes = choose(synced_bytes, size_bytes)
        os.truncate(path, left_bytes)

    def _forget_everything(self) -> None:
        """What is there now, is there to stay."""
        left = {path for path in self._synced_bytes if path.exists()}
        self._synced_bytes = {path: path.stat().st_size for path in left}
        self._durable_names = left
        self._poisoned.clear()
        self._gone.clear()

    # What the store calls

    def _step(self) -> None:
        self.calls += 1
        if self.calls == self._cut_at:
            raise PowerCut
        if self.calls - 1 in self._fail_at:
            raise OSError(self._errno, os.strerror(self._errno))

    def make_folder(self, folder: Path) -> None:
        """Create a folder."""
        self._step()
        super().make_folder(folder)

    def names(self, folder: Path) -> list[str]:
        """List a folder."""
        self._step()
        return super().names(folder)

    def _lend(self, real: int, path: Path) -> int:
        """Give a descriptor that is never used twice, so that a dead process harms no other."""
        self._next_descriptor += 1
        self._open_files[self._next_descriptor] = (real, path)
        return self._next_descriptor

    def _real(self, descriptor: int) -> int:
        return self._open_file(descriptor)[0]

    def _open_file(self, descriptor: int) -> tuple[int, Path]:
        if descriptor not in self._open_files:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._open_files[descriptor]

    def create(self, path: Path) -> int:
        """Create a file."""
        self._step()
        real = super().create(path)
        self._synced_bytes[path] = 0
        self._poisoned.discard(path)
        self._durable_names.discard(path)
        return self._lend(real, path)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write, or a part of it."""
        real, half = self._real(descriptor), data[: len(data) // 2]
        try:
            self._step()
        except (OSError, PowerCut):
            if self._short or self.calls == self._cut_at:
                super().write(real, half)
            raise
        return super().write(real, half if self._short and half else data)

    def sync(self, descriptor: int) -> None:
        """Sync a file. After one failure, the system says it works, and has forgotten the data."""
        real, path = self._open_file(descriptor)
        try:
            self._step()
        except OSError:
            self._poisoned.add(path)
            raise
        if path not in self._poisoned:
            self._synced_bytes[path] = os.fstat(real).st_size

    def sync_folder(self, folder: Path) -> None:
        """Sync the names in a folder."""
        self._step()
        folder.stat()  # one that is missing cannot be synced
        # Copies, for several stores, each with a thread of its own, may share one disk.
        self._durable_names |= {path for path in list(self._synced_bytes) if path.parent == folder}
        for path in list(self._gone):
            if _ends_with(path, folder):
                self._gone.pop(path, None)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut a file."""
        self._step()
        super().truncate(self._real(descriptor), size_bytes)

    def close(self, descriptor: int) -> None:
        """Close a file."""
        if descriptor in self._open_files:
            super().close(self._open_files.pop(descriptor)[0])

    def size_bytes(self, path: Path) -> int:
        """Look at a file."""
        self._step()
        return super().size_bytes(path)

    def remove_folder(self, folder: Path) -> None:
        """Remove an empty folder; what was in it may come back, and the folder with it."""
        self._step()
        super().remove_folder(folder)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        self._step()
        self._remember(path)
        super().remove(path)
        self._synced_bytes.pop(path, None)

    def rename(self, old: Path, new: Path) -> None:
        """Rename a file."""
        self._step()
        self._remember(new)
        super().rename(old, new)
        self._synced_bytes[new] = self._synced_bytes.pop(old, 0)
        self._durable_names.discard(new)

    def _remember(self, path: Path) -> None:
        """A name that is gone may come back, with the content that was synced."""
        if path in self._durable_names and path.exists():
            self._gone[path] = path.read_bytes()[: self._synced_bytes.get(path, 0)]

    def read(self, path: Path) -> bytes:
        """Read a file."""
        self._check(path)
        self._step()
        return super().read(path)

    def _check(self, path: Path) -> None:
        if path.name in self.unreadable:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def open_to_read(self, path: Path) -> int:
        """Open a file."""
        self._check(path)
        self._step()
        return self._lend(super().open_to_read(path), path)

    def read_at(self, descriptor: int, size_bytes: int, offset: int) -> bytes:
        """Read from an open file."""
        self._step()
        return super().read_at(self._real(descriptor), size_bytes, offset)


def _ends_with(path: Path, folder: Path) -> bool:
    """Whether syncing `folder` makes the end of `path` last: its own, or that of its folder."""
    return folder in (path.parent, path.parent.parent if not path.parent.exists() else None)


class SlowDisk(FileCalls):
    """A disk whose syncs wait until they are let go.

    Attributes:
        syncing: Is set when a sync has begun.
        let_go: Lets syncs go on, once it is set; set at first.
    """

    def __init__(self) -> None:
        self.syncing = threading.Event()
        self.let_go = threading.Event()
        self.let_go.set()

    def hold(self) -> None:
        """Let the next syncs wait."""
        self.syncing.clear()
        self.let_go.clear()

    def sync(self, descriptor: int) -> None:
        """Sync a file, when allowed to."""
        self.syncing.set()
        if not self.let_go.wait(_PATIENCE_SECONDS):
            raise OSError(errno.ETIMEDOUT, "the test never let the sync go on")
        super().sync(descriptor)


_PATIENCE_SECONDS = 20.0
"""For a test that forgot; none should need it."""

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EFBIG, errno.EDQUOT, errno.EACCES)
"""What disks say when they are full, broken, or protecting themselves, or are not ours any more."""


class UnreadableFiles(FileCalls):
    """File operations that cannot read the file whose path ends like that."""

    def __init__(self, ending: str) -> None:
        self._ending = ending

    def read(self, path: Path) -> bytes:
        """Read a file."""
        if str(path).endswith(self._ending):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(path)
