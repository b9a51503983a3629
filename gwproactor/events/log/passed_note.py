"""A note beside the segments: which of them others have gone before, because these were not read.

A segment that is missing behind another one was lost, unless it stands here that it may be: see
`gwproactor.events.log.tidying`. The note is written before the first of them goes. It blocks.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gwproactor.events.disk.file_calls import FileCalls
from gwproactor.events.disk.repair import replace_file

_NAME = "passed-over"
_HEAD = "# Segments that could not be read for a while; those behind them may have gone before."
_NUMBER = re.compile(rb"^\d{1,10}$", re.MULTILINE)


class PassedNote:
    """The note in the folder of one log.

    Args:
        files: The file operations.
        folder: Where the segments lie.
    """

    def __init__(self, files: FileCalls, folder: Path) -> None:
        self._files = files
        self._path = folder / _NAME
        self._noted: frozenset[int] | None = None

    def read(self) -> frozenset[int]:
        """The numbers of those segments; some may be gone meanwhile.

        Raises:
            OSError: It cannot be read.
        """
        try:
            return frozenset(map(int, _NUMBER.findall(self._files.read(self._path))))
        except FileNotFoundError:
            return frozenset()

    def add(self, numbers: Iterable[int]) -> None:
        """Note these durably, if the disk lets us; those that are noted cost nothing."""
        self._write(self._known() | frozenset(numbers))

    def remove(self, number: int) -> None:
        """That segment is gone."""
        self._write(self._known() - {number})

    def _known(self) -> frozenset[int]:
        if self._noted is None:
            self._noted = frozenset()
            with suppress(OSError):
                self._noted = self.read()
        return self._noted

    def _write(self, numbers: frozenset[int]) -> None:
        """Write the note; where that fails, `verify` will call missing what is not."""
        if numbers == self._noted:
            return
        with suppress(OSError):
            if numbers:
                text = "\n".join([_HEAD, *map(str, sorted(numbers)), ""])
                replace_file(self._files, self._path, text.encode())
            else:
                self._files.remove(self._path)
            self._noted = numbers
