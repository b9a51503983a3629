"""Segments that could not be read at the start: the log goes on without them, and tries again.

They are never deleted, and stand outside of the order in which segments go: nothing waits for them.
While one is unread, what its removals say is not known, so events of older segments may come back
that were removed; and removals of its own events may go with younger segments. Either is no more
than the repetition that a power cut may bring, and such an event is known by its id.

**Sequences.** Nobody knows how far those of an unread segment go, so the log goes on where they
cannot reach: a segment never uses so many as there are in one `SEQUENCES_BY_SEGMENT`, so all that
is used up to segment `n` is below `n + 1` times that, and that is where the next one goes on. This
holds through any number of such starts, whichever segment is unread in each. Where an event's
sequence was nevertheless used again, the event is put once more under one that was left free.
"""

from collections.abc import Callable, Iterable, Sequence

from gwproactor.errors import StoreError, StoreFormatError
from gwproactor.events.disk.file_calls import FileCalls, describe
from gwproactor.events.log.flaws import flaw_damage
from gwproactor.events.log.segment_index import Place, Segment, SegmentIndex
from gwproactor.events.log.segment_reader import SegmentReader
from gwproactor.events.log.segments import Contents, Put, Removal, decode_segment
from gwproactor.events.store import Damage, EventRef, FoundLate, StoredEvent

SEQUENCES_BY_SEGMENT = 1 << 32
"""The index keeps the place of a line in 32 bits, and its segment's number in as many: so no
segment has that many events, and the highest sequence fits into 64 bits."""

SEQUENCES_LEFT_FREE = SEQUENCES_BY_SEGMENT // 2
"""For events that are put once more: they come before all that is new."""

_ANY = 1 << 64


class UnreadSegments:
    """The unread segments of one log. Every call blocks.

    Args:
        files: The file operations.
        index: What is known of the others; told of what is read after all.
        put: Makes events durable in the log.

    Attributes:
        next_sequence: A number above every sequence that was read late.
    """

    def __init__(
        self, files: FileCalls, index: SegmentIndex, put: Callable[[Sequence[StoredEvent]], None]
    ) -> None:
        self.next_sequence = 1
        self._files = files
        self._index = index
        self._put = put
        self._free_sequence = 1
        self._reasons: dict[Segment, str] = {}

    @property
    def reasons(self) -> list[str]:
        """What is unread: file and reason, a line each."""
        return [f"{segment.path}: {why}" for segment, why in self._reasons.items()]

    def add(self, segment: Segment, error: OSError) -> None:
        """Take note of one."""
        self._reasons[segment] = describe(error)
        self._index.unread.add(segment.number)
        self._index.note_removals(_ANY)

    def opened(self, next_sequence: int, last_number: int) -> int:
        """Everything else is read; return the sequence from which on new events are put.

        Args:
            next_sequence: A number above every sequence that was read.
            last_number: The number of the youngest segment, read or not.
        """
        if not self._reasons:
            return next_sequence
        self._free_sequence = max(next_sequence, (last_number + 1) * SEQUENCES_BY_SEGMENT)
        next_sequence = self._free_sequence + SEQUENCES_LEFT_FREE
        self._index.note_removals(next_sequence)
        return next_sequence

    def read_again(self) -> FoundLate:
        """Try each of them once more."""
        refs: list[EventRef] = []
        damages: list[Damage] = []
        moved: list[str] = []
        for segment in list(self._reasons):
            try:
                data = self._files.read(segment.path)
                contents = decode_segment(data, str(segment.path))
                strangers = self._put_again(contents)
            except StoreFormatError as error:
                damages.append(Damage(str(segment.path), str(error)))
            except OSError as error:
                self._reasons[segment] = describe(error)
                continue
            except StoreError as error:
                self._reasons[segment] = str(error)
                continue
            else:
                refs += strangers
                moved += [f"{ref.event_id}, now {ref.sequence}" for ref in strangers]
                refs += self._take_in(segment, len(data), contents)
                damages += [flaw_damage(segment.path, flaw) for flaw in contents.flaws]
            del self._reasons[segment]
            self._index.unread.discard(segment.number)
        if not self._reasons:
            self._index.forget_removals()
        return FoundLate(sorted(refs), damages, self.reasons, moved)

    def _put_again(self, contents: Contents) -> list[EventRef]:
        """Put those events once more whose sequence another one has now; return them.

        Where it cannot be told whether it is another, that is done, too: a double is known by its
        id, and a loss by nothing.

        Raises:
            StoreError: None of them counts; the segment is to be tried again as a whole.
        """
        taken = [
            put.event for put in _live(contents.records) if self._index.find(put.event.sequence)
        ]
        there = SegmentReader(self._files, self._index).read([event.sequence for event in taken])
        known = {(event.sequence, event.event_id, event.tag) for event in there.events}
        strangers = [e for e in taken if (e.sequence, e.event_id, e.tag) not in known]
        first = self._free_sequence
        puts = [event._replace(sequence=first + place) for place, event in enumerate(strangers)]
        if puts:
            self._put(puts)
        # Only now, so that a try that failed and the next one give an event the same sequence.
        self._free_sequence += len(puts)
        return [event.ref for event in puts]

    def _take_in(self, segment: Segment, size_bytes: int, contents: Contents) -> list[EventRef]:
        """Take in a segment that was read; return what of it counts from now on."""
        self._index.insert(segment, size_bytes)
        self.next_sequence = max(self.next_sequence, contents.next_sequence)
        refs = []
        for put in _live(contents.records):
            sequence = put.event.sequence
            if not self._index.was_removed(sequence) and self._index.find(sequence) is None:
                self._index.put(segment, Place(sequence, put.offset, put.line_bytes))
                refs.append(put.event.ref)
        segment.damaged = bool(contents.flaws)
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
