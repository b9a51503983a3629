"""The data folder of one node: made when it is missing, private, and held by one node at a time.

The operating system holds the lock, so it ends with the process, however that ends. Who holds it is
written beside it, for the message that the next one gets.
"""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from gwproactor.errors import StoreLockedError, StoreUnusableError
from gwproactor.events.disk.file_calls import FileCalls, describe, write_all

_LOCK = "lock"
_HOLDER = "lock.holder"


class DataFolder:
    """A node's data folder, with what is in it. Every call blocks, for moments only.

    Args:
        path: The folder. It is created when missing, private to the user; the rights of one that
            is there are left alone, and everything in it is private anyway.
        holder: The node's name, which another one is told that wants the folder too.
    """

    def __init__(self, path: Path, holder: str) -> None:
        self.path = path
        self._holder = holder
        self._files = FileCalls()
        self._lock = FileLock(path / _LOCK, timeout=0, mode=0o600, thread_local=False)

    @property
    def outbox_path(self) -> Path:
        """The events on their way to the upstream peer."""
        return self.path / "outbox"

    @property
    def inbox_path(self) -> Path:
        """The events received and not yet dealt with."""
        return self.path / "inbox"

    @property
    def dead_letters_path(self) -> Path:
        """The received events that the application failed to handle."""
        return self.path / "dead-letters"

    @property
    def refused_path(self) -> Path:
        """The events that the upstream peer never took."""
        return self.path / "refused"

    @property
    def seen_path(self) -> Path:
        """The ids of the events dealt with."""
        return self.path / "seen"

    @property
    def reserve_path(self) -> Path:
        """Room that is kept for marking received events done on a full disk."""
        return self.path / "reserve"

    def open(self) -> None:
        """Make the folder, and hold it until `close`; from any thread.

        Raises:
            StoreLockedError: Another node holds it; the message names its process and its name.
            StoreUnusableError: It cannot be made or written.
        """
        try:
            self._files.make_folder(self.path)
            self._lock.acquire()
            self._write_holder()
        except Timeout:
            raise StoreLockedError(
                f"the data folder {self.path} is in use by {self._read_holder()}:"
                " stop that one, or give this one another folder"
            ) from None
        except OSError as error:
            self.close()
            raise StoreUnusableError(
                f"cannot use the data folder {self.path}: {describe(error)}"
            ) from error

    def _write_holder(self) -> None:
        text = json.dumps({"pid": os.getpid(), "name": self._holder}) + "\n"
        descriptor = self._files.create(self.path / _HOLDER)
        try:
            write_all(self._files, descriptor, text.encode())
        finally:
            self._files.close(descriptor)

    def _read_holder(self) -> str:
        process_id, name = self.holder()
        return "another process" if process_id is None else f"{name} (process {process_id})"

    def holder(self) -> tuple[int | None, str]:
        """Process id and name of who holds the folder, or held it last; None where that is unknown.

        From any thread, and without taking the lock.
        """
        try:
            holder = json.loads((self.path / _HOLDER).read_text(encoding="utf-8"))
            return int(holder["pid"]), str(holder["name"])
        except (OSError, ValueError, KeyError, TypeError):
            return None, ""

    def close(self) -> None:
        """Let go of the folder; from any thread. A second call does nothing."""
        self._lock.release()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
