"""Where each pending event lies: which segment, which bytes. No file is touched here.

Segments are kept oldest first. An event has exactly one live place, the last one written; every
other copy of it, and every removal, is garbage that goes away with its segment.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from gwproactor.events.log.segments import Put
from gwproactor.events.store import EventRef

_NAME = re.compile(r"events-(\d{10})\.log")


def segment_name(number: int) -> str:
    """The name of the file of a segment."""
    return f"events-{number:010}.log"


def segment_numbers(names: Iterable[str]) -> list[int]:
    """The numbers of the segments among the files of a folder, oldest first."""
    matches = map(_NAME.fullmatch, names)
    return sorted(int(match[1]) for match in matches if match)


class Place(NamedTuple):
    """The line of one event in its segment."""

    offset: int
    line_bytes: int
    ref: EventRef


class Segment:
    """One segment file, and what of it is still needed.

    Attributes:
        number: Its place in the order of segments, and in its name.
        path: The file.
        size_bytes: The size of the file.
        live: The events whose live place is here, by sequence.
        live_bytes: The size of their lines.
        damaged: Something in it could not be read: it is kept aside, never deleted.
    """

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        self.size_bytes = 0
        self.live: dict[int, Place] = {}
        self.live_bytes = 0
        self.damaged = False


class SegmentIndex:
    """All segments of one log, and the place of each live event."""

    def __init__(self) -> None:
        self.segments: deque[Segment] = deque()
        self.total_bytes = 0
        self.live_bytes = 0
        self._homes: dict[int, Segment] = {}

    def add(self, segment: Segment) -> None:
        """Take in a new segment, the youngest."""
        self.segments.append(segment)

    def grow(self, segment: Segment, size_bytes: int) -> None:
        """Note that the file of `segment` now has this size."""
        self.total_bytes += size_bytes - segment.size_bytes
        segment.size_bytes = size_bytes

    def put(self, segment: Segment, put: Put) -> None:
        """Note that the live place of an event is now in `segment`."""
        ref = put.event.ref
        self.move(ref, segment, Place(put.offset, put.line_bytes, ref))

    def move(self, ref: EventRef, segment: Segment, place: Place) -> None:
        """Note that the live place of `ref` is now `place`."""
        self.remove(ref.sequence)
        segment.live[ref.sequence] = place
        segment.live_bytes += place.line_bytes
        self.live_bytes += place.line_bytes
        self._homes[ref.sequence] = segment

    def remove(self, sequence: int) -> None:
        """Forget an event; an unknown one is no error."""
        home = self._homes.pop(sequence, None)
        if home is not None:
            line_bytes = home.live.pop(sequence).line_bytes
            home.live_bytes -= line_bytes
            self.live_bytes -= line_bytes

    def find(self, sequence: int) -> tuple[Segment, Place] | None:
        """Where an event is."""
        home = self._homes.get(sequence)
        return None if home is None else (home, home.live[sequence])

    def drop_oldest(self) -> Segment:
        """Forget the oldest segment, which must have nothing live."""
        segment = self.segments.popleft()
        assert not segment.live
        self.total_bytes -= segment.size_bytes
        return segment

    def refs(self) -> Iterator[EventRef]:
        """Every live event, in order of sequence."""
        for sequence in sorted(self._homes):
            yield self._homes[sequence].live[sequence].ref
