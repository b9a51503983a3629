"""Where each pending event lies: which segment, which bytes. No file is touched here.

Segments are kept oldest first, but for those that are passed over, because they cannot be read now
(`gwproactor.events.log.tidying`). An event has exactly one live place, the last one written; every
other copy of it, and every removal, is garbage that goes away with its segment.

A place takes twelve bytes. Sequences are dense, so places stand in blocks of neighbours, in arrays.
What else is to be known of an event is read from its segment; only what the start has read anyway
is kept until it has been asked for.
"""

import re
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from gwproactor.events.core.ref_table import RefTable
from gwproactor.events.log.segments import Put
from gwproactor.events.log.sequences import Sequences

_NAME = re.compile(r"events-(\d{10})\.log")

_BLOCK_BITS = 8
_BLOCK_COUNT = 1 << _BLOCK_BITS
"""Neighbours in one block: few, so that one that stays behind alone costs little."""


def segment_name(number: int) -> str:
    """The name of the file of a segment."""
    return f"events-{number:010}.log"


def segment_numbers(names: Iterable[str]) -> list[int]:
    """The numbers of the segments among the files of a folder, oldest first."""
    matches = map(_NAME.fullmatch, names)
    return sorted(int(match[1]) for match in matches if match)


class Place(NamedTuple):
    """The line of one event in its segment."""

    sequence: int
    offset: int
    line_bytes: int


class Segment:
    """One segment file, and what of it is still needed.

    Attributes:
        number: Its place in the order of segments, and in its name.
        path: The file.
        size_bytes: The size of the file.
        live_count: How many events have their live place here.
        live_bytes: The size of their lines.
        sequences: The events that have, or had, a line here.
        damaged: Something in it could not be read: it is kept aside, never deleted.
        trouble: Why it is passed over; empty when it is not.
    """

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        self.size_bytes = 0
        self.live_count = 0
        self.live_bytes = 0
        self.sequences = Sequences()
        self.damaged = False
        self.trouble = ""


class _Block:
    """The places of neighbours; a length of 0 stands for none."""

    __slots__ = ("count", "lengths", "numbers", "offsets")

    def __init__(self) -> None:
        self.count = 0
        self.numbers = array("I", bytes(4 * _BLOCK_COUNT))
        self.offsets = array("I", bytes(4 * _BLOCK_COUNT))
        self.lengths = array("I", bytes(4 * _BLOCK_COUNT))


