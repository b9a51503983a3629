"""What the segments of a log say, read once at its start. It blocks.

Every segment is read whole, the oldest first, into an index of what is stored and where. What is
damaged in one is returned, and handled by `gwproactor.events.disk.repair`. Then all of it is
synced: a run that was killed may have left lines that it never synced, and from here on they count.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gwproactor.errors import StoreUnusableError
from gwproactor.events.disk.file_calls import FileCalls, describe, sync_file
from gwproactor.events.disk.repair import remove_leftovers, repair
from gwproactor.events.log.flaws import blank_flaws, flaw_damage
from gwproactor.events.log.segment_index import (
    Segment,
    SegmentIndex,
    segment_name,
    segment_numbers,
)
from gwproactor.events.log.segments import Contents, Put, Removal, decode_segment
from gwproactor.events.log.unread_segments import UnreadSegments
from gwproactor.events.store import Damage

_READ_TRIES = 3
_READ_PAUSE_SECONDS = 0.1
"""At the start, for a disk whose bus is being reset. Whoever starts the node again waits longer."""


class Opened(NamedTuple):
    """What the start found.

    Attributes:
        damages: What cannot be read any more.
        next_sequence: A number above every sequence that was ever used.
        last_number: The number of the youngest segment; 0 where there is none.
    """

    damages: list[Damage]
    next_sequence: int
    last_number: int


def open_segments(
    files: FileCalls,
    folder: Path,
    index: SegmentIndex,
    unread: UnreadSegments,
    *,
    durable: bool,
    tells: bool,
) -> Opened:
    """Read every segment into `index`.

    Args:
        files: The file operations.
        folder: Where the segments lie; created when missing.
        index: Empty; told of every segment and of what is stored in it.
        unread: Told of every segment that the disk does not give back now.
        durable: Sync what is found.
        tells: The caller tells the world of the damage, so that it is repaired, and its losses are
            accounted for. Else it is left for who does.

    Raises:
        StoreUnusableError: The folder cannot be made, read or synced, or this process may not read
            a segment.
        StoreFormatError: A newer version wrote it.
    """
    try:
        files.make_folder(folder)
        remove_leftovers(files, folder)
        numbers = segment_numbers(files.names(folder))
    except OSError as error:
        raise StoreUnusableError(f"cannot use {folder}: {describe(error)}") from error
    damages: list[Damage] = []
    next_sequence = 1
    for number in numbers:
        segment = Segment(number, folder / segment_name(number))
        try:
            data = _read_whole(files, segment.path)
        except OSError as error:
            unread.add(segment, error)
            continue
        contents = decode_segment(data, str(segment.path))
        if contents.flaws and tells:
            is_live = None if unread.reasons else index.has  # there may be what seems to be lost
            repair(files, segment.path, data, blank_flaws(data, contents, is_live))
        segment.damaged = bool(contents.flaws) and not tells
        _load(index, segment, len(data), contents)
        damages += [flaw_damage(segment.path, flaw) for flaw in contents.flaws]
        next_sequence = max(next_sequence, contents.next_sequence)
    last_number = max(numbers, default=0)
    next_sequence = unread.opened(next_sequence, last_number)
    if durable and numbers:
        _sync_all(files, folder, index)
    return Opened(damages, next_sequence, last_number)


def _load(index: SegmentIndex, segment: Segment, size_bytes: int, contents: Contents) -> None:
    """Take in one segment."""
    index.add(segment)
    index.grow(segment, size_bytes)
    _replay(index, segment, contents.records)


def _read_whole(files: FileCalls, path: Path) -> bytes:
    """Read a segment, if need be on a further try.

    Raises:
        StoreUnusableError: This process may not read it, which somebody must put right.
        OSError: The disk does not give it back now; the file is left as it is.
    """
    for _ in range(_READ_TRIES - 1):
        with suppress(OSError):
            return files.read(path)
        time.sleep(_READ_PAUSE_SECONDS)
    try:
        return files.read(path)
    except PermissionError as error:
        raise StoreUnusableError(f"cannot read {path}: {describe(error)}") from error


def _replay(index: SegmentIndex, segment: Segment, records: Iterable[Put | Removal]) -> None:
    for record in records:
        if isinstance(record, Put):
            index.restore(segment, record)
        else:
            for sequence in record.sequences:
                index.remove(sequence)


def _sync_all(files: FileCalls, folder: Path, index: SegmentIndex) -> None:
    try:
        for segment in index.segments:
            sync_file(files, segment.path)
        files.sync_folder(folder)
    except OSError as error:
        raise StoreUnusableError(f"cannot sync {folder}: {describe(error)}") from error
