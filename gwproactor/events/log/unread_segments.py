"""Segments that could not be read at the start: the log goes on without them, and tries again.

They are never deleted, and stand outside of the order in which segments go: nothing waits for them.
While one is unread, what its removals say is not known, so events of older segments may come back
that were removed; and removals of its own events may go with younger segments. Either is no more
than the repetition that a power cut may bring, and such an event is known by its id.
"""

from collections.abc import Iterable

from gwproactor.errors import StoreFormatError
from gwproactor.events.disk.file_calls import FileCalls, describe
from gwproactor.events.log.segment_index import Place, Segment, SegmentIndex
from gwproactor.events.log.segments import Flaw, Put, Removal, decode_segment
from gwproactor.events.store import Damage, EventRef, FoundLate

_SHORTEST_PUT_BYTES = 24
"""A line that puts an event takes more, so a segment has fewer events than its size divided by
this: so many sequences are left out, lest one of theirs is used again."""

_ANY = 1 << 63

_UNKNOWN_BYTES = 16 * 1024 * 1024
"""Taken for the size of a file that does not even tell that."""


class UnreadSegments:
    """The unread segments of one log. Every call blocks.

    Args:
        files: The file operations.
        index: What is known of the others; told of what is read after all.
    """

    def __init__(self, files: FileCalls, index: SegmentIndex) -> None:
        self._files = files
        self._index = index
        self._reasons: dict[Segment, str] = {}

    def add(self, segment: Segment, error: OSError) -> int:
        """Take note of one; return how many sequences it may have used at most."""
        self._reasons[segment] = describe(error)
        self._index.note_removals(_ANY)
        try:
            size_bytes = self._files.size_bytes(segment.path)
        except OSError:
            size_bytes = _UNKNOWN_BYTES
        return size_bytes // _SHORTEST_PUT_BYTES

    def opened(self, next_sequence: int) -> None:
        """Everything else is read; what is put from now on has this sequence, or a higher one."""
        if self._reasons:
            self._index.note_removals(next_sequence)

    def read_again(self) -> FoundLate:
        """Try each of them once more."""
        refs: list[EventRef] = []
        damages: list[Damage] = []
        for segment in list(self._reasons):
            try:
                data = self._files.read(segment.path)
            except OSError as error:
                self._reasons[segment] = describe(error)
            else:
                refs += self._take_in(segment, data, damages)
                del self._reasons[segment]
        if not self._reasons:
            self._index.forget_removals()
        unread = [f"{segment.path}: {why}" for segment, why in self._reasons.items()]
        return FoundLate(sorted(refs), damages, unread)

    def _take_in(self, segment: Segment, data: bytes, damages: list[Damage]) -> list[EventRef]:
        """Take in a segment that was read; return what of it counts from now on."""
        try:
            contents = decode_segment(data, str(segment.path))
        except StoreFormatError as error:
            damages.append(Damage(str(segment.path), str(error)))
            return []
        self._index.insert(segment, len(data))
        refs = []
        for put in _live(contents.records):
            sequence = put.event.sequence
            if not self._index.was_removed(sequence) and self._index.find(sequence) is None:
                self._index.put(segment, Place(sequence, put.offset, put.line_bytes))
                refs.append(put.event.ref)
        segment.damaged = bool(contents.flaws)
        damages += [_damage(segment, flaw) for flaw in contents.flaws]
        return refs


def _live(records: Iterable[Put | Removal]) -> Iterable[Put]:
    """What a segment by itself puts and does not remove."""
    live: dict[int, Put] = {}
    for record in records:
        if isinstance(record, Put):
            live[record.event.sequence] = record
        else:
            for sequence in record.sequences:
                live.pop(sequence, None)
    return live.values()


def _damage(segment: Segment, flaw: Flaw) -> Damage:
    where = f"{segment.path}, bytes {flaw.offset} to {flaw.end}"
    return Damage(where, flaw.reason, flaw.event_id)
