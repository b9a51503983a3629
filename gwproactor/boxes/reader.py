"""Reading a box, beside a node that may run.

Reading changes nothing and takes no lock: what is in a box is only ever appended to, or renamed
into place whole, and what a running node removes meanwhile is passed over.
"""

from collections.abc import Iterator
from typing import Protocol

from gwproactor.boxes.box import Box, Boxes, Progress, no_progress
from gwproactor.boxes.files_reader import FilesReader
from gwproactor.boxes.log_reader import LogReader
from gwproactor.events.store import Damage, StoredEvent


class BoxReader(Protocol):
    """Gives the events of one box; what it found when it was made is what it gives."""

    @property
    def damages(self) -> list[Damage]:
        """What has been found so far that cannot be read; complete when all was iterated over."""
        ...

    @property
    def file_count(self) -> int:
        """How many files there are."""
        ...

    @property
    def file_bytes(self) -> int:
        """Their size."""
        ...

    @property
    def live_bytes(self) -> int:
        """What of it is of events that are there."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[StoredEvent]:
        """Give the events, the oldest first; each is read when its turn comes."""
        ...

    def find(self, event_id: str) -> StoredEvent | None:
        """The event of that id; None where there is none that can be read."""
        ...


def open_box(boxes: Boxes, box: Box, progress: Progress = no_progress) -> BoxReader:
    """Find what is in a box.

    Args:
        boxes: Of which node.
        box: Which one; one that is not there is empty.
        progress: Told of files read.

    Raises:
        StoreError: The folder, or a file in it, cannot be read.
        StoreFormatError: A newer version wrote it.
    """
    reader = FilesReader if box is Box.files else LogReader
    return reader(boxes.path(box), progress)
