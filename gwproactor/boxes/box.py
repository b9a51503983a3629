"""The boxes of a data folder: what they are called, where they lie, and who runs on the folder."""

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from gwproactor.errors import UsageError
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.log.segment_index import segment_numbers
from gwproactor.events.persisters.rolling_names import parse_time

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


def no_progress(_done: int, _of: int) -> None:
    """Nobody looks."""


class Box(StrEnum):
    """What holds events in a data folder."""

    outbox = "outbox"
    """On their way to the upstream peer."""
    files = "files"
    """The same of a node whose `store` is `files`: a file for each event."""
    inbox = "inbox"
    """Received and not yet dealt with."""
    dead_letters = "dead-letters"
    """Received, and failed by their handler too often."""
    refused = "refused"
    """Never taken by the upstream peer."""

    def path(self, data: Path) -> Path:
        """Its folder."""
        return data / ("event" if self is Box.files else self.value)


class Boxes:
    """The boxes of one node.

    Args:
        data: Its data folder.
        files: Where its event files lie, if they do not lie in the data folder.
    """

    def __init__(self, data: Path, files: Path | None = None) -> None:
        self.data = data
        self._files = files

    def path(self, box: Box) -> Path:
        """The folder of a box; it need not be there."""
        return self._files if box is Box.files and self._files else box.path(self.data)

    def check(self) -> None:
        """Raise UsageError where there is no box at all."""
        if self._files is not None and not self._files.is_dir():
            raise UsageError(f"--files {self._files} is no folder; give that of the event files")
        if not any(self.path(box).is_dir() for box in Box):
            raise UsageError(
                f"{self.data} is no data folder of a node: it has none of"
                f" {', '.join(box.path(Path()).name for box in Box)};"
                " give the folder that the node was given as --data"
            )

    @property
    def sending(self) -> Box:
        """The box of the events on their way: the files where they have a folder, and no log is."""
        if self._files is not None:
            return Box.files
        has_folder = self.path(Box.files).is_dir()
        return Box.files if has_folder and not self._has_log else Box.outbox

    def box_to_send(self, box: Box | None) -> Box:
        """The box for events that are to be sent: the one asked for, or the only one there is.

        Raises:
            UsageError: It does not send; or there are two, and the node looks at one of them only.
        """
        if box is None and self._files is None and self._has_files and self._has_log:
            raise UsageError(
                f"{self.data} has a log and event files: say --box outbox, or --box files for a"
                " node whose store is files"
            )
        if box not in (None, Box.outbox, Box.files):
            raise UsageError(f"--box is {box}: events on their way are in outbox or files")
        return box or self.sending

    @property
    def _has_log(self) -> bool:
        return bool(segment_numbers(_names(self.path(Box.outbox))))

    @property
    def _has_files(self) -> bool:
        return any(map(parse_time, _names(self.path(Box.files))))

    def holder(self) -> str:
        """Who runs on the data folder, as far as can be told without disturbing; "" for nobody."""
        process_id, name = DataFolder(self.data, "").holder()
        if process_id is None:
            return ""
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return ""
        except PermissionError:
            pass  # somebody else's, and alive
        return f"{name} (process {process_id})"


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []  # whoever reads it will say why
