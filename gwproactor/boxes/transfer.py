"""Events from elsewhere into the outbox of a node that does not run.

What is imported is checked whole before the first event is taken. It is written in commits of many;
a kill in between leaves a part, and importing the same again adds the rest: an id that is pending
is kept once.

The outbox is a log, or the event files of a node whose `store` is `files`. A file holds the event
alone, so there its tag, its priority and a source other than its `Src` are left behind.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from gwproactor.boxes.box import Box, Boxes, Progress, no_progress
from gwproactor.boxes.event_files import EventFiles
from gwproactor.boxes.export_lines import Imported, import_line
from gwproactor.boxes.files_reader import FilesReader
from gwproactor.errors import DecodingError, UsageError
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.store import StoredEvent

_EVENTS_IN_A_COMMIT = 1000

Write = Callable[[Sequence[Imported]], None]
"""Makes events durable, behind what is there."""


class Import(NamedTuple):
    """What became of an import.

    Attributes:
        taken: Events that are in the outbox now.
        pending: Events that were there already.
    """

    taken: int
    pending: int


class Lines:
    """Events in a stream that can be read from its beginning again, one in a line.

    Iterating raises UsageError where a line is no event; the message has its number.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Imported]:
        self._stream.seek(0)
        for number, line in enumerate(self._stream, 1):
            if line.strip():
                yield _checked(line, f"line {number}")


class Files:
    """Events in a folder with a file for each, oldest first, as the predecessor keeps them.

    Iterating raises UsageError where a file is no event, or where there are none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __iter__(self) -> Iterator[Imported]:
        reader = FilesReader(self._folder)
        for event in reader:
            yield _checked(event.payload, f"the file of {event.event_id} in {self._folder}")
        for damage in reader.damages:
            raise UsageError(
                f"{damage.place} is no event: {damage.reason}; nothing was imported:"
                " move it elsewhere first"
            )
        if not len(reader):
            raise UsageError(f"{self._folder} holds no event files: folders of days with files")


def _checked(text: bytes, place: str) -> Imported:
    try:
        return import_line(text)
    except (DecodingError, UsageError) as error:
        raise UsageError(f"{place} is no event: {error}; nothing was imported") from None


def import_events(
    boxes: Boxes,
    events: Iterable[Imported],
    progress: Progress = no_progress,
    *,
    box: Box | None = None,
) -> Import:
    """Put events into the outbox, in their order, behind what is there.

    Args:
        boxes: Whose; its data folder is made when missing.
        events: `Lines` or `Files`: it is iterated twice, to check it and to write it.
        progress: Told of events written.
        box: Where they go, the log or the files; what is there already when not given.

    Raises:
        UsageError: One of them is no event, or both boxes are there; nothing was imported.
        StoreLockedError: A node runs on the folder; the message names it.
        StoreError: What is there cannot all be read, and nothing was imported; or not all of it
            could be written. Importing again adds the rest.
    """
    box = boxes.box_to_send(box)
    opened: Callable[[Path], AbstractContextManager[tuple[set[str], Write]]]
    opened = _files if box is Box.files else partial(_log, Box.refused.path(boxes.data))
    with DataFolder(boxes.data, "gwproactor events import"):
        total = sum(1 for _ in events)
        with opened(boxes.path(box)) as (known, write):
            before = len(known)
            fresh = _fresh(events, known)
            while group := list(islice(fresh, _EVENTS_IN_A_COMMIT)):
                write(group)
                progress(len(known) - before, total)
    progress(total, total)
    taken = len(known) - before
    return Import(taken, total - taken)


def _fresh(events: Iterable[Imported], known: set[str]) -> Iterator[Imported]:
    for event in events:
        if event.event_id not in known:
            known.add(event.event_id)
            yield event


def _next_sequence(folder: Path) -> int:
    """A number above every sequence of a log, which need not be there."""
    if not folder.is_dir():
        return 1
    with closing(SegmentLog(folder)) as log:
        log.open_whole()
        return log.next_sequence


@contextmanager
def _log(refused: Path, folder: Path) -> Iterator[tuple[set[str], Write]]:
    """What is pending in a log, and how more is written to it.

    No event gets the sequence of one that was refused: both stores know an event by it.
    """
    log = SegmentLog(folder)
    log.skip_to(_next_sequence(refused))

    def write(events: Sequence[Imported]) -> None:
        first = log.next_sequence
        log.commit([StoredEvent(first + place, *event) for place, event in enumerate(events)], ())

    try:
        log.open_whole()
        yield {ref.event_id for ref in log.pending()}, write
    finally:
        log.close()


@contextmanager
def _files(folder: Path) -> Iterator[tuple[set[str], Write]]:
    """What is pending in a folder of files, and how more is written to it."""
    files = EventFiles(folder)

    def write(events: Sequence[Imported]) -> None:
        for event in events:
            files.add(event.event_id, event.payload)

    yield files.ids(), write