class SegmentIndex:
    """All segments of one log, and the place of each live event."""

    def __init__(self) -> None:
        self.segments: deque[Segment] = deque()
        self.passed: list[Segment] = []
        """Those that the others do not wait for."""
        self.unread: set[int] = set()
        """The numbers of those that could not be read at the start."""
        self.total_bytes = 0
        self.live_bytes = 0
        self.restored: RefTable | None = RefTable()
        """What the segments said at the start; None when that is forgotten."""
        self._removed: set[int] | None = None
        self._noted_below = 0
        self._by_number: dict[int, Segment] = {}
        self._blocks: dict[int, _Block] = {}

    def add(self, segment: Segment) -> None:
        """Take in a new segment, the youngest."""
        self.segments.append(segment)
        self._by_number[segment.number] = segment

    def insert(self, segment: Segment, size_bytes: int) -> None:
        """Take in a segment at its place, whichever that is."""
        self.add(segment)
        self._sort()
        self.grow(segment, size_bytes)

    def _sort(self) -> None:
        self.segments = deque(sorted(self.segments, key=lambda each: each.number))

    def note_removals(self, below: int) -> None:
        """Remember what is removed, of sequences below that one, for a segment not read yet."""
        self._removed = self._removed or set()
        self._noted_below = below

    def was_removed(self, sequence: int) -> bool:
        """Whether it was removed since that."""
        return self._removed is not None and sequence in self._removed

    def forget_removals(self) -> None:
        """All segments are read."""
        self._removed = None

    def grow(self, segment: Segment, size_bytes: int) -> None:
        """Note that the file of `segment` now has this size."""
        self.total_bytes += size_bytes - segment.size_bytes
        segment.size_bytes = size_bytes

    def restore(self, segment: Segment, put: Put) -> None:
        """Note an event that is read at the start."""
        self.put(segment, Place(put.event.sequence, put.offset, put.line_bytes))
        if self.restored is not None:
            self.restored.put(put.event.ref)

    def put(self, segment: Segment, place: Place) -> None:
        """Note that the live place of an event is now in `segment`."""
        sequence, offset, line_bytes = place
        self._forget(sequence)
        block = self._blocks.get(sequence >> _BLOCK_BITS)
        if block is None:
            block = self._blocks[sequence >> _BLOCK_BITS] = _Block()
        row = sequence % _BLOCK_COUNT
        segment.sequences.add(sequence)
        block.numbers[row] = segment.number
        block.offsets[row] = offset
        block.lengths[row] = line_bytes
        block.count += 1
        segment.live_count += 1
        segment.live_bytes += line_bytes
        self.live_bytes += line_bytes

    def remove(self, sequence: int) -> None:
        """Forget an event; an unknown one is no error."""
        if self._removed is not None and sequence < self._noted_below:
            self._removed.add(sequence)
        self._forget(sequence)

    def _forget(self, sequence: int) -> None:
        block = self._blocks.get(sequence >> _BLOCK_BITS)
        row = sequence % _BLOCK_COUNT
        if block is None or not block.lengths[row]:
            return
        home, line_bytes = self._by_number[block.numbers[row]], block.lengths[row]
        block.lengths[row] = 0
        block.count -= 1
        if not block.count:
            del self._blocks[sequence >> _BLOCK_BITS]
        home.live_count -= 1
        home.live_bytes -= line_bytes
        self.live_bytes -= line_bytes
        if self.restored is not None:
            self.restored.remove(sequence)

    def find(self, sequence: int) -> tuple[Segment, Place] | None:
        """Where an event is."""
        block = self._blocks.get(sequence >> _BLOCK_BITS)
        row = sequence % _BLOCK_COUNT
        if block is None or not block.lengths[row]:
            return None
        place = Place(sequence, block.offsets[row], block.lengths[row])
        return self._by_number[block.numbers[row]], place

    def has(self, sequence: int) -> bool:
        """Whether an event is there."""
        return self.find(sequence) is not None

    def is_live(self, segment: Segment, put: Put) -> bool:
        """Whether this record, found in `segment`, is the live place of its event."""
        place = Place(put.event.sequence, put.offset, put.line_bytes)
        return self.find(put.event.sequence) == (segment, place)

    def pass_over(self, segment: Segment, reason: str) -> None:
        """Let no other segment wait for this one."""
        segment.trouble = reason
        if segment not in self.passed:
            self.segments.remove(segment)
            self.passed.append(segment)

    def take_back(self, segment: Segment) -> None:
        """Let a segment that was passed over have its place in the order again."""
        self.passed.remove(segment)
        self.segments.append(segment)
        segment.trouble = ""
        self._sort()

    def older_than(self, segment: Segment) -> list[Segment]:
        """The segments that what it removes may be about."""
        everything = (*self.passed, *self.segments)
        return [other for other in everything if other.number < segment.number]

    def numbers_before(self, segment: Segment) -> list[int]:
        """The numbers of the segments whose turn to go comes before this one's, read or not."""
        numbers = (*(each.number for each in self.older_than(segment)), *self.unread)
        return [number for number in numbers if number < segment.number]

    def drop(self, segment: Segment) -> None:
        """Forget a segment, which must have nothing live."""
        assert not segment.live_count
        (self.passed if segment in self.passed else self.segments).remove(segment)
        del self._by_number[segment.number]
        self.total_bytes -= segment.size_bytes

    def sequences(self) -> Iterator[int]:
        """Every live event, in order of sequence."""
        for number in sorted(self._blocks):
            lengths = self._blocks[number].lengths
            for row in range(_BLOCK_COUNT):
                if lengths[row]:
                    yield (number << _BLOCK_BITS) + row
