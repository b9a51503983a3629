"""A file for each event, a folder for each day: the reference's persister, made to last.

The layout is the predecessor's (`gwproactor.events.persisters.rolling_names`), so the event folder
of an installation that is there is picked up as it is. Other than there, a file is whole or not
there, and once `persist` has returned no power cut takes it. Everything is private to the user.

Persisting an id again writes the new file before the old one goes; where a kill left both,
`reindex` keeps the newer one.

It costs two syncs for each event. `gwproactor.events.log.log_store` needs one for all that wait.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from result import Err, Ok, Result

from gwproactor.events.disk.file_calls import FileCalls, describe
from gwproactor.events.persisters.persister import CountingPersister
from gwproactor.events.persisters.persister_errors import (
    ContentTooLarge,
    FileExistedWarning,
    FileMissing,
    FileMissingWarning,
    PersisterError,
    ReadFailed,
    TrimFailed,
    TrimmedWarning,
    UIDExistedWarning,
    UIDMissingWarning,
    WriteFailed,
)
from gwproactor.events.persisters.rolling_folder import EventFile, RollingFolder
from gwproactor.events.persisters.rolling_names import FILENAME
from gwproactor.events.persisters.rolling_scan import Pace
from gwproactor.events.store import DEFAULT_MAX_BYTES
from gwproactor.problems import Problems


class TimedRollingFilePersister(CountingPersister):
    """Content in files of its own, in folders by day. For one thread at a time; it blocks.

    Args:
        base_dir: The folder of the day folders; created when missing.
        max_bytes: So much content at most. Beyond it the oldest is dropped, and named in warnings.
        pat_watchdog_args: A command that pats the watchdog; run while `reindex` takes long.
        reindex_pat_seconds: How often, in seconds.
        trim: Drop the oldest when it is full. Without it, new content is refused.
        durable: Sync what is persisted. Without it, it is only handed to the system.
        on_progress: Told during `reindex`, as often as the pats, how many events have been found.
        files: The file operations; a test gives its own.
    """

    DEFAULT_MAX_BYTES = DEFAULT_MAX_BYTES
    FILENAME_RGX = FILENAME
    REINDEX_PAT_SECONDS: ClassVar[float] = 1.0

    def __init__(
        self,
        base_dir: Path | str,
        max_bytes: int = DEFAULT_MAX_BYTES,
        pat_watchdog_args: Sequence[str] | None = None,
        reindex_pat_seconds: float = REINDEX_PAT_SECONDS,
        *,
        trim: bool = True,
        durable: bool = True,
        on_progress: Callable[[int], None] | None = None,
        files: FileCalls | None = None,
    ) -> None:
        super().__init__()
        self._folder = RollingFolder(
            files or FileCalls(), Path(base_dir).resolve(), durable=durable
        )
        self._max_bytes = max_bytes
        self._pat_watchdog_args = tuple(pat_watchdog_args or ())
        self._reindex_pat_seconds = reindex_pat_seconds
        self._trim = trim
        self._on_progress = on_progress
        self._pending: dict[str, EventFile] = {}
        self._curr_bytes = 0

    # What there is

    @property
    def base_dir(self) -> Path:
        """The folder of the day folders."""
        return self._folder.path

    @property
    def curr_dir(self) -> Path:
        """The day folder that the last file went to, or the next one goes to."""
        return self._folder.current

    @property
    def max_bytes(self) -> int:
        """The limit of `curr_bytes`."""
        return self._max_bytes

    @property
    def curr_bytes(self) -> int:
        """The size of all files, in bytes."""
        return self._curr_bytes

    def pending_ids(self) -> list[str]:
        """The ids of what is kept, the oldest first."""
        return list(self._pending)

    def pending_paths(self) -> list[Path]:
        """The files of what is kept, the oldest first."""
        return [file.path for file in self._pending.values()]

    def pending_dict(self) -> dict[str, Path]:
        """The files by their ids, the oldest first."""
        return {uid: file.path for uid, file in self._pending.items()}

    def get_path(self, uid: str) -> Path | None:
        """The file that holds `uid`; None where there is none."""
        file = self._pending.get(uid)
        return file.path if file else None

    @property
    def num_pending(self) -> int:
        """How many contents are kept."""
        return len(self._pending)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pending

    def content_bytes(self, uid: str) -> int:
        """The size of what is kept under `uid`; 0 where there is nothing."""
        file = self._pending.get(uid)
        return file.content_bytes if file else 0

    def reindex(self) -> Result[bool | None, Problems]:
        """Find what earlier runs left, in the order of the times in the names.

        Returns:
            `Err` with errors where a part could not be looked at; the rest is pending then.
        """
        problems = Problems()
        pace = Pace(self._reindex_pat_seconds, self._pat_watchdog_args, self._on_progress)
        self._pending = {file.uid: file for file in self._folder.scan(pace, problems)}
        self._curr_bytes = sum(file.size_bytes for file in self._pending.values())
        match self.sync_removals():  # what a killed run left unsynced counts from here on
            case Err(more):
                problems.add_problems(more)
        return _outcome(problems)

    # Persisting

    def persist(self, uid: str, content: bytes) -> Result[bool, Problems]:
        """Keep `content` under `uid`, in place of what is kept under it already.

        Returns:
            `Err` with an error where it is not kept; then what was there before is there still.
            `Err` with warnings alone where it is kept: it replaced something, or something older
            was dropped for it.
        """
        self._num_persists += 1
        problems = Problems()
        try:
            self._make_room(uid, len(content), problems)
            self._replace(uid, content, problems)
        except PersisterError as error:
            return Err(_with_cause(problems, error))
        return _outcome(problems)

    def _replace(self, uid: str, content: bytes, problems: Problems) -> None:
        old = self._pending.get(uid)
        if old is not None:
            odd = FileExistedWarning if old.path.exists() else FileMissingWarning
            problems.add_warning(UIDExistedWarning(uid=uid, path=old.path))
            problems.add_warning(odd(uid=uid, path=old.path))
        path = self._folder.place(uid)
        try:
            new = self._folder.write(uid, path, content)
        except OSError as error:
            raise WriteFailed(describe(error), uid=uid, path=path) from error
        if old is not None:
            self._forget(old)
            self._folder.remove_if_possible(uid, old.path)
        self._pending[uid] = new
        self._curr_bytes += new.size_bytes

    def _make_room(self, uid: str, needed_bytes: int, problems: Problems) -> None:
        """Drop the oldest until there is room.

        Raises:
            PersisterError: There is none.
        """
        if needed_bytes > self._max_bytes:
            words = f"{needed_bytes} bytes are more than max_bytes = {self._max_bytes}"
            raise ContentTooLarge(words, uid=uid)
        old = self._pending.get(uid)
        room_bytes = self._max_bytes - needed_bytes + (old.size_bytes if old else 0)
        while self._curr_bytes > room_bytes:
            self._drop(
                next(other for other in self._pending.values() if other is not old), problems
            )

    def _drop(self, file: EventFile, problems: Problems) -> None:
        if not self._trim:
            raise TrimFailed(f"max_bytes = {self._max_bytes} is reached")
        try:
            self._folder.remove(file)
        except OSError as error:
            raise TrimFailed(describe(error), uid=file.uid, path=file.path) from error
        self._forget(file)
        words = "dropped to make room"
        problems.add_warning(TrimmedWarning(words, uid=file.uid, path=file.path))

    def _forget(self, file: EventFile) -> None:
        del self._pending[file.uid]
        self._curr_bytes -= file.size_bytes

    # Clearing

    def clear(self, uid: str) -> Result[bool, Problems]:
        """Remove what is kept under `uid`.

        Returns:
            `Err` with an error where it is still there; `Err` with a warning alone where there was
            nothing, or its file was gone.
        """
        self._num_clears += 1
        file = self._pending.get(uid)
        try:
            if file is None:
                self._folder.remove_strays(uid)
                return Err(Problems(warnings=[UIDMissingWarning(uid=uid)]))
            was_there = self._folder.remove(file)
        except OSError as error:
            return Err(_failure(error, uid, file))
        self._forget(file)
        if not was_there:
            return Err(Problems(warnings=[FileMissingWarning(uid=uid, path=file.path)]))
        return Ok(True)

    def set_aside(self, uid: str) -> Result[bool, Problems]:
        """Move the file of `uid` into the folder `damaged`; it is not pending any more.

        Returns:
            `Err` with an error where it is still pending; with a warning where it never was.
        """
        file = self._pending.get(uid)
        if file is None:
            return Err(Problems(warnings=[UIDMissingWarning(uid=uid)]))
        try:
            self._folder.set_aside(file)
        except OSError as error:
            return Err(_failure(error, uid, file))
        self._forget(file)
        return Ok(True)

    def sync_removals(self) -> Result[bool, Problems]:
        """Sync the folders in which something has been removed."""
        try:
            self._folder.sync_removals()
        except OSError as error:
            return Err(_failure(error, "", None))
        return Ok(True)

    # Reading

    def retrieve(self, uid: str) -> Result[bytes | None, Problems]:
        """Read what is kept under `uid`; None where there is nothing.

        Returns:
            `Err` with `FileMissing` where the file is gone, or `ReadFailed` where trying again
            later may help.
        """
        self._num_retrieves += 1
        file = self._pending.get(uid)
        if file is None:
            return Ok(None)
        try:
            return Ok(self._folder.read(file))
        except OSError as error:
            return Err(Problems(errors=[error, self._unread(file, error)]))

    def _unread(self, file: EventFile, error: OSError) -> PersisterError:
        if isinstance(error, FileNotFoundError):
            with suppress(OSError):
                if self._folder.is_gone(file.path):
                    return FileMissing("the file is gone", uid=file.uid, path=file.path)
        return ReadFailed(describe(error), uid=file.uid, path=file.path)


def _outcome(problems: Problems) -> Result[bool, Problems]:
    return Err(problems) if problems else Ok(True)


def _with_cause(problems: Problems, error: PersisterError) -> Problems:
    if error.__cause__ is not None:
        problems.add_error(error.__cause__)
    return problems.add_error(error)


def _failure(error: OSError, uid: str, file: EventFile | None) -> Problems:
    path = file.path if file else None
    return Problems(errors=[error, PersisterError(describe(error), uid=uid, path=path)])
