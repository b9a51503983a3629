"""Events from elsewhere into the outbox of a node that does not run, and out of a box as lines.

What is imported is checked whole before the first event is taken. It is written in commits of many;
a kill in between leaves a part, and importing the same again adds the rest: an id that is pending
is kept once.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from gwproactor.boxes.box import Box, Progress, no_progress
from gwproactor.errors import DecodingError, UsageError
from gwproactor.events.disk.folder import DataFolder
from gwproactor.events.log.segment_log import SegmentLog
from gwproactor.events.persisters.rolling_names import parse_name, parse_time
from gwproactor.events.store import StoredEvent, one_line
from gwproactor.wire.codec import parse_event, parse_json_object, refuse_incomplete

_EVENTS_IN_A_COMMIT = 1000


class Imported(NamedTuple):
    """What became of an import.

    Attributes:
        taken: Events that are in the outbox now.
        pending: Events that were there already.
    """

    taken: int
    pending: int


class Checked(NamedTuple):
    """An event from elsewhere."""

    event_id: str
    payload: bytes
    source: str


class Lines:
    """Events in a stream that can be read from its beginning again, one in a line.

    Iterating raises UsageError where a line is no event; the message has its number.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Checked]:
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

    def __iter__(self) -> Iterator[Checked]:
        try:
            yield from self._events()
        except OSError as error:
            raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from None

    def _events(self) -> Iterator[Checked]:
        days = [path for path in self._folder.iterdir() if path.is_dir() and parse_time(path.name)]
        files = [
            (parsed[0], path)
            for day in days
            for path in day.iterdir()
            if (parsed := parse_name(path.name)) is not None
        ]
        if not files:
            raise UsageError(f"{self._folder} holds no event files: folders of days with files")
        for _, path in sorted(files):
            content = path.read_bytes()
            if path.name.endswith(".uid.event"):
                content = content.partition(b"\n")[2]
            yield _checked(content, str(path))


def _checked(text: bytes, place: str) -> Checked:
    try:
        fields = parse_json_object(text)
        refuse_incomplete(fields)
        event = parse_event(fields)
    except DecodingError as error:
        raise UsageError(f"{place} is no event: {error}; nothing was imported") from None
    payload = one_line(text.strip().replace(b"\r", b" "))
    return Checked(event.MessageId, payload, event.Src)


def import_events(
    data: Path, events: Iterable[Checked], progress: Progress = no_progress
) -> Imported:
    """Put events into the outbox, in their order, behind what is there.

    Args:
        data: The data folder; made when missing.
        events: `Lines` or `Files`: it is iterated twice, to check it and to write it.
        progress: Told of events written.

    Raises:
        UsageError: One of them is no event; nothing was imported.
        StoreLockedError: A node runs on the folder; the message names it.
        StoreError: Not all of it could be written; importing again adds the rest.
    """
    with DataFolder(data, "gwproactor events import"):
        total = sum(1 for _ in events)
        log = SegmentLog(Box.outbox.path(data))
        try:
            log.open()
            known = {ref.event_id for ref in log.pending()}
            before = len(known)
            fresh = _fresh(events, known)
            while group := list(islice(fresh, _EVENTS_IN_A_COMMIT)):
                _write(log, group)
                progress(len(known) - before, total)
            progress(total, total)
        finally:
            log.close()
    taken = len(known) - before
    return Imported(taken, total - taken)


def _write(log: SegmentLog, events: Sequence[Checked]) -> None:
    first = log.next_sequence
    puts = [
        StoredEvent(first + place, event.event_id, event.payload, source=event.source)
        for place, event in enumerate(events)
    ]
    log.commit(puts, ())


def _fresh(events: Iterable[Checked], known: set[str]) -> Iterator[Checked]:
    for event in events:
        if event.event_id not in known:
            known.add(event.event_id)
            yield event
