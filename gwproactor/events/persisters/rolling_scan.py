"""Finding the event files that earlier runs left, ours or the predecessor's. It blocks, maybe long.

So it says how far it is, and pats the watchdog, at a bounded rate. What cannot be looked at becomes
a problem, and the rest is found all the same.
"""

import logging
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.disk.whole_files import UNFINISHED
from gwproactor.events.persisters.persister_errors import PersisterWarning, ReindexError
from gwproactor.events.persisters.rolling_names import parse_head, parse_name, parse_time
from gwproactor.problems import Problems

_PAT_TIMEOUT_SECONDS = 5.0
"""A pat that hangs must not hold up the start for longer than a watchdog would bear."""

_LOGGER = logging.getLogger(__name__)


class Found(NamedTuple):
    """A file that holds an event."""

    time: datetime
    uid: str
    path: Path
    size_bytes: int


class Pace:
    """Does what is to be done every so often during a long work.

    Args:
        period_seconds: How often.
        pat_watchdog_args: The command that pats the watchdog; empty where there is none.
        on_progress: Is told how many events have been found so far.
    """

    def __init__(
        self,
        period_seconds: float,
        pat_watchdog_args: Sequence[str],
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._period_seconds = period_seconds
        self._pat_watchdog_args = pat_watchdog_args
        self._on_progress = on_progress
        self._last_seconds = time.monotonic()
        self._failed = False

    def tick(self, count: int, problems: Problems) -> None:
        """Do it if its time has come; a pat that fails is a warning, once."""
        now_seconds = time.monotonic()
        if now_seconds < self._last_seconds + self._period_seconds:
            return
        self._last_seconds = now_seconds
        _LOGGER.info("%d stored events found so far", count)
        if self._on_progress is not None:
            self._on_progress(count)
        if self._pat_watchdog_args:
            self._pat(problems)

    def _pat(self, problems: Problems) -> None:
        try:
            subprocess.run(  # noqa: S603 - the command is the program's own
                self._pat_watchdog_args, check=True, timeout=_PAT_TIMEOUT_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            if not self._failed:
                problems.add_warning(PersisterWarning(f"cannot pat the watchdog: {error}"))
            self._failed = True


class Scan:
    """One look through a folder of day folders.

    Args:
        files: The file operations.
        base_dir: The folder.
        pace: What is to be done meanwhile.
        problems: Where problems are added.

    Attributes:
        folders: The day folders there are.
    """

    def __init__(self, files: FileCalls, base_dir: Path, pace: Pace, problems: Problems) -> None:
        self.folders: list[Path] = []
        self._files = files
        self._base_dir = base_dir
        self._pace = pace
        self._problems = problems

    def run(self) -> list[Found]:
        """Give the files that hold events, the oldest first."""
        found: list[Found] = []
        for path in self._paths():
            self._pace.tick(len(found), self._problems)
            try:
                file = self._look_at(path)
            except OSError as error:
                self._failed(path, error)
            else:
                found += [file] if file else []
        return sorted(found, key=lambda file: (file.time, file.path.name))

    def _paths(self) -> Iterator[Path]:
        for name in self._names(self._base_dir):
            folder = self._base_dir / name
            if parse_time(name) is None or not folder.is_dir():
                continue
            self.folders.append(folder)
            for file_name in self._names(folder):
                yield folder / file_name

    def _names(self, folder: Path) -> list[str]:
        try:
            return self._files.names(folder)
        except FileNotFoundError:
            return []  # nothing has been kept yet
        except OSError as error:
            self._failed(folder, error)
            return []

    def _look_at(self, path: Path) -> Found | None:
        if path.name == UNFINISHED:
            with suppress(OSError):
                self._files.remove(path)
            return None
        parsed = parse_name(path.name)
        if parsed is None:
            return None
        stamp, uid = parsed
        if uid is None:
            uid = parse_head(self._files.read(path).partition(b"\n")[0])
        if uid is None:
            words = "passed over: there is no id in its first line"
            self._problems.add_warning(PersisterWarning(words, path=path))
            return None
        return Found(stamp, uid, path, self._files.size_bytes(path))

    def _failed(self, path: Path, error: OSError) -> None:
        self._problems.add_error(error).add_error(ReindexError(str(error), path=path))
