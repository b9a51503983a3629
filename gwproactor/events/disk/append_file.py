"""A file that is only ever appended to, and knows how much of it can be trusted.

The file is created by its first append, together with its header, so that a file without content
never lies around. After any error it must be given up with `abandon`: the system may have forgotten
what it could not write, and a later sync that succeeds would prove nothing. What had been appended
without a sync comes back from `abandon`, to be written again elsewhere.

What a failed append has left is cut off, where the disk lets us. Where it does not, a line that was
reported as not written may be found by the next run all the same. For an event this means that one
refused as not stored may be sent: nothing that was promised is broken, but a refusal by a disk in
that state is no proof that the event is nowhere.

After each append the name is looked at: a file that was removed while it is open, with its folder
perhaps, takes bytes and syncs as before, and nobody would ever find them again.
"""

import errno
from contextlib import suppress
from pathlib import Path

from gwproactor.events.disk.file_calls import FileCalls, write_all


class AppendFile:
    """One append-only file.

    Args:
        files: The file operations.
        path: The file; created by the first append.
        header: What stands at its beginning.
        durable: Whether `sync=True` means anything; without it nothing is synced or remembered.
    """

    def __init__(self, files: FileCalls, path: Path, header: bytes, *, durable: bool) -> None:
        self.path = path
        self.size_bytes = 0
        self._files = files
        self._header = header
        self._durable = durable
        self._descriptor: int | None = None
        self._unsynced = bytearray()
        self._name_is_durable = False

    @property
    def unsynced_bytes(self) -> int:
        """How much a power cut would take."""
        return len(self._unsynced)

    def append(self, data: bytes, *, sync: bool) -> int:
        """Append all of `data`; return the offset where it begins.

        Raises:
            OSError: The file must be abandoned.
        """
        offset = self.size_bytes
        if self._descriptor is None:
            self._descriptor = self._files.create(self.path)
            offset = len(self._header)
            write_all(self._files, self._descriptor, self._header + data)
        else:
            write_all(self._files, self._descriptor, data)
        if sync:
            self._sync()
        elif self._durable:
            self._unsynced += data
        self._check_name(offset + len(data))
        self.size_bytes = offset + len(data)
        return offset

    def _check_name(self, size_bytes: int) -> None:
        """Raise OSError unless the file is still what is found under its name."""
        if self._files.size_bytes(self.path) != size_bytes:
            raise OSError(errno.ESTALE, "another file has taken its place")

    def _sync(self) -> None:
        if self._durable and self._descriptor is not None:
            self._files.sync(self._descriptor)
            if not self._name_is_durable:
                self._files.sync_folder(self.path.parent)
                self._name_is_durable = True
            self._unsynced.clear()

    def finish(self) -> None:
        """Sync what is not yet synced, and close.

        Raises:
            OSError: The file must be abandoned.
        """
        if self._unsynced:
            self._sync()
        self._close()

    def abandon(self) -> bytes:
        """Give the file up after an error; return what was appended but never synced.

        What was appended before the error stays in it. A file in which nothing was appended
        successfully is removed.
        """
        with suppress(OSError):
            if self.size_bytes == 0:
                self._files.remove(self.path)
            elif self._descriptor is not None:
                self._files.truncate(self._descriptor, self.size_bytes)
        self._close()
        return bytes(self._unsynced)

    def _close(self) -> None:
        if self._descriptor is not None:
            self._files.close(self._descriptor)
            self._descriptor = None
