"""The files of a log: private to the user, bounded in number and size, and no end to the program.

A file that was moved or removed, by hand or by a program that rotates logs, is made anew at the
next record, with its folder. A disk that is full is told once a minute on standard error, with how
many records were lost; each record is tried anew, so the log goes on when the disk does.
"""

import io
import os
import sys
import time
from contextlib import suppress
from logging import LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from gwproactor.config.logging import MAX_FILE_COUNT, RotatingFileHandlerSettings
from gwproactor.config.paths import make_folder

FILE_MODE: Final = 0o600
"""A log holds names, topics and addresses, which are nobody else's business."""

COMPLAINT_SECONDS: Final = 60.0
"""How often it is told that records are lost."""


class PrivateFiles(RotatingFileHandler):
    """Writes records into files, the newest without a number. Every call blocks.

    Args:
        folder: Where they lie; made where it is missing, private to the user.
        settings: Name, size and number.

    Raises:
        OSError: The folder or the file cannot be made.
    """

    def __init__(self, folder: Path, settings: RotatingFileHandlerSettings) -> None:
        path = folder / settings.filename
        make_folder(path.parent)
        self._lost = 0
        self._next_complaint = 0.0
        super().__init__(
            path,
            maxBytes=settings.bytes_per_log_file,
            backupCount=settings.num_log_files - 1,
            encoding="utf-8",
            errors="backslashreplace",
        )
        self.setLevel(settings.level)
        self._remove_too_many(path)

    def _remove_too_many(self, path: Path) -> None:
        """Remove what is left of a time in which there were to be more."""
        for old in path.parent.iterdir():
            number = old.name.removeprefix(f"{path.name}.")
            ours = number != old.name and number.isdecimal() and int(number) < MAX_FILE_COUNT
            if ours and int(number) > self.backupCount:
                with suppress(OSError):
                    old.unlink()

    def _open(self) -> io.TextIOWrapper:
        descriptor = _open_private(self.baseFilename)
        return io.TextIOWrapper(
            io.FileIO(descriptor, "a"), encoding="utf-8", errors=self.errors, write_through=True
        )

    def emit(self, record: LogRecord) -> None:
        """Write a record, to a new file where the one in use is no longer the one of that name."""
        try:
            if not self._is_in_place():
                if self.stream is not None:
                    self.stream.close()
                make_folder(Path(self.baseFilename).parent)
                self.stream = self._open()
        except OSError:
            self.handleError(record)
        else:
            super().emit(record)

    def _is_in_place(self) -> bool:
        if self.stream is None:
            return False
        try:
            named = Path(self.baseFilename).stat()
        except FileNotFoundError:
            return False
        in_use = os.fstat(self.stream.fileno())
        return (named.st_dev, named.st_ino) == (in_use.st_dev, in_use.st_ino)

    def doRollover(self) -> None:  # noqa: N802 - the name is logging's
        """Begin a new file; where there is to be one only, begin it anew."""
        if self.backupCount > 0:
            super().doRollover()
        elif self.stream is not None:
            self.stream.truncate(0)

    def handleError(self, record: LogRecord) -> None:  # noqa: ARG002, N802 - logging's
        """Count a record that could not be written, and tell of it from time to time."""
        self._lost += 1
        now = time.monotonic()
        if now >= self._next_complaint and sys.stderr is not None:
            self._next_complaint = now + COMPLAINT_SECONDS
            fault = sys.exc_info()[1]
            sys.stderr.write(f"{self.baseFilename}: {self._lost} records were lost: {fault}\n")


def _open_private(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(path, flags, FILE_MODE)
    if os.fstat(descriptor).st_uid == os.getuid():
        os.fchmod(descriptor, FILE_MODE)  # one that was there may be less private
    return descriptor
